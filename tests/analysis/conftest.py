"""Histories, projections and reducers are drawn as the tests of time travel draw them."""

import sys
from pathlib import Path

import pytest

from esanalytics.analysis import _folding

sys.path.insert(0, str(Path(__file__).parents[1] / "timetravel"))


@pytest.fixture
def short_strides(monkeypatch):
    """Keep the state every few events, so that what is for long streams is tested on short ones."""
    monkeypatch.setattr(_folding, "EVERY", 3)
