"""The projection nobody has to write."""

from __future__ import annotations

from esanalytics.projections import Projection, merged_projection
from esanalytics.store import Log, Store, as_log, names_of

__all__ = ["merged"]


def merged(log: Store | Log) -> Projection:
    """Return the projection of every stream to its payload fields: the last event that has a field gives it.

    The key is ``(service, stream_id)``. A field that is null in that event is NULL. A field that is called like a
    key column, or like another but for upper and lower case, or begins with ``$``, gets the prefix ``data_``.

    Args:
        log: a store, or any view of one; its fields are those of all its events, at whatever time.

    Example:
        >>> ea.state_at(store, ea.merged(store)).df()  # doctest: +SKIP
    """
    return merged_projection(names_of(as_log(log)))
