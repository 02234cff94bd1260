"""The log on disk: appending to it, keeping it in shape, and looking at it."""

from esanalytics.store._append import Commit
from esanalytics.store._compact import Compaction
from esanalytics.store._fields import Types
from esanalytics.store._log import Log, as_view, names_of, result, types_of, view
from esanalytics.store._store import Info, Store, as_log
from esanalytics.store._view import Relation

__all__ = [
    "Commit",
    "Compaction",
    "Info",
    "Log",
    "Relation",
    "Store",
    "Types",
    "as_log",
    "as_view",
    "names_of",
    "result",
    "types_of",
    "view",
]
