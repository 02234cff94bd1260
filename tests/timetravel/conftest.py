"""What all tests of time travel share."""

import pytest

from esanalytics.timetravel import _compiled


@pytest.fixture(autouse=True)
def small_logs_go_on_from_snapshots_too(monkeypatch):
    """So that what is for large logs is tested on small ones."""
    monkeypatch.setattr(_compiled, "FEW", 0)
