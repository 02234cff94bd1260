"""Projections: what the state is, as a query and as a plain Python fold.

A `Projection` says what each type of event does to the columns of a row. `fold` is its meaning; `compile_fold`
is the same as one grouped query. A `Reducer` says it as a Python function of the state and an event.
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
from esanalytics.projections._cast import cast
from esanalytics.projections._compile import compile_fold, compile_plan
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
from esanalytics.projections._merging import full_order, is_mergeable, order_columns, saved_order
from esanalytics.projections._moves import from_saved, key_names, moved, moves, on_columns, saved_moves
from esanalytics.projections._plan import Plan as SettledPlan
from esanalytics.projections._plan import plan_of
from esanalytics.projections._projection import Projection, column_names, columns_of, key_columns, paths
from esanalytics.projections._reading import deleting, live, mixed, pins
from esanalytics.projections._reasons import Doing, doing
from esanalytics.projections._reducer import Reducer, beginning, reducer
from esanalytics.projections._running import compile_versions
from esanalytics.projections._scalars import scalar
from esanalytics.projections._types import Held, unify

__all__ = [
    "Assignment",
    "Doing",
    "Expression",
    "Held",
    "Projection",
    "Reducer",
    "SettledPlan",
    "add",
    "append",
    "beginning",
    "case",
    "cast",
    "causation_id",
    "coalesce",
    "column_names",
    "columns_of",
    "compile_fold",
    "compile_plan",
    "compile_versions",
    "correlation_id",
    "count",
    "delete",
    "deleting",
    "doing",
    "effective_at",
    "event_id",
    "field",
    "first",
    "fold",
    "from_saved",
    "full_order",
    "is_mergeable",
    "is_null",
    "keep",
    "key_columns",
    "key_names",
    "live",
    "max_",
    "merged_projection",
    "min_",
    "mixed",
    "moved",
    "moves",
    "occurred_at",
    "on_columns",
    "order_columns",
    "paths",
    "pins",
    "plan_of",
    "position",
    "recorded_at",
    "reducer",
    "remove",
    "saved_moves",
    "saved_order",
    "scalar",
    "schema_version",
    "service",
    "stream_id",
    "type_",
    "unify",
    "version",
]
