"""Views that are opened and closed leave nothing behind in the kernel."""

from booking import Book

BEGIN = """
import gc, threading, time
import comm, ipywidgets, psutil
import esanalytics as ea
from esanalytics.demo import orders
from IPython.display import clear_output, display
store = ea.Store.open({path!r})

VIEWS = [
    lambda: ea.replay(store, orders, "order-123"),
    lambda: ea.replay(store, orders),
    lambda: ea.explore(store),
    lambda: ea.replay(store, orders, "order-123", renderer="matplotlib"),
    lambda: ea.compare(store, orders, "2026-02-01", "2026-02-02"),
    lambda: ea.trace(store, correlation_id="order-123"),
]

def left():
    gc.collect()
    comms = len(comm.get_comm_manager().comms)
    return [comms, len(ipywidgets.widgets.widget._instances), threading.active_count()]

def grown():
    gc.collect()
    return [len(gc.get_objects()), psutil.Process().memory_info().rss // 2**20]

def open_and_close(count):
    for number in range(count):
        view = VIEWS[number % len(VIEWS)]()
        display(view)
        time.sleep(0.05)
        view.close()
        clear_output()
"""


def test_fifty_views_leave_nothing_behind(page, server, shop):
    cells = [BEGIN.format(path=str(shop.path)), "open_and_close(12)", "open_and_close(50)"]
    book = Book(page, server, "lab", cells, "footprint")
    book.run(0)
    book.run(1)
    before, (objects, megabytes) = book.ask("left()"), book.ask("grown()")
    book.run(2)
    assert book.ask("left()") == before
    after = book.ask("grown()")
    assert after[0] < objects + 1_000
    assert after[1] < megabytes + 50  # the allocator's own ups and downs are about 25
