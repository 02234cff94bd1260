"""Which columns a late event can join without a fold from the start, and what must be known of them for that.

Sums, least and greatest values take an event whenever it comes. A column that is set needs to know which event gave it
its value: the order of that event is saved beside it. Lists, and columns that are both set and accumulated, depend on
all that came between.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from esanalytics import _sql as sql
from esanalytics.events import LOWEST_VERSION
from esanalytics.projections._columns import Frame, effective, given
from esanalytics.projections._moves import SAVED
from esanalytics.projections._plan import Column, Plan
from esanalytics.projections._reading import deleting, mixed

__all__ = ["full_order", "is_mergeable", "order_columns", "orders_of", "saved_order"]

_FAMILIES = (None, "add", "min", "max", "first")


def is_mergeable(plan: Plan) -> bool:
    """Tell whether events may join a saved state of a plan at any place in their order."""
    return not deleting(plan) and not mixed(plan) and all(column.family in _FAMILIES for column in plan.columns)


def order_columns(plan: Plan) -> dict[str, str]:
    """Name, for each column whose value comes from one event, the column that has the order of that event."""
    if not is_mergeable(plan):
        return {}
    return {column.name: f"$order{n}" for n, column in enumerate(plan.columns) if column.family in (None, "first")}


def full_order() -> exp.Expr:
    """Return the whole order as one comparable value that can be stored."""
    version = exp.Coalesce(this=sql.column("version"), expressions=[sql.literal(LOWEST_VERSION)])
    parts = {"effective_at": sql.column("effective_at"), "version": version, "position": sql.column("position")}
    fields = [exp.PropertyEQ(this=exp.to_identifier(name), expression=value) for name, value in parts.items()]
    return exp.Struct(expressions=fields)


def saved_order(plan: Plan) -> Mapping[str, exp.Expr]:
    """Give, for each such column, the order of a move: that of its event, or the one that was saved."""
    is_saved = exp.EQ(this=sql.column("type"), expression=exp.Literal.string(SAVED))
    return {
        name: exp.Case(ifs=[exp.If(this=is_saved.copy(), true=sql.column(order))], default=full_order())
        for name, order in order_columns(plan).items()
    }


def orders_of(plan: Plan, frame: Frame, orders: Mapping[str, exp.Expr]) -> dict[str, exp.Expr]:
    """Write what is to be saved of the orders, by the name of its column."""
    columns = {column.name: column for column in plan.columns}
    return {
        place: _order_of(columns[name], frame, orders.get(name, frame.order))
        for name, place in order_columns(plan).items()
    }


def _order_of(column: Column, frame: Frame, order: exp.Expr) -> exp.Expr:
    if column.family is None:
        return frame.filtered(exp.Max(this=order.copy()), effective(column, frame))
    return frame.filtered(exp.Min(this=order.copy()), given(column, frame))
