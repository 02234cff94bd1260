"""Comparison: two states side by side, from how many rows differ down to the events that made one of them differ."""

from __future__ import annotations

import html
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import pyarrow as pa
from matplotlib.figure import Figure

from esanalytics._instants import Instant, instant, iso
from esanalytics.analysis._comparing import KINDS, Compared, Kind, Row, compared
from esanalytics.analysis._responsible import Responsible
from esanalytics.engines import Plan, Result
from esanalytics.errors import EsAnalyticsError
from esanalytics.plots._labels import counted
from esanalytics.projections import Reducer
from esanalytics.store import Log, Store, as_log, code_of, folder_of, result
from esanalytics.timetravel import Definition, diff
from esanalytics.widgets._bundle import (
    THEME,
    bundle,
    page,
    pinned,
    png_of,
    suffixed,
    whole,
    write_picture,
    write_rows,
    write_whole,
)
from esanalytics.widgets._closing import close_all
from esanalytics.widgets._code import _identifier, python_of
from esanalytics.widgets._differences import (
    CSS,
    columns_table,
    entries_table,
    events_list,
    head,
    kind_sign,
    picture,
    row_summary,
    rows_table,
    sides_table,
)
from esanalytics.widgets._markup import cut, drawable, escaped, note, told
from esanalytics.widgets._palettes import SIGNS

__all__ = ["Comparison", "compare"]

_PAGE = 20
_STATIC_ROWS = 500
_STATIC_COLUMNS = 40
_STATIC_EVENTS = 50
"""Rows of a page that have their events; these are read at once."""
_EVENTS = pa.schema(
    [
        ("side", pa.string()),
        ("effective_at", pa.timestamp("us", "UTC")),
        ("type", pa.string()),
        ("service", pa.string()),
        ("event_id", pa.string()),
        ("position", pa.int64()),
        ("touched", pa.list_(pa.string())),
        ("passed", pa.map_(pa.string(), pa.string())),
    ]
)


def compare(
    log: Store | Log,
    projection: Definition,
    left: Instant | Log,
    right: Instant | Log,
    *,
    key: Any = None,  # noqa: ANN401  a value of the key's type
    known_at: Instant | None = None,
) -> Comparison:
    """Show two states side by side: what differs, where, and which events made it so.

    Args:
        log: a store, or any view of one.
        projection: what to fold.
        left: an instant (events up to and including it), or a view of a log.
        right: likewise, of the same kind; it may be earlier.
        key: only this key; a tuple where the key has several columns.
        known_at: only what was recorded up to and including this instant.

    Raises:
        CompileError: the types in the log do not allow what the projection says.
        ProjectionError: ``key`` does not have a value for each key column.
        TypeError: an instant is compared with a view.
        ValueError: an instant is none.

    Example:
        >>> ea.compare(store, orders, "2026-03-03", "2026-03-04")  # doctest: +SKIP
        >>> ea.compare(store, orders, store.log, store.log.without("type = 'CouponApplied'"))  # doctest: +SKIP
    """
    return Comparison(compared(log, projection, left, right, key=key, known_at=known_at), log)


class Comparison(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Two states side by side; `compare` makes it.

    Attributes:
        compared: the difference as data: ``counts`` of rows by kind, ``columns``.
        selection: the key of the row that is open; None: none is.
    """

    def __init__(self, found: Compared, given: Store | Log | None = None) -> None:
        self.compared = found
        self._given = found.log if given is None else given
        self.selection: tuple[Any, ...] | None = None
        self._lock = threading.RLock()
        self._kind: Kind | None = None
        self._start = 0
        self._shown: list[Row] = []
        self._is_filling = False
        self._top, self._table, self._drill = (ipywidgets.HTML() for _ in range(3))
        self._kinds = ipywidgets.ToggleButtons(
            options=[("All", None), *((f"{SIGNS[kind]} {kind}", kind) for kind in KINDS)],
            description="Rows",
            tooltips=["all rows that differ", *(f"rows that were {kind}" for kind in KINDS)],
            style={"button_width": "auto"},
        )
        self._before = ipywidgets.Button(description="Previous", tooltip="previous rows")
        self._after = ipywidgets.Button(description="Next", tooltip="next rows")
        self._where = ipywidgets.HTML()
        self._choice = ipywidgets.Dropdown(description="Open row", options=[("choose a row", None)])
        self._choice.layout.width = "min(100%, 30em)"
        self._again = ipywidgets.Button(description="Refresh", tooltip="compare what the log holds now")
        self._told = ipywidgets.HTML()
        pager = [self._before, self._where, self._after, self._again, self._told]
        bars = [ipywidgets.HBox(row, layout={"flex_flow": "row wrap"}) for row in ([self._kinds], pager)]
        super().__init__([self._top, *bars, self._table, self._choice, self._drill])
        self._kinds.observe(lambda change: self._picked(change["new"]), "value")
        self._before.on_click(lambda _: self._turn(-_PAGE))
        self._after.on_click(lambda _: self._turn(_PAGE))
        self._again.on_click(lambda _: self._refreshed())
        self._choice.observe(lambda change: self._chosen(change["new"]), "value")
        self._head()
        self.show(None)

    def show(self, kind: Kind | None = None, *, start: int = 0) -> None:
        """Show the rows of a kind, from one of them on, 20 at a time; None: of every kind.

        Raises:
            ValueError: there is no such kind.
        """
        if kind is not None and kind not in KINDS:
            raise ValueError(
                f"kind={kind!r} is no kind of row; choose 'added', 'removed' or 'changed', or None for all"
            )
        with self._lock:
            self._kind, self._start = kind, max(0, start)
            self._is_filling = True
            try:
                self._kinds.value = kind
            finally:
                self._is_filling = False
            self._fill()

    def drill(self, key: Any) -> None:  # noqa: ANN401  a value of the key's type
        """Show both rows of a key, and the events that made them differ.

        Args:
            key: a tuple where the key has several columns.

        Raises:
            ProjectionError: ``key`` does not have a value for each key column.
            UnknownKeyError: there is nothing of such a key; the message offers the nearest that differ.
            ValueError: its row does not differ.
        """
        wanted = self.compared.row(_as_tuple(key)).key
        with self._lock:
            self._open(wanted)

    def refresh(self) -> str:
        """Compare what the log holds now; return what came of it, in words. What is open stays so."""
        with self._lock:
            old = self.compared
            found = compared(self._given, old.projection, old.left, old.right, key=old.key, known_at=old.known_at)
            self.compared = found
            self._head()
            count = self._count()
            self.show(self._kind, start=min(self._start, max(0, count - 1) // _PAGE * _PAGE))
            if self.selection is not None:
                self._open(self.selection)
        if (found.counts, found.columns) == (old.counts, old.columns):
            return f"nothing new{pinned(self._given)}"
        return f"{counted(found.total, 'row differs', 'rows differ')}; before, {old.total:,}"

    def rows(self, kind: Kind | None = None) -> Result:
        """Return one row per key that differs, in order of the key: how it differs and in which columns.

        Raises:
            ValueError: there is no such kind.
        """
        return self.compared.rows(kind)

    def events(self, key: Any) -> Result:  # noqa: ANN401  a value of the key's type
        """Return the events that made the row of a key differ, in order of time, and what each of them did.

        Columns: ``side`` (``between`` two instants; ``left only``, ``right only`` or ``changed`` of two logs), the
        event's ``effective_at``, ``type``, ``service``, ``event_id`` and ``position``; ``touched``, the columns that it
        counts for; ``passed``, those that it is about and does not count for, with the reason.

        Raises:
            ProjectionError: ``key`` does not have a value for each key column.
            UnknownKeyError: there is nothing of such a key; the message offers the nearest that differ.
            UnsupportedError: the projection is SQL, which says nothing of single events.
            ValueError: its row does not differ.
        """
        found = _table(self.compared.events(self.compared.row(_as_tuple(key)).key))
        order = "SELECT * FROM responsible ORDER BY effective_at, position"
        plan = Plan(order, frames={"responsible": found})
        return result(self.compared.log, lambda: plan, plan)

    def spec(self) -> dict[str, Any]:
        """Return what makes the same view again: ``ea.compare(log, projection, **view.spec())``.

        Instants are given as text. Views of logs are given as they are, which JSON cannot hold.
        """
        found = self.compared
        sides = zip(("left", "right"), (found.left, found.right), found.names, strict=True)
        spec: dict[str, Any] = {name: side if isinstance(side, Store | Log) else text for name, side, text in sides}
        if found.key is not None:
            spec["key"] = list(found.key) if isinstance(found.key, list | tuple) else found.key
        if found.known_at is not None:
            spec["known_at"] = iso(instant(found.known_at))
        return spec

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write one page that needs no kernel and nothing from elsewhere; return its path.

        It has the row that is open, and the first 500 rows that differ, each with what differs in it; the first 50 of
        them with the events that made it so.

        Raises:
            ValueError: the path does not end with ``.html`` or ``.htm``.
        """
        target = suffixed(path, ".html", ".htm")
        body = f'<main class="ea-compare">{self._summary()}{self._static_rows()}</main>'
        text = page(f"{self._name}: what differs", body, CSS)
        return write_whole(target, text.encode("utf-8", "replace"))

    def to_png(self, path: str | os.PathLike[str]) -> Path:
        """Write how many rows differ, how and in which columns as ``.png``, ``.svg`` or ``.pdf``; return its path."""
        return write_picture(self._picture(), path, repr(self))

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Write the rows that differ, as `rows` gives them, as ``.parquet``; return its path."""
        return write_rows(self.rows(), path)

    @property
    def python(self) -> str:
        """The Python that makes the same view again; the projection is the caller's own."""
        spec, found = self.spec(), self.compared
        sides = {name: as_log(side) for name, side in spec.items() if isinstance(side, Store | Log)}
        opened = "".join(
            f"\n{name} = ea.Store.open({str(folder_of(log))!r}).log{code_of(log)}" for name, log in sides.items()
        )
        text = python_of("compare", found.log, _identifier(self._name), spec | {name: _Name(name) for name in sides})
        *before, last = text.split("\n\n")
        *lines, call = last.split("\n")
        return "\n\n".join([*before, "\n".join([*lines, *opened.split("\n")[1:], call])])

    @property
    def sql(self) -> str:
        """The SQL that gives what differs, by key and column; for a Python function, the events that it is about."""
        found = self.compared
        if isinstance(found.projection, Reducer):
            return found.log.events().sql
        return diff(found.log, found.projection, found.left, found.right, key=found.key, known_at=found.known_at).sql

    def close(self) -> None:
        """Take the view, and all that it made, out of the kernel."""
        close_all(self)

    @property
    def _name(self) -> str:
        return str(self.compared.projection.name)

    def _summary(self) -> str:
        return head(self.compared, self._name) + columns_table(self.compared.columns)

    def _head(self) -> None:
        self._top.value = whole(f"<style>{THEME}{CSS}</style>{_view(self._summary())}")

    def _refreshed(self) -> None:
        self._told.value = ""
        told = self._guarded(lambda: escaped(self.refresh()))
        self._told.value = whole(f'<span role="status">{told}</span>')

    def _picked(self, kind: Kind | None) -> None:
        with self._lock:
            if not self._is_filling:
                self.show(kind)

    def _turn(self, by: int) -> None:
        with self._lock:
            start = max(0, self._start + by)
            if start < self._count():
                self.show(self._kind, start=start)

    def _count(self) -> int:
        return self.compared.total if self._kind is None else self.compared.counts[self._kind]

    def _fill(self) -> None:
        self._table.value = _view(self._guarded(self._page))
        count, end = self._count(), self._start + len(self._shown)
        self._where.value = f"{self._start + 1:,} to {end:,} of {counted(count, 'row')}" if self._shown else "no rows"
        self._before.disabled, self._after.disabled = self._start == 0, end >= count
        self._is_filling = True
        try:
            labels = [f"{SIGNS[row.kind]} {cut(', '.join(map(str, row.key)), 80)}" for row in self._shown]
            self._choice.options = [("choose a row", None), *zip(labels, range(len(labels)), strict=True)]
            self._choice.value = None
        finally:
            self._is_filling = False

    def _page(self) -> str:
        self._shown = []
        self._shown = self.compared.page(self._kind, start=self._start, size=_PAGE)
        return rows_table(self.compared.keys, self._shown)

    def _chosen(self, place: int | None) -> None:
        with self._lock:
            if place is not None and not self._is_filling:
                self._open(self._shown[place].key)

    def _open(self, key: tuple[Any, ...]) -> None:
        self.selection = key
        self._drill.value = _view(self._guarded(lambda: self._drilled(key)))

    def _drilled(self, key: tuple[Any, ...]) -> str:
        found = self.compared
        differing = [entry.column for entry in found.entries(key)]
        title = f"<h3>{_key(key)}</h3>"
        table = sides_table(found.keys, found.sides(key), differing)
        return f"{title}{table}<h3>Events that made it so</h3>{self._guarded(lambda: events_list(found.events(key)))}"

    def _guarded(self, ask: Callable[[], str]) -> str:
        """Ask, and say what went wrong where something did: a callback has nobody to tell."""
        try:
            return ask()
        except (EsAnalyticsError, ValueError) as error:
            return f'<p class="ea-note" role="alert">{html.escape(str(error))}</p>'

    def _static_rows(self) -> str:
        found, opened = self.compared, self._opened(_STATIC_COLUMNS)
        rows = found.page(size=_STATIC_ROWS, most=_STATIC_COLUMNS)
        with_events = [*([opened] if opened else []), *rows[:_STATIC_EVENTS]]
        notes = [f"the first {len(rows):,} of {counted(found.total, 'row')}" if len(rows) < found.total else ""]
        events: list[list[Responsible]] = []
        try:
            events = found.events_of([row.key for row in with_events])
            few = f"the first {_STATIC_EVENTS} rows have the events that made them so, the others only what differs"
            notes.append(few if len(rows) > _STATIC_EVENTS else "")
        except EsAnalyticsError as error:
            notes.append(f"without the events that made the rows so: {error}")
        made = dict(enumerate(events))
        first = f"<h3>The row that was open</h3>{_static_row(opened, made.get(0), is_open=True)}" if opened else ""
        skipped = len(with_events) - len(rows[:_STATIC_EVENTS])
        parts = (_static_row(row, made.get(place)) for place, row in enumerate(rows, skipped))
        return f"{first}<h3>Rows</h3>{note(notes)}{''.join(parts)}" if rows else ""

    def _opened(self, most: int = 6) -> Row | None:
        """Return the row that is open; None where none is, or it differs no more."""
        if self.selection is None:
            return None
        try:
            return self.compared.row(self.selection, most=most)
        except (EsAnalyticsError, ValueError):
            return None

    def _picture(self) -> Figure:
        figure, opened = picture(self.compared, self._name), self._opened()
        return figure if opened is None else _with_row(figure, opened)

    def __repr__(self) -> str:
        counts = ", ".join(f"{number:,} {kind}" for kind, number in self.compared.counts.items())
        left, right = (cut(side, 80) for side in self.compared.names)
        opened = "" if self.selection is None else f"; open: {cut(', '.join(map(str, self.selection)), 80)}"
        return f"Comparison of {self._name}, {left} with {right}: rows {counts}{opened}"

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        return bundle(self, png_of(self._picture(), repr(self)), repr(self), f"Bars. {self!r}")


class _Name(str):
    """The name of a variable, which stands in code as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _with_row(figure: Figure, row: Row) -> Figure:
    """Write beneath a picture what differs in a row, a line for each column."""
    lines = [f"{cut(', '.join(map(str, row.key)), 80)}: {row.kind}"]
    for entry in row.first:
        sides = [cut("no value" if side is None else side, 40) for side in (entry.before, entry.after)]
        value = " → ".join(sides) if row.kind == "changed" else sides[row.kind == "added"]
        lines.append(f"    {cut(entry.column, 40)}: {value}")
    more = row.differing - len(row.first)
    lines += [f"    and {counted(more, 'more column')}"] if more > 0 else []
    told = [figure.get_supxlabel(), *map(drawable, lines)]
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.17 * len(lines))
    figure.supxlabel("\n".join(filter(None, told)), x=0.01, ha="left", fontsize=8, parse_math=False)
    return figure


def _static_row(row: Row, events: Sequence[Responsible] | None, *, is_open: bool = False) -> str:
    mark = " open" if is_open else ""
    made = "" if events is None else f"<h3>Events that made it so</h3>{events_list(events)}"
    return (
        f'<details class="ea-drill"{mark}><summary><b>{_key(row.key)}</b> {kind_sign(row.kind)} {row_summary(row, 3)}'
        "</summary>"
        f'<div class="ea-inside">{entries_table(row)}{made}</div></details>'
    )


def _table(events: Sequence[Responsible]) -> pa.Table:
    rows = [
        {name: getattr(event, name) for name in _EVENTS.names[:6]}
        | {"touched": list(event.touched), "passed": list(event.passed.items())}
        for event in events
    ]
    return pa.Table.from_pylist(rows, schema=_EVENTS)


def _as_tuple(key: Any) -> tuple[Any, ...]:  # noqa: ANN401  a value of the key's type
    return tuple(key) if isinstance(key, list | tuple) else (key,)


def _key(key: tuple[Any, ...]) -> str:
    return ", ".join(told(value, 120) for value in key) or escaped("the only row")


def _view(body: str) -> str:
    return whole(f'<div class="ea-view"><div class="ea-compare">{body}</div></div>')
