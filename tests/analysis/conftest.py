"""Histories, projections and reducers are drawn as the tests of time travel draw them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "timetravel"))
