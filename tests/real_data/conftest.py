"""Real event data that lies beside the repository, not in it; without it these tests are skipped."""

from pathlib import Path

import pytest

from esanalytics.timetravel import _compiled

pytest.register_assert_rewrite("process_log", "git_repository")

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def folder(request):
    """The folder of the data set that the test module is about, which its DATA_SET names."""
    found = DATA / request.module.DATA_SET
    if not found.is_dir():
        pytest.skip(f"the data set {found.name} is not here; it lies beside the repository, in shared/data")
    return found


@pytest.fixture(autouse=True)
def small_logs_go_on_from_snapshots_too(monkeypatch):
    """So that what is for large logs is tested on small ones."""
    monkeypatch.setattr(_compiled, "FEW", 0)
