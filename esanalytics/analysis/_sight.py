"""Where an explorer looks: a window, a filter, and what is open, as a page and as Python know it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from esanalytics._instants import instant, iso
from esanalytics.analysis._chosen import ALL, Chosen
from esanalytics.analysis._cube import Window, micros
from esanalytics.timetravel._naming import nearest_names

__all__ = ["Sight", "micros_of", "window_of"]

_US = dt.timedelta(microseconds=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Sight:
    """Where an explorer looks.

    Attributes:
        window: from an instant up to before another, in microseconds; None: all.
        chosen: which events.
        by: what the density is told apart by.
        type: the type whose fields are shown.
        page: which page of events, from 0.
    """

    window: Window | None = None
    chosen: Chosen = ALL
    by: Literal["service", "type"] = "type"
    type: str | None = None
    page: int = 0

    def data(self) -> dict[str, Any]:
        """Return it as a page knows it."""
        chosen = self.chosen
        return {
            "window": None if self.window is None else list(self.window),
            "services": _listed(chosen.services),
            "types": _listed(chosen.types),
            "streams": _listed(chosen.streams),
            "text": chosen.text or "",
            "by": self.by,
            "type": self.type,
            "page": self.page,
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Sight:
        """Read what a page says; whatever it lacks is not filtered by.

        Raises:
            ValueError: a value makes no sense.
        """
        window = data.get("window")
        names = {name: _names(data.get(name)) for name in ("services", "types", "streams")}
        return cls(
            None if not window else (int(window[0]), max(int(window[0]) + 1, int(window[1]))),
            Chosen(**names, text=str(data.get("text") or "") or None),
            "service" if data.get("by") == "service" else "type",
            None if data.get("type") is None else str(data["type"]),
            max(0, int(data.get("page") or 0)),
        )

    def spec(self) -> dict[str, Any]:
        """Return it as the arguments that make it again; JSON can hold them."""
        found: dict[str, Any] = self.data() | {"text": self.chosen.text}
        found["window"] = None if self.window is None else [iso(micros(edge - 1)) for edge in self.window]
        defaults = Sight().data() | {"text": None}
        return {name: value for name, value in found.items() if value != defaults[name]}

    @classmethod
    def given(cls, arguments: Mapping[str, Any]) -> Sight:
        """Read the arguments of ``spec``.

        Raises:
            TypeError: an argument has no meaning; the message offers the nearest.
            ValueError: a value makes no sense.
        """
        known = list(cls().data())
        for name in arguments:
            if name not in known:
                raise TypeError(f"an explorer has no argument {name!r}; {nearest_names(name, known)}")
        if arguments.get("by", "type") not in ("service", "type"):
            raise ValueError(f"by={arguments['by']!r} has no meaning; give 'service' or 'type'")
        window = arguments.get("window")
        return cls.of({**arguments, "window": None if window is None else window_of(window)})


def window_of(given: Sequence[Any]) -> Window:
    """Read ``(since, at)``, excluded and included, as a window in microseconds.

    Raises:
        ValueError: these are no two instants, or nothing lies between them.
    """
    if isinstance(given, str) or len(given) != 2:  # noqa: PLR2004  two edges
        raise ValueError(f"not a window: {given!r}; give (since, at), such as ('2026-03-01', '2026-03-08')")
    since, at = (micros_of(instant(edge)) for edge in given)
    if since >= at:
        raise ValueError(f"not a window: {given!r}; since must be before at")
    return since + 1, at + 1


def micros_of(at: dt.datetime) -> int:
    """Return the microseconds since 1970."""
    return (at - _EPOCH) // _US


def _listed(names: tuple[str, ...] | None) -> list[str] | None:
    return None if names is None else list(names)


def _names(given: Any) -> tuple[str, ...] | None:  # noqa: ANN401  a page's, or a caller's
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(str(name) for name in given)
