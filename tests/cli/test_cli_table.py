import unicodedata

import pytest

from esanalytics.cli._table import laid_out

WIDE = "select position, stream_id, occurred_at, data, type, data as again, event_id from events order by position"


def places(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in line)


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(run, shop, columns):
    for query in (
        WIDE,
        "select * from events",
        "select data from events",
        "select 東 from (select repeat('東', 90) 東)",
    ):
        text = run("sql", shop, query, columns=columns).stdout
        assert max(map(places, text.splitlines())) <= columns


def test_a_pipe_gets_whole_cells(run, shop):
    assert max(map(len, run("sql", shop, WIDE).stdout.splitlines())) > 200


def test_the_columns_left_out_are_named_on_stderr(run, shop):
    done = run("sql", shop, "select * from events limit 3", columns=80)
    assert "no room for " in done.stderr
    shown = done.stdout.splitlines()[0].split()
    named = done.stderr.partition("no room for ")[2].partition(";")[0].split(", ")
    assert len(named) + len([name for name in shown if name != "…"]) == 14
    assert done.stdout.splitlines()[0].startswith("position")


def test_columns_without_values_are_left_out_first():
    layout = laid_out(["key", "none", "text"], [["k" * 20, "", "t" * 20]], width=29)
    assert layout.columns == (0, 2)
    assert layout.widths == (13, 13)


def test_texts_are_cut_before_columns_are_left_out():
    layout = laid_out(["a", "b", "c"], [["x" * 50, "y" * 5, "7"]], right=frozenset({2}), whole=frozenset({2}), width=40)
    assert layout.columns == (0, 1, 2)
    assert layout.line(["x" * 50, "y" * 5, "7"]) == "x" * 29 + "…  yyyyy  7"


def test_numbers_stand_on_the_right_and_instants_are_to_the_second(run, shop):
    query = (
        "select 'a' as name, 5 as n, timestamptz '2026-03-03 10:00:00.7+00' as at, null as nothing "
        "union all select 'bcd', 1234, null, null order by n"
    )
    assert run("sql", shop, query).stdout.splitlines() == [
        "name     n  at                    nothing",
        "────  ────  ────────────────────  ───────",
        "a        5  2026-03-03 10:00:00Z",
        "bcd   1234",
    ]


def test_fifty_rows_are_shown_and_the_others_counted_on_stderr(run, shop):
    done = run("sql", shop, "select position from events")
    assert len(done.stdout.splitlines()) == 52
    assert done.stderr == "3,718 more rows; --limit 0 shows all\n"


def test_fifty_rows_of_fifty_leave_nothing_out(run, shop):
    done = run("sql", shop, "select position from events limit 50")
    assert len(done.stdout.splitlines()) == 52
    assert done.stderr == ""


def test_no_limit_shows_all_rows_and_no_note(run, shop):
    done = run("sql", shop, "select position from events order by position", "--limit", 0)
    assert [int(line) for line in done.stdout.splitlines()[2:]] == list(range(1, 3769))
    assert done.stderr == ""


def test_no_rows_are_said_on_stderr(run, shop):
    done = run("sql", shop, "select type from events where false")
    assert done.stdout.split() == ["type", "────"]
    assert done.stderr == "no rows\n"


def test_what_an_event_holds_cannot_steer_the_terminal(run, shop):
    text = run("sql", shop, "select chr(27) || '[2J' || chr(10) || 'x' as t").stdout
    assert text.splitlines()[2] == r"\x1b[2J\nx"


def test_a_name_with_a_combining_or_wide_letter_keeps_the_columns_aligned(run, shop):
    query = "select * from (values (1, 'é', 7), (2, '東京', 8), (3, 'ab', 9)) t(i, a, b) order by i"
    lines = run("sql", shop, query).stdout.splitlines()
    assert {places(line) for line in lines} == {places(lines[1])}


def test_spare_columns_go_before_any_text_is_cut_short_and_no_more_of_them_than_must():
    names, rows = ["key", "note", "id", "more"], [["a", "n" * 30, "i" * 16, "m" * 8]]
    assert laid_out(names, rows, spare=(2, 3), width=80).columns == (0, 1, 2, 3)
    assert laid_out(names, rows, spare=(2, 3), width=50).columns == (0, 1, 3)
    assert laid_out(names, rows, spare=(2, 3), width=40).columns == (0, 1, 3)
    assert laid_out(names, rows, spare=(2, 3), width=34).columns == (0, 1)
    assert laid_out(names, rows, spare=(0, 1, 2, 3), width=5).columns == (3,)


def test_instants_in_payloads_are_shown_to_the_second(run, shop):
    done = run("diff", shop, "esanalytics.demo:orders", "2026-02-16", "2026-02-17", "--key", "order-158")
    assert "shipped_at          2026-02-16 03:47:55Z" in done.stdout
