"""Views that are opened and closed leave nothing behind in the kernel."""

import pytest
from booking import Book

BEGIN = """
import gc, threading, time
import comm, ipywidgets, psutil
import esanalytics as ea
from esanalytics.demo import orders
from IPython.display import clear_output, display
store = ea.Store.open({path!r})

def left():
    gc.collect()
    comms = len(comm.get_comm_manager().comms)
    return [comms, len(ipywidgets.widgets.widget._instances), threading.active_count()]

def megabytes():
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20

def open_and_close(count):
    for _ in range(count):
        view = MAKE()
        display(view)
        time.sleep(0.05)
        view.close()
        clear_output()
        del view
"""
VIEWS = {
    "replay": "ea.replay(store, orders, 'order-123')",
    "all": "ea.replay(store, orders)",
    "explore": "ea.explore(store)",
    "matplotlib": "ea.replay(store, orders, 'order-123', renderer='matplotlib')",
}


@pytest.mark.parametrize("view", VIEWS)
def test_fifty_views_leave_nothing_behind(page, server, shop, view):
    begin = BEGIN.format(path=str(shop.path)).replace("MAKE()", VIEWS[view])
    book = Book(page, server, "lab", [begin, "open_and_close(10)", "open_and_close(50)"], f"footprint-{view}")
    book.run(0)
    book.run(1)
    before, memory = book.ask("left()"), book.ask("megabytes()")
    book.run(2)
    assert book.ask("left()") == before
    assert book.ask("megabytes()") < memory + 20
    server.shut_down_kernels()
