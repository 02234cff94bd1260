"""The command line: ``esanalytics``, also ``python -m esanalytics``.

Answers go to stdout, everything else to stderr. Exit codes: 0; 1, it failed; 2, it was called wrongly; 130, it was
interrupted.
"""

from esanalytics.cli._main import main

__all__ = ["main"]
