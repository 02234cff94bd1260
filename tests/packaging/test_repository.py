"""The files around the package: pins, make targets, import layers, no trace of one machine."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
# No pattern matches its own text here: dots and letters stand in brackets, the folder names are alternatives.
REGISTRY_HOST = re.compile(
    r"(?:pypi|npmjs|yarnpkg|python[h]osted|anaconda)[.](?:org|com)|(?:deb|security|snapshot)[.]debian[.]org"
)
MACHINE_PATH = re.compile(r"(?<![\w.$)}*-])/(?:home|opt|root|Users|work)/\w")


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def required() -> list[Requirement]:
    """Each requirement of the project: to run, to develop, to build."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = [
        *project["project"]["dependencies"],
        *(line for extra in project["project"]["optional-dependencies"].values() for line in extra),
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    return [Requirement(line) for line in declared]


def with_dependencies(requirements: Iterable[Requirement]) -> set[str]:
    """The requirements' names and, of those installed here, the names of what they need in turn."""
    todo = list(requirements)
    seen: set[tuple[str, str]] = set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        for wanted in {(name, extra) for extra in ("", *requirement.extras)} - seen:
            seen.add(wanted)
            todo += dependencies(*wanted)
    return {name for name, _ in seen}


def dependencies(name: str, extra: str) -> list[Requirement]:
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # of another platform, or to build only
        return []
    needs = map(Requirement, lines)
    return [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]


def tracked_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def outer_environment() -> dict[str, str]:
    """Our environment without what a surrounding `make test` puts into it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def test_every_pin_is_one_exact_version():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    odd = [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)]
    assert not odd


def test_every_dependency_is_pinned():
    assert with_dependencies(required()) <= pins().keys()


def test_the_pins_satisfy_what_the_project_declares():
    pinned = pins()
    broken = [str(need) for need in required() if not need.specifier.contains(pinned[canonicalize_name(need.name)])]
    assert not broken


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git knows which files are ours; this is no clone")
@pytest.mark.parametrize("pattern", [REGISTRY_HOST, MACHINE_PATH], ids=["registry host", "machine path"])
def test_no_file_names_a(pattern):
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked_files()
        for match in pattern.finditer(path.read_bytes().decode(errors="replace"))
    ]
    assert not found


@pytest.mark.parametrize("target", ["help", "demo", "test", "lint", "bench"])
def test_make_help_explains_in_one_line(target):
    text = subprocess.run(
        ["make", "help"], cwd=ROOT, env=outer_environment(), check=True, capture_output=True, text=True
    ).stdout
    assert len(re.findall(rf"^  make {target} +[A-Z]\w+ .+$", text, re.MULTILINE)) == 1


def test_imports_keep_to_their_layers():
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache", "--no-logo"], cwd=ROOT, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
