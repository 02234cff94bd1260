import json
from pathlib import Path

import pytest

from esanalytics.demo import truth, write

DATA = Path(__file__).parents[2] / "data"
ORDERS = 320
SERVICES = ("customers", "orders", "payments", "inventory", "shipping")


@pytest.mark.parametrize("service", SERVICES)
def test_the_committed_sample_is_what_the_generator_writes(service, tmp_path):
    written = write(tmp_path, orders=ORDERS, seed=7)[service]
    assert written.read_bytes() == (DATA / f"{service}.jsonl").read_bytes()


def test_the_sample_is_small():
    assert sum((DATA / f"{service}.jsonl").stat().st_size for service in SERVICES) < 1_500_000


@pytest.mark.parametrize("service", SERVICES)
def test_every_line_is_an_object_with_objects_inside(service):
    events = [json.loads(line) for line in (DATA / f"{service}.jsonl").read_text("utf-8").splitlines()]
    assert {event["service"] for event in events} == {service}
    assert all(isinstance(event["data"], dict) for event in events)
    assert {isinstance(event.get("metadata"), dict) for event in events} == {service == "orders"}
    assert all("version" in event for event in events) == (service not in {"inventory", "shipping"})
    assert all(None not in event.values() for event in events)


def test_the_page_about_the_sample_counts_right():
    page, found = (DATA / "README.md").read_text("utf-8"), truth(orders=ORDERS)
    counts = {type_: count for types in found.types.values() for type_, count in types.items()}
    assert [type_ for type_, count in counts.items() if f"| `{type_}` | {count:,} |" not in page] == []
    facts = (found.events + found.redelivered, found.events, found.redelivered, found.late, found.backwards)
    assert [fact for fact in facts if f"**{fact:,}**" not in page] == []
    assert [order for order in found.bad_orders if f"`{order}`" not in page] == []
    assert f"{found.refunded_again:,} EUR" in page


def test_the_page_about_the_sample_gives_the_command_that_makes_it():
    page = (DATA / "README.md").read_text("utf-8")
    assert f"write('data', orders={ORDERS}, seed=7)" in page
