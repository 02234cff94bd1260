"""Projections: what the state is, as a query and as a plain Python fold.

A `Projection` says what each type of event does to the columns of a row. `fold` is its meaning; `compile_fold`
is the same as one grouped query.
"""

from esanalytics.projections._assignments import (
    Assignment,
    add,
    append,
    count,
    delete,
    first,
    keep,
    max_,
    min_,
    remove,
)
from esanalytics.projections._compile import compile_fold
from esanalytics.projections._expressions import (
    Expression,
    case,
    causation_id,
    coalesce,
    correlation_id,
    effective_at,
    event_id,
    field,
    is_null,
    occurred_at,
    position,
    recorded_at,
    schema_version,
    service,
    stream_id,
    type_,
    version,
)
from esanalytics.projections._fold import fold
from esanalytics.projections._merged import merged_projection
from esanalytics.projections._projection import Projection, column_names, columns_of, key_columns, paths
from esanalytics.projections._types import Held, unify

__all__ = [
    "Assignment",
    "Expression",
    "Held",
    "Projection",
    "add",
    "append",
    "case",
    "causation_id",
    "coalesce",
    "column_names",
    "columns_of",
    "compile_fold",
    "correlation_id",
    "count",
    "delete",
    "effective_at",
    "event_id",
    "field",
    "first",
    "fold",
    "is_null",
    "keep",
    "key_columns",
    "max_",
    "merged_projection",
    "min_",
    "occurred_at",
    "paths",
    "position",
    "recorded_at",
    "remove",
    "schema_version",
    "service",
    "stream_id",
    "type_",
    "unify",
    "version",
]
