import re
import shlex
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import esanalytics as ea
from esanalytics.cli._main import program
from esanalytics.demo import orders


def help_of(*command: str) -> str:
    return CliRunner().invoke(program, [*command, "--help"]).stdout


def examples_of(text: str) -> list[str]:
    return [line.strip() for line in text.partition("Examples:\n")[2].splitlines() if line.strip()]


def commands_of(group: click.Group, *path: str) -> dict[tuple[str, ...], click.Command]:
    found = {}
    for name, command in group.commands.items():
        found[(*path, name)] = command
        found |= commands_of(command, *path, name) if isinstance(command, click.Group) else {}
    return found


BY_PATH = commands_of(program)
COMMANDS = [(), *BY_PATH]
EXAMPLES = [line for command in COMMANDS for line in examples_of(help_of(*command))]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "esanalytics")
def test_every_help_has_a_summary_of_one_line_and_examples(command):
    text = help_of(*command)
    paragraph = re.split(r"\n\s*\n", text)[1]
    assert re.fullmatch(r"  [A-Z][^\n]+\.", paragraph) or command == ()
    assert examples_of(text)


@pytest.mark.parametrize("path", BY_PATH, ids=" ".join)
def test_every_option_says_what_it_does(path):
    for option in BY_PATH[path].params:
        if option.param_type_name == "option":
            assert option.help, option.name


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_runs_as_printed(line, here, run, environment):
    if line.startswith("esanalytics init"):
        (here / "shop").rename(here / "other")
    if line.startswith("esanalytics snapshot drop"):
        with ea.Store.open(here / "shop") as store:
            ea.snapshot(store, orders, "2026-03-01")
    if "|" in line:
        done = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return
    name, *args = shlex.split(line)
    done = run(*args)
    assert name == "esanalytics"
    assert done.exit_code == 0, done.stderr


@pytest.mark.usefixtures("here")
def test_the_examples_with_a_filter_find_something(run):
    lines = [line for line in EXAMPLES if "order-42" in line and "orders.py" not in line]
    assert len(lines) == 2
    for line in lines:
        assert "order-42" in run(*shlex.split(line)[1:]).stdout


def test_the_help_loads_neither_pandas_nor_matplotlib():
    code = (
        "import sys\nfrom esanalytics.cli import main\n"
        "try: main(['ingest', '--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'pandas', 'matplotlib', 'polars', 'tqdm', 'ipywidgets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
