"""The notebooks: stored without outputs, told in plain words, and they run and find what they promise."""

import datetime as dt
import html
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import pyarrow.parquet as pq
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
HOSPITAL = FOLDER.parents[1] / "shared" / "data" / "sepsis" / "sepsis.parquet"
STATUSES = {
    "OrderPlaced": "placed",
    "OrderPaid": "paid",
    "OrderShipped": "shipped",
    "OrderDelivered": "delivered",
    "OrderCancelled": "cancelled",
    "OrderRefunded": "refunded",
}


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def run(path, folder, instead=("", "")):
    """Run a notebook, with a folder as the current directory; return what each cell showed, by the cell's id.

    The first text of ``instead`` is replaced by the second in the code.
    """
    notebook = read(path)
    for cell in code_cells(notebook):
        cell.source = cell.source.replace(*instead)
    NotebookClient(
        notebook, kernel_name="python3", timeout=120, resources={"metadata": {"path": str(folder)}}
    ).execute()
    return {cell.id: [shown(output) for output in cell.outputs] for cell in code_cells(notebook)}


def shown(output):
    return output.text if output.output_type == "stream" else dict(output.data)


def text(outputs):
    """Put what a cell showed together: the HTML where there is some, without its tags."""
    parts = [part if isinstance(part, str) else part.get("text/html", part["text/plain"]) for part in outputs]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", " ".join(parts))).split())


@pytest.fixture(scope="module")
def bug_found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    return folder, run(FOLDER / "02_find_the_bug.ipynb", folder)


def test_the_bug_is_found_in_five_orders_and_its_cost_is_that_of_the_spoiler(bug_found):
    _, cells = bug_found
    names = "order-123, order-150, order-154, order-169, order-175"
    assert text(cells["damage"]) == f"5 orders, 514.50 EUR refunded twice: {names}"
    spoiler = (FOLDER.parent / "data" / "README.md").read_text(encoding="utf-8")
    assert "by 514.50 EUR in all" in spoiler
    assert set(re.findall(r"order-\d+", names)) <= set(re.findall(r"`(order-\d+)`", spoiler))


def test_each_step_to_the_bug_shows_what_the_prose_says(bug_found):
    _, cells = bug_found
    assert "appended=3768, duplicates=41" in text(cells["load-events"])
    assert text(cells["daily-totals"]).endswith("2026-03-31 4589.1 5103.6")
    assert "2026-02-16" in text(cells["first-day"])
    assert re.search(r"order-123 changed balance 79.50 -79.50$", text(cells["two-days"]))
    assert text(cells["why"]).count("OrderRefunded") == 2
    assert "first after OrderRefunded" in text(cells["first-bad"])
    assert "'release': '2026.02.2'" in text(cells["first-bad-event"])
    assert {"orders-1", "orders-3"} <= set(text(cells["same-cause"]).split())
    assert "orders OrderRefunded 5 5 2026-02-16" in text(cells["suspect"])
    assert text(cells["repair"]) == "never: balance < 0"
    assert len(set(re.findall(r"order-\d+", text(cells["differences"])))) == 5


def test_the_pictures_are_drawn(bug_found):
    _, cells = bug_found
    drawn = [name for name in cells if name.startswith("draw-")]
    assert len(drawn) == 3
    assert [name for name in drawn if "image/png" not in cells[name][0]] == []


def test_running_it_leaves_nothing_in_the_current_directory(bug_found):
    folder, _ = bug_found
    assert list(folder.iterdir()) == []


def plain(outputs):
    """Put what a cell says in plain text together."""
    return " ".join(part if isinstance(part, str) else part["text/plain"] for part in outputs)


def pictures(cells):
    return {name for name, outputs in cells.items() if any("image/png" in part for part in outputs)}


def orders_of_the_shop():
    """The events of the shop's orders, each once, by stream and version; by the files alone."""
    lines = (FOLDER.parent / "data" / "orders.jsonl").read_text(encoding="utf-8").splitlines()
    events = {event["event_id"]: event for event in map(json.loads, lines)}
    return sorted(events.values(), key=lambda event: (event["stream_id"], event["version"]))


def statuses(events, at):
    """How many orders had each status at an instant: an event counts no earlier than those before it."""
    found, time = {}, {}
    for event in events:
        stream = event["stream_id"]
        time[stream] = max(event["occurred_at"], time.get(stream, ""))
        if time[stream] <= at and event["type"] in STATUSES:
            found[stream] = STATUSES[event["type"]]
    return Counter(found.values())


def test_the_quick_start_goes_from_files_to_a_replay(tmp_path):
    cells = run(FOLDER / "01_quickstart.ipynb", tmp_path)
    events = orders_of_the_shop()
    assert json.loads(cells["one-line"][0])["event_id"] == "3b6828736c69cadc"
    assert "appended=3768, duplicates=41" in plain(cells["load-events"])
    assert plain(cells["explore"]).startswith("Explorer: 3,768 events, 2026-01-01..2026-03-31, 5 services, 25 types")
    then = statuses(events, "2026-02-20")
    assert dict(re.findall(r"^(\w+) +(\d+)$", plain(cells["by-status"]), re.MULTILINE)) == {
        name: str(count) for name, count in then.items()
    }
    assert "320 of 1,092 streams had the first step" in plain(cells["draw-funnel"])
    watched = [event for event in events if event["stream_id"] == "order-108"]
    assert f"Replay of order-108: {len(watched)} events" in plain(cells["replay"])
    signs = {"OrderPaid": 1, "OrderRefunded": -1}
    kept = sum(signs.get(event["type"], 0) * event["data"].get("amount", 0) for event in watched)
    assert "'status': 'refunded'" in plain(cells["last-step"])
    assert f"'balance': Decimal('{kept:.2f}')" in plain(cells["last-step"])
    assert {"explore", "draw-density", "draw-funnel", "draw-state", "replay"} == pictures(cells)
    assert list(tmp_path.iterdir()) == []


def test_the_replay_leads_to_the_event_that_did_it_and_takes_it_out(tmp_path):
    cells = run(FOLDER / "03_replay.ipynb", tmp_path)
    life = [event for event in orders_of_the_shop() if event["stream_id"] == "order-150"]
    balances = [0.0]
    for event in life:
        sign = {"OrderPaid": 1, "OrderRefunded": -1}.get(event["type"], 0)
        balances.append(balances[-1] + sign * event["data"].get("amount", 0))
    changed = [
        (step, f"{balances[step]:.2f}") for step in range(2, len(balances)) if balances[step] != balances[step - 1]
    ]
    stops = re.findall(r"^\d+ +(\d+) +\w+ +(\S+)$", plain(cells["changes"]), re.MULTILINE)
    assert stops == [("1", "0.00"), *((str(step), value) for step, value in changed)]
    [twice] = [event for event in life if event["metadata"]["release"] == "2026.02.2"]
    assert twice["event_id"] in plain(cells["culprit"])
    assert plain(cells["placed"]) == "('paid', Decimal('318.00'))"
    assert plain(cells["ended"]) == "('refunded', Decimal('-318.00'))"
    assert re.search(r"balance +0.00 +-318.00", plain(cells["jump"]))
    assert re.search(r"balance +318.00 +-318.00", plain(cells["marks"]))
    assert re.search(r"balance +-318.00 +0.00", plain(cells["what-if"]))
    assert "what-if: 1 off" in plain(cells["again"])
    assert "2026.02.2" in plain(cells["writer"])
    assert "15 events, 4 services" in plain(cells["trace"])
    assert "0 added, 0 removed, 5 changed" in plain(cells["compare"])
    assert set(re.findall(r"order-\d+", text(cells["others"]))) == {f"order-{n}" for n in (123, 150, 154, 169, 175)}
    assert re.fullmatch(r"'order-150.html: \d+ kB'", plain(cells["page"]))
    assert any("image/gif" in part for part in cells["draw-gif"])
    assert plain(cells["spec"]).startswith("(True,")
    assert twice["event_id"] in plain(cells["spec"])
    assert {"watch", "draw-columns", "trace", "again", "compare"} <= pictures(cells)
    assert list(tmp_path.iterdir()) == []


def test_the_jobs_take_in_a_late_event_and_keep_what_a_check_rejects(tmp_path):
    cells = run(FOLDER / "05_jobs.ipynb", tmp_path)
    monday, tuesday = "2026-02-16T06:15", "2026-02-17T06:15"
    events = orders_of_the_shop()
    first = [event for event in events if event["recorded_at"] < monday]
    second = [event for event in events if monday <= event["recorded_at"] < tuesday]
    assert f"appended={len(first)}," in plain(cells["arrived"])
    assert plain(cells["typo"]) == "/typo.toml:6: defaults.schedul: unknown key; did you mean 'schedule'?\n"
    assert plain(cells["validate"]) == "[]"
    days = [("daily", "12 Feb"), ("daily", "13 Feb"), ("daily", "14 Feb"), ("daily", "15 Feb"), ("orders", "15 Feb")]
    assert re.findall(r"^\d +(\w+) +(\d+ Feb) +due$", plain(cells["due"]), re.MULTILINE) == days
    known = len({event["stream_id"] for event in first if event["occurred_at"] < "2026-02-16"})
    assert plain(cells["run"]).endswith(f"orders  15 Feb  due  done{known:6}")
    assert plain(cells["again"]) == "[]"
    assert f"appended={len(second)}," in plain(cells["arrive"])
    assert re.findall(r"^\d +(\w+) +(\d+ Feb) +(.*?) +(done|rejected) ", plain(cells["run-tuesday"]), re.MULTILINE) == [
        ("daily", "15 Feb", "late events", "done"),
        ("daily", "16 Feb", "due", "done"),
        ("orders", "16 Feb", "due", "rejected"),
    ]
    [late] = [event["type"] for event in second if event["occurred_at"] < "2026-02-16"]
    then = sum(event["type"] == late and event["occurred_at"][:10] == "2026-02-15" for event in first)
    assert re.search(rf"{late} +{then + 1} +{then}$", plain(cells["late-event"]))
    assert "failed min(balance) >= 0 (MIN(balance) = -79.50); the old output stays" in plain(cells["error"])
    assert f"{known} orders, the least balance is 0.00" in plain(cells["old"])
    assert re.findall(r"order-\d+.*", plain(cells["old"])) == ["order-123  refunded  79.50   159.00  -79.50"]
    assert re.findall(r"^\d +(\w+) +(\d+ Feb) +\d+ +(\w+)$", plain(cells["status"]), re.MULTILINE) == [
        ("daily", "16 Feb", "False"),
        ("orders", "15 Feb", "True"),
    ]
    assert len(re.findall(r"^\d .*done$", plain(cells["history"]), re.MULTILINE)) == 6
    assert "OnCalendar=*-*-* 06:15:00 UTC\nPersistent=true" in plain(cells["render"])
    assert re.fullmatch(r"\((\d+), \1\)", plain(cells["export"]))
    assert list(tmp_path.iterdir()) == []


def git(where, *words, date=None):
    names = ["-c", "user.name=Zoë\u2028Q", "-c", "user.email=z@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", where, *names, *words, *([f"--date={date}"] if date else [])], check=True, capture_output=True
    )
    return done.stdout.decode()


def awkward_repository(where):
    """Make a checkout with renames, a file that comes again, bytes, modes, a merge, a clock that runs backwards."""
    git(where.parent, "init", "--quiet", where)
    (where / "deep").mkdir()
    steps = [
        lambda: [(where / name).write_text("one\ntwo\nthree\n" * 9) for name in ("a b.txt", "ü.txt", "gone.txt")],
        lambda: (where / "bytes.bin").write_bytes(bytes(range(256))),
        lambda: (where / "ü.txt").rename(where / "deep" / "ü.txt"),
        (where / "gone.txt").unlink,
        lambda: (where / "gone.txt").write_text("again\n"),
        lambda: (where / "a b.txt").chmod(0o755),
        lambda: (where / "bytes.bin").rename(where / "deep" / "x.bin"),
        lambda: (where / "gone.txt").write_text("again\nand more\n"),
        lambda: (where / "a b.txt").write_text("short\n"),
        lambda: (where / "link").symlink_to("gone.txt"),
    ]
    for number, step in enumerate(steps):
        step()
        git(where, "add", "--all")
        subject = f"--message=step {number}\x0c\ttab:\u2028line"
        git(where, "commit", "--quiet", "--no-verify", subject, date=f"2026-03-{20 - number:02}T10:00:00+05:30")
    main = git(where, "branch", "--show-current").strip()
    git(where, "checkout", "--quiet", "-b", "side")
    (where / "side.txt").write_text("beside\n")
    git(where, "add", "--all")
    git(where, "commit", "--quiet", "--no-verify", "--message=side", date="2026-03-21T10:00:00Z")
    git(where, "checkout", "--quiet", main)
    git(where, "merge", "--quiet", "--no-ff", "--no-verify", "--message=merge", "side")
    return where


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_history_of_a_checkout_folds_to_the_tree_that_git_has(tmp_path):
    checkout = awkward_repository(tmp_path / "awkward")
    cells = run(FOLDER / "04_real_data.ipynb", checkout / "deep", ("sepsis.parquet", "absent.parquet"))
    assert plain(cells["find-checkout"]) == "your checkout awkward: 11 commits\n"
    # three files, then one each; a rename is an event of either path
    assert "appended=15," in plain(cells["load-events"])
    assert plain(cells["explore"]).startswith("Explorer: 15 events, 2026-03-11..")
    listed = git(checkout, "ls-tree", "-r", "--name-only", "-z", "HEAD").split("\0")[:-1]
    assert plain(cells["same-tree"]) == f"({len(listed)}, True)"
    assert [path for path in listed if path not in text(cells["projection"])] == []
    # the file with the most changes: 27 lines, then another mode, then one line instead
    assert "a b.txt, after 3 events" in plain(cells["file-now"])
    assert "'changes': 3, 'added': 28, 'removed': 27" in " ".join(plain(cells["file-now"]).split())
    assert "is not here: what follows is left out" in plain(cells["find-hospital"])
    assert cells["draw-transitions"] == cells["replay-patient"] == []
    assert {"explore", "compare", "draw-density", "draw-heatmap", "replay"} == pictures(cells)
    assert git(checkout, "status", "--porcelain") == ""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.skipif(not HOSPITAL.is_file(), reason="the data set sepsis is not here; it lies beside the repository")
def test_without_a_checkout_there_is_a_tale_and_then_the_hospital(tmp_path):
    cells = run(FOLDER / "04_real_data.ipynb", tmp_path)
    assert plain(cells["find-checkout"]) == "a repository made for this notebook\n"
    assert plain(cells["same-tree"]) == "(3, True)"
    assert "1 added, 1 removed, 2 changed" in plain(cells["compare"])
    assert "main.py, after 3 events" in plain(cells["file-now"])
    cases = cases_of_the_hospital()
    assert f"{len(cases)} streams" in plain(cells["draw-dotted"]).replace(",", "")
    steps = sum(len(case) - 1 for case in cases.values())
    assert f"of {steps:,} steps" in plain(cells["draw-transitions"])
    triaged = [case for case in cases.values() if any(type_ == "ER Sepsis Triage" for _, type_ in case)]
    treated = [case for case in triaged if waited(case) is not None]
    assert f"{len(triaged):,} of {len(cases):,} streams had the first step" in plain(cells["draw-funnel"])
    assert f"{len(treated)} streams from the first start to the next end" in plain(cells["draw-durations"])
    assert f"{len(triaged) - len(treated)} more with a start and no end" in plain(cells["draw-durations"])
    assert f"Replay of A: {len(cases['A'])} events" in plain(cells["replay-patient"])
    assert "'crp': 6.0" in plain(cells["patient-ends"])
    assert list(tmp_path.iterdir()) == []


def cases_of_the_hospital():
    """What was done and when, by case, in the order of the file."""
    found = {}
    rows = pq.read_table(HOSPITAL, columns=["case_id", "row_order", "timestamp", "activity"]).to_pylist()
    for row in sorted(rows, key=lambda row: row["row_order"]):
        found.setdefault(row["case_id"], []).append((row["timestamp"], row["activity"]))
    return found


def waited(case) -> dt.timedelta | None:
    """How long a case waited for antibiotics after its triage; None where none came."""
    names = [name for _, name in case]
    triage = names.index("ER Sepsis Triage")
    later = [at for at, name in case[triage:] if name == "IV Antibiotics"]
    return later[0] - case[triage][0] if later else None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_at_its_end_where_to_go_next(path):
    last = prose(read(path))[-1]
    assert last.startswith("## Where to go next\n")
    assert last == read(path).cells[-1].source
    assert re.search(r"\]\([^)]+\.(ipynb|md)\)", last)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_notebook_knows_the_machine_it_was_written_on(path):
    assert re.findall(r"/(?:home|Users|tmp|root|work|mnt)/|\b[A-Z]:\\\\", path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert [cell.id for cell in code_cells(notebook) if cell.outputs or cell.execution_count is not None] == []
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_told_in_short_cells_and_plain_words(path):
    notebook = read(path)
    words = re.sub(r"`[^`]*`", "", "\n".join(prose(notebook)))
    titles = [line.lstrip("# ").split() for line in words.splitlines() if line.startswith("#")]
    assert [title for title in titles if any(word != word.lower() for word in title[1:])] == []
    assert re.findall(r"\b(simply|just|easily|easy|powerful|seamless)\b", words, re.IGNORECASE) == []
    assert [cell.id for cell in code_cells(notebook) if cell.source.count("\n") > 16] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_links_of_a_notebook_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", "\n".join(prose(read(path)))):
        assert target.startswith("https://") or (FOLDER / target).exists(), target


def test_every_notebook_is_listed():
    assert re.findall(r"\]\((\w+\.ipynb)\)", (FOLDER / "README.md").read_text(encoding="utf-8")) == [
        path.name for path in NOTEBOOKS
    ]


def test_the_jupyter_that_runs_them_comes_with_the_development_setup():
    assert Path(sys.executable).with_name("jupyter-execute").is_file()
