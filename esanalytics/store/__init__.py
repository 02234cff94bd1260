"""The log on disk: appending to it, keeping it in shape, and looking at it."""

from esanalytics.store._append import Commit
from esanalytics.store._compact import Compaction
from esanalytics.store._fields import Node, Types, payload_footer, type_name
from esanalytics.store._log import (
    Log,
    Prefix,
    arrived_after,
    as_view,
    code_of,
    engine_of,
    folder_of,
    may_arrive_inside,
    names_of,
    prefix_of,
    result,
    skewed_after,
    types_of,
    unbounded,
    view,
    words_of,
)
from esanalytics.store._store import Info, Store, as_log
from esanalytics.store._view import Relation

__all__ = [
    "Commit",
    "Compaction",
    "Info",
    "Log",
    "Node",
    "Prefix",
    "Relation",
    "Store",
    "Types",
    "arrived_after",
    "as_log",
    "as_view",
    "code_of",
    "engine_of",
    "folder_of",
    "may_arrive_inside",
    "names_of",
    "payload_footer",
    "prefix_of",
    "result",
    "skewed_after",
    "type_name",
    "types_of",
    "unbounded",
    "view",
    "words_of",
]
