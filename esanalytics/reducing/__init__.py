"""Running a Python reducer over a log: stream after stream, in bounded memory, over several processes when asked."""

from esanalytics.reducing._reduced import Reduced
from esanalytics.reducing._run import reduced

__all__ = ["Reduced", "reduced"]
