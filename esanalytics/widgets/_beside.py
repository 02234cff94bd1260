"""Two entities side by side: a replay of each, and between them what differs where they stand."""

from __future__ import annotations

import base64
import html
import io
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import ipywidgets as w
from PIL import Image

from esanalytics.analysis import Align, BesideRow, ReplaySession, aligned, beside_rows, since_first
from esanalytics.analysis._asking import choice
from esanalytics.analysis._branch import Branch
from esanalytics.analysis._changes import Row
from esanalytics.plots._labels import counted
from esanalytics.plots._theme import Theme
from esanalytics.timetravel import nearest_names
from esanalytics.widgets._bundle import MOST_BYTES, THEME, bundle, page, suffixed, write_whole
from esanalytics.widgets._canvas import LOOKS
from esanalytics.widgets._closing import close_all
from esanalytics.widgets._differences import CSS
from esanalytics.widgets._leaving import picture_of, png_of_view, theme_of
from esanalytics.widgets._lettering import written
from esanalytics.widgets._markup import cut, duration, escaped, note
from esanalytics.widgets._palettes import SIGNS, few_colours

if TYPE_CHECKING:
    from esanalytics.widgets._replay import Replay

__all__ = ["Beside", "beside"]

_WAYS: dict[str, Align] = {"step": "step", "time since start": "time", "event type": "type"}
_WORDS = {way: words for words, way in _WAYS.items()}
_NAMES = ("key", "renderer", "step", "skipped", "edits", "marks", "bookmarks", "on_error", *LOOKS)
_OWN = ("window", "selection")
"""Looks that mean something for one entity only."""

_SIDES = ("left", "right")
_HOW = {"added": "right only", "removed": "left only", "changed": "differs"}
_MOST_ROWS = 200
_SMALLEST = 64  # pixels: smaller shows nothing

_CSS = """
.ea-beside { container-type: inline-size; }
.ea-beside, .ea-beside .ea-sides, .ea-beside .ea-side, .ea-beside .ea-bar { overflow: visible; }
.ea-beside .ea-bar { flex-flow: row wrap; gap: 4px 16px; align-items: center; }
.ea-beside .ea-sides { display: flex; flex-flow: row wrap; gap: 8px; align-items: flex-start; width: 100%; }
.ea-beside .ea-side { flex: 1 1 340px; min-width: 0; max-width: 100%; }
.ea-beside .ea-apart-box { flex: 1 1 100%; min-width: 0; width: auto; height: auto; margin: 0; }
.ea-beside .widget-html-content, .ea-beside .jupyter-widget-html-content { min-width: 0; }
.ea-compare.ea-apart { padding: 4px 8px; max-width: none; }
.ea-apart .ea-scroll { max-height: 300px; overflow: auto; }
.ea-apart caption { text-align: start; padding: 2px 6px 6px; color: var(--ea-fg); overflow-wrap: anywhere; }
.ea-apart caption span { display: block; color: var(--ea-muted); }
.ea-apart caption .ea-null { display: inline; }
.ea-compare.ea-apart td.ea-value, .ea-compare.ea-apart th[scope=row] { overflow-wrap: break-word; max-width: 20em; }
.ea-compare.ea-apart td.ea-value { min-width: 4.5em; }
.ea-apart th[scope=row] { min-width: 5em; }
.ea-apart .ea-delta { white-space: nowrap; font-variant-numeric: tabular-nums; }
.ea-name { font-weight: 600; padding: 2px 8px; overflow-wrap: anywhere; }
@container (min-width: 1200px) {
  .ea-beside .ea-side { flex: 3 1 400px; }
  .ea-beside .ea-side-left { order: 1; }
  .ea-beside .ea-apart-box { order: 2; flex: 2 1 330px; }
  .ea-beside .ea-side-right { order: 3; }
  .ea-apart .ea-scroll { max-height: 720px; }
}
"""

_PAGE = """
.ea-pictures { display: flex; flex-flow: row wrap; gap: 12px; }
.ea-pictures figure { flex: 1 1 480px; min-width: 0; margin: 0; }
.ea-pictures img { max-width: 100%; height: auto; border: 1px solid var(--ea-line); }
.ea-compare.ea-page { max-width: 1500px; margin: 0 auto; }
.ea-page .ea-apart .ea-scroll { max-height: none; }
body:has(> [data-theme="light"]) { color-scheme: light; --ea-bg: #ffffff; --ea-fg: #1b1f24; }
body:has(> [data-theme="dark"]) { color-scheme: dark; --ea-bg: #16191d; --ea-fg: #e7eaee; }
"""


def beside(
    view: Replay,
    key: Any,  # noqa: ANN401  a value of the key's type
    *,
    align: Align = "time",
    linked: bool = True,
    left: Mapping[str, Any] | None = None,
    right: Mapping[str, Any] | None = None,
) -> Beside:
    """Show the entity of a replay beside another one of the same log and projection.

    Both sides are replays of their own; the given one stays as it is, and where it stands.

    Args:
        view: on the left is what it shows now.
        key: of the entity on the right, as in `replay`; it may be the same one.
        align: which step of one side belongs to which of the other: ``"step"``, ``"time"`` (since the first event of
            each) or ``"type"`` (the n-th event of a type to the n-th), as `analysis.aligned` says.
        linked: moving one side moves the other to the step that belongs to it.
        left: what `Replay.spec` gives of the left side; None: as in ``view``.
        right: likewise of the right side, without the key; None: it looks like the left, and stands at its step.

    Raises:
        UnknownKeyError: no event has the key; the message offers the nearest.
        TypeError: ``left`` or ``right`` has an option that a replay does not have.
        ValueError: ``view`` shows all entities; ``key`` is None; ``align`` is no way to align.

    Example:
        >>> view = ea.replay(store, orders, "order-42")  # doctest: +SKIP
        >>> view.beside("order-43", align="type")  # doctest: +SKIP
    """
    choice("align", align, get_args(Align))
    if key is None:
        raise ValueError("key=None names no entity; give the key of the one on the right")
    one = _known(_spec(view) if left is None else left)
    looks = {name: value for name, value in one.items() if name in (*LOOKS, "renderer") and name not in _OWN}
    other = _known({**(looks if right is None else right), "key": key})
    sides: list[Replay] = []
    try:
        sides += [_replay(view, one)]
        sides += [_replay(view, other)]
        return Beside(*sides, align=align, linked=linked, settled=right is not None)
    except BaseException:
        for side in sides:
            side.close()
        raise


class Beside(w.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Two replays side by side; made with `beside`.

    Attributes:
        left: the replay on the left.
        right: the replay on the right; ``view.right.show(key)`` shows another entity there.
    """

    def __init__(self, left: Replay, right: Replay, *, align: Align, linked: bool, settled: bool) -> None:
        self.left, self.right = left, right
        self._sides = (left, right)
        self._guard = threading.Lock()  # never held while another lock is asked for
        self._steps = [left.step, right.step]
        self._bound: list[ReplaySession | None] = [None, None]
        self._listeners: tuple[Callable[..., None], ...] = (partial(self._on_side, 0), partial(self._on_side, 1))
        self._held: dict[int, tuple[tuple[Branch, Branch, Align], list[int]]] = {}
        self._leader = 0
        self._mover: int | None = None
        self._forced = self._stale = self._closed = False
        self._busy = True  # until all is made
        self._style = w.HTML(f"<style>{THEME}{CSS}{_CSS}</style>", layout={"display": "none"})
        self._align = w.Dropdown(options=list(_WAYS.items()), value=align, description="align by")
        self._align.tooltip = "which step of one side belongs to which of the other"
        self._linked = w.Checkbox(value=linked, description="linked: moving one moves the other", indent=False)
        self._linked.layout.width = "auto"
        self._table = w.HTML()
        self._names = [w.HTML(), w.HTML()]
        super().__init__([self._style, self._bar(), self._row()])
        self.add_class("ea-beside")
        for side, view in enumerate(self._sides):
            view.observe(self._listeners[side], "children")
            view.canvas.observe(self._listeners[side], ["step", "model"])
            self._bind(side)
        for control in (self._align, self._linked):
            control.observe(self._on_control, "value")
        with self._guard:
            self._busy = False
        self._ask(forced=not settled)

    @property
    def align(self) -> Align:
        """By what the sides are aligned: ``"step"``, ``"time"`` or ``"type"``; may be set."""
        found: Align = self._align.value
        return found

    @align.setter
    def align(self, align: Align) -> None:
        self._align.value = choice("align", align, get_args(Align))

    @property
    def linked(self) -> bool:
        """Whether moving one side moves the other; may be set."""
        return bool(self._linked.value)

    @linked.setter
    def linked(self, linked: bool) -> None:
        self._linked.value = bool(linked)

    def differences(self) -> list[BesideRow]:
        """Return what differs between the rows at the two steps, in the order of the columns.

        Each has ``path``, ``left``, ``right``, ``kind`` (``"changed"``: both sides have a value) and, for numbers,
        ``delta``: the right less the left. A side without a row has no values at all.
        """
        return beside_rows(*(_standing(view).row for view in self._sides))

    def spec(self) -> dict[str, Any]:
        """Return what makes the same view again: ``view.beside(**this.spec())``; JSON can hold it.

        Raises:
            ValueError: a side shows all entities.
        """
        left, right = map(_spec, self._sides)
        return {"key": right.pop("key"), "align": self.align, "linked": self.linked, "left": left, "right": right}

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write one page with the differences and both pictures as they are now, without a script; return its path."""
        theme = self.left.canvas.theme
        told = "" if theme == "auto" else f' data-theme="{theme}"'
        figures = "".join(_figure(side, view) for side, view in zip(_SIDES, self._sides, strict=True))
        body = (
            f'<main class="ea-view"{told}><div class="ea-compare ea-page"><h2>{self._title(escaped)}</h2>'
            f"<p>Aligned by {_WORDS[self.align]}</p>{self._apart()}"
            f'<div class="ea-pictures">{figures}</div></div></main>'
        )
        text = page(self._title(str), body, CSS + _CSS + _PAGE)
        return write_whole(suffixed(path, ".html", ".htm"), text.encode("utf-8", "replace"))

    def close(self) -> None:
        """Close both replays and all that belongs to them, in the page and in the kernel."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
        for side, view in enumerate(self._sides):
            view.unobserve(self._listeners[side], "children")
            view.canvas.unobserve(self._listeners[side], ["step", "model"])
            self._bind(side)
            view.close()
        self._held.clear()
        close_all(self)

    def __repr__(self) -> str:
        sides = ", ".join(
            f"{side} {cut(at.title, 80)} {at.words}"
            for side, at in zip(_SIDES, map(_standing, self._sides), strict=True)
        )
        count = counted(len(self.differences()), "field differs", "fields differ")
        return f"Beside: {sides}; aligned by {_WORDS[self.align]}: {count}"

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        text = repr(self)
        return bundle(self, self._png(), text, f"One above the other. {text}")

    def _bar(self) -> w.Widget:
        made = w.HBox([self._align, self._linked])
        made.add_class("ea-bar")
        return made

    def _row(self) -> w.Widget:
        boxes = []
        for side, name, view in zip(_SIDES, self._names, self._sides, strict=True):
            box = w.VBox([name, view])
            box.add_class("ea-side").add_class(f"ea-side-{side}")
            boxes.append(box)
        self._table.add_class("ea-apart-box")
        row = w.HBox([self._table, *boxes])  # where there is room, the style puts the table between the two
        row.add_class("ea-sides")
        return row

    def _on_side(self, side: int, *_: object) -> None:
        """Hear that a side moved, shows other events, or another entity."""
        if self._is_another(side):
            self._ask(1 - side, forced=True)
        else:
            self._ask(side)

    def _on_control(self, _: object) -> None:
        self._ask(forced=True)

    def _is_another(self, side: int) -> bool:
        """Tell whether a side shows another entity than before; from now on that is listened to."""
        before, now = self._bind(side)
        return before is not now and (before is None or now is None or before.entity.key != now.entity.key)

    def _bind(self, side: int) -> tuple[ReplaySession | None, ReplaySession | None]:
        """Listen to the replay that a side shows now; return what it was before, and what it is."""
        now = None if self._closed else self._sides[side].session
        with self._guard:
            before, self._bound[side] = self._bound[side], now
        listener = self._listeners[side]
        if before is not now and before is not None:
            before.listeners.remove(listener)
        if before is not now and now is not None:
            now.listeners.append(listener)
        return before, now

    def _ask(self, mover: int | None = None, *, forced: bool = False) -> None:
        """Let one thread show what is so now; the latest that moved wins.

        A side that is moved from here stands where it is known to stand: it did not move by itself, and leads nowhere.
        Who calls may hold the lock of a replay, so nobody waits here for another thread.
        """
        with self._guard:
            if mover is not None and (forced or self._sides[mover].step != self._steps[mover]):
                self._mover = mover
            self._forced |= forced
            self._stale = True
            if self._busy or self._closed:
                return
            self._busy = True
        try:
            while self._taken():
                self._fill()
        except BaseException:
            with self._guard:
                self._busy = False
            raise

    def _taken(self) -> bool:
        """Move what is to be moved; tell whether there was anything to do."""
        with self._guard:
            if not self._stale or self._closed:
                self._busy = False
                return False
            mover, forced = self._mover, self._forced
            self._mover, self._forced, self._stale = None, False, False
        leader = self._leader if mover is None else mover
        moved = self._sides[leader].step != self._steps[leader]
        self._leader = leader
        if self.linked and (forced or (mover is not None and moved)):
            self._lead(leader)
        elif not self.linked:
            self._steps[:] = [view.step for view in self._sides]
        return True

    def _lead(self, leader: int) -> None:
        """Move the other side to the step that belongs to that of the leader."""
        one, other = self._sides[leader], self._sides[1 - leader]
        if one.session is None or other.session is None:
            return
        steps = self._alignment(leader, one.session, other.session)
        self._steps[leader] = step = one.step
        self._steps[1 - leader] = target = steps[min(step, len(steps) - 1)]
        if other.step != target:
            other.session.goto(target)
        if other.canvas.step != target == other.step:  # it was about to tell its page something else
            other.canvas.step = target

    def _alignment(self, leader: int, one: ReplaySession, other: ReplaySession) -> list[int]:
        now = (one.branch, other.branch, self.align)
        held = self._held.get(leader)
        if held is None or held[0] != now:
            self._held[leader] = held = (now, aligned(one, other, self.align))
        return held[1]

    def _fill(self) -> None:
        for side, name, view in zip(_SIDES, self._names, self._sides, strict=True):
            name.value = f'<div class="ea-view ea-name">{side}: {escaped(cut(view.scene.title, 120))}</div>'
        self._table.value = f'<div class="ea-view">{self._apart()}</div>'

    def _apart(self) -> str:
        return _apart(*map(_standing, self._sides))

    def _title(self, write: Callable[[str], str]) -> str:
        return " beside ".join(write(cut(view.scene.title, 120)) for view in self._sides)

    def _png(self) -> bytes:
        """Draw both pictures, one above the other."""
        pictures = [Image.open(io.BytesIO(png_of_view(view))).convert("RGB") for view in self._sides]
        wide, high = max(each.width for each in pictures), sum(each.height for each in pictures)
        whole = Image.new("RGB", (wide, high), pictures[0].getpixel((0, 0)))
        whole.paste(pictures[0], (0, 0))
        whole.paste(pictures[1], (0, pictures[0].height))
        return _small(whole, theme_of(self.left.canvas))


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where a side stands: what it shows, in words, and the row of state."""

    title: str
    words: str
    row: Row


def _standing(view: Replay) -> _Standing:
    session = view.session
    if session is None:
        return _Standing(view.scene.title, "with none picked", None)
    branch = session.branch
    step, since = min(session.step, len(branch)), since_first(session, min(session.step, len(branch)))
    if since is None:
        words = f"at 0 of {len(branch):,}, before the first event"
    else:
        off = ", switched off" if branch.events.ids[step - 1] in session.skipped else ""
        after = f"{duration(since)} after its first event" if since else "at the time of its first event"
        words = f"at {step:,} of {len(branch):,}, {cut(branch.types[step - 1], 80)}{off}, {after}"
    return _Standing(view.scene.title, words, session.state(step))


def _replay(view: Replay, spec: Mapping[str, Any]) -> Replay:
    options = dict(spec)
    key, renderer = options.pop("key"), options.pop("renderer", "canvas")
    return type(view)(view.scene.given, view.scene.projection, key, renderer, options)


def _spec(view: Replay) -> dict[str, Any]:
    _ = view.scene.entity  # refuses where none is picked
    return view.spec()


def _known(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in spec:
        if name not in _NAMES:
            raise TypeError(f"replay has no option {name!r}; {nearest_names(name, _NAMES)}")
    return spec


def _apart(left: _Standing, right: _Standing) -> str:
    """Write what differs where two sides stand as a table, each value as text."""
    rows = beside_rows(left.row, right.row)
    sides = "".join(
        f"<span><b>{side}</b> {escaped(cut(at.title, 120))} {escaped(at.words)}{_missing(at)}</span>"
        for side, at in zip(_SIDES, (left, right), strict=True)
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("field", *_SIDES, "difference"))
    body = "".join(_row(row, left.row, right.row) for row in rows[:_MOST_ROWS])
    over = len(rows) - _MOST_ROWS
    more = f"{over:,} more fields differ and are not shown; view.differences() has them" if over > 0 else ""
    return (
        '<div class="ea-compare ea-apart"><div class="ea-scroll" tabindex="0" role="region" aria-label="what differs">'
        f"<table><caption><b>{_headline(rows, left.row, right.row)}</b>{sides}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{note([more])}</div>"
    )


def _headline(rows: Sequence[BesideRow], left: Row, right: Row) -> str:
    if left is None and right is None:
        return "Neither side has a row"
    if not rows:
        return "Nothing differs" if left is not None and right is not None else "One side has no row"
    return counted(len(rows), "field differs", "fields differ")


def _missing(at: _Standing) -> str:
    return ': <span class="ea-null">no row</span>' if at.row is None else ""


def _row(row: BesideRow, left: Row, right: Row) -> str:
    kind = row.kind
    cells = (_value(row.left, left, has=kind != "added"), _value(row.right, right, has=kind != "removed"))
    values = "".join(f'<td class="ea-value">{cell}</td>' for cell in cells)
    return (
        f'<tr><th scope="row">{escaped(cut(".".join(map(str, row.path)), 120))}</th>{values}'
        f'<td><span class="ea-how ea-{kind}"><span class="ea-sign" aria-hidden="true">{SIGNS[kind]}</span> '
        f"{_delta(row) or _HOW[kind]}</span></td></tr>"
    )


def _value(value: Any, row: Row, *, has: bool) -> str:  # noqa: ANN401  any value of a state
    if row is None:
        return '<span class="ea-null">no row</span>'
    if not has:
        return '<span class="ea-null">absent</span>'
    return '<span class="ea-null">NULL</span>' if value is None else escaped(written(value, 300))


def _delta(row: BesideRow) -> str:
    """Write by how much a number is more or less on the right: with a sign and a shape."""
    if row.delta is None:
        return ""
    text = f"{row.delta:+,.12g}" if isinstance(row.delta, float) else f"{row.delta:+,}"
    shape = "\N{BLACK DOWN-POINTING TRIANGLE}" if text.startswith("-") else "\N{BLACK UP-POINTING TRIANGLE}"
    return (
        f'<span class="ea-delta"><span aria-hidden="true">{shape}</span> '
        f"{html.escape(cut(text, 60).replace('-', chr(0x2212), 1))}</span>"
    )


def _figure(side: str, view: Replay) -> str:
    """Write the picture of a side; where the page chooses the theme, in both."""
    at = _standing(view)
    words = f"{side}: {at.title} {at.words}"
    drawn = {theme: _url(_drawn(view, theme)) for theme in _themes(view)}
    dark = f'<source srcset="{drawn["dark"]}" media="(prefers-color-scheme: dark)">' if len(drawn) > 1 else ""
    picture = f'{dark}<img src="{next(iter(drawn.values()))}" alt="{html.escape(f"Timeline and state, {words}")}">'
    return f"<figure><figcaption>{escaped(words)}</figcaption><picture>{picture}</picture></figure>"


def _themes(view: Replay) -> tuple[Theme, ...]:
    return ("light", "dark") if view.canvas.theme == "auto" and view.session is not None else (theme_of(view.canvas),)


def _drawn(view: Replay, theme: Theme) -> bytes:
    if view.session is None:
        return png_of_view(view)
    return picture_of(view, theme).png()


def _url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _small(picture: Image.Image, theme: Theme) -> bytes:
    """Pack a picture into at most `MOST_BYTES`: with few colours, then fewer pixels, where it needs."""
    while True:
        drawn = io.BytesIO()
        few_colours(picture, theme).save(drawn, "PNG", optimize=True)
        if drawn.tell() <= MOST_BYTES or min(picture.size) < _SMALLEST:
            return drawn.getvalue()
        picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS)
