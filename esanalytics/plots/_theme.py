"""How all pictures look: colours, signs of names, titles, notes; light and dark."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from matplotlib.artist import Artist, ArtistInspector
from matplotlib.axes import Axes
from matplotlib.cbook import normalize_kwargs
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from esanalytics.analysis._asking import choice
from esanalytics.plots._labels import plain
from esanalytics.plots._picture import NOTE, PictureFigure, new_axes, parent_of, points_wide

__all__ = [
    "BEYOND",
    "MOST_ROWS",
    "Palette",
    "Sign",
    "Theme",
    "begin",
    "dress",
    "empty",
    "figure",
    "finish",
    "legend",
    "looking",
    "note",
    "on",
    "palette",
    "ramp",
    "ready",
    "refuse",
    "sign",
    "signs",
]

Theme = Literal["light", "dark"]

BEYOND = 1_000
"""The place of a name that has no sign of its own."""

MOST_ROWS = 80
"""More rows than these are no picture any more."""

_METHODS: dict[type[Artist], tuple[Callable[..., Any], ...]] = {
    Rectangle: (Axes.bar, Axes.barh),
    PathCollection: (Axes.scatter,),
    QuadMesh: (Axes.pcolormesh,),
    Line2D: (Axes.plot,),
}

_MEANT = {"ax": ("axes", "axis", "subplot"), "theme": ("style", "dark", "mode")}
"""Arguments of all plots, and words that callers have for them."""

_BARS = {"capsize", "ecolor", "error_kw", "log", "tick_label", "xerr", "yerr"}  # which `bar` takes out of the others
_SMALL = 8.0
_MOST_LISTED = 40
_CHARACTER = 0.53  # how wide a character is on average, in font sizes
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")
_HATCHES = ("", "", "", "", "", "////", "....", "\\\\\\\\", "xxxx", "----")


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a theme; any two of ``paper`` with ``ink`` or ``soft`` have a contrast of 4.5 and more.

    Attributes:
        paper: the background.
        ink, soft: text, and text that matters less.
        grid: lines that lead the eye.
        accent: what there is one of.
        alert: what should be seen first, such as a mark.
        other: what stands for many.
        colours: of names, in order; people with any colour vision tell them apart.
        ramp: from little to much.
    """

    paper: str
    ink: str
    soft: str
    grid: str
    accent: str
    alert: str
    other: str
    colours: tuple[str, ...]
    ramp: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sign:
    """How a name is drawn: by colour, and by marker or hatch for whom colour does not tell."""

    colour: str
    marker: str
    hatch: str


# Colours of Okabe and Ito, and of Paul Tol, those that stand out on each background.
_LIGHT = Palette(
    paper="#FFFFFF",
    ink="#1F2328",
    soft="#57606A",
    grid="#E4E7EB",
    accent="#0072B2",
    alert="#B84A00",
    other="#B4BAC2",
    colours=("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#332288", "#999933", "#882255"),
    ramp=("#E6F0F7", "#7FB8DA", "#0072B2", "#00304D"),
)
_DARK = Palette(
    paper="#16191D",
    ink="#E8EAED",
    soft="#A9B1BA",
    grid="#2F343B",
    accent="#56B4E9",
    alert="#F5A742",
    other="#6B737D",
    colours=("#56B4E9", "#E69F00", "#1FB58C", "#CC79A7", "#F0E442", "#E8702A", "#3D86C6", "#BBCC33", "#EE99AA"),
    ramp=("#1D2A35", "#1F5F86", "#56B4E9", "#E3F3FD"),
)


def palette(theme: Theme) -> Palette:
    """Return the colours of a theme.

    Raises:
        ValueError: there is no such theme.
    """
    return {"light": _LIGHT, "dark": _DARK}[choice("theme", theme, ("light", "dark"))]


def figure(theme: Theme, size: tuple[float, float] = (9, 4)) -> Figure:
    """Make a figure that no pyplot knows of, that shows itself in a notebook."""
    return PictureFigure(figsize=size, facecolor=palette(theme).paper, layout="constrained")


def sign(nth: int, theme: Theme) -> Sign:
    """Give the sign of the name that is the nth biggest, from 0; that of the others where the palette ends."""
    colours = palette(theme)
    if nth >= len(colours.colours):
        return Sign(colours.other, _MARKERS[-1], "")
    return Sign(colours.colours[nth], _MARKERS[nth], _HATCHES[nth])


def signs(names: Sequence[str], theme: Theme) -> dict[str, Sign]:
    """Give names their signs, the biggest first; those beyond the palette's get that of the others.

    Example:
        >>> signs(["OrderPlaced"], "light")
        {'OrderPlaced': Sign(colour='#0072B2', marker='o', hatch='')}
    """
    return {name: sign(nth, theme) for nth, name in enumerate(names)}


def ramp(theme: Theme) -> LinearSegmentedColormap:
    """Return the colour map from little to much."""
    return LinearSegmentedColormap.from_list("esanalytics", palette(theme).ramp)


def on(colour: str | tuple[float, float, float, float]) -> str:
    """Choose black or white for a text on a colour."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]  # noqa: PLR2004  sRGB's
    light = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    return "#000000" if (light + 0.05) / 0.05 > 1.05 / (light + 0.05) else "#FFFFFF"


def ready(ax: object, theme: object) -> None:
    """Look at what every plot takes before anything is asked of the log.

    Raises:
        TypeError: ``ax`` is none.
        ValueError: there is no such theme, or the axes were removed from their figure.
    """
    choice("theme", theme, ("light", "dark"))
    if ax is None:
        return
    if not isinstance(ax, Axes):
        raise TypeError(f"ax={ax!r} is no matplotlib Axes; leave it out, or take one of Figure().subplots()")
    parent_of(ax)


def looking(
    kind: type[Artist],
    given: Mapping[str, Any],
    instead: Mapping[str, Sequence[str]] | None = None,
    /,
    **usual: Any,  # noqa: ANN401  matplotlib's
) -> dict[str, Any]:
    """Put what a caller gave for an artist over what is usual, whichever of its names matplotlib has for it.

    Args:
        kind: what is drawn.
        given: by the caller.
        instead: what is usual, and the names that stand for the same; where one of these is given, it is left out.
        usual: how it looks otherwise.

    Raises:
        TypeError: what is drawn has no such property; the message offers the nearest.
        ValueError: something is given twice, under two names.
    """
    refuse(given, _MEANT)
    known = _properties(kind) if given else ()
    for name in given:
        if name not in known:
            raise TypeError(f"there is no {name!r} to set; {_offered(name, known)}")
    try:
        asked = normalize_kwargs(dict(given), kind)
    except TypeError as error:
        raise ValueError(f"{error}; give one of them") from error
    gone = {name for name, others in (instead or {}).items() if not asked.keys().isdisjoint(others)}
    kept = {name: value for name, value in usual.items() if name not in gone}
    return {**normalize_kwargs(kept, kind), **asked}


def refuse(given: Iterable[str], meant: Mapping[str, Sequence[str]]) -> None:
    """Refuse words that a caller has for an argument of a plot, and offer it.

    Args:
        given: by the caller, beyond the arguments.
        meant: by argument, the words for it.

    Raises:
        TypeError: one of the words is given.
    """
    for name in given:
        for own, others in meant.items():
            if name in others:
                raise TypeError(f"there is no {name!r} to set; there is {own!r}")


def _offered(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, sorted(known), 3)
    return f"there is {' or '.join(map(repr, near))}" if near else "it is no argument, nor a property of matplotlib's"


def _properties(kind: type[Artist]) -> frozenset[str]:
    """List what can be said of an artist: its properties, their aliases, and what the method takes that draws it."""
    drawing = next((methods for drawn, methods in _METHODS.items() if issubclass(kind, drawn)), ())
    taken = {name for method in drawing for name in inspect.signature(method).parameters}
    inspector = ArtistInspector(kind)
    taken |= _BARS if issubclass(kind, Rectangle) else set()
    own = {name for pair in inspector.aliasd.items() for name in (pair[0], *pair[1])}
    return frozenset({*inspector.get_setters(), *own, *taken} - {"self", "args", "kwargs", "data", "x", "y", "xy"})


def begin(ax: Axes | None, theme: Theme, size: tuple[float, float], title: str) -> tuple[Axes, Palette]:
    """Take the axes that a plot was given, or make one, dress it for a theme and put the title over it."""
    colours = palette(theme)
    ready(ax, theme)
    axes = new_axes(size, colours.paper) if ax is None else ax
    parent_of(axes).set_facecolor(colours.paper)
    lines = textwrap.wrap(title, max(20, round(_room(axes, 12) * 0.9)))
    axes.set_title("\n".join(lines), loc="left", fontsize=12, fontweight="bold", color=colours.ink, parse_math=False)
    dress(axes, colours)
    return axes, colours


def dress(axes: Axes, colours: Palette) -> None:
    """Give what belongs to an axes the colours of a theme."""
    axes.set_facecolor(colours.paper)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=colours.soft, labelcolor=colours.soft, length=3, labelsize=9)
    axes.xaxis.label.set(color=colours.soft, fontsize=9)
    axes.yaxis.label.set(color=colours.soft, fontsize=9)
    axes.xaxis.get_offset_text().set(color=colours.soft, fontsize=8.5)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(colours.soft)


def legend(axes: Axes, colours: Palette, handles: Sequence[Any], names: Iterable[str], title: str = "") -> None:
    """Write beside the axes which sign stands for which name."""
    if not handles:
        return
    shown, texts = list(handles), list(names)
    if len(shown) > _MOST_LISTED:
        left = len(shown) - _MOST_LISTED + 1
        shown, texts = [*shown[:-left], Line2D([], [], ls="")], [*texts[:-left], f"{left:,} more"]
    found = axes.legend(
        shown,
        ["x"] * len(shown),  # the names come below: matplotlib would leave out those that begin with _
        loc="upper left",
        bbox_to_anchor=(1.005, 1.0),
        borderaxespad=0.0,
        frameon=False,
        fontsize=8.5,
        labelcolor=colours.ink,
        title=title or None,
        title_fontsize=8.5,
        alignment="left",
        handlelength=1.2,
        handletextpad=0.6,
    )
    found.get_title().set_color(colours.soft)
    for text, name in zip(found.get_texts(), texts, strict=True):
        text.set_parse_math(False)
        text.set_text(plain(name, 34))


def note(ax: Axes, text: str, theme: Theme = "light") -> None:
    """Write under an axes, in small, what it shows and what it left out."""
    ax.annotate(
        "\n".join(textwrap.wrap(text, max(30, _room(ax, _SMALL)))),
        xy=(0, 0),
        xycoords=("axes fraction", ax.xaxis.label),
        xytext=(0, -5),
        textcoords="offset points",
        ha="left",
        va="top",
        fontsize=_SMALL,
        color=palette(theme).soft,
        parse_math=False,
        gid=NOTE,
        annotation_clip=False,
    )


def empty(axes: Axes, colours: Palette, text: str = "no events") -> None:
    """Say in the middle of an axes that there is nothing to draw."""
    axes.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1))
    axes.text(0.5, 0.5, text, ha="center", va="center", color=colours.soft, fontsize=11, transform=axes.transAxes)


def finish(axes: Axes, theme: Theme, text: str) -> Axes:
    """Put the note under a plot, and return it."""
    note(axes, text, theme)
    return axes


def _room(axes: Axes, size: float) -> int:
    """Count how many characters of a font size stand beside each other over an axes."""
    return int(points_wide(axes) / (size * _CHARACTER))
