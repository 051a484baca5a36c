"""Every table test runs on every engine.

CRMKIT_TESTS says how much is tested. `quick` leaves out Spark, the docs and docstrings, and what is
slow; `test` (the default) runs pandas, lazy Polars and DuckDB, and Dask and Spark on a sample of
cases; `rest` runs what `test` leaves out; `all` runs everything.
CRMKIT_EXAMPLES sets another number of examples that Hypothesis invents for each property.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import duckdb
import hypothesis
import mpmath
import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.engines import forget_tables_on_spark

LEVEL = os.environ.get("CRMKIT_TESTS", "test")
_LEFT_OUT = {"quick": ("full", "slow", "xdist_group"), "test": ("full",), "all": ()}
"""The marks of tests that each level leaves out; the group is that of Spark."""

_EXAMPLES = {"quick": "4", "test": "10", "rest": "20", "all": "20"}

hypothesis.settings.register_profile(
    "crmkit",
    derandomize=True,
    deadline=None,
    max_examples=int(os.environ.get("CRMKIT_EXAMPLES", _EXAMPLES[LEVEL])),
)
hypothesis.settings.load_profile("crmkit")

_REPEATS = ("hypothesis", "xdist_group")
"""Marks of tests that run the same lines many times, or on Spark."""

_ENGINES_ALIKE = {"polars", "polars-lazy", "pandas-arrow", "pyarrow", "duckdb"}
"""Engines that run the lines that pandas and Dask run, but for a few."""

MakeFrame = Callable[[Mapping[str, Sequence[Any]]], Any]

_CONNECTION = duckdb.connect()


def _pandas(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Make a pandas table as a pandas user would have it: numpy times instead of dates."""
    frame = pl.DataFrame(dict(columns), strict=False).with_columns(
        pl.selectors.date().cast(pl.Datetime("us"))
    )
    return pd.DataFrame({name: _pandas_values(frame[name]) for name in frame.columns})


def _pandas_values(column: pl.Series) -> Any:
    return pd.Series(column.to_list()) if column.dtype == pl.String else column.to_numpy()


def _duckdb(columns: Mapping[str, Sequence[Any]]) -> duckdb.DuckDBPyRelation:
    rows = pl.DataFrame(dict(columns), strict=False).to_arrow()
    return _CONNECTION.from_arrow(rows)


MAKERS: dict[str, MakeFrame] = {
    "pandas": _pandas,
    "polars": lambda columns: pl.DataFrame(dict(columns), strict=False),
    "polars-lazy": lambda columns: pl.LazyFrame(dict(columns), strict=False),
    "pyarrow": lambda columns: pa.table(pl.DataFrame(dict(columns), strict=False).to_arrow()),
    "duckdb": _duckdb,
}
EAGER = ("pandas", "polars", "pyarrow")


@pytest.hookimpl(trylast=True)  # when Hypothesis has marked its tests
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the level leaves out, and mark what is not counted in the coverage.

    Lines that run for the tenth time are not counted, since counting doubles the time. Nor are
    tests against arbitrary precision: nearly all their lines are mpmath's.
    """
    # A test that is asked for by its name always runs.
    if not any("::" in argument for argument in config.args):
        if LEVEL == "rest":
            left_out = {item for item in items if not _is_left_out(item, "test")}
        else:
            left_out = {item for item in items if _is_left_out(item, LEVEL)}
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        arguments = getattr(item, "callspec", None)
        values = map(str, arguments.params.values()) if arguments else ()
        is_exact = any(name.endswith("_digits") for name in getattr(item, "fixturenames", ()))
        is_repeat = any(map(item.get_closest_marker, _REPEATS))
        if is_exact or is_repeat or not _ENGINES_ALIKE.isdisjoint(values):
            item.add_marker("no_cover")


def _is_left_out(item: pytest.Item, level: str) -> bool:
    if any(map(item.get_closest_marker, _LEFT_OUT[level])):
        return True
    costly = item.get_closest_marker("full_for")
    names: set[str] = set(costly.args) if costly and level != "all" else set()
    if level == "quick" and isinstance(item, pytest.DoctestItem):
        return True
    if level != "all":
        names |= {"polars", "pyarrow"}  # their lines run for polars-lazy
    case = getattr(item, "callspec", None)
    return case is not None and not names.isdisjoint(_parts(case.id))


def _parts(case: str) -> set[str]:
    """Split the id of a case at its dashes; an engine such as polars-lazy is one part."""
    return {case, *re.split("-(?!lazy)", case)}


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Leave nothing of a test on Spark behind."""
    if item.get_closest_marker("xdist_group"):
        forget_tables_on_spark()


@pytest.fixture
def sixty_digits() -> Iterator[None]:
    """Arithmetic in which nothing cancels."""
    with mpmath.workdps(60):
        yield


@pytest.fixture(params=list(MAKERS))
def make_frame(request: pytest.FixtureRequest) -> MakeFrame:
    """A maker of tables, on each engine in turn."""
    return MAKERS[request.param]


@pytest.fixture(params=EAGER)
def make_eager(request: pytest.FixtureRequest) -> MakeFrame:
    """A maker of tables, on each engine that holds values rather than plans."""
    return MAKERS[request.param]


def rows(native: Any, *, by: str | Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Read any table as a list of rows, times as dates and missing numbers as None."""
    frame = nw.from_native(native).lazy().collect("polars").to_native()
    frame = frame.with_columns(
        pl.selectors.datetime().cast(pl.Date), pl.selectors.float().fill_nan(None)
    )
    table: list[dict[str, Any]] = (frame.sort(by) if by is not None else frame).to_dicts()
    return table


def columns(native: Any) -> dict[str, list[Any]]:
    """Read any table as columns."""
    table = rows(native)
    names = nw.from_native(native).collect_schema().names()
    return {name: [row[name] for row in table] for name in names}
