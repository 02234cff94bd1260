"""What jobs say to Python, as it is said to a shell."""

from __future__ import annotations

import re
import shlex

from esanalytics.cli._ending import say

__all__ = ["in_shell", "say_here"]

_STORE = re.compile(r"make one with Store\.create\('([^']*)'\)")
_FILE = "give the path of a file of jobs"


def in_shell(text: str) -> str:
    """Name options and commands where a remedy names a function."""
    made = _STORE.sub(lambda found: f"make one with: esanalytics init {shlex.quote(found[1])}", text)
    return made.replace(_FILE, "name a file of jobs with -f")


def say_here(text: str) -> None:
    """Say it to whoever called the program."""
    say(in_shell(text))
