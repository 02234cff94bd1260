"""6,919 purchases of 2,357 customers: frequency, recency and T as another package counted them."""

import csv
import datetime as dt
import itertools
from decimal import ROUND_HALF_UP, Decimal

import pytest

import esanalytics as ea
from esanalytics import add, append, count, field, max_, min_

DATA_SET = "cdnow"
END = dt.datetime(1997, 9, 30, tzinfo=dt.UTC)
CENT = Decimal("0.01")
CUT_OFFS = [
    dt.datetime(1997, 1, 1, tzinfo=dt.UTC),
    dt.datetime(1997, 2, 14, 23, 59, 59, 999_999, tzinfo=dt.UTC),
    dt.datetime(1997, 6, 15, 12, tzinfo=dt.UTC),
    END,
    dt.datetime(1998, 6, 30, tzinfo=dt.UTC),
]

CUSTOMERS = ea.Projection(
    "customers",
    key={"customer": ea.stream_id},
    on={
        "Purchased": {
            "first": min_(ea.effective_at),
            "last": max_(ea.effective_at),
            "purchases": count,
            "dollars": add(field("dollars", "DECIMAL(18,2)")),
        }
    },
)
VISITS = ea.Projection("visits", key={"customer": ea.stream_id}, on={"Purchased": {"days": append(ea.effective_at)}})
DAYS = ea.Projection(
    "days",
    key={"customer": ea.stream_id, "day": ea.effective_at},
    on={"Purchased": {"dollars": add(field("dollars", "DECIMAL(18,2)"))}},
)


@pytest.fixture(scope="module")
def store(folder, tmp_path_factory):
    purchases = ea.sources.csv(
        folder / "CDNOW_sample.txt",
        delimiter=None,
        header=["master_id", "id", "day", "cds", "dollars"],
        mapping={
            "service": ea.sources.constant("shop"),
            "stream_id": "id",
            "type": ea.sources.constant("Purchased"),
            "occurred_at": ea.sources.sql("strptime(day::varchar, '%Y%m%d')"),
        },
    )
    with ea.Store.create(tmp_path_factory.mktemp("cdnow") / "store", partition="year") as store:
        assert store.append(purchases).appended == 6919
        yield store


@pytest.fixture(scope="module")
def summary(folder):
    """Two files that agree: ID -> frequency, recency, T; and ID -> mean of the repeated purchases."""
    with (folder / "cdnow_customers_summary.csv").open(encoding="utf-8", newline="") as file:
        plain = {int(row["ID"]): row for row in csv.DictReader(file)}
    with (folder / "cdnow_customers_summary_with_transactions.csv").open(encoding="utf-8", newline="") as file:
        transactions = {int(row["ID"]): row for row in csv.DictReader(file)}
    assert len(plain) == len(transactions) == 2357
    return plain, transactions


def weeks(first, last):
    return (Decimal((last - first).days) / 7).quantize(CENT, ROUND_HALF_UP)


def test_frequency_recency_and_t_of_every_customer_are_exact(store, summary):
    days = {}
    for row in ea.state_at(store, DAYS, END):
        days[int(row["customer"])] = days.get(int(row["customer"]), 0) + 1
    found = {
        int(row["customer"]): (
            days[int(row["customer"])] - 1,
            weeks(row["first"], row["last"]),
            weeks(row["first"], END),
        )
        for row in ea.state_at(store, CUSTOMERS, END)
    }
    assert found == {
        key: (int(row["frequency"]), Decimal(row["recency"]), Decimal(row["T"])) for key, row in summary[0].items()
    }


def test_the_second_summary_is_exact_too_and_its_mean_purchase_to_the_cent(store, summary):
    by_customer = {}
    for row in ea.state_at(store, DAYS, END):
        by_customer.setdefault(int(row["customer"]), []).append((row["day"], row["dollars"]))
    wrong = []
    for key, row in summary[1].items():
        days = sorted(by_customer[key])
        first, last = days[0][0], days[-1][0]
        repeated = [dollars for _, dollars in days[1:]]
        mean = sum(repeated) / len(repeated) if repeated else Decimal(0)
        exact = (int(row["x"]), Decimal(row["t_x"]), Decimal(row["T"]))
        if exact != (len(repeated), weeks(first, last), weeks(first, END)):
            wrong.append(row)
        if abs(mean - Decimal(row["zbar"])) > CENT / 2:  # a half was rounded as a binary fraction there
            wrong.append(row)
    assert wrong == []


def test_sql_over_the_events_gives_the_same(store, summary):
    found = store.log.at(END).sql(
        """
        with days as (
            select stream_id::int as id, effective_at as day, sum(data.dollars::decimal(18, 2)) as dollars
            from events group by all
        )
        select id, count(*) - 1 as frequency, date_diff('day', min(day), max(day)) as recency,
            date_diff('day', min(day), $end) as age, sum(dollars) - min_by(dollars, day) as repeated
        from days group by id
    """,
        {"end": END},
    )
    rows = {row["id"]: row for row in found}
    assert rows.keys() == summary[0].keys()
    for key, row in summary[0].items():
        mine = rows[key]
        assert mine["frequency"] == int(row["frequency"])
        assert (Decimal(mine["recency"]) / 7).quantize(CENT, ROUND_HALF_UP) == Decimal(row["recency"])
        assert (Decimal(mine["age"]) / 7).quantize(CENT, ROUND_HALF_UP) == Decimal(row["T"])
        mean = mine["repeated"] / mine["frequency"] if mine["frequency"] else Decimal(0)
        assert abs(mean - Decimal(summary[1][key]["zbar"])) <= CENT / 2


def test_equal_purchases_of_one_day_stay_separate_events(store, folder):
    lines = (folder / "CDNOW_sample.txt").read_text().splitlines()
    assert len(set(lines)) < len(lines)
    assert store.log.count() == len(lines)
    total = sum(Decimal(line.split()[4]) for line in lines)
    assert sum(row["dollars"] for row in ea.state_at(store, CUSTOMERS)) == total
    assert sum(row["purchases"] for row in ea.state_at(store, CUSTOMERS)) == 6919


@pytest.fixture(scope="module")
def days_in_file(folder):
    """The days on which each customer bought something, by the file alone: ID -> days in order."""
    found = {}
    for line in (folder / "CDNOW_sample.txt").read_text(encoding="utf-8").splitlines():
        _, key, day, *_ = line.split()
        found.setdefault(int(key), set()).add(dt.datetime.strptime(f"{day}Z", "%Y%m%d%z"))
    return {key: sorted(days) for key, days in found.items()}


def measures(days, end):
    """Frequency, recency and T of a customer who bought on these days; None: none."""
    days = sorted(set(days or ()))
    return (len(days) - 1, weeks(days[0], days[-1]), weeks(days[0], end)) if days else None


@pytest.fixture(scope="module")
def visits(store, days_in_file):
    """One question for all customers at all cut-offs: (ID, cut-off) -> the days up to then, as the log has them."""
    frame = [{"customer": f"{key:04}", "cut_off": end} for end in reversed(CUT_OFFS) for key in days_in_file]
    found = ea.join_asof(frame, store, VISITS, key="customer", at="cut_off").arrow().to_pylist()
    assert [{"customer": row["customer"], "cut_off": row["cut_off"]} for row in found] == frame
    return {(int(row["customer"]), row["cut_off"]): row["days"] for row in found}


@pytest.mark.parametrize("end", CUT_OFFS, ids=str)
def test_frequency_recency_and_t_at_a_cut_off_are_those_of_the_file(visits, days_in_file, end):
    wanted = {key: measures([day for day in days if day <= end], end) for key, days in days_in_file.items()}
    assert {key: measures(days, end) for (key, at), days in visits.items() if at == end} == wanted
    assert any(days and days[-1] > end for days in days_in_file.values()) == (end < CUT_OFFS[-1])


def test_the_same_join_has_the_summary_at_its_cut_off(visits, summary):
    found = {key: measures(days, END) for (key, at), days in visits.items() if at == END}
    assert found == {
        key: (int(row["frequency"]), Decimal(row["recency"]), Decimal(row["T"])) for key, row in summary[0].items()
    }


def test_history_begins_a_version_on_each_day_of_a_customer(store, days_in_file):
    found = {}
    for row in ea.history(store, VISITS).arrow().to_pylist():
        found.setdefault(int(row["customer"]), []).append((row["valid_from"], row["valid_to"]))
    assert {key: sorted(spans, key=lambda span: span[0]) for key, spans in found.items()} == {
        key: list(itertools.pairwise([*days, None])) for key, days in days_in_file.items()
    }
