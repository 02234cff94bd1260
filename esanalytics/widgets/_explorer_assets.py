"""The script and the style sheet of the explorer, as the widget and its offline page both need them."""

from __future__ import annotations

from functools import cache

from esanalytics.plots._theme import palette
from esanalytics.widgets._assets import asset

__all__ = ["explorer_css", "explorer_module"]

_PARTS = ("texts", "density", "flows", "view", "stored", "mounting")
"""The parts of the module, in ``static/explorer``. Each uses those before it while it is loaded."""


@cache
def explorer_module() -> str:
    """Return the module of the explorer: one script without imports."""
    return "\n".join(asset(f"explorer/{part}.js") for part in _PARTS)


@cache
def explorer_css() -> str:
    """Return the style sheet, with the colours of the plots: a name has the same in both."""
    light, dark = palette("light"), palette("dark")
    pairs = zip(light.colours, dark.colours, strict=True)
    named = {f"--ea-k{nth}": pair for nth, pair in enumerate(pairs)} | {"--ea-rest": (light.other, dark.other)}
    colours = " ".join(f"{name}: light-dark({one}, {other});" for name, (one, other) in named.items())
    return f".ea-explore {{ {colours} }}\n{asset('explorer.css')}"
