"""Ledgers, people and stage rules to invent."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

from crmkit.lifecycle import StageRules
from tests.conftest import MAKERS

Row = tuple[str, date, float]

ledgers = st.lists(
    st.tuples(
        st.sampled_from(["ann", "ben", "cid", "dee"]),
        st.dates(date(2023, 12, 1), date(2024, 4, 30)),
        st.sampled_from([0.0, 0.25, 10.0, 99.5, -10.0, -0.5]),
    ),
    min_size=1,
    max_size=40,
)
strangers = st.lists(st.sampled_from(["ann", "dee", "pia", "pit"]), min_size=1, max_size=5)
stage_rules = st.builds(
    lambda typical, prior, new, growth, limits: StageRules(
        typical, prior, new, *growth, *sorted(limits)
    ),
    st.floats(0.5, 500),
    st.floats(0.1, 100),
    st.floats(0, 400),
    st.tuples(st.floats(1, 5), st.integers(1, 5)),
    st.tuples(*[st.floats(0.1, 20)] * 3),
)


def frame(ledger: list[Row], engine: str = "polars") -> Any:
    names = ("customer_id", "date", "amount")
    return MAKERS[engine]({name: [row[i] for row in ledger] for i, name in enumerate(names)})


def people(names: list[str], engine: str = "polars") -> Any:
    return MAKERS[engine]({"customer_id": names})
