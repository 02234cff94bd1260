"""34,724 events of 10,000 fines, whose times are days, against what another tool found in them."""

import pytest
from process_log import Questions, read_oracle

import esanalytics as ea

DATA_SET = "traffic_fines"

PAYMENTS = ea.Projection(
    "payments",
    key={"case": ea.stream_id},
    on={
        "Payment": {
            "paid": ea.add(ea.field("paymentamount", "DECIMAL(18,1)")),
            "total": ea.field("totalpaymentamount", "DOUBLE"),
        }
    },
)


@pytest.fixture(scope="module")
def oracle(folder):
    return read_oracle(folder / "traffic_fines.oracle_pm4py.json")


@pytest.fixture(scope="module")
def store(folder, tmp_path_factory):
    source = ea.sources.parquet(
        folder / "traffic_fines.parquet",
        mapping={
            "service": ea.sources.constant("police"),
            "stream_id": "case_id",
            "type": "activity",
            "occurred_at": "timestamp",
        },
    )
    with ea.Store.create(tmp_path_factory.mktemp("fines") / "store", partition="year") as store:
        assert store.append(source).appended == 34_724
        yield store


class TestOfAnotherTool(Questions):
    """The tests that both logs of cases have."""


def test_the_sum_of_the_payments_is_the_total_that_the_last_one_states(store):
    rows = list(ea.state_at(store, PAYMENTS))
    agreeing = sum(abs(float(row["paid"]) / 10 - row["total"]) < 0.005 for row in rows)
    assert len(rows) > 4000
    assert agreeing / len(rows) > 0.99
