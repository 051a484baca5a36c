"""Records of one person under several ids: exact keys, groups, a value to keep, and guards."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from crmkit import intake
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from tests.conftest import MakeFrame, rows

PEOPLE: dict[str, list[Any]] = {
    "customer_id": ["s7", "c3", "s9", "f1", "f2", "f3"],
    "email": ["Ann@Mail.org", None, "bob@mail.org", " ann@mail.org ", "ann+x@mail.org", "n/a"],
    "phone": ["+49 89 1234567", "089/1234567", "n/a", "-", None, "n/a"],
}
ORDERS: dict[str, list[Any]] = {
    "customer_id": ["s9", "s7", None, "f1", "c3", "new"],
    "amount": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
}


def ids(*groups: tuple[Any, ...]) -> tuple[tuple[Any, ...], ...]:
    return groups


def people(**columns: list[Any]) -> pl.DataFrame:
    """A table of people who are numbered from 1."""
    n = len(next(iter(columns.values())))
    return pl.DataFrame({"customer_id": range(1, n + 1), **columns})


# What matches


def test_chains_of_keys_are_one_customer(make_frame: MakeFrame) -> None:
    # f1 and s7 share a mailbox, s7 and c3 a phone; ann+x is another mailbox, and n/a is none.
    found = intake.match(make_frame(PEOPLE), keys=["email", "phone"], country_code="49")
    assert found.groups == ids(("c3", "f1", "s7"))
    assert found.merged == {"f1": "c3", "s7": "c3"}
    assert repr(found) == "Matches(3 ids of 1 customer)"
    assert [tuple(row.values()) for row in found.reasons_table(backend="polars").to_dicts()] == [
        ("c3", "email", "ann@mail.org", 2, "f1, s7"),
        ("c3", "phone", "+49891234567", 2, "c3, s7"),
    ]


def test_without_a_country_a_number_at_home_is_another() -> None:
    found = intake.match(pl.DataFrame(PEOPLE), keys=["email", "phone"])
    assert found.groups == ids(("f1", "s7"))


@pytest.mark.parametrize(
    ("one", "other", "code"),
    [
        ("+49 (0) 89 / 12 34-567", "0049891234567", None),
        ("+49 89 1234567", "089 1234567", "49"),
        ("+49 89 1234567", "49891234567", "49"),
        ("(415) 555-0100", "+1 415.555.0100", "1"),
        ("1-415-555-0100", "415 555 0100", "1"),
        ("+39 06 1234567", "06 1234567", "39"),
        ("089 1234567 ext. 12", "089-1234567", None),
        ("089\u00a01234567", "0891234567", None),
    ],
)
def test_one_phone_is_written_in_many_ways(one: str, other: str, code: str | None) -> None:
    found = intake.match(people(phone=[one, other]), keys=["phone"], country_code=code)
    assert found.groups == ids((1, 2))


@pytest.mark.parametrize(
    "values",
    [
        ["", ""],
        [" ", " "],
        ["n/a", "n/a"],
        ["-", "-"],
        ["none", "None"],
        ["0000", "0000"],
        ["unknown", "unknown"],
        [None, None],
        ["123", "123"],  # too short for a phone
        ["000-000-0000", "0000000000"],
        ["1234567890", "1234567890"],
        ["12345678901234567", "12345678901234567"],  # longer than any
    ],
)
def test_what_stands_for_nothing_matches_nothing(values: list[Any]) -> None:
    found = intake.match(
        people(phone=pl.Series(values, dtype=pl.String).to_list(), n=[1, 2]).with_columns(
            pl.col("phone").cast(pl.String)
        ),
        keys=["phone"],
    )
    assert found.groups == ()


@pytest.mark.parametrize(
    "value", ["none@shop.com", "no-reply@x.org", "ann@", "@x.org", "ann@x", "a@b@c.de", "ann x.org"]
)
def test_what_is_nobodys_mailbox_matches_nothing(value: str) -> None:
    assert intake.match(people(email=[value, value]), keys=["email"]).groups == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [("ann+shop@x.org", "ann@x.org"), ("a.nn@gmail.com", "ann@gmail.com"), ("a@x.de", "a@x.at")],
)
def test_other_mailboxes_are_other_mailboxes(one: str, other: str) -> None:
    assert intake.match(people(email=[one, other]), keys=["email"]).groups == ()


def test_numbers_that_nulls_made_floats_match_text() -> None:
    table = pd.DataFrame({"customer_id": [1, 2, 3], "phone": [498912345.0, np.nan, 498912345.0]})
    assert intake.match(table, keys=["phone"]).groups == ids((1, 3))


def test_kinds_may_be_named_and_any_text_is_a_key() -> None:
    table = people(mail=["A@x.org", "a@x.org", "b@x.org"], tax=["DE 1", "x", "de  1"])
    found = intake.match(table, keys={"mail": "email", "tax": "text"})
    assert found.groups == ids((1, 2, 3))


def test_two_records_with_one_id_are_one_customer_already() -> None:
    table = pl.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "email": ["old@x.org", "new@x.org", "new@x.org"],
        }
    )
    assert intake.match(table, keys=["email"]).groups == ids(("a", "b"))


def test_the_order_of_rows_changes_nothing() -> None:
    table = pl.DataFrame(PEOPLE)
    found = intake.match(table, keys=["email", "phone"], country_code="49")
    for seed in range(3):
        shuffled = table.sample(fraction=1, shuffle=True, seed=seed)
        assert intake.match(shuffled, keys=["email", "phone"], country_code="49") == found


# Guards


def test_a_placeholder_or_switchboard_glues_nobody() -> None:
    table = people(
        email=["none@shop.com"] * 150 + ["info@mall.org"] * 150,
        phone=[f"089 {1000000 + i // 2}" for i in range(300)],
    )
    found = intake.match(table, keys=["email", "phone"])
    assert found.groups == tuple((i, i + 1) for i in range(1, 301, 2))
    assert [tuple(row.values()) for row in found.findings_table(backend="polars").to_dicts()] == [
        ("value of many customers, not used", "email", "info@mall.org", 150, "151, 152, 153, ..."),
        ("value of many customers, not used", "email", "none@shop.com", 150, "1, 2, 3, ..."),
    ]


def test_a_long_chain_is_a_finding_and_stays_apart() -> None:
    # Each shares a mailbox with the next: 12 ids, of which no value is shared by more than two.
    table = pl.DataFrame(
        {
            "customer_id": [i for i in range(12) for _ in (0, 1)],
            "email": [f"m{i + j}@x.org" for i in range(12) for j in (0, 1)],
        }
    )
    found = intake.match(table, keys=["email"])
    assert found.groups == ()
    assert found.too_large == ids(tuple(range(12)))
    (row,) = found.findings_table(backend="polars").to_dicts()
    assert (row["finding"], row["n_customers"]) == ("chain of many customers, not merged", 12)
    assert intake.match(table, keys=["email"], most=12).groups == ids(tuple(range(12)))


# Applied and undone


def test_ids_are_merged_and_given_back(make_frame: MakeFrame) -> None:
    found = intake.match(pl.DataFrame(PEOPLE), keys=["email", "phone"], country_code="49")
    merged = found.apply(make_frame(ORDERS))
    by_amount = rows(merged, by="amount")
    assert [row["customer_id"] for row in by_amount] == ["s9", "c3", None, "c3", "c3", "new"]
    assert [row["customer_id_before"] for row in by_amount] == ORDERS["customer_id"]
    assert rows(found.undo(merged), by="amount") == rows(make_frame(ORDERS), by="amount")


def test_numbers_are_merged_in_the_type_of_the_table(make_frame: MakeFrame) -> None:
    found = intake.match(people(email=["a@x.org", "b@x.org", "a@x.org"]), keys=["email"])
    merged = found.apply(make_frame({"customer_id": [3, 2, 3], "n": [1, 2, 3]}))
    assert [row["customer_id"] for row in rows(merged, by="n")] == [1, 2, 1]
    small = pl.DataFrame({"customer_id": pl.Series([3, 2], dtype=pl.Int32)})
    assert found.apply(small).schema["customer_id"] == pl.Int32


def test_rows_index_and_input_of_pandas_stay() -> None:
    found = intake.match(people(email=["a@x.org", "b@x.org", "a@x.org"]), keys=["email"])
    orders = pd.DataFrame({"customer_id": [3, 2, 3]}, index=[7, 7, 2])
    merged = found.apply(orders)
    assert merged.index.tolist() == [7, 7, 2]
    assert merged["customer_id"].tolist() == [1, 2, 1]
    assert orders["customer_id"].tolist() == [3, 2, 3]


def test_a_text_keeps_the_matches() -> None:
    for table in (pl.DataFrame(PEOPLE), people(email=["a@x.org", "A@x.org"], phone=[None, None])):
        found = intake.match(
            table.with_columns(name=pl.lit("Ann Meier"), phone=pl.col("phone").cast(pl.String)),
            keys=["email", "phone"],
            fuzzy=("name", 0.9),
        )
        assert intake.Matches.from_json(found.to_json()) == found
    with pytest.raises(InvalidArgumentError, match="this text holds a Breakpoints"):
        intake.Matches.from_json('{"kind": "Breakpoints"}')
    with pytest.raises(InvalidArgumentError) as caught:
        intake.Matches.from_json(
            '{"kind": "Matches", "format": 1, "groups": [["a", "b"], ["b", "c"]], "reasons": [], '
            '"not_used": [], "too_large": [], "pairs": [], "n_more_pairs": 0}'
        )
    assert str(caught.value) == (
        "Matches: `groups` must hold each id once, two or more a group.\n"
        "Give the text that to_json() wrote."
    )


# Similar names


def test_similar_names_are_pairs_to_look_at() -> None:
    table = pl.DataFrame(
        {
            "customer_id": ["a", "b", "c", "d", "e"],
            "name": ["Zoë Meier", "MEIER, Zoe", "Zoe Meyer", "Zoe Miller", None],
            "email": ["z@x.org", "z@x.org", "y@x.org", "w@x.org", None],
        }
    )
    found = intake.match(table, keys=["email"], fuzzy=("name", 0.8))
    assert found.groups == ids(("a", "b"))  # for the mailbox, so they are no pair
    pairs = found.pairs_table(backend="polars")
    # Indel similarity of "meier zoe" and "meyer zoe": 2 * 8 letters in common of 18.
    assert [tuple(row.values()) for row in pairs.head(2).to_dicts()] == [
        ("a", "c", "Zoë Meier", "Zoe Meyer", 0.8889),
        ("b", "c", "MEIER, Zoe", "Zoe Meyer", 0.8889),
    ]
    assert found == intake.match(table, keys=["email"], fuzzy=("name", 80))


def test_equal_names_are_a_pair_and_no_match() -> None:
    table = people(name=["Li Wei", "wei li", "Anna"], email=["a@x.org", "b@x.org", "c@x.org"])
    found = intake.match(table, keys=["email"], fuzzy=("name", 0.9))
    assert found.groups == ()
    assert [(pair.customer, pair.other, pair.score) for pair in found.pairs] == [(1, 2, 1.0)]


def test_pairs_beyond_the_list_are_counted() -> None:
    table = people(name=["Ann Lee"] * 150, email=[None] * 150).with_columns(
        pl.col("email").cast(pl.String)
    )
    found = intake.match(table, keys=["email"], fuzzy=("name", 0.9))
    assert (len(found.pairs), found.n_more_pairs) == (10_000, 150 * 149 // 2 - 10_000)


def test_without_rapidfuzz_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "rapidfuzz", None)
    table = people(name=["Ann Lee", "Bob Lee"], email=["a@x.org", "b@x.org"])
    assert intake.match(table, keys=["email"]).groups == ()
    with pytest.raises(InvalidArgumentError) as caught:
        intake.match(table, keys=["email"], fuzzy=("name", 0.9))
    assert str(caught.value) == (
        "`fuzzy` needs the package rapidfuzz, which is not installed.\n"
        'Install it with pip install "crmkit[match]".'
    )


# Odd tables


def test_no_people_have_no_matches(make_frame: MakeFrame) -> None:
    found = intake.match(pl.DataFrame(PEOPLE).head(0), keys=["email", "phone"])
    assert found.groups == ()
    assert rows(found.apply(make_frame(ORDERS)), by="amount")[0]["customer_id"] == "s9"
    assert (
        len(found.reasons_table()) == len(found.findings_table()) == len(found.pairs_table()) == 0
    )


# Refusals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"keys": []},
            '`keys` is empty.\nName at least one column, such as "email".',
        ),
        (
            {"keys": "email"},
            '`keys` must be a list, got \'email\'.\nWrite ["email", "phone"].',
        ),
        (
            {"keys": {"email": "mail"}},
            (
                "`keys['email']` must be one of 'text', 'email', 'phone', 'birth_date', got "
                "'mail'.\nDid you mean 'email'?"
            ),
        ),
        (
            {"country_code": "+49"},
            (
                "`country_code` must be the digits of a calling code, got '+49'.\n"
                'Write "49" for +49.'
            ),
        ),
        ({"most": 1}, "`most` must be a whole number of 2 or more, got 1.\nWrite 10."),
        (
            {"fuzzy": "name"},
            "`fuzzy` must be a column and a number, got 'name'.\nWrite (\"name\", 0.9).",
        ),
        (
            {"fuzzy": ("email", 0)},
            '`fuzzy` must be above 0 and at most 1, got 0.\nWrite ("name", 0.9).',
        ),
    ],
)
def test_wrong_arguments_are_refused(changes: dict[str, Any], message: str) -> None:
    usual: dict[str, Any] = {"keys": ["email"]}
    with pytest.raises(InvalidArgumentError) as caught:
        intake.match(pl.DataFrame(PEOPLE), **usual | changes)
    assert str(caught.value) == message


def test_a_missing_column_is_named(make_frame: MakeFrame) -> None:
    with pytest.raises(MissingColumnsError) as caught:
        intake.match(make_frame(PEOPLE), keys=["emial"])
    assert str(caught.value) == (
        "people: no column `emial` among `customer_id`, `email`, `phone`.\n"
        "Name columns of the table.\nDid you mean 'email'?"
    )


def test_a_record_without_an_id_is_refused() -> None:
    table = pl.DataFrame({"customer_id": ["a", None], "email": ["a@x.org", "a@x.org"]})
    with pytest.raises(InvalidRowsError, match="`customer_id` is null in 1 of 2 rows"):
        intake.match(table, keys=["email"])


def test_ids_of_another_type_are_refused() -> None:
    found = intake.match(pl.DataFrame(PEOPLE), keys=["email"])
    with pytest.raises(InvalidArgumentError) as caught:
        found.apply(pl.DataFrame({"customer_id": [1]}))
    assert str(caught.value) == (
        "table: `customer_id` has type Int64, where the matches are of text.\n"
        "Cast it to the type that it had in the table of people."
    )


def test_a_table_is_merged_once_and_undone_once() -> None:
    found = intake.match(pl.DataFrame(PEOPLE), keys=["email"])
    merged = found.apply(pl.DataFrame(ORDERS))
    with pytest.raises(InvalidArgumentError) as twice:
        found.apply(merged)
    assert str(twice.value) == (
        "table: column `customer_id_before` is there already, so ids have been merged.\n"
        "Call undo() on the table first, or rename the column."
    )
    with pytest.raises(MissingColumnsError) as never:
        found.undo(pl.DataFrame(ORDERS))
    assert str(never.value) == (
        "table: no column `customer_id_before`, which apply() adds.\n"
        "Give a table that apply() made."
    )
