"""Widgets: views for notebooks, and the pages that stand without one."""

from esanalytics.widgets._comparison import Comparison, compare
from esanalytics.widgets._explorer import Explorer, explore
from esanalytics.widgets._replay import Replay, replay
from esanalytics.widgets._tracing import Trace, trace

__all__ = ["Comparison", "Explorer", "Replay", "Trace", "compare", "explore", "replay", "trace"]
