# Each target works on a fresh machine: it makes .venv first, and again when its inputs change.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready-$(notdir $(PYTHON))

.DEFAULT_GOAL := help
.PHONY: help demo test test-browser test-all lint bench bench-ui setup clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile
	@echo "  PYTHON=python3.13 picks the interpreter; ARGS and BENCH are passed on to pytest and the benchmarks."

demo: $(READY) ## Run the demo: a shop's events, from raw files to answers
	$(BIN)/esanalytics demo

test: $(READY) ## Run the tests, all but those marked slow or browser
	$(BIN)/pytest -n 2 -m "not slow and not browser" $(ARGS)

test-browser: $(READY) ## Run the tests that drive a real browser; pictures go to build/screenshots
	bash .ci/browser
	$(BIN)/pytest tests/browser -m browser $(ARGS)

test-all: $(READY) ## Run every test
	$(BIN)/pytest -n 2 -m "not browser" $(ARGS)
	$(MAKE) test-browser

lint: $(READY) ## Check style, format, types and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(READY) ## Run the benchmarks; BENCH=... chooses
	$(BIN)/python tests/bench/run.py $(BENCH)

bench-ui: $(READY) ## Run the benchmark of the views in a real browser; BENCH="--events 1000000" is smaller
	bash .ci/browser
	PYTHONPATH=tests/browser $(BIN)/python tests/bench/ui.py $(BENCH)

setup: $(READY) ## Make .venv; every target above does it by itself

clean: ## Remove .venv, caches and builds
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): pyproject.toml constraints.txt .ci/setup
	bash .ci/setup $(PYTHON)
	@touch $@
