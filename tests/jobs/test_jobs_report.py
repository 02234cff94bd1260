"""A notebook is run with its parameters, and the page is whole or as it was before."""

import nbformat
import pytest
from shop_of_jobs import NOW, jobs_of, shop

from esanalytics.errors import JobError

TEXT = """
[jobs.report]
notebook = "report.ipynb"
schedule = "@daily"
window = "1d"
first = 2026-03-04
output = "pages/{date}.html"
retries = 0
parameters = { city = "Bonn", limit = 3, since = 2026-01-02 }
"""


@pytest.fixture
def notebook(tmp_path):
    def write(code):
        cells = [
            nbformat.v4.new_code_cell("city = 'nowhere'", metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(code),
        ]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "report.ipynb")

    return write


def test_parameters_go_in_and_a_page_comes_out(tmp_path, notebook):
    notebook("print('it is', city, limit * 2, since, start, end, store)")
    jobs = shop(tmp_path, TEXT)
    (outcome,) = jobs.run_due(now=NOW)
    assert outcome.error is None
    page = (tmp_path / "pages/2026-03-04.html").read_text()
    assert (
        f"it is Bonn 6 2026-01-02 2026-03-04T00:00:00.000000Z 2026-03-05T00:00:00.000000Z {tmp_path / 'shop'}" in page
    )
    assert jobs.run_due(now=NOW) == []
    notebook("print('changed')")
    assert [o.reason for o in jobs_of(tmp_path, TEXT).run_due(now=NOW)] == ["definition changed"]
    notebook("1 / 0")
    before = (tmp_path / "pages/2026-03-04.html").read_bytes()
    (failed,) = jobs.run_due(now=NOW)
    assert isinstance(failed.error, JobError)
    assert "cell 2 of the notebook 'report.ipynb' failed: ZeroDivisionError" in str(failed.error)
    rejected = tmp_path / "pages/2026-03-04.html.rejected.html"
    assert str(rejected) in str(failed.error)
    assert "ZeroDivisionError" in rejected.read_text()
    assert "Bonn" in rejected.read_text()
    assert (tmp_path / "pages/2026-03-04.html").read_bytes() == before
    assert not list((tmp_path / "pages").glob(".*"))
    notebook("print('mended')")
    assert jobs.run_due(now=NOW)[0].phase == "done"
    assert not rejected.exists()


def test_the_kernel_says_nothing_of_its_own(tmp_path, notebook, capfd):
    notebook("print('quiet')")
    assert shop(tmp_path, TEXT).run_due(now=NOW)[0].phase == "done"
    assert "Kernel is running" not in capfd.readouterr().err
