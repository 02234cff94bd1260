"""The notebooks: stored without outputs, told in plain words, and they run and find what they promise."""

import html
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def run(path, folder):
    """Run a notebook, with a folder as the current directory; return what each cell showed, by the cell's id."""
    notebook = read(path)
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


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_runs_in_any_folder(path, tmp_path):
    assert run(path, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_running_it_leaves_nothing_in_the_current_directory(bug_found):
    folder, _ = bug_found
    assert list(folder.iterdir()) == []


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
