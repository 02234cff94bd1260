"""What `import esanalytics` gives, and what it costs."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import esanalytics

PACKAGE = Path(esanalytics.__file__).parent
PACKAGES = sorted(".".join(path.parent.relative_to(PACKAGE.parent).parts) for path in PACKAGE.rglob("__init__.py"))
HEAVY = ("IPython", "ipywidgets", "matplotlib", "pandas", "polars", "pyspark")


def linter_order(name):
    """Constants, classes, the rest: the order ruff keeps `__all__` in."""
    return (not name.isupper(), not name[0].isupper(), name)


@pytest.mark.parametrize("name", PACKAGES)
def test_every_package_lists_its_names_sorted_and_each_resolves(name):
    package = importlib.import_module(name)
    assert list(package.__all__) == sorted(set(package.__all__), key=linter_order)
    missing = [exported for exported in package.__all__ if not hasattr(package, exported)]
    assert not missing


def test_importing_loads_no_heavy_package():
    code = f"import sys, esanalytics; print(*sorted({set(HEAVY)!r} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.split() == []


def test_what_is_exported_is_what_was_promised():
    words = (
        "add append case causation_id coalesce correlation_id count delete effective_at event_id field first is_null "
        "keep max_ min_ occurred_at position recorded_at remove schema_version service stream_id type_ version"
    )
    nouns = "jobs Bisection Event Log Projection Reducer Snapshot SqlProjection Store engines errors plots sources"
    verbs = "bisect diff explain export history join_asof merged reducer refresh snapshot snapshots state_at"
    views = "Comparison Explorer Replay ReplaySession Trace compare explore replay trace"
    assert {*esanalytics.__all__} == {*words.split(), *nouns.split(), *verbs.split(), *views.split()}
