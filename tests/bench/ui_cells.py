"""What the notebooks of the benchmark run, and the stores that they open."""

from pathlib import Path

import duckdb
from measuring import said
from workload import events, nested

import esanalytics as ea

STREAM = "order-00000000"
"""The only stream of a store of one entity."""

BEGIN = """
import sys
import esanalytics as ea
sys.path.append({bench!r})
from workload import TYPED
ea.replay
store = ea.Store.open({path!r})
store.log.count()
"""
ONE = f"""
view = ea.replay(store, TYPED, {STREAM!r})
view
"""
ALL = """
view = ea.replay(store)
view
"""
BEGIN_OUTPUT = """
%matplotlib inline
import ipywidgets as W
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import clear_output
import esanalytics as ea
store = ea.Store.open({path!r})
table = store.log.sql("SELECT epoch(effective_at) AS at, type FROM events ORDER BY position").df()
at, (lane, names) = table["at"].to_numpy(), table["type"].factorize()
"""
OUTPUT = """
slider = W.IntSlider(value=0, min=0, max=len(at), description="step")
out = W.Output(layout=W.Layout(height="330px"))

def draw(change):
    with out:
        clear_output(wait=True)
        fig, ax = plt.subplots(figsize=(8, 3))
        past = np.arange(len(at)) < change["new"]
        ax.scatter(at, lane, s=9, c=np.where(past, "tab:blue", "lightgrey"))
        ax.set_yticks(range(len(names)), names)
        ax.set_title(f"step {change['new']}")
        plt.show()

slider.observe(draw, "value")
draw({"new": 0})
box = W.VBox([slider, out])
box.add_class("by-output")
box
"""
"""A slider and a picture as most notebooks have them: a new figure for each step, shown in an ``Output``."""


def made(folder: Path, count: int, streams: int) -> Path:
    """Make a store of so many events, compacted where it is large."""
    path = folder / f"store-{count}-{streams}"
    with said(f"a store of {count:,} events in {streams:,} streams"):
        store = ea.Store.create(path)
        store.append(
            duckdb.sql(nested(events(count, streams))).to_arrow_reader(100_000), service="orders", progress=False
        )
        if count > 1_000_000:
            store.compact()
        store.close()
    return path
