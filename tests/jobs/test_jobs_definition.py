"""What a job asks for is found by name, and the files that it was made of are known."""

import sys

import pytest

import esanalytics as ea
from esanalytics.errors import JobFileError, UnsupportedError
from esanalytics.jobs._code import as_they_are, code_digest, fresh_code, stamp_of
from esanalytics.jobs._definition import asked_for, named
from esanalytics.jobs._question import question

CODE = """
import esanalytics as ea
from pack_of_jobs.inner import NAME
from pack_of_jobs import deeper
orders = ea.Projection(NAME, key="stream_id", on={"*": {"n": ea.add(1)}})
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "defined_of_jobs.py").write_text(CODE)
    (tmp_path / "pack_of_jobs").mkdir()
    (tmp_path / "pack_of_jobs/__init__.py").write_text("")
    (tmp_path / "pack_of_jobs/inner.py").write_text("from .deeper import NAME\n")
    (tmp_path / "pack_of_jobs/deeper.py").write_text("NAME = 'orders'\n")
    (tmp_path / "pack_of_jobs/other.py").write_text("raise ValueError\n")
    return tmp_path


@pytest.mark.parametrize(
    "spec", ["defined_of_jobs.py:orders", "defined_of_jobs:orders", "{}/defined_of_jobs.py:orders"]
)
def test_a_projection_is_found_with_all_files_that_it_was_made_of(place, spec):
    with fresh_code(place):
        found = named(spec.format(place), place)
    assert isinstance(found.definition, ea.Projection)
    assert found.definition.name == "orders"
    assert [str(path.relative_to(place)) for path in found.files] == [
        "defined_of_jobs.py", "pack_of_jobs/__init__.py", "pack_of_jobs/deeper.py", "pack_of_jobs/inner.py",
    ]  # fmt: skip


def test_code_is_loaded_anew_and_what_was_loaded_before_stays(place):
    path = list(sys.path)
    with fresh_code(place):
        first = named("defined_of_jobs.py:orders", place)
        again = named("defined_of_jobs.py:orders", place)
        assert first.definition is again.definition
    assert "defined_of_jobs" not in sys.modules
    assert sys.path == path
    (place / "pack_of_jobs/deeper.py").write_text("NAME = 'other orders'\n")
    with fresh_code(place):
        second = named("defined_of_jobs.py:orders", place)
        module = sys.modules["defined_of_jobs"]
        with fresh_code(place):
            assert named("defined_of_jobs.py:orders", place).definition.name == "other orders"
        assert sys.modules["defined_of_jobs"] is module
    assert second.definition.name == "other orders"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("gone.py:orders", "there is no file 'gone.py'"),
        ("gone_of_jobs:orders", "there is no module 'gone_of_jobs'"),
        ("defined_of_jobs.py:ordres", "did you mean 'orders'"),
        ("defined_of_jobs.py:NAME", "of type str, no projection"),
        ("defined_of_jobs.py", "it has defined_of_jobs.py:orders"),
        ("nothing", "give FILE.py:NAME"),
        ("pack_of_jobs.other:x", "other.py:1: ValueError"),
        ("wrong_of_jobs.py:x", "wrong_of_jobs.py:2: SyntaxError"),
    ],
)
def test_what_is_not_there_is_named(place, spec, text):
    (place / "wrong_of_jobs.py").write_text("x = 1\ny = (\n")
    with fresh_code(place), pytest.raises(JobFileError) as caught:
        named(spec, place)
    assert text in str(caught.value)


def test_files_are_read_again_only_where_they_were_touched(place):
    path = place / "defined_of_jobs.py"
    known = {str(path): stamp_of(path)}
    assert as_they_are(known) == known
    path.touch()
    touched = as_they_are(known)
    assert touched != known
    assert code_digest(touched) == code_digest(known)
    path.write_text(CODE + "\n")
    assert code_digest(as_they_are(known)) != code_digest(known)
    path.unlink()
    assert code_digest(as_they_are(known)) != code_digest(known)
    assert code_digest({}) == ""


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (("events", None), "state"),
        (("counts", None), "history"),
        (("merged", None), "events"),
        ((None, "select 1"), "diff"),
        ((None, "select 1"), "history"),
        (("defined_of_jobs.py:orders", None), "events"),
    ],
)
def test_what_has_no_such_kind_is_refused(place, asked, kind):
    if asked == ("events", None):
        kind = "diff"
    with fresh_code(place), pytest.raises(UnsupportedError):
        question(asked_for(*asked, place), kind)
