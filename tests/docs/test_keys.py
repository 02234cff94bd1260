"""The page of the keys of a file of jobs: it has each of them, with the default that it has."""

import re
from pathlib import Path

import pytest

from esanalytics.jobs._file import Kind, OnEmpty
from esanalytics.jobs._keys import DEFAULTS, INGEST, JOB, LEDGER, NOTIFY, REQUIRED, STORE
from esanalytics.jobs._markers import MARKERS, WINDOWED
from esanalytics.jobs._schedule import ALIASES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
SECTIONS = {
    "[store]": STORE,
    "[ledger]": LEDGER,
    "[defaults]": DEFAULTS,
    "[jobs.NAME]": {name: key for name, key in JOB.items() if name not in DEFAULTS},
    "[ingest.NAME]": INGEST,
}


def rows(title):
    """The cells of a section's table, by key."""
    section = PAGE.split(f"\n## `{title}`\n")[1].split("\n## ")[0]
    cells = [re.split(r" \| ", line.strip("| ")) for line in section.splitlines() if line.startswith("| `")]
    return {first.strip("`"): rest for first, *rest in cells}


def shown(value):
    """A default, as it would stand in the file."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


@pytest.mark.parametrize("title", SECTIONS)
def test_it_has_each_key(title):
    assert sorted(rows(title)) == sorted(SECTIONS[title])


@pytest.mark.parametrize("title", SECTIONS)
def test_the_defaults_are_those_of_the_code(title):
    for name, (_, default, _) in rows(title).items():
        key = SECTIONS[title][name]
        if key.default is REQUIRED:
            assert default.startswith("required"), name
        elif key.default is None:
            assert default != "required", name
            assert not re.fullmatch('`("[^"]*"|true|false|[0-9]+)`', default), name
        else:
            assert default == shown(key.default), name


@pytest.mark.parametrize("title", SECTIONS)
def test_a_dollar_marks_what_the_environment_may_give(title):
    for name, (takes, _, _) in rows(title).items():
        inside = name == "notify" and title == "[defaults]" and all(key.expand for key in NOTIFY.values())
        assert takes.endswith("`$`") == (SECTIONS[title][name].expand or inside), name


@pytest.mark.parametrize(
    ("title", "name"),
    [(title, name) for title, keys in SECTIONS.items() for name in keys if name not in ("projection", "schedule")],
)
def test_what_it_says_is_allowed_is_allowed(title, name):
    read = SECTIONS[title][name].read
    takes = rows(title)[name][0]
    for word in re.findall(r'`"([^"]+)"`', takes):
        assert read(word) is not None


def test_it_names_all_words_of_a_choice():
    takes = {**rows("[defaults]"), **rows("[jobs.NAME]")}
    assert re.findall(r'`"(\w+)"`', takes["on_empty"][0]) == list(OnEmpty.__args__)
    assert re.findall(r'`"(\w+)"`', takes["kind"][0]) == list(Kind.__args__)
    assert re.findall(r"`(on_\w+|url)`", takes["notify"][0]) == list(NOTIFY)
    assert re.findall(r"`(@\w+)`", takes["schedule"][0]) == list(ALIASES)
    for name in ("format", "mode", "catchup", "window"):
        with pytest.raises(ValueError, match="choose") as caught:
            JOB[name].read("\t")
        words = re.findall(r"\w+", str(caught.value).partition("choose ")[2])
        assert {word for word in words if word != "or"} <= set(re.findall(r'`"(\w+)"`', takes[name][0])), name


def test_it_names_what_is_ours_in_tables():
    assert all(f"`{name}`" in PAGE for name in (MARKERS, *WINDOWED))
