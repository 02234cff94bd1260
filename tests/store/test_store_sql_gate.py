import time

import pytest
from material import event, new_store

from esanalytics.engines import DuckDB, predicate, select_only
from esanalytics.errors import EngineError, UnsupportedError

FILES_READ = [
    "select * from read_text('secret.csv')",
    "SELECT * FROM \"READ_TEXT\"('secret.csv')",
    "from system.main.read_text('secret.csv')",
    "from other.events",
    "from temp.other.events",
    "from main.read_csv('secret.csv')",
    "from read_csv_auto('secret.csv')",
    "from read_blob('secret.csv')",
    "from read_json('secret.csv')",
    "from read_parquet('secret.parquet')",
    "from parquet_scan('secret.parquet')",
    "from parquet_metadata('secret.parquet')",
    "from parquet_schema('secret.parquet')",
    "from sniff_csv('secret.csv')",
    "from glob('*')",
    "from 'secret.csv'",
    "from 'secret.parquet'",
    'from "secret.csv"',
    "from secret.csv",
    "from events, 'secret.csv' as s",
    "from events join 'secret.csv' s on s.a = events.position",
    "from events e, lateral (select * from 'secret.csv')",
    "from (from (values (1)) union all by name from 'secret.csv')",
    "select (select count(*) from 'secret.csv')",
    "select count(*) from events having (select count(*) from 'secret.csv') > 0",
    "select 1 from events order by (select count(*) from 'secret.csv')",
    "from events limit (select count(*) from 'secret.csv')",
    "select case when true then (select content from read_text('secret.csv')) end",
    "select list_transform([1], lambda x: (select x from read_text('secret.csv')))",
    "select row_number() over (order by (select count(*) from 'secret.csv')) from events",
    "from range((select count(*) from 'secret.csv'))",
    "pivot (from 'secret.csv') on a in (1) using count(*)",
    "unpivot 'secret.csv' on a into name n value v",
    "summarize 'secret.csv'",
    "describe 'secret.csv'",
    "from (describe 'secret.csv')",
    "with c as (from 'secret.csv') from events",
    'with "secret.csv" as (from "secret.csv") from "secret.csv"',
    'with a as (from "secret.csv"), "secret.csv" as (select 7) from a',
    'from (with "secret.csv" as (select 7) from "secret.csv"), "secret.csv"',
    'with recursive "secret.csv" as (from "secret.csv" union all select 1, 2 where false) from "secret.csv"',
    "with secret as (select 1) from secret.csv",
    "with csv as (select 1) from secret.csv",
    "with events as (from 'secret.csv') from events",
    'with "É.csv" as (select 1) from "é.csv"',
    "from events where exists (from 'secret.csv')",
    "from events -- a note\n, 'secret.csv' /* a note */ ;",
]
OTHER_SQL_RUN = [
    "from query('select 1')",
    "from query_table('events')",
    "from query_table(['secret.csv'])",
    "from histogram(events, type)",
    "from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "select json_serialize_plan('select * from read_csv(''secret.csv'')')",
    "from python_map_function(1)",
    "from seq_scan(1)",
]
CATALOGS_SEEN = [
    "from duckdb_settings()",
    "from duckdb_secrets()",
    "from duckdb_views()",
    "from sqlite_master",
    "from information_schema.tables",
    "from pg_catalog.pg_tables",
    "from system.main.duckdb_tables",
    "from pragma_table_info('events')",
    "show tables",
    "describe",
    "from (describe)",
    "describe tables",
    "from (show all tables)",
    "show events",
    "show databases",
    "select pg_get_viewdef(1)",
    "select getvariable('x')",
    "select getenv('HOME')",
    "select nextval('s')",
    "select write_log('x')",
]
WRITING = [
    "copy events to 'written'",
    "copy (select 1) to 'written'",
    "with w as (copy events to 'written') from w",
    "with w as (copy (select 1) to 'written') select 1",
    "export database 'written'",
    "attach 'written' as w",
    "attach 'written' as w; select 1",
    "select 1; attach 'written'",
    "create table t as select 1",
    "with w as (insert into events values (1) returning *) from w",
    "with w as (update events set type = 'X' returning *) from w",
    "with w as (delete from events returning *) from w",
    "with w as (select 1) insert into events from w",
    "delete from events",
    "drop view events",
    "pragma enable_profiling",
    "set profiling_output = 'written'",
    "install spatial",
    "load spatial",
    "call checkpoint()",
    "explain analyze select 1",
    "prepare p as select 1",
    "execute p",
    "select 1; select 2",
]
INSTALLING = [
    "select '127.0.0.1'::inet",
    "select inet '127.0.0.1'",
    "select cast(null as struct(a inet)[])",
    "select st_read('x')",
    "select http_get('http://localhost')",
    "select make_type('inet')",
    "from st_read('x')",
    "from sqlite_scan('x', 'y')",
    "from 'https://localhost/x.csv'",
    "from 's3://bucket/x.parquet'",
]
REFUSED = [*FILES_READ, *OTHER_SQL_RUN, *CATALOGS_SEEN, *WRITING, *INSTALLING]

ANSWERED = {
    "select count(*) from events": [(4,)],
    "FROM events SELECT type ORDER BY position LIMIT 1": [("A",)],
    'select e.type from "EVENTS" e where position = 1': [("A",)],
    "select count(*) from main.events": [(4,)],
    "select count(*) from temp.events": [(4,)],
    "select count(*) from temp.main.events": [(4,)],
    "with c as (select type from events), d as (from c where type = 'A') select count(*) from d": [(2,)],
    'with "Été.csv" as materialized (select 7 as n) select n from "Été.CSV"': [(7,)],
    "with a as (select 1 as x) select (with a as (select 2 as x) select x from a), x from A": [(2, 1)],
    "with events as (select * from events where type = 'A') select count(*) from events": [(2,)],
    "with recursive r as (select 1 as n union all select n + 1 from r where n < 4) select sum(n) from r": [(10,)],
    "with recursive r(n) using key (n) as (select 1 union select n + 1 from recurring.r where n < 4) from r": 4,
    "with recursive r as (with q as (select 1 as n) (from q union all select n + 1 from r where n < 3)) from r": 3,
    "select type, row_number() over (partition by type order by position) as n from events": 4,
    "select type, count(*) over w from events window w as (order by position rows 1 preceding)": 4,
    "select type from events qualify row_number() over (partition by type order by position) = 1": 3,
    "from events e, lateral (select e.position + 1 as next) order by all": 4,
    "select unnest([1, 2]) as x, unnest({'a': 1})": [(1, 1), (2, 1)],
    "select x from events e cross join unnest([e.position, 0]) u(x)": 8,
    "pivot (select type, position from events) on type in ('A', 'B') using count(position)": [(2, 1)],
    "from (pivot (select type, position from events) on type in ('A') using max(position))": [(4,)],
    "from (select type, 1 as n from events) pivot (sum(n) for type in ('A', 'B'))": [(2, 1)],
    "unpivot (select 1 as a, 2 as b) on a, b into name n value v": [("a", 1), ("b", 2)],
    "select a.position, b.position from events a asof join events b on a.occurred_at > b.occurred_at": 3,
    "select type, stream_id, count(*) from events group by all": 3,
    "select type, grouping(type), count(*) from events group by grouping sets ((type), ())": 4,
    "select type, count(*) from events group by rollup (type)": 4,
    "select type from events union all by name select 'Z' as type": 5,
    "select type from events except select 'A' intersect select 'A'": 2,
    "select count(*) from events e where exists (select 1 from events f where f.position > e.position)": [(3,)],
    "select (select max(f.position) from events f where f.type = e.type) from events e where position = 1": [(4,)],
    "select type from events where position = any (select min(position) from events group by type)": 3,
    "select list_transform([1, 2], lambda x: x + 1), [y for y in [1, 2] if y > 1]": [([2, 3], [2])],
    "select list_aggregate(list(position), 'sum'), list_reduce([1, 2], lambda a, b: a + b) from events": [(10, 3)],
    "from events using sample 2": 2,
    "select count(*) <= 4 from events tablesample 50 percent": [(True,)],
    "values (1, 'a'), (2, 'b')": [(1, "a"), (2, "b")],
    "from (values (1)) v(n) positional join (values (2)) w(m)": [(1, 2)],
    "table events": 4,
    "from json_each('[1, 2]')": 2,
    "from json_tree('[1, 2]')": 3,
    "select data.n::int, json_extract_string(data::json, '$.n') from events where position = 1": [(1, "1")],
    "select '{\"a\": 1}'::json ->> 'a', json_object('a', 1)::varchar": [("1", '{"a":1}')],
    "from range(3) with ordinality": 3,
    "select count(*) from generate_series(timestamp '2026-01-01', '2026-01-03', interval 1 day)": [(3,)],
    "select type, first(position order by position) filter (where position > 1) from events group by 1 order by 1": 3,
    "select quantile_cont(position, 0.5), mode() within group (order by type), histogram(type) from events": 1,
    "select count(*) from events where type in ('A') and type like 'A%' and type ~ 'A' and position between 1 and 2": 1,
    "select * exclude (data, metadata) replace (upper(type) as type) rename (position as n) from events": 4,
    "select columns('.*_at') from events": 4,
    "select min(columns(* exclude (data, metadata))) from events": 1,
    "select distinct on (type) type, position from events order by type, position desc nulls last limit 50%": 1,
    "select coalesce(null, 1), ifnull(null, 1), nullif(1, 1), if(true, 1, 2), try(1), try_cast('a' as int)": 1,
    "select case type when 'A' then 1 else 2 end, type || 'x', not true, -position, type[1:2] from events": 4,
    "select date_trunc('day', occurred_at), occurred_at at time zone 'UTC', extract(year from now()) from events": 4,
    "select time_bucket(interval '1 hour', occurred_at), now() - interval 1 day, current_date from events": 4,
    "select null::decimal(18, 2), null::double precision, null::struct(a int, b varchar[])[], null::map(int, json)": 1,
    "select null::timestamp with time zone, null::enum('a', 'b'), null::union(a int), null::int[3], null::variant": 1,
    "select type collate nocase, formatReadableSize(1000), FORMAT('{}', 1) from events": 4,
    "select setseed(0.5), random(), uuid(), hash(1), current_setting('TimeZone')": 1,
    "select read_text from (select 1 as read_text)": [(1,)],
    "summarize events": 14,
    "describe events": 14,
    "select count(*) from (summarize events)": [(14,)],
    "select 'a; -- b' as x ; -- a note\n /* another */ ;": [("a; -- b",)],
    "select 'é', $$;$$ as \";\" -- a note": [("é", ";")],
}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    store = new_store(tmp_path_factory.mktemp("gate"))
    store.append([event(n, type=t, data={"n": n}) for n, t in enumerate("ABCA", start=1)])
    return store.log


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a folder with a file that nobody may read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    (tmp_path / "é.csv").write_text("a,b\n1,2\n")
    return tmp_path


@pytest.mark.parametrize("query", REFUSED)
def test_a_query_that_reaches_outside_is_refused_before_it_runs(log, folder, query):
    before = sorted(folder.iterdir())
    with pytest.raises(UnsupportedError):
        log.sql(query)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("query", ANSWERED)
def test_an_analytical_query_is_answered(log, query):
    answer = ANSWERED[query]
    rows = [tuple(row.values()) for row in log.sql(query)]
    assert len(rows) == answer if isinstance(answer, int) else rows == answer


@pytest.mark.parametrize("query", [q for q, answer in ANSWERED.items() if isinstance(answer, list)])
def test_what_is_let_through_can_be_asked_further_questions(log, query):
    result = log.sql(query)
    assert len(result) == len(ANSWERED[query]) == len(result.head())


def test_values_are_given_to_a_query_by_place_or_by_name(log):
    assert log.sql("select count(*) as n from events where type = ?", ["A"]).head() == [{"n": 2}]
    assert log.sql("select count(*) as n from events where type = $t", {"t": "A"}).head() == [{"n": 2}]
    assert log.sql("select ?::int as a, $2::int as b", [1, 2]).head() == [{"a": 1, "b": 2}]
    with pytest.raises(EngineError):
        log.sql("select ?, $x", [1])


@pytest.mark.parametrize(
    "text", ["selec", "select from where", "select 'a", "select 1 /* a", "select 1 +", "from from"]
)
def test_what_is_no_sql_is_an_engine_error(log, text):
    with pytest.raises(EngineError) as caught:
        log.sql(text)
    assert not isinstance(caught.value, UnsupportedError)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from read_text('secret.csv')", "'read_text'"),
        (
            "from 'secret.csv'",
            "'secret.csv' cannot be read; a query can read events only; load files with store.append",
        ),
        ("select countt(*) from events", "did you mean 'count'"),
        ("select 1::integr", "did you mean 'integer'"),
        ("select getvariable('x')", "'getvariable'"),
        ("with w as (insert into t values (1)) from w", "INSERT"),
        ("pivot events on type using count(*)", "list the values"),
        ("show tables", "SHOW"),
        ("drop table events", "takes one SELECT"),
        ("", "takes one SELECT"),
    ],
)
def test_a_refusal_names_what_it_refuses_and_what_to_do(log, query, said):
    with pytest.raises(UnsupportedError) as caught:
        log.sql(query)
    assert said in str(caught.value)
    assert "; " in str(caught.value)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["where", "without"])
@pytest.mark.parametrize(
    "condition",
    [
        "exists (select 1 from read_text('secret.csv'))",
        "position in (select a from 'secret.csv')",
        "position = (select count(*) from glob('*'))",
        "exists (select 1 from events)",
        "exists (select 1 from log)",
        "exists (with secret as (select 1) select 1 from secret.csv)",
        "getvariable('x') is null",
        "write_log('x') is null",
        "read_text('secret.csv') is null",
        "'127.0.0.1'::inet is null",
        "case when type = 'A' then exists (from duckdb_secrets()) end",
    ],
)
def test_a_condition_that_reaches_outside_is_refused(log, name, condition):
    with pytest.raises(UnsupportedError, match="can read the columns of its own rows only"):
        getattr(log, name)(condition)


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ("type = 'A'", 2),
        ("data.n::int > 1 and type like 'A%'", 1),
        ("type in (select x from unnest(['A', 'B']) t(x))", 3),
        ("exists (with c as (select 2 as x) select 1 from c where x = position)", 1),
        ("list_contains(list_transform([1], lambda x: x + 1), position)", 1),
        ("occurred_at >= timestamptz '2026-01-01' and effective_at is not null", 4),
        ("case when type = 'A' then position = 1 else false end", 1),
    ],
)
def test_a_condition_on_columns_is_taken(log, condition, shown):
    assert log.where(condition).count() == shown
    assert log.without(condition).count() == 4 - shown


@pytest.mark.parametrize("text", ["", "select", "a b c", "1 = 1) or (1 = 1", "true; select 1", "type = 'A"])
def test_a_text_that_is_no_condition_is_a_value_error(log, text):
    for ask in (log.where, log.without):
        with pytest.raises(ValueError, match="not a SQL condition"):
            ask(text)


def test_a_predicate_may_read_the_relations_it_is_given():
    engine = DuckDB()
    condition = "total > (select avg(total) from state)"
    assert "state" in predicate(engine, condition, ("state",)).sql()
    assert select_only(engine, "from STATE;", ("state", "events")) == "from STATE"
    for relations in ((), ("events",)):
        with pytest.raises(UnsupportedError, match="'state' cannot be read"):
            predicate(engine, condition, relations)


def test_a_query_nested_too_deeply_is_refused_and_a_long_one_is_not(log):
    with pytest.raises(UnsupportedError, match="nested"):
        log.sql("select " + "+".join(["1"] * 900))
    with pytest.raises(EngineError):
        log.sql("select " + "(" * 5000 + "1" + ")" * 5000)
    long = " or ".join(f"position = {n}" for n in range(2000))
    assert log.sql(f"select count(*) as n from events where {long}").head() == [{"n": 4}]


def test_the_gate_costs_little(log):
    query = next(query for query in ANSWERED if "lateral" in query)
    log.sql(query)
    begin = time.perf_counter()
    for _ in range(20):
        select_only(log._reader.engine, query)
    assert (time.perf_counter() - begin) / 20 < 0.05
