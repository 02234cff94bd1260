"""The colours of a picture where it may have but few: those of its theme, and what lies between them and its paper."""

from __future__ import annotations

from matplotlib.colors import to_rgb
from PIL import Image

from esanalytics.plots._theme import Theme, palette
from esanalytics.widgets._panels import KINDS
from esanalytics.widgets._timeline import FAINT

__all__ = ["few_colours"]

_SHADES = (1.0, 0.72, 0.45, 0.2)


def few_colours(picture: Image.Image, theme: Theme) -> Image.Image:
    """Draw a picture with the colours of its theme only, the same for all its pictures."""
    colours = palette(theme)
    whole = [*colours.colours, colours.accent, colours.alert, colours.other, colours.ink, colours.soft]
    shades = [(name, share) for name in (*whole, *KINDS[theme].values()) for share in _SHADES]
    shades += [(name, share * FAINT) for name in colours.colours for share in (1.0, 0.5)]
    shades += [(colours.grid, 1.0), (colours.grid, 0.45), (colours.paper, 1.0)]
    card = Image.new("P", (1, 1))
    card.putpalette([part for name, share in dict.fromkeys(shades) for part in _mixed(name, colours.paper, share)])
    return picture.quantize(palette=card, dither=Image.Dither.NONE)


def _mixed(colour: str, paper: str, share: float) -> list[int]:
    parts = zip(to_rgb(colour), to_rgb(paper), strict=True)
    return [round(255 * (share * one + (1 - share) * other)) for one, other in parts]
