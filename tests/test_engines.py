"""The same call gives the same numbers on every engine, and a plan stays a plan."""

from __future__ import annotations

import inspect
import json
import math
import re
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache
from typing import Any, Final, cast

import dask.dataframe as dd
import narwhals as nw
import polars as pl
import pytest
from pyspark.errors import AnalysisException

import crmkit
from crmkit import CrmkitWarning, pipeline, rfm
from crmkit import tables as crmkit_tables
from crmkit._door import frames
from tests.engine_cases import AS_OF, CASES, NO_TABLE_TO_READ, SPLIT, on, tables
from tests.engines import (
    ENGINES,
    assert_same_table,
    counted_source,
    marked,
    marks_of,
    read_back,
    ways_through,
)

# How many plans of lazy tables are run by each function; those that are not here run none.
_RUN: Final[Mapping[str, int]] = {
    "campaigns.plan": 1,
    "campaigns.plan of offers": 1,
    "campaigns.plan_summary": 1,
    "campaigns.save_list": 1,
    "campaigns.win_back": 1,
    "campaigns.reactivate": 1,
    "campaigns.split": 1,
    "campaigns.record": 1,
    "campaigns.result": 1,
    "campaigns.response_table": 1,
    "campaigns.response_table by depth": 1,
    "campaigns.compare_policies": 2,
    "campaigns.fit_uplift": 2,
    "campaigns.score_uplift": 1,
    "campaigns.uplift_curve": 1,
    "events.compare": 4,
    "events.exposed": 1,
    "loyalty.complaints": 2,
    "loyalty.referrals": 2,
    "loyalty.type_summary": 1,
    "loyalty.types": 1,
    "sales.growth": 4,
    "sales.growth of customers": 2,
    "sales.movers": 1,
    "sales.bridge": 2,
    "sales.revenue_tree": 3,
    "sales.trend": 1,
    "sales.composition": 2,
    "sales.attainment": 2,
    "sales.target_fairness": 1,
    "sales.seasonal_index": 3,
    "sales.spread": 1,
    "sales.after_concessions": 1,
    "sales.realistic_wallet": 1,
    "sales.realistic_wallet of all": 1,
    "events.compare of a review": 1,
    "campaigns.score_prospects": 3,
    "campaigns.sources": 2,
    "churn.survival": 2,
    "churn.survival_summary": 2,
    "churn.survival_difference": 2,
    "churn.cumulative_incidence": 2,
    "churn.log_rank": 2,
    "churn.log_rank_pairs": 2,
    "churn.lapse_table": 2,
    "churn.fit_cox": 2,
    "churn.fit_calibration": 2,
    "cohorts.rates": 1,
    "churn.inactivity": 2,
    "churn.label": 1,
    "churn.label_contracts": 1,
    "churn.panel": 1,
    "churn.reliability": 2,
    "churn.risk": 1,
    "clv.backtest": 1,
    "clv.calibration": 1,
    "churn.fit": 2,
    "churn.score": 1,
    "churn.reasons": 1,
    "churn.drivers": 1,
    "churn.stated_reasons": 1,
    "churn.evaluate": 2,
    "churn.gains": 2,
    "churn.calibration_table": 2,
    "churn.profit_curve": 2,
    "clv.choose": 2,
    "clv.compare": 1,
    "clv.discounted_purchases": 1,
    "clv.expected_purchases": 1,
    "clv.fit of spend": 1,
    "clv.fit": 1,
    "clv.fit with covariates": 2,
    "clv.fit_misses": 3,
    "clv.fit_opportunities": 1,
    "clv.fit_retention of contracts": 3,
    "clv.fit_retention": 1,
    "clv.fit_trees": 3,
    "clv.forecast_opportunities": 1,
    "clv.no_purchase": 1,
    "clv.pattern": 3,
    "clv.posterior": 1,
    "clv.predict": 2,
    "clv.predict with bounds": 3,
    "clv.predict with covariates": 1,
    "clv.predict_total": 3,
    "clv.predict_trees": 1,
    "clv.probability_alive": 1,
    "clv.purchase_distribution": 1,
    "clv.rank": 4,
    "clv.spend_dependence": 1,
    "clv.tracking": 2,
    "intake.clean": 1,
    "intake.hash_ids": 1,
    "economics.cost_benefit": 1,
    "intake.completeness": 1,
    "intake.match": 1,
    "intake.shared_contacts": 2,
    "lifecycle.calibrate": 2,
    "lifecycle.duration_summary": 1,
    "lifecycle.durations": 2,
    "lifecycle.fit_rules": 5,
    "lifecycle.flow": 3,
    "lifecycle.forecast": 1,
    "lifecycle.funnel": 3,
    "lifecycle.growth_accounting": 1,
    "lifecycle.history": 1,
    "lifecycle.second_purchases": 3,
    "lifecycle.transitions": 3,
    "lifecycle.rules": 1,
    "rfm.breakpoints": 3,
    "rfm.breakpoints nested": 5,
    "rfm.check_map": 1,
    "rfm.segment": 1,
    "clv.validate": 1,
    "pipeline.evaluate": 3,
    "tiers.abc": 2,
    "tiers.abc_summary": 1,
    "tiers.abc within": 2,
    "tiers.audit": 1,
    "tiers.audit_summary": 1,
    "tiers.migrate": 1,
    "tiers.migration_value": 1,
    "tiers.mobility": 1,
    "tiers.concentration": 1,
    "tiers.gini": 1,
    "tiers.rule": 1,
    "tiers.rule within": 1,
    "tiers.review": 2,
    "tiers.review_summary": 1,
    "tiers.summary": 1,
    "tiers.value_matrix": 1,
    "tiers.whale": 1,
}
_MADE_FOR_A_LOOK: Final = (
    "intake.check",
    "churn.drift",
    "intake.check_contacts",
    "intake.check_contracts",
    "intake.check_costs",
    "pipeline.run",
    "pipeline.run by kept values",
    "pipeline.run_summary",
)
"""They run many plans: one for each finding, and those of all the other functions."""


_SHAPES: Final = ("rfm.summarize", "clv.fit", "clv.predict", "lifecycle.rhythm")
"""One case for each shape: reduce, fit, apply, and a window over the rows of a customer."""

_SAMPLE: Final[Mapping[str, Sequence[str]]] = {
    **dict.fromkeys(ENGINES, ()),
    **dict.fromkeys(("dask", "spark"), _SHAPES),
}
"""What `make test` runs on the engines that cost most."""


_SEVERAL_TABLES: Final = (
    "clv.validate",
    "intake.clean",
    "pipeline.evaluate",
    "pipeline.run",
    "pipeline.run by kept values",
    "pipeline.run_summary",
)
"""They give tables of other functions, which document the columns."""


def _function_of(name: str) -> str:
    return name.partition(" ")[0]


@cache
def _call(name: str, engine: str) -> dict[str, Any]:
    """Call a function on an engine, once, and name the tables and values that it gives."""
    case = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CrmkitWarning)
        found = case.call(*(on(engine, table) for table in case.tables))
    if isinstance(found, pipeline.Evaluation):
        return {**found.frames(), "notes": found.notes, "left_out": found.left_out}
    if isinstance(found, pipeline.Result):
        return {**found.frames(), "kept": found.kept}
    # A column of Spark Connect may have any name, so whether it has `_asdict` tells nothing.
    return cast("Any", found)._asdict() if isinstance(found, tuple) else {"": found}


def _is_table(found: Any) -> bool:
    try:
        nw.from_native(found)
    except TypeError:
        return False
    return True


def _numbers(value: Any) -> Any:
    """Take a fitted value apart into what can be compared."""
    if hasattr(value, "estimates"):
        return {**value.estimates, "n_customers": value.n_customers}
    if isinstance(value, crmkit.clv.Posterior):
        return value.means
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _numbers(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, tuple):
        return tuple(map(_numbers, value))
    return value


def _assert_same_value(found: Any, due: Any, *, rtol: float) -> None:
    if isinstance(due, dict):
        assert found.keys() == due.keys()
        for name in due:
            _assert_same_value(found[name], due[name], rtol=rtol)
    elif isinstance(due, tuple):
        assert len(found) == len(due)
        for one, other in zip(found, due, strict=True):
            _assert_same_value(one, other, rtol=rtol)
    elif isinstance(due, float):
        assert math.isclose(found, due, rel_tol=rtol, abs_tol=1e-9), (found, due)
    else:
        assert found == due


# Every function on every engine


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        pytest.param(name, engine, marks=marks_of(engine, is_sample=name in _SAMPLE[engine]))
        for name in CASES
        for engine in ENGINES
        # Their steps run on Connect one by one; they take a minute there.
        if engine != "spark-connect" or name not in _MADE_FOR_A_LOOK
    ],
)
def test_every_engine_gives_the_same_answer(name: str, engine: str) -> None:
    case, due = CASES[name], _call(name, "polars")
    found = _call(name, engine)
    assert found.keys() == due.keys()
    for part, value in due.items():
        if _is_table(value):
            is_plan = isinstance(nw.from_native(found[part]), nw.LazyFrame)
            assert is_plan == ENGINES[engine].is_lazy, part
            assert_same_table(
                found[part], value, sort=case.sort, rtol=case.rtol, ignored=case.ignored
            )
        else:
            _assert_same_value(_numbers(found[part]), _numbers(value), rtol=case.rtol)


def test_every_public_function_is_in_the_matrix_or_says_why_not() -> None:
    rooms = [
        room for room in (getattr(crmkit, n) for n in crmkit.__all__) if inspect.ismodule(room)
    ]
    public = {
        f"{room.__name__.removeprefix('crmkit.')}.{name}"
        for room in rooms
        for name in room.__all__
        if inspect.isfunction(getattr(room, name)) and room is not crmkit.plots
    }
    assert public == {_function_of(name) for name in CASES} | set(NO_TABLE_TO_READ)


_ROW: Final = re.compile(r"^``(?P<name>\w+)``\s+(?P<kind>\w+)", re.MULTILINE)
_TYPES: Final = {
    "int": pl.Int64,
    "float": pl.Float64,
    "text": pl.String,
    "date": pl.Date,
    "bool": pl.Boolean,
    "flag": pl.Boolean,
}


_DUE: Final[Mapping[str, set[Any]]] = {
    "count": {pl.Int64},
    "number": {pl.Float64, pl.Int64},  # what a contract takes for a number may be a whole one
    "text": {pl.String},
    "date": {pl.Date},
    "flag": {pl.Boolean},
}
_NAMED_BY_THE_CALL: Final = re.compile(
    r"(?P<name>\w+)_(?:lower|upper)|p_\d+|rfm_sum"
    r"|(?:n_orders|amount)_\d+d|(?:orders|amount)_trend_\d+d_\d+d"
)
"""Columns whose names are made of others: bounds, windows, and the chance of each number."""


def _kinds() -> dict[str, set[str]]:
    """Tell the kinds that the contracts of `crmkit.tables` give to each name."""
    kinds: dict[str, set[str]] = {}
    for table in vars(crmkit_tables).values():
        for column in table.columns if isinstance(table, crmkit_tables.Table) else ():
            kinds.setdefault(column.name, set()).add(column.kind)
    return kinds


@pytest.mark.parametrize("name", [n for n in CASES if n not in _SEVERAL_TABLES])
def test_columns_have_the_names_and_types_of_the_contracts(name: str) -> None:
    kinds = _kinds()
    room, function = _function_of(name).split(".")
    documented = inspect.getdoc(getattr(getattr(crmkit, room), function)) or ""
    for value in _call(name, "polars").values():
        for column, dtype in read_back(value).schema.items() if _is_table(value) else ():
            known = kinds.get(column, set())
            told = f"``{column}``" in documented or _NAMED_BY_THE_CALL.fullmatch(column)
            from_input = any(column in tables()[table].columns for table in CASES[name].tables)
            assert known or told or from_input, column
            if known and "key" not in known:
                assert any(dtype in _DUE[kind] for kind in known), column


@pytest.mark.parametrize("name", list(CASES))
def test_columns_are_of_the_documented_types(name: str) -> None:
    room, function = _function_of(name).split(".")
    text = inspect.getdoc(getattr(getattr(crmkit, room), function)) or ""
    returns = text.partition("Returns\n-------")[2].partition("\n------")[0]
    documented = {row["name"]: _TYPES.get(row["kind"]) for row in _ROW.finditer(returns)}
    for value in _call(name, "polars").values():
        if _is_table(value):
            for column, dtype in read_back(value).schema.items():
                assert documented.get(column) in (None, dtype), column


# A plan stays a plan


class _Collected(list[int]):
    """How many rows each run of a plan has brought to this machine."""


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> _Collected:
    """A record of all plans that engines of SQL run."""
    runs = _Collected()
    collect = nw.LazyFrame.collect

    def recorded(self: nw.LazyFrame[Any], *args: Any, **kwargs: Any) -> nw.DataFrame[Any]:
        data = collect(self, *args, **kwargs)
        if self.implementation.is_duckdb() or self.implementation.is_spark_like():
            runs.append(len(data))
        return data

    monkeypatch.setattr(nw.LazyFrame, "collect", recorded)
    return runs


@pytest.mark.parametrize("name", [name for name in CASES if name not in _MADE_FOR_A_LOOK])
def test_only_the_documented_functions_run_a_plan(name: str, collected: _Collected) -> None:
    case = CASES[name]
    inputs = [on("duckdb", table) for table in case.tables]
    collected.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CrmkitWarning)
        case.call(*inputs)
    assert len(collected) == _RUN.get(name, 0)


@pytest.mark.parametrize("engine", ["duckdb", marked("spark")])
def test_a_fit_collects_the_distinct_histories_only(engine: str, collected: _Collected) -> None:
    customers = tables()["customers"]
    n_distinct = customers.select("frequency", "recency", "T").n_unique()
    native = on(engine, "customers")
    collected.clear()
    crmkit.clv.fit(native, model="bg_nbd")
    assert collected == [n_distinct]
    assert n_distinct < len(customers)


@pytest.mark.parametrize("engine", ["duckdb", marked("spark")])
def test_cut_points_collect_the_distinct_values_only(engine: str, collected: _Collected) -> None:
    customers = tables()["customers"]
    native = on(engine, "customers")
    collected.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CrmkitWarning)
        rfm.breakpoints(native)
    measures = ("days_since_last", "orders", "total_amount")
    assert collected == [customers[name].n_unique() for name in measures]


# What Spark does


_OVER_ALL_ROWS: Final = re.compile(r"Window.*(?:\n.*){0,3}\n.*Exchange SinglePartition")
_SMALL: Final = {
    "cohorts.calendar_retention": "a row for each cohort and period",
    "cohorts.table": "a row for each cohort and period",
    "lifecycle.stage_summary": "eight stages",
    "rfm.segment_summary": "a dozen segments",
}
"""Functions with a window over a few summed rows, which is cheaper than a join."""


@pytest.mark.parametrize("name", [n for n in CASES if n not in _MADE_FOR_A_LOOK])
@pytest.mark.full
@pytest.mark.xdist_group("spark")
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
def test_spark_never_puts_all_customers_in_one_partition(name: str) -> None:
    for value in _call(name, "spark").values():
        if _is_table(value):
            java = getattr(value, "_jdf")  # noqa: B009 - the only way to a plan as text
            plan = java.queryExecution().executedPlan().toString()
            assert bool(_OVER_ALL_ROWS.search(plan)) == (name in _SMALL), plan


@pytest.mark.xdist_group("spark")
def test_where_spark_may_keep_nothing_the_plan_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> None:
        raise AnalysisException(message="PERSIST TABLE is not supported on serverless compute")

    customers = on("spark", "customers")
    monkeypatch.setattr(type(customers), "cache", refuse)
    assert_same_table(frames.keep(customers), tables()["customers"])


# What may not grow


_READ_ONCE: Final = (
    "churn.features",
    "clv.opportunities",
    "cohorts.calendar_retention",
    "cohorts.retention",
    "cohorts.table",
    "lifecycle.rhythm",
    "rfm.holdout",
    "rfm.newcomers",
    "rfm.purchase_days",
    "rfm.summarize",
)
"""What is made of a ledger by a plan; the others that read one run it, as `_RUN` says."""


def _call_with_ledger(name: str, engine: str, ledger: Any) -> Any:
    case = CASES[name]
    return case.call(ledger, *(on(engine, table) for table in case.tables[1:]))


@pytest.mark.parametrize("name", _READ_ONCE)
def test_polars_reads_a_ledger_once(name: str) -> None:
    reads: list[Any] = []
    source = counted_source(tables()["orders"], reads)
    found = _call_with_ledger(name, "polars-lazy", source)
    assert reads == []
    found.collect()
    assert len(reads) == 1


@pytest.mark.parametrize("name", _READ_ONCE)
def test_duckdb_reads_a_ledger_once(name: str) -> None:
    rows = on("duckdb", "orders")
    rows.query("rows", "create or replace temp table ledger as select * from rows")
    plan = _call_with_ledger(name, "duckdb", rows.query("_", "from ledger")).explain()
    assert plan.count("ledger") == 1


@pytest.mark.parametrize("name", _READ_ONCE)
@pytest.mark.full
@pytest.mark.xdist_group("spark")
def test_spark_reads_a_ledger_once(name: str) -> None:
    found = _call_with_ledger(name, "spark", on("spark", "orders"))
    java = getattr(found, "_jdf")  # noqa: B009 - the only way to a plan as text
    plan = java.queryExecution().analyzed().toString()
    assert len(re.findall(r"Relation \[customer_id#\d+, date#", plan)) == 1


@pytest.mark.parametrize("name", [name for name in CASES if name not in _MADE_FOR_A_LOOK])
@pytest.mark.full
def test_dask_can_plan_it_and_knows_the_types_beforehand(name: str) -> None:
    for value in _call(name, "dask").values():
        if _is_table(value):
            # Where columns are made of columns the ways multiply; of millions Dask sees no end.
            assert ways_through(value) < 20_000
            # The partitions of a table are written to Parquet with the types that the plan names.
            assert value.compute().dtypes.to_dict() == value.dtypes.to_dict()


@pytest.mark.parametrize("name", _READ_ONCE)
@pytest.mark.full
def test_dask_knows_the_types_of_arrow_beforehand(name: str) -> None:
    case, from_pandas = CASES[name], cast("Any", dd.from_pandas)  # which has no types
    found = case.call(*(from_pandas(on("pandas-arrow", table), 3) for table in case.tables))
    assert found.compute().dtypes.to_dict() == found.dtypes.to_dict()


@pytest.mark.parametrize(
    "name", ["rfm.summarize", "rfm.holdout", "lifecycle.rhythm", "clv.opportunities", "rfm.score"]
)
def test_dask_never_puts_all_customers_in_one_partition(name: str) -> None:
    (found,) = _call(name, "dask").values()
    assert found.npartitions >= on("dask", "orders").npartitions > 1
    assert min(found.map_partitions(len).compute()) > 0


def test_the_main_job_reads_a_ledger_once() -> None:
    reads: list[Any] = []
    orders = counted_source(tables()["orders"], reads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CrmkitWarning)
        result = pipeline.run(orders, as_of=AS_OF, split=SPLIT)
    for table in result.frames().values():
        table.collect()
    assert len(reads) == 1


def test_importing_crmkit_imports_numpy_and_narwhals_only() -> None:
    code = "import json, sys, crmkit; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", code], text=True))
    code = "import json, sys; print(json.dumps(sorted(sys.modules)))"
    before = json.loads(subprocess.check_output([sys.executable, "-c", code], text=True))
    outside = {name.partition(".")[0] for name in set(loaded) - set(before)}
    foreign = {name for name in outside if name not in sys.stdlib_module_names}
    assert foreign <= {"crmkit", "narwhals", "numpy"}
