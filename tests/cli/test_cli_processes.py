"""What only a process of its own shows: exit codes, streams, signals, files."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

LONG = "select a.* from events a, events b"
LATE = "select case when n < 300000 then '1' else 'x' end::int as n from (select unnest(range(400000)) as n)"
"""Fails after it has given many rows."""


@pytest.fixture
def start(environment):
    """Begin a run; it does not outlive the test."""
    begun = []

    def begin(*args, **streams):
        command = [sys.executable, "-m", "esanalytics", *map(str, args)]
        begun.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **streams))
        return begun[-1]

    yield begin
    for program in begun:
        program.kill()
        program.communicate()


def end_of(program, seconds=30):
    """Wait for the exit code and what was said."""
    try:
        said = program.communicate(timeout=seconds)[1]
    except subprocess.TimeoutExpired:
        program.kill()
        said = program.communicate()[1] + b" (still running)"
    return program.returncode, said.strip()


def names(folder):
    return [path.name for path in folder.iterdir()]


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_answer_is_on_stdout_and_the_messages_on_stderr(spawn, shop):
    done = spawn("sql", shop, "select position from events order by position")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[2].strip() == "1"
    assert done.stderr == b"3,718 more rows; --limit 0 shows all\n"


def test_exit_codes_tell_failures_from_misuses(spawn, shop, tmp_path):
    assert spawn("sql", shop, "selec").returncode == 1
    assert spawn("info", tmp_path / "nowhere", "--format", "xml").returncode == 2


def test_a_failure_prints_no_traceback(spawn, shop):
    done = spawn("sql", shop, LATE, "--format", "csv")
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: Conversion Error")
    assert b"Traceback" not in done.stderr


def test_the_version_is_that_of_the_package(spawn):
    assert spawn("--version").stdout.decode() == f"esanalytics {metadata.version('esanalytics')}\n"


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_nobody_reading_on_is_quiet(form, start, shop):
    program = start("sql", shop, LONG, "--format", form, "--limit", 2_000_000, stdout=subprocess.PIPE)
    assert program.stdout.read(10)
    program.stdout.close()
    assert program.stderr.read() == b""
    assert program.wait(60) == 0


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "table"])
def test_a_query_that_fails_on_the_way_leaves_the_old_file(form, spawn, shop, tmp_path):
    file = tmp_path / "out"
    file.write_text("old")
    done = spawn("sql", shop, LATE, "--format", form, "--limit", 0, "-o", file)
    assert done.returncode == 1
    assert file.read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_a_killed_run_leaves_the_old_file(start, shop, tmp_path):
    file = tmp_path / "out.csv"
    file.write_text("old")
    program = start("sql", shop, LONG, "-o", file)
    until(lambda: any(path.stat().st_size > 100_000 for path in tmp_path.glob(".out.csv.*.part")))
    program.kill()
    program.wait(60)
    assert file.read_text() == "old"


def test_a_file_is_replaced_whole_and_keeps_its_permissions(spawn, shop, tmp_path):
    file = tmp_path / "out.json"
    file.write_text("old")
    file.chmod(0o640)
    assert spawn("sql", shop, "select 1 as a", "-o", file).returncode == 0
    assert json.loads(file.read_text()) == [{"a": 1}]
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert names(tmp_path) == ["out.json"]


def test_a_link_stays_a_link(spawn, shop, tmp_path):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    spawn("sql", shop, "select 1 as a", "-o", tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "a\n1\n"


def test_ctrl_c_while_writing_leaves_no_file(start, shop, tmp_path):
    program = start("sql", shop, LONG, "-o", tmp_path / "out.csv")
    until(lambda: any(path.stat().st_size > 100_000 for path in tmp_path.glob(".out.csv.*.part")))
    program.send_signal(signal.SIGINT)
    assert end_of(program) == (130, b"interrupted")
    assert names(tmp_path) == []


def test_ctrl_c_ends_a_query_that_gives_nothing_yet(start, shop, tmp_path):
    query = "select sum(a.position * b.position + c.position) as x from events a, events b, events c"
    program = start("sql", shop, query, "-o", tmp_path / "out.csv")
    time.sleep(3)
    program.send_signal(signal.SIGINT)
    assert end_of(program) == (130, b"interrupted")
    assert names(tmp_path) == []


def test_a_full_disk_is_a_message(start, shop):
    with Path("/dev/full").open("wb") as full:
        program = start("sql", shop, "select 1", stdout=full)
        assert program.stderr.read() == b"error: cannot write to stdout: No space left on device\n"
        assert program.wait(60) == 1


def test_parquet_is_not_written_to_a_terminal(start, shop):
    ours, theirs = os.openpty()
    program = start("sql", shop, "select 1", "--format", "parquet", stdout=theirs)
    assert b"name a file with -o FILE" in program.stderr.read()
    assert program.wait(60) == 2
    os.close(ours)
    os.close(theirs)


def test_a_table_fits_the_terminal_it_goes_to(start, shop):
    import fcntl  # noqa: PLC0415  Unix only
    import struct  # noqa: PLC0415
    import termios  # noqa: PLC0415

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 70, 0, 0))
    program = start("sql", shop, "select * from events limit 3", stdout=theirs)
    program.stderr.read()
    assert program.wait(60) == 0
    lines = os.read(ours, 100_000).decode().splitlines()
    assert len(lines) == 5
    assert 50 < max(map(len, lines)) <= 70
    os.close(ours)
    os.close(theirs)


def test_progress_is_not_shown_where_nobody_looks(spawn, tmp_path, prepared):
    spawn("init", tmp_path / "new")
    done = spawn("ingest", tmp_path / "new", prepared / "data" / "orders.jsonl")
    assert done.stderr == b"1,435 appended, 15 duplicates, 0 quarantined\n"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_answer(environment, shop, tmp_path):
    code = (
        "import resource, sys\nfrom esanalytics.cli import main\n"
        "try: main(sys.argv[1:])\nfinally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for times in (100, 400):
        query = f"select a.* from events a, (select 1 from events limit {times}) b"
        command = [sys.executable, "-c", code, "sql", shop, query, "-o", tmp_path / "out.csv"]
        done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=300)
        peaks.append(int(done.stdout))
    assert peaks[1] < peaks[0] * 1.3
