"""15,214 events of 1,050 hospital cases, as CSV and as Parquet, against what another tool found in them."""

import pytest
from process_log import Questions, as_of, cases, directly_follows, read_oracle

import esanalytics as ea

DATA_SET = "sepsis"


@pytest.fixture(scope="module")
def oracle(folder):
    return read_oracle(folder / "sepsis.oracle_pm4py.json")


@pytest.fixture(scope="module")
def store(folder, tmp_path_factory):
    """From the CSV, whose rows stand in the order of each case."""
    source = ea.sources.csv(
        folder / "sepsis.csv",
        delimiter=";",
        mapping={
            "service": ea.sources.constant("hospital"),
            "stream_id": "Case ID",
            "type": "Activity",
            "occurred_at": ea.sources.sql("""strptime("Complete Timestamp", '%Y/%m/%d %H:%M:%S.%g')"""),
        },
    )
    with ea.Store.create(tmp_path_factory.mktemp("sepsis") / "store", partition="year") as store:
        assert store.append(source).appended == 15_214
        yield store


@pytest.fixture(scope="module")
def from_parquet(folder, tmp_path_factory):
    source = ea.sources.parquet(
        folder / "sepsis.parquet",
        mapping={
            "service": ea.sources.constant("hospital"),
            "stream_id": "case_id",
            "type": "activity",
            "occurred_at": "timestamp",
        },
    )
    with ea.Store.create(tmp_path_factory.mktemp("sepsis") / "store", partition="year") as store:
        assert store.append(source).appended == 15_214
        yield store


class TestOfAnotherTool(Questions):
    """The tests that both logs of cases have."""


def test_the_parquet_file_gives_the_same_traces_as_the_csv(store, from_parquet):
    assert cases(from_parquet) == cases(store)
    assert directly_follows(from_parquet.log) == directly_follows(store.log)


def test_the_case_named_na_is_a_case_like_others(store):
    row = cases(store.log.where(stream="NA"))["NA"]
    assert len(row["trace"]) == 24


def test_compaction_changes_no_answer(store, oracle):
    before = cases(store)
    store.compact()
    assert cases(store) == before
    assert [as_of(store, block["at"]) for block in oracle["asof"]] == oracle["asof"]
