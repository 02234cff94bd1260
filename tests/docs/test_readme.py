"""The README: its Python runs, its commands run, its links lead somewhere."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import esanalytics as ea

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", "CHANGELOG.md", "data/README.md", "docs/jobs.md", "notebooks/README.md"]
SCRIPT = Path(sys.executable).with_name("esanalytics")
ABSENT = ("history", "diff", "explain", "bisect", "snapshot", "join_asof", "replay", "verify", "erase", "retract")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands(program):
    lines = "".join(blocks("console")).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith(f"$ {program} ")]


def transcript():
    """Each command of the program, with the lines that it is said to print."""
    found = []
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(line)
    return [(command, said) for command, said in found if command.startswith("esanalytics ")]


def pattern(said):
    """Let each line be itself, but for what stands in for it as `…`; a line of that alone is any lines."""
    lines = ["(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + "\n" for line in said]
    return "".join(lines)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current directory that has the sample, the files that are shown in TOML, and nothing else."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    for block in blocks("toml"):
        (tmp_path / block.split()[1]).write_text(block)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_with_answers(block, names):
    """Run a block; where a line ends in `# → answer`, its value must be that."""
    lines, checked = block.splitlines(), 0
    for statement in ast.parse(block).body:
        first = min([statement.lineno, *(found.lineno for found in getattr(statement, "decorator_list", []))])
        source = "\n".join(lines[first - 1 : statement.end_lineno])
        answer = re.search(r"  # → (.*)$", source)
        if answer is None:
            exec(compile(source, "README.md", "exec"), names)
        else:
            assert repr(eval(compile(source, "README.md", "eval"), names)) == answer[1], source
            checked += 1
    return checked


def test_every_block_of_python_runs_in_order_and_gives_the_answers_it_states(folder):
    names = {}
    checked = sum(run_with_answers(block, names) for block in blocks("python"))
    assert checked == README.count("# → ") > 0
    assert (folder / "shop" / "events").is_dir()
    answer = names["ea"].state_at(names["store"], names["orders"], "2026-02-20").df()
    assert set(answer["status"]) == {"placed", "paid", "shipped"}


@pytest.mark.slow
def test_every_command_of_the_program_runs(folder):
    (folder / "tickets.csv").write_text("ticket,what,when,hours\n17,Opened,2026-03-02 09:15,\n")
    with ea.Store.create("shop") as store:  # which the first program made
        store.append(ea.sources.jsonl("data/*.jsonl"), progress=False)
    found = transcript()
    assert len(found) >= 7
    for command, said in found:
        words = [SCRIPT, *shlex.split(command)[1:]]
        run = subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True)
        assert run.returncode == 0, f"{command}\n{run.stderr}"
        assert not said or re.fullmatch(pattern(said), run.stdout + run.stderr), f"{command}\n{run.stdout}{run.stderr}"


def test_the_file_of_jobs_and_its_commands_are_ten_lines():
    [shown] = blocks("toml")
    lines = [line for line in shown.splitlines() if line and not line.startswith("#")]
    beside = [re.match(r"esanalytics jobs (?!list)", command) for command in commands("esanalytics")]
    assert len(lines) + sum(map(bool, beside)) == 10


def test_the_table_of_the_jobs_commands_has_each_of_them_and_the_codes_are_those_of_the_help():
    text = subprocess.run([SCRIPT, "jobs", "--help"], check=True, capture_output=True, text=True).stdout
    listed = re.findall(r"^  ([a-z]+)  ", text[text.index("Commands:") :], re.MULTILINE)
    assert re.findall(r"^\| `jobs (\w+)", README, re.MULTILINE) == listed
    told = " ".join(text.split()).partition("Exit codes: ")[2].partition(".")[0]
    codes = re.findall(r"(?:^|; )(\d+) ", told)
    ours = README[README.index("`jobs run` ends with 0") :].split("\n\n")[0]
    assert re.findall(r"\b(\d+) if", ours) == codes


def test_every_key_of_a_job_that_it_names_is_one():
    from esanalytics.jobs._keys import INGEST, JOB  # noqa: PLC0415  the words of the file

    section = README[README.index("A job asks for a `projection`") :].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", section)) | set(re.findall(r"`(\w+) = ", section))
    kinds = {"events", "counts", "merged", "state", "history", "diff"}
    assert len(named) > 8
    assert named - kinds <= set(JOB) | set(INGEST)


def test_the_commands_show_each_command_of_the_program():
    text = subprocess.run([SCRIPT, "--help"], check=True, capture_output=True, text=True).stdout
    listed = set(re.findall(r"^  ([a-z]+)  ", text[text.index("Commands:") :], re.MULTILINE))
    assert listed == {command.split()[1] for command in commands("esanalytics")}


def test_every_target_of_make_is_one():
    targets = {command.split()[1] for command in commands("make")}
    assert {"demo", "test"} <= targets
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    for target in targets | set(re.findall(r"`make ([a-z-]+)`", README)):
        subprocess.run(["make", "-n", target], cwd=ROOT, env=clean, check=True, capture_output=True)


def test_the_words_of_the_library_that_it_names_exist():
    named = set(re.findall(r"\bea\.([A-Za-z_]+(?:\.[a-z_]+)?)", README))
    assert "state_at" in named
    missing = []
    for name in named:
        found = ea
        for part in name.split("."):
            found = getattr(found, part, None)
        missing += [name] if found is None else []
    assert missing == []


def test_it_shows_every_assignment_of_projections():
    from esanalytics.projections import _assignments  # noqa: PLC0415

    kinds = {"add", "append", "count", "delete", "first", "keep", "max_", "min_", "remove"}
    assert kinds < set(_assignments.__all__)
    table = README[README.index("| assignment |") :].split("\n\n")[0]
    assert [name for name in kinds if f"`{name}" not in table] == []


def headings(path):
    return {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("#")
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_or_a_heading_leads_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        name, _, heading = target.partition("#")
        other = path.parent / name if name else path
        assert other.exists(), target
        assert not heading or heading in headings(other), target


@pytest.mark.parametrize("page", PAGES)
def test_headings_are_sentences_and_no_word_sells(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    titles = [line.lstrip("# ").split() for line in prose.splitlines() if line.startswith("#")]
    own = {"OrderPlaced", "[Unreleased]"}
    assert [title for title in titles if any(word != word.lower() for word in title[1:] if word not in own)] == []
    assert re.findall(r"\b(simply|just|easily|easy|powerful|seamless|blazing|robust)\b", prose, re.IGNORECASE) == []


def test_it_shows_nothing_that_does_not_exist_yet():
    absent = [name for name in ABSENT if not hasattr(ea, name)]
    shown = set(re.findall(r"`(?:ea\.)?(\w+)", README)) | set(re.findall(r"\bea\.(\w+)", README))
    assert shown.isdisjoint(absent)
