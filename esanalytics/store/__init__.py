"""The log on disk: appending to it, keeping it in shape, and looking at it."""

from esanalytics.store._append import Commit
from esanalytics.store._compact import Compaction
from esanalytics.store._log import Log, view
from esanalytics.store._store import Info, Store

__all__ = ["Commit", "Compaction", "Info", "Log", "Store", "view"]
