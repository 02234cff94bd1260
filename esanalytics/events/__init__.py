"""The event: its envelope, its columns and types, and the one order in which events fold."""

from esanalytics.events._batch import Batch, Groups, Refusal, Source
from esanalytics.events._envelope import (
    ENVELOPE,
    GIVEN,
    REQUIRED,
    SCHEMA,
    TEXT_COLUMNS,
    TYPES,
    Event,
    storage_types,
)
from esanalytics.events._order import LOWEST_VERSION, Disorder, by_position, by_time, sorting

__all__ = [
    "ENVELOPE",
    "GIVEN",
    "LOWEST_VERSION",
    "REQUIRED",
    "SCHEMA",
    "TEXT_COLUMNS",
    "TYPES",
    "Batch",
    "Disorder",
    "Event",
    "Groups",
    "Refusal",
    "Source",
    "by_position",
    "by_time",
    "sorting",
    "storage_types",
]
