"""Notebooks made for a test, and a hand on one that is open in JupyterLab or Notebook 7."""

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Page
from serving import Server

_READY = """async () => {
  const widget = window.jupyterapp.shell.currentWidget;
  await widget.context.ready;
  await widget.sessionContext.ready;
  await widget.sessionContext.session.kernel.info;
}"""
_OPEN = "(path) => window.jupyterapp.commands.execute('docmanager:open', {path}).then(() => true)"
_RUN = """async (index) => {
  const widget = window.jupyterapp.shell.currentWidget;
  widget.content.activeCellIndex = index;
  widget.content.deselectAll();
  await window.jupyterapp.commands.execute("notebook:run-cell");
}"""
_FILL = """([index, code]) => {
  window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.setSource(code);
}"""
_FAILURE = """(index) => {
  const outputs = window.jupyterapp.shell.currentWidget.content.widgets[index].model.outputs?.toJSON();
  const failed = outputs?.find((output) => output.output_type === "error");
  return failed ? failed.traceback.join("\\n") : null;
}"""
_ASK = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({code, store_history: false});
  let said = "", failure = null;
  future.onIOPub = ({header, content}) => {
    if (header.msg_type === "stream" && content.name === "stdout") said += content.text;
    if (header.msg_type === "error") failure = content.traceback.join("\\n");
  };
  await future.done;
  if (failure) throw new Error(failure);
  return said;
}"""


def write(path: Path, cells: list[str] | Path) -> str:
    """Write a notebook of code cells, or a copy of one that is there; give its name."""
    if isinstance(cells, Path):
        shutil.copy(cells, path)
        return path.name
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata=metadata), path)
    return path.name


class Book:
    """A notebook open in a page."""

    def __init__(self, page: Page, server: Server, app: str, cells: list[str] | Path, name: str) -> None:
        self.page = page
        notebook = write(server.folder / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.ipynb", cells)
        page.goto(server.address(app, notebook))
        page.wait_for_function("() => window.jupyterapp?.restored", timeout=60_000)
        page.evaluate("() => window.jupyterapp.restored.then(() => true)")
        if app == "lab":  # its address may name a notebook too, but is at times not followed
            page.evaluate(
                "(path) => window.jupyterapp.commands.execute('docmanager:open', {path}).then(() => 0)", notebook
            )
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.sessionContext", timeout=60_000)
        page.evaluate(_READY)

    def run(self, index: int) -> None:
        """Run one cell to its end; fail where it failed."""
        self.page.evaluate(_RUN, index)
        failure = self.page.evaluate(_FAILURE, index)
        assert failure is None, failure

    def fill(self, index: int, code: str) -> None:
        """Write other code into a cell."""
        self.page.evaluate(_FILL, [index, code])

    def start(self, index: int) -> None:
        """Run one cell without waiting for its end."""
        self.page.evaluate(f"(index) => {{ ({_RUN})(index); }}", index)

    def run_all(self, first: int = 0, end: int | None = None) -> None:
        """Run the cells from one up to before another, whatever kind they are."""
        for index in range(first, self.page.locator(".jp-Notebook .jp-Cell").count() if end is None else end):
            self.run(index)

    def ask(self, expression: str) -> Any:
        """Give the value that a Python expression has in the notebook's kernel."""
        code = f"import json as _json; print(_json.dumps({expression}, default=str))"
        return json.loads(self.page.evaluate(_ASK, code))

    def becomes(self, expression: str, wanted: Any, patience: float = 10) -> None:
        """Wait until a Python expression has a value in the notebook's kernel."""
        end = time.monotonic() + patience
        while (found := self.ask(expression)) != wanted:
            assert time.monotonic() < end, f"{expression} is {found!r}, not {wanted!r}"
            self.page.wait_for_timeout(100)

    def tell(self, code: str) -> str:
        """Run code in the notebook's kernel; give what it printed."""
        return self.page.evaluate(_ASK, code)

    def wait_idle(self) -> None:
        """Wait until the kernel has done all that it was asked."""
        self.tell("")
