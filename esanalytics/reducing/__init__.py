"""Running a Python reducer over a log: stream after stream, in bounded memory, over several processes when asked."""

from esanalytics.reducing._events import Event
from esanalytics.reducing._reading import events_in_order
from esanalytics.reducing._reduced import Reduced
from esanalytics.reducing._rows import parts_of
from esanalytics.reducing._run import reduced

__all__ = ["Event", "Reduced", "events_in_order", "parts_of", "reduced"]
