"""Plots of a log: matplotlib's axes in and out, no pyplot, in light and dark.

Each takes a log, then what it is about, then by keyword how: ``ax`` to draw on axes of one's own, ``theme``, and what
matplotlib's main artist takes. Left out, ``ax`` is made on a new figure. No pyplot knows of that figure, so the axes
show themselves in a notebook, as the last expression of a cell or by ``display``; ``ax.figure.savefig`` writes them to
a file. The axes' figure gets the background of the theme.
"""

from esanalytics.plots._density import density
from esanalytics.plots._dotted import dotted
from esanalytics.plots._durations import durations
from esanalytics.plots._funnel import funnel
from esanalytics.plots._heatmap import heatmap
from esanalytics.plots._lanes import lanes
from esanalytics.plots._state import state
from esanalytics.plots._transitions import transitions
from esanalytics.plots._waterfall import waterfall

__all__ = [
    "density",
    "dotted",
    "durations",
    "funnel",
    "heatmap",
    "lanes",
    "state",
    "transitions",
    "waterfall",
]
