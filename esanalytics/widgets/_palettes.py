"""Signs and colours of what differs and of what kinds there are: one table for pages and pictures."""

from __future__ import annotations

from matplotlib.colors import to_rgb
from PIL import Image

from esanalytics.plots._theme import Theme, palette

__all__ = ["DOTS", "FAINT", "KINDS", "NAMES", "SIGNS", "few_colours"]

SIGNS = {"added": "+", "removed": "\N{MINUS SIGN}", "changed": "~"}
"""What stands before a value that differs."""

KINDS: dict[Theme, dict[str, str]] = {
    "light": {"added": "#0a6b4f", "removed": "#a33b00", "changed": "#6a3d9a"},
    "dark": {"added": "#5fd3ac", "removed": "#ffab7d", "changed": "#d1b3ff"},
}
"""The colours of what differs."""

NAMES: dict[Theme, tuple[str, ...]] = {
    "light": ("#0072b2", "#c44e00", "#007a5a", "#a8477f", "#7a6a00", "#2f6f8f", "#5b5b5b", "#6a3d9a"),
    "dark": ("#56a8e0", "#f08a4b", "#3fc79a", "#e29ac3", "#e0cf4d", "#8fd0ea", "#b8b8b8", "#c3a2f0"),
}
"""The colours that tell names apart on a page."""

DOTS: dict[Theme, tuple[str, ...]] = {
    "light": ("#0072b2", "#c44e00", "#007a5a", "#a8477f", "#7a6a00", "#2f8fb8", "#6b6b6b", "#6a3d9a"),
    "dark": ("#56a8e0", "#f08a4b", "#3fc79a", "#e29ac3", "#e0cf4d", "#8fd0ea", "#b8b8b8", "#c3a2f0"),
}
"""The colours that tell the events of a replay apart: those of ``static/replay.css``."""

FAINT = 0.3
"""How strong a colour is where it stands for what is to come."""

_SHADES = (1.0, 0.72, 0.45, 0.2)


def few_colours(picture: Image.Image, theme: Theme) -> Image.Image:
    """Draw a picture with the colours of its theme only, the same for all its pictures."""
    colours = palette(theme)
    whole = [*colours.colours, *DOTS[theme], colours.accent, colours.alert, colours.other, colours.ink, colours.soft]
    shades = [(name, share) for name in (*whole, *KINDS[theme].values()) for share in _SHADES]
    shades += [(name, share * FAINT) for name in (*colours.colours, *DOTS[theme]) for share in (1.0, 0.5)]
    shades += [(colours.grid, 1.0), (colours.grid, 0.45), (colours.paper, 1.0)]
    card = Image.new("P", (1, 1))
    card.putpalette([part for name, share in dict.fromkeys(shades) for part in _mixed(name, colours.paper, share)])
    return picture.quantize(palette=card, dither=Image.Dither.NONE)


def _mixed(colour: str, paper: str, share: float) -> list[int]:
    parts = zip(to_rgb(colour), to_rgb(paper), strict=True)
    return [round(255 * (share * one + (1 - share) * other)) for one, other in parts]
