"""The command line: ``esanalytics``, also ``python -m esanalytics``.

Answers go to stdout, everything else to stderr. Exit codes: 0; 1, it failed; 2, it was called wrongly; 130, it was
interrupted. ``esanalytics jobs`` has more: 3, checks failed; 4, some jobs failed and some did not; 75, another run is
at it; 124, it took too long.
"""

from esanalytics.cli._main import main

__all__ = ["main"]
