"""The bundled data is what its origin says it is."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import pandas as pd
import pytest

from crmkit import tables
from crmkit._door.frames import read
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError
from tests.conftest import rows


def test_the_full_log_has_the_published_size() -> None:
    log = load_cdnow(backend="polars")
    assert log.height == 69_659
    assert log["customer_id"].n_unique() == 23_570
    assert round(log["amount"].sum(), 2) == 2_500_315.63
    assert (str(log["date"].min()), str(log["date"].max())) == ("1997-01-01", "1998-06-30")


def test_the_sample_is_part_of_the_full_log() -> None:
    sample = load_cdnow(sample=True, backend="polars")
    assert sample.height == 6_919
    assert sample["customer_id"].n_unique() == 2_357
    few = sample.select("customer_id").unique()
    same = load_cdnow(backend="polars").join(few, on="customer_id", how="semi")
    order = ["customer_id", "date", "quantity", "amount"]
    assert same.sort(order).equals(sample.sort(order))


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_it_is_a_ledger_on_every_library(backend: str) -> None:
    log = load_cdnow(sample=True, backend=backend)  # type: ignore[arg-type] # a parameter is str
    read(log, tables.LEDGER)
    assert rows(log) == rows(load_cdnow(sample=True, backend="polars"))
    assert isinstance(load_cdnow(sample=True), pd.DataFrame)


def test_a_library_that_cannot_be_had_is_named() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        load_cdnow(backend="panda")  # type: ignore[arg-type] # the point
    assert str(caught.value) == (
        "`backend` must be one of 'pandas', 'polars', 'pyarrow', got 'panda'.\n"
        "Did you mean 'pandas'?"
    )


@pytest.mark.parametrize("name", ["cdnow.csv.gz", "cdnow_sample.csv.gz"])
def test_the_files_are_those_of_the_origin_page(name: str) -> None:
    folder = files("crmkit.datasets")
    checksum = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert checksum in (folder / "ORIGIN.md").read_text(encoding="utf-8")
