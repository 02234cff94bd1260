"""The waterfall of a trace, as HTML that needs no script, and as a picture."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from esanalytics.analysis._tracing import Node, Traced
from esanalytics.plots._labels import counted
from esanalytics.plots._picture import figure_of
from esanalytics.plots._waterfall import drawn
from esanalytics.widgets._markup import clock, code, cut, duration, escaped, note
from esanalytics.widgets._palettes import NAMES

__all__ = ["CSS", "MOST_NODES", "picture", "summary", "waterfall"]

MOST_NODES = 2_000
"""The most places of a tree that are shown."""

_DEEPEST = 60  # lists in lists: browsers stop at some hundreds of elements
_INDENTED = 12
_TEXT = 2_000_000  # characters of all payloads together

CSS = """
.ea-trace { padding: 12px 16px; max-width: 1200px; }
.ea-trace h2 { font-size: 18px; margin: 0 0 2px; overflow-wrap: anywhere; }
.ea-trace p { margin: 2px 0 8px; color: var(--ea-muted); }
.ea-trace .ea-note { color: var(--ea-warn); margin: 4px 0; }
.ea-legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 0 0 10px; padding: 0; list-style: none; }
.ea-legend li { display: flex; align-items: center; gap: 6px; }
.ea-dot { width: 11px; height: 11px; border-radius: 50%; background: var(--kind); flex: none; display: inline-block; }
.ea-tree, .ea-tree ul { list-style: none; margin: 0; padding: 0; }
.ea-tree li { position: relative; }
.ea-tree .ea-fold { position: absolute; left: calc(var(--in) * 16px); top: 5px; width: 20px;
  height: 20px; margin: 0;
  appearance: none; cursor: pointer; z-index: 1; border-radius: 4px; display: grid; place-items: center; }
.ea-tree .ea-fold::before { content: "▸"; font-size: 13px; line-height: 1; color: var(--ea-fg); }
.ea-tree .ea-fold:checked::before { content: "▾"; }
.ea-tree .ea-fold:hover { background: var(--ea-hover); }
.ea-tree .ea-fold:not(:checked) ~ ul { display: none; }
.ea-row, .ea-axis { display: grid; grid-template-columns: minmax(0, 24rem) 6.5rem minmax(0, 1fr); gap: 0 10px;
  align-items: center; }
.ea-row { min-height: 30px; border-bottom: 1px solid var(--ea-line); list-style: none; }
summary.ea-row { cursor: pointer; } summary.ea-row::-webkit-details-marker { display: none; }
summary.ea-row:hover, details[open] > summary.ea-row { background: var(--ea-panel); }
.ea-asked > details > .ea-row, .ea-asked > .ea-row { box-shadow: inset 3px 0 0 var(--ea-accent); }
.ea-name { padding-left: calc(var(--in) * 16px + 24px); display: flex; flex-wrap: wrap; gap: 0 8px; align-items: center;
  min-width: 0; }
.ea-name b { font-weight: 600; overflow-wrap: anywhere; }
.ea-name span { color: var(--ea-muted); overflow-wrap: anywhere; }
.ea-name .ea-badge { color: var(--ea-fg); border: 1px solid var(--ea-edge); border-radius: 8px; padding: 0 6px;
  font-size: 12px; }
.ea-gap { color: var(--ea-muted); text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.ea-chart { position: relative; height: 22px; margin: 0 8px; }
.ea-chart i { position: absolute; top: 10px; height: 3px; background: var(--kind); opacity: .55; min-width: 1px; }
.ea-chart i.ea-back { background: repeating-linear-gradient(90deg, var(--kind) 0 4px, transparent 4px 8px); }
.ea-chart b { position: absolute; top: 5px; width: 12px; height: 12px; margin-left: -6px; border-radius: 50%;
  background: var(--kind); }
.ea-axis { color: var(--ea-muted); font-size: 12px; border-bottom: 1px solid var(--ea-edge); }
.ea-axis .ea-chart { height: 18px; } .ea-axis .ea-chart span { position: absolute; transform: translateX(-50%);
  white-space: nowrap; }
.ea-axis .ea-chart span:first-child { transform: none; }
.ea-axis .ea-chart span:last-child { transform: translateX(-100%); }
.ea-missing { font-style: italic; border-bottom-style: dashed; }
.ea-more { padding: 6px 12px 10px calc(var(--in) * 16px + 24px); background: var(--ea-panel);
  border-bottom: 1px solid var(--ea-line); }
.ea-more dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 1px 12px; margin: 0 0 6px; }
.ea-more dt { color: var(--ea-muted); } .ea-more dd { margin: 0; overflow-wrap: anywhere; font-family: var(--ea-mono);
  font-size: 13px; }
.ea-more pre { margin: 0; padding: 8px; max-height: 320px; overflow: auto; background: var(--ea-bg);
  border: 1px solid var(--ea-line); font: 13px/1.4 var(--ea-mono); white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 640px) {
  .ea-trace { padding: 8px; --step: 8px; }
  .ea-row { grid-template-columns: minmax(0, 1fr) auto; padding: 3px 0; } .ea-row .ea-chart { grid-column: 1 / -1; }
  .ea-axis { grid-template-columns: minmax(0, 1fr); } .ea-axis > span { display: none; }
  .ea-axis .ea-chart span:nth-child(even) { display: none; }
  .ea-name { padding-left: calc(var(--in) * 8px + 24px); } .ea-tree .ea-fold { left: calc(var(--in) * 8px); }
  .ea-more { padding-left: 12px; } .ea-more dl { grid-template-columns: minmax(0, 1fr); }
  .ea-more dd { margin-bottom: 4px; }
}
"""


def summary(found: Traced) -> str:
    """Say in one line what a trace holds."""
    start, end = found.span
    missing = sum(node.kind == "missing" for node in found.nodes)
    parts = [
        counted(found.total, "event"),
        counted(len(found.services), "service"),
        f"{clock(start)} to {clock(end)} (UTC), {duration(end - start)}",
    ]
    parts += [counted(missing, "missing cause")] if missing else []
    return ", ".join(parts)


def waterfall(found: Traced) -> str:
    """Write a trace as HTML: lists in lists, a disclosure for each event, a checkbox for its effects."""
    shown = found.nodes[:MOST_NODES]
    left = len(found.nodes) - len(shown)
    cut_off = f"{left:,} more {'is' if left == 1 else 'are'} not shown; view.events() has all" if left else ""
    deep = any(node.depth > _DEEPEST for node in shown)
    flat = f"levels below {_DEEPEST} stand under level {_DEEPEST}" if deep else ""
    kinds = {service: f"var(--ea-c{n % len(NAMES['light'])})" for n, service in enumerate(found.services)}
    legend = "".join(
        f'<li><span class="ea-dot" style="--kind:{colour}"></span>{escaped(cut(name, 80))}</li>'
        for name, colour in list(kinds.items())[:24]
    )
    body = "".join(_tree(found, shown, kinds))
    return (
        f'<section class="ea-trace" aria-label="trace"><h2>Trace of {escaped(cut(found.title, 200))}</h2>'
        f"<p>{html.escape(summary(found))}</p>{note([found.note, cut_off, flat])}"
        f'<ul class="ea-legend" aria-label="services">{legend}</ul>{_axis(found)}'
        f'<ul class="ea-tree" aria-label="events, each under its cause">{body}</ul></section>'
    )


def _axis(found: Traced) -> str:
    start, end = found.span
    marks = (0, 25, 50, 75, 100) if end > start else (0,)
    ticks = "".join(
        f'<span style="left:{mark}%">{"+" * (mark > 0)}{html.escape(duration((end - start) * mark // 100))}</span>'
        for mark in marks
    )
    return (
        '<div class="ea-axis" aria-hidden="true"><span>event</span><span class="ea-gap">after its cause</span>'
        f'<span class="ea-chart">{ticks}</span></div>'
    )


def _tree(found: Traced, shown: Sequence[Node], kinds: dict[str, str]) -> Iterator[str]:
    most = max(200, min(20_000, _TEXT // max(1, len(shown))))
    level = -1
    for node in shown:
        own = min(node.depth, _DEEPEST)
        if level >= 0:
            yield "<ul>" if own > level else "</li></ul>" * (level - own) + "</li>"
        level = own
        yield _item(found, node, kinds.get(node.service, "var(--ea-edge)"), most)
    yield "</li></ul>" * level + "</li>" if level >= 0 else ""


def _item(found: Traced, node: Node, colour: str, most: int) -> str:
    asked = found.event_id is not None and node.event_id == found.event_id
    inside = min(node.depth, _INDENTED)
    name = node.type if node.event is not None else f"missing {node.event_id}"
    fold = ""
    if node.effects and node.depth < _DEEPEST:
        label = html.escape(f"show the {counted(node.effects, 'effect')} of {cut(name, 80)}", quote=True)
        fold = f'<input type="checkbox" class="ea-fold" checked aria-label="{label}" title="{label}">'
    head = f'<li class="{"ea-asked" if asked else ""}" style="--in:{inside};--kind:{colour}">{fold}'
    cells = _cells(found, node, asked=asked)
    if node.event is None:
        return f'{head}<div class="ea-row ea-missing">{cells}</div>'
    return f'{head}<details><summary class="ea-row">{cells}</summary>{_more(node, most)}</details>'


def _cells(found: Traced, node: Node, *, asked: bool) -> str:
    badges = ["asked for"] if asked else []
    badges += ["cycle: among its own effects"] if node.is_cycle else []
    badges += ["of another correlation"] if node.is_outside else []
    badges += [f"level {node.depth}"] if node.depth > _INDENTED else []
    marks = "".join(f'<span class="ea-badge">{html.escape(badge)}</span>' for badge in badges)
    if node.event is None:
        name = f"<b>{escaped(cut(node.event_id, 120))}</b><span>is missing: this log shows no such event</span>"
        return f'<span class="ea-name">{name}{marks}</span><span class="ea-gap"></span><span class="ea-chart"></span>'
    where = " / ".join(escaped(cut(str(node.event[name]), 80)) for name in ("service", "stream_id"))
    name = f'<span class="ea-dot"></span><b>{escaped(cut(node.type, 120))}</b><span>{where}</span>'
    gap = "" if node.gap is None else f"{'+' * (node.gap >= 0)}{duration(node.gap)}"
    return (
        f'<span class="ea-name">{name}{marks}</span><span class="ea-gap">{html.escape(gap)}</span>'
        f'<span class="ea-chart" aria-hidden="true">{_bar(found, node)}</span>'
    )


def _bar(found: Traced, node: Node) -> str:
    start, end = found.span
    whole, at = max(1, end - start), node.at or 0
    own = (at - start) / whole * 100
    before = own if node.gap is None else (at - node.gap - start) / whole * 100
    low, high = sorted((own, before))
    back = ' class="ea-back"' if before > own else ""
    wait = f'<i{back} style="left:{low:.3f}%;width:{high - low:.3f}%"></i>' if high > low else ""
    return f'{wait}<b style="left:{own:.3f}%"></b>'


def _more(node: Node, most: int) -> str:
    event = node.event or {}
    facts = {"event_id": node.event_id, "effective_at": clock(node.at or 0)}
    facts |= {name: event[name] for name in ("position", "version", "correlation_id", "causation_id")}
    rows = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{escaped(cut(str(value), 300))}</dd>"
        for name, value in facts.items()
        if value is not None
    )
    return f'<div class="ea-more"><dl>{rows}</dl>{code(event["data"], node.size, most)}</div>'


def picture(found: Traced) -> Figure:
    """Draw the first events of a trace as `ea.plots.waterfall` does."""
    return figure_of(drawn(found))
