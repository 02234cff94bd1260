import pytest

PROJECTIONS = [
    ("orders.py:nope", "orders.py has no 'nope'; it has orders, several"),
    ("orders.py:ordres", "did you mean 'orders'?"),
    ("orders.py:number", "'number' in orders.py is of type int, no projection"),
    ("orders.py", "it has orders.py:orders, orders.py:several"),
    ("missing.py:x", "there is no file 'missing.py'"),
    ("no_such_module:x", "there is no module 'no_such_module'"),
    ("json:dumps", "'dumps' in json is of type function, no projection; it has no projection at all"),
    ("merge", "'merge' is no projection; give FILE.py:NAME, MODULE:NAME or merged"),
    ("fails.py:x", "fails.py:4: NameError: name 'undefined' is not defined\n    return undefined"),
    ("fails:x", "fails.py:4: NameError: name 'undefined' is not defined\n    return undefined"),
    ("syntax.py:x", "syntax.py:1: SyntaxError: '(' was never closed\n    x = ("),
    ("imports.py:x", "imports.py:2: ModuleNotFoundError: No module named 'no_such_module'"),
    ("leaves.py:x", "leaves.py:1: SystemExit: 3"),
    ("wrong.py:x", "wrong.py:2: ProjectionError: projection 'x': `on` has no rule"),
]
FILES = {
    "fails.py": "\n\ndef f():\n    return undefined\nx = f()\n",
    "syntax.py": "x = (\n",
    "imports.py": "\nimport no_such_module\n",
    "leaves.py": "raise SystemExit(3)\n",
    "wrong.py": "import esanalytics as ea\nx = ea.Projection('x', 'stream_id', {})\n",
}

MISUSES = [
    ((), "Usage: esanalytics"),
    (("nope",), "No such command 'nope'"),
    (("sql", "shop"), "Missing argument 'QUERY'"),
    (("sql", "shop", "select 1", "--at", "yesterday"), "'yesterday' is no instant; give 2026-03-03"),
    (("sql", "shop", "select 1", "--param", "x"), "'x' has no name and value with '=' between them"),
    (("sql", "shop", "select 1", "--format", "xml"), "'xml' is not one of"),
    (("sql", "shop", "select 1", "--limit", "-1"), "-1 is not in the range"),
    (("sql", "shop", "select 1", "-o", "missing/x.csv"), "there is no folder 'missing'"),
    (("state", "shop", "merged", "--key", "order-1"), "the key has 2 columns (service, stream_id), 1 were given"),
    (("compact", "shop", "--retain", "5"), "'5' is no duration; give a number and s, m, h or d"),
    (("init", "other", "--partition", "week"), "'week' is not one of"),
    (("ingest", "shop"), "Missing argument 'FILE...'"),
    (("ingest", "shop", "a.txt"), "the name of 'a.txt' does not tell its format"),
    (("ingest", "shop", "bare.csv", "--columns", "a,b"), "add --no-header"),
    (("ingest", "shop", "unix.jsonl", "--delimiter", ";"), "--delimiter is for csv, the files are jsonl"),
    (("ingest", "shop", "unix.jsonl", "--type", "a=INT"), "--type is for csv"),
    (("ingest", "shop", "bare.csv", "--delimiter", "ab"), "give one ASCII character, or blank"),
    (("ingest", "shop", "bare.csv", "--type", "a=NOPE"), "'NOPE' of column 'a' is no type"),
    (("ingest", "shop", "unix.jsonl", "--map", "typ=x"), "'typ' is no envelope column; did you mean 'type'?"),
    (("ingest", "shop", "unix.jsonl", "--map", "type=sql:select"), "such as sql:to_timestamp(ts::double)"),
    (("ingest", "shop", "unix.jsonl", "--map", "data=const:5"), "data is a JSON object, '5' is none"),
]

FAILURES = [
    (("info", "nowhere"), "no store at"),
    (("init", "shop"), "is already a store; use it as it is"),
    (("ingest", "shop", "missing.jsonl"), "missing.jsonl: there is no such file"),
    (("ingest", "shop", "missing*.jsonl"), "no file matches this pattern"),
    (("ingest", "shop", "clicks.csv.gz", "--map", "stream_id=sesion"), "did you mean 'session'?"),
    (("ingest", "shop", "dirty.jsonl"), "dirty.jsonl:2: occurred_at is missing"),
    (("sql", "shop", "selec"), "syntax error"),
    (("sql", "shop", "select nope from events"), 'Referenced column "nope" not found'),
    (("sql", "shop", "select nope from events"), "Candidate bindings"),
    (("sql", "shop", "drop table events"), "takes one SELECT"),
    (("sql", "shop", "select $a"), "not provided for the following parameters: a"),
    (("sql", "shop", "select stream_id::int from events"), "Could not convert string"),
]


@pytest.mark.parametrize(("spec", "message"), PROJECTIONS)
def test_a_projection_that_cannot_be_had_is_a_usage_error(spec, message, here, run):
    for name, text in FILES.items():
        (here / name).write_text(text)
    done = run("state", "shop", spec)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr.partition("\nerror: ")[2]
    assert "Traceback" not in done.stderr


def test_what_a_projection_file_prints_is_no_part_of_the_answer(here, run):
    done = run("state", "shop", "orders.py:orders", "--format", "csv")
    assert (here / "orders.py").exists()
    assert done.stdout.startswith("stream_id,status,total,placed_at,shipped_at\norder-1,")
    assert done.stderr == "a word from the file\n"


def test_a_projection_file_may_import_its_neighbour(here, run):
    (here / "models").mkdir()
    (here / "models" / "neighbour_of_model.py").write_text((here / "orders.py").read_text())
    (here / "models" / "model.py").write_text("from neighbour_of_model import orders\n")
    assert run("state", "shop", "models/model.py:orders").exit_code == 0


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("args", "message"), MISUSES)
def test_a_misuse_exits_with_2_and_says_what_would_do(args, message, run):
    done = run(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("args", "message"), FAILURES)
def test_a_failure_exits_with_1_and_one_message(args, message, run):
    done = run(*args)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr


@pytest.mark.usefixtures("here")
def test_a_missing_store_says_which_command_makes_one(run, tmp_path):
    done = run("info", tmp_path / "no store")
    assert done.stderr.endswith(f"; make one with: esanalytics init '{tmp_path / 'no store'}'\n")
