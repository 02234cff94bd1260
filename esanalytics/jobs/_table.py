"""One table of a file of jobs, checked against the keys it may have."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from esanalytics.errors import JobFileError
from esanalytics.jobs._keys import REQUIRED, Keys, nearest

__all__ = ["Refuse", "checked", "parted", "together"]

Refuse = Callable[[str, str, str], JobFileError]
"""Makes the error for a place in the file, with reason and remedy."""

_VARIABLE = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\{)")


def checked(entry: object, keys: Keys, where: str, refuse: Refuse) -> dict[str, Any]:
    """Return what a table says of each key it may have.

    Args:
        entry: the table, as TOML has it.
        keys: those it may have.
        where: it is.
        refuse: makes errors.

    Raises:
        JobFileError: it has another key, lacks one, or one has a value it cannot have.
    """
    if not isinstance(entry, Mapping):
        raise refuse(where, "is no table", f"write [{where}]")
    wrong = [refuse(f"{where}.{name}", "unknown key", nearest(name, keys)) for name in entry if name not in keys]
    lacking = [name for name, key in keys.items() if key.default is REQUIRED and name not in entry]
    wrong += [refuse(where, f"has no {name}", f"add {name} = …") for name in lacking]
    found: dict[str, Any] = {}
    for name in keys:
        if name not in lacking:
            try:
                found[name] = _value(entry, name, keys, where, refuse)
            except JobFileError as error:
                wrong.append(error)
    if wrong:
        raise together(wrong)
    return found


def together(errors: Sequence[JobFileError]) -> JobFileError:
    """Return the first error, with the others as its notes."""
    first, *others = errors
    for other in others:
        for text in (str(other), *getattr(other, "__notes__", ())):
            first.add_note(text)
    return first


def _value(entry: Mapping[str, Any], name: str, keys: Keys, where: str, refuse: Refuse) -> Any:  # noqa: ANN401
    key = keys[name]
    given = entry.get(name, key.default)
    if given is None:
        return None
    try:
        return key.read(_expanded(given) if key.expand else given)
    except ValueError as error:
        raise refuse(f"{where}.{name}", *parted(error)) from error


def parted(error: ValueError) -> tuple[str, str]:
    """Part an error's text into reason and remedy."""
    reason, _, remedy = str(error).partition("; ")
    return reason, remedy


def _expanded(value: Any) -> Any:  # noqa: ANN401  whatever TOML has
    """Replace ``${NAME}`` and ``${NAME:-otherwise}`` by the environment's values; ``$$`` is ``$``."""
    if isinstance(value, list):
        return [_expanded(one) for one in value]
    return _VARIABLE.sub(_variable, value) if isinstance(value, str) else value


def _variable(found: re.Match[str]) -> str:
    if found[0] == "$$":
        return "$"
    if found[1] is None:
        raise ValueError("has '${' without a name and '}' after it; write ${NAME}, or $$ for a dollar")
    value = os.environ.get(found[1], found[2])
    if value is None:
        raise ValueError(
            f"'${{{found[1]}}}' is not set in the environment; set it, or write ${{{found[1]}:-otherwise}}"
        )
    return value
