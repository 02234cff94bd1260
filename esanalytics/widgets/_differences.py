"""A comparison as HTML that needs no script, and as a picture."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from esanalytics.analysis._comparing import Compared, Difference, Entry, Kind, Row
from esanalytics.analysis._responsible import Responsible
from esanalytics.plots._labels import counted
from esanalytics.widgets._markup import clock_of, code, cut, drawable, escaped, note, told, told_json
from esanalytics.widgets._palettes import KINDS, SIGNS

__all__ = [
    "CSS",
    "columns_table",
    "entries_table",
    "events_list",
    "head",
    "picture",
    "rows_table",
    "sides_table",
]

_SIDES = {
    "between": "between the two instants",
    "left only": "only on the left",
    "right only": "only on the right",
    "changed": "different on each side",
}
_NO_ROW = '<span class="ea-null">no row</span>'
_MOST_COLUMNS = 100
_MOST_EVENTS = 200
_DRAWN, _NAMED = 12, 8  # columns of a picture, and names of those that it leaves out
_TEXT = 200_000  # characters of all payloads of a row together
_HATCHES = {"added": "", "removed": "//", "changed": ".."}

CSS = """
.ea-compare { padding: 12px 16px; max-width: 1200px; }
.ea-compare h2 { font-size: 18px; margin: 0 0 2px; overflow-wrap: anywhere; }
.ea-compare h3 { font-size: 15px; margin: 14px 0 4px; overflow-wrap: anywhere; }
.ea-compare p { margin: 2px 0 8px; color: var(--ea-muted); overflow-wrap: anywhere; }
.ea-compare .ea-note { color: var(--ea-warn); margin: 4px 0; }
.ea-strip { display: flex; flex-wrap: wrap; gap: 8px; margin: 8px 0; padding: 0; list-style: none; }
.ea-strip li { display: flex; gap: 8px; align-items: baseline; padding: 6px 14px; border: 1px solid var(--ea-edge); }
.ea-strip .ea-added { border-radius: 16px; } .ea-strip .ea-changed { border-style: dashed; border-radius: 6px; }
.ea-strip b { font-size: 18px; font-variant-numeric: tabular-nums; }
.ea-compare .ea-added { color: var(--ea-added); background: var(--ea-added-bg); }
.ea-compare .ea-removed { color: var(--ea-removed); background: var(--ea-removed-bg); }
.ea-compare .ea-changed { color: var(--ea-changed); background: var(--ea-changed-bg); }
.ea-scroll { overflow-x: auto; max-width: 100%; }
.ea-compare table { border-collapse: collapse; width: 100%; font-size: 13px; }
.ea-compare th, .ea-compare td { text-align: start; vertical-align: top; padding: 4px 10px 4px 6px;
  border-bottom: 1px solid var(--ea-line); overflow-wrap: break-word; color: var(--ea-fg); }
.ea-compare thead th { border-bottom-color: var(--ea-edge); background: var(--ea-panel); font-weight: 600; }
.ea-compare th[scope=row] { font-weight: 600; }
.ea-compare .ea-number { text-align: end; font-variant-numeric: tabular-nums; }
.ea-compare td.ea-value { font-family: var(--ea-mono); overflow-wrap: anywhere; min-width: 7em; }
.ea-compare tr.ea-differs td.ea-value { background: var(--ea-changed-bg); }
.ea-compare tr.ea-differs .ea-sign { font-weight: 700; }
.ea-sign { display: inline-block; min-width: 1em; text-align: center; font-weight: 700; }
.ea-compare .ea-how { white-space: nowrap; padding: 0 3px; border-radius: 3px; }
.ea-null { color: var(--ea-muted); font-style: italic; }
.ea-change { display: inline-block; margin: 0 10px 2px 0; } .ea-change span { color: var(--ea-muted); }
.ea-compare details { border-bottom: 1px solid var(--ea-line); }
.ea-compare summary { cursor: pointer; padding: 5px 6px; overflow-wrap: anywhere; }
.ea-compare summary:hover, .ea-compare details[open] > summary { background: var(--ea-panel); }
.ea-compare .ea-inside { padding: 2px 8px 12px 22px; }
.ea-compare pre { margin: 4px 0 0; padding: 8px; max-height: 260px; overflow: auto; background: var(--ea-panel);
  border: 1px solid var(--ea-line); font: 13px/1.4 var(--ea-mono); white-space: pre-wrap; overflow-wrap: anywhere; }
.ea-compare .ea-badge { border: 1px solid var(--ea-edge); border-radius: 8px; padding: 0 6px; font-size: 12px;
  white-space: nowrap; }
@media (max-width: 640px) { .ea-compare { padding: 8px; } .ea-compare .ea-inside { padding-left: 8px; }
  .ea-compare th, .ea-compare td { padding-right: 5px; } }
"""


def head(found: Compared, name: str) -> str:
    """Write what is compared, and how many rows differ and how."""
    left, right = (escaped(cut(side, 200)) for side in found.names)
    strip = "".join(
        f'<li class="ea-{kind}"><span class="ea-sign" aria-hidden="true">{SIGNS[kind]}</span><b>{number:,}</b>{kind}'
        "</li>"
        for kind, number in found.counts.items()
    )
    nothing = "" if found.total else "<p>Nothing differs: both sides have the same rows.</p>"
    only = "" if found.key is None else f"<p>Only key {escaped(cut(str(found.key), 200))}</p>"
    known = "" if found.known_at is None else f"<p>As known at {escaped(found.known_at)}</p>"
    return (
        f"<h2>{escaped(cut(name, 120))}: what differs</h2><p>Left {left}<br>Right {right}</p>{only}{known}"
        f'<ul class="ea-strip" aria-label="rows that differ">{strip}</ul>{nothing}'
    )


def columns_table(columns: Sequence[Difference]) -> str:
    """Write how many rows differ in each column, and by how much numbers do."""
    if not columns:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escaped(cut(found.name, 120))}</th><td class="ea-number">{found.changed:,}</td>'
        f'<td class="ea-number">{found.added:,}</td><td class="ea-number">{found.removed:,}</td>'
        f'<td class="ea-number">{_delta(found.delta)}</td></tr>'
        for found in columns[:_MOST_COLUMNS]
    )
    heads = (*(f"{SIGNS[kind]} {kind}" for kind in ("changed", "added", "removed")), "sum, right less left")
    top = "".join(f'<th scope="col" class="ea-number">{title}</th>' for title in heads)
    left = len(columns) - _MOST_COLUMNS
    more = f"{counted(left, 'more column')} with fewer rows left out" if left > 0 else ""
    return (
        f"<h3>Columns</h3>{note([more])}"
        '<div class="ea-scroll" tabindex="0" role="region" aria-label="columns that differ">'
        f'<table><thead><tr><th scope="col">column</th>{top}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _delta(delta: Any) -> str:  # noqa: ANN401  a number of any type
    if delta is None:
        return ""
    return html.escape(f"{delta:+,}".replace("-", "\N{MINUS SIGN}") if delta else "0")


def rows_table(keys: Sequence[str], rows: Sequence[Row]) -> str:
    """Write a page of the rows that differ."""
    if not rows:
        return "<p>No rows of this kind.</p>"
    top = "".join(f'<th scope="col">{escaped(cut(key, 80))}</th>' for key in keys)
    body = "".join(
        f"<tr>{''.join(f'<th scope=row>{told(value, 120)}</th>' for value in row.key)}<td>{kind_sign(row.kind)}</td>"
        f"<td>{row_summary(row)}</td></tr>"
        for row in rows
    )
    return (
        '<div class="ea-scroll" tabindex="0" role="region" aria-label="rows that differ"><table>'
        f'<thead><tr>{top}<th scope="col">how</th><th scope="col">columns</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def kind_sign(kind: Kind) -> str:
    """Write how a row differs: a sign and the word."""
    return f'<span class="ea-how ea-{kind}"><span class="ea-sign" aria-hidden="true">{SIGNS[kind]}</span> {kind}</span>'


def row_summary(row: Row, most: int = 6) -> str:
    """Write the first of the columns in which a row differs."""
    shown = "".join(f'<span class="ea-change">{_change(row.kind, entry)}</span>' for entry in row.first[:most])
    left = row.differing - min(most, len(row.first))
    return f"{shown}<span>{left:,} more</span>" if left > 0 else shown


def _change(kind: Kind, entry: Entry) -> str:
    name = escaped(cut(entry.column, 60))
    if kind == "changed":
        return f"{name} <span>{told_json(entry.before, 60)} → </span>{told_json(entry.after, 60)}"
    return f"{name} {told_json(entry.after if kind == 'added' else entry.before, 60)}"


def entries_table(row: Row) -> str:
    """Write the columns that differ of a row, side by side."""
    no_row = {"added": "before", "removed": "after"}.get(row.kind)
    rows = "".join(
        _side_by_side(
            entry.column,
            _NO_ROW if no_row == "before" else told_json(entry.before),
            _NO_ROW if no_row == "after" else told_json(entry.after),
            differs=True,
        )
        for entry in row.first
    )
    left = row.differing - len(row.first)
    return note([counted(left, "more column differs", "more columns differ") if left > 0 else ""]) + _table_of_sides(
        rows
    )


def sides_table(
    keys: Sequence[str], sides: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None], differing: Iterable[str]
) -> str:
    """Write both rows of a key side by side; the cells that differ first, and marked."""
    left, right = sides
    differs = set(differing)
    names = [name for name in dict.fromkeys([*(left or {}), *(right or {})]) if name not in keys]
    names.sort(key=lambda name: name not in differs)
    rows = "".join(
        _side_by_side(name, _cell(left, name), _cell(right, name), differs=name in differs)
        for name in names[:_MOST_COLUMNS]
    )
    over = len(names) - _MOST_COLUMNS
    more = f"{counted(over, 'more column')} left out" if over > 0 else ""
    return note([more]) + _table_of_sides(rows)


def _cell(side: Mapping[str, Any] | None, name: str) -> str:
    return _NO_ROW if side is None else told(side.get(name))


def _side_by_side(name: str, left: str, right: str, *, differs: bool) -> str:
    sign = f'<span class="ea-sign" aria-hidden="true">{SIGNS["changed"]}</span> differs' if differs else ""
    return (
        f'<tr class="{"ea-differs" if differs else ""}"><th scope="row">{escaped(cut(name, 120))}</th>'
        f'<td class="ea-value">{left}</td><td class="ea-value">{right}</td><td>{sign}</td></tr>'
    )


def _table_of_sides(rows: str) -> str:
    top = "".join(f'<th scope="col">{title}</th>' for title in ("column", "left", "right", "mark"))
    return (
        '<div class="ea-scroll" tabindex="0" role="region" aria-label="both rows"><table>'
        f"<thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def events_list(events: Sequence[Responsible]) -> str:
    """Write the events that made a row differ, each with what it did and its payload."""
    if not events:
        return "<p>No event of this key lies between.</p>"
    shown = events[:_MOST_EVENTS]
    left = len(events) - len(shown)
    most = max(500, _TEXT // len(shown))
    more = note([f"{counted(left, 'later event')} left out" if left else ""])
    return more + "".join(_event(event, most) for event in shown)


def _event(event: Responsible, most: int) -> str:
    touched = ", ".join(escaped(cut(name, 60)) for name in event.touched[:12]) or "no column"
    over = f" and {len(event.touched) - 12:,} more" if len(event.touched) > 12 else ""  # noqa: PLR2004  as above
    passed = "; ".join(f"{escaped(cut(name, 60))}: {html.escape(why)}" for name, why in list(event.passed.items())[:12])
    idle = f"<p>Without effect on {passed}</p>" if passed else ""
    return (
        f"<details><summary><b>{escaped(cut(event.type, 120))}</b> {clock_of(event.effective_at)} "
        f'<span class="ea-badge">{_SIDES[event.side]}</span> made {touched}{over}</summary>'
        f'<div class="ea-inside"><p>event {escaped(cut(event.event_id, 120))}, service '
        f"{escaped(cut(event.service, 80))}, position {event.position:,}</p>{idle}"
        f"{code(event.data, event.size, most)}</div></details>"
    )


def picture(found: Compared, name: str) -> Figure:
    """Draw how many rows differ and how, and in which columns."""
    columns = found.columns[:_DRAWN]
    figure = Figure(figsize=(9, 2.4 + 0.28 * max(3, len(columns))), dpi=90, layout="constrained", facecolor="white")
    sides = " → ".join(drawable(cut(side, 60)) for side in found.names)
    figure.suptitle(f"{drawable(cut(name, 60))}: {sides}", fontsize=10, x=0.01, ha="left", parse_math=False)
    if not found.total:
        axes = figure.subplots()
        axes.set_axis_off()
        axes.text(0.5, 0.5, "nothing differs: both sides have the same rows", ha="center", va="center", fontsize=11)
        return figure
    rows, by_column = figure.subplots(1, 2, width_ratios=(2, 3))
    _draw_rows(rows, found)
    _draw_columns(by_column, columns)
    left = len(found.columns) - len(columns)
    if left > 0:
        names = [drawable(cut(column.name, 30)) for column in found.columns[_DRAWN : _DRAWN + _NAMED]]
        more = f" and {left - len(names):,} more" if left > len(names) else ""
        text = f"left out: {', '.join(names)}{more}"
        told = "\n".join(textwrap.wrap(text, 150))
        figure.supxlabel(told, x=0.01, ha="left", fontsize=8, color="#57606a", parse_math=False)
    return figure


def _draw_rows(axes: Axes, found: Compared) -> None:
    kinds, colours = list(found.counts), KINDS["light"]
    labels = [f"{SIGNS[kind]} {kind}" for kind in kinds]
    looks = {"color": [colours[kind] for kind in kinds], "hatch": [_HATCHES[kind] for kind in kinds]}
    bars = axes.barh(labels, list(found.counts.values()), edgecolor="white", **looks)  # type: ignore[arg-type]  # lists too
    axes.bar_label(bars, [f"{number:,}" for number in found.counts.values()], padding=3, fontsize=8)
    _dress(axes, f"Rows: {counted(found.total, 'row differs', 'rows differ')}", max(found.counts.values()))


def _draw_columns(axes: Axes, columns: Sequence[Difference]) -> None:
    places, start = range(len(columns)), [0] * len(columns)
    for kind in ("changed", "added", "removed"):
        counts = [getattr(column, kind) for column in columns]
        colour, hatch, told = KINDS["light"][kind], _HATCHES[kind], f"{SIGNS[kind]} {kind}"
        axes.barh(places, counts, left=start, label=told, color=colour, hatch=hatch, edgecolor="white")
        start = [a + b for a, b in zip(start, counts, strict=True)]
    for place, whole in zip(places, start, strict=True):
        axes.annotate(f"{whole:,}", (whole, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(list(places), [drawable(cut(column.name, 30)) for column in columns], parse_math=False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    _dress(axes, "Rows by column", max(start, default=0))


def _dress(axes: Axes, title: str, most: int) -> None:
    axes.invert_yaxis()
    axes.set_xlim(0, max(1, most) * 1.15)
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("rows", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
