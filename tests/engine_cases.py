"""Every public function that reads a table, with something to work on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final

import pandas as pd
import polars as pl
import pyarrow as pa

import crmkit
from crmkit import (
    actions,
    campaigns,
    churn,
    clv,
    cohorts,
    economics,
    events,
    intake,
    lifecycle,
    loyalty,
    pipeline,
    rfm,
    sales,
    tiers,
)
from crmkit.datasets import load_cdnow
from tests.engines import ENGINES

AS_OF: Final = date(1998, 6, 30)
SPLIT: Final = date(1997, 9, 30)
_N_CUSTOMERS: Final = 300
_AWKWARD: Final = (
    ("returns-only", date(1997, 5, 2), -12.0),
    ("free", date(1997, 5, 2), 0.0),
    ("twice a day", date(1997, 5, 2), 10.0),
    ("twice a day", date(1997, 5, 2), 20.0),
    ("sends back", date(1997, 3, 1), 0.1),
    ("sends back", date(1997, 3, 1), 0.2),
    ("sends back", date(1997, 6, 1), 40.0),
    ("sends back", date(1997, 8, 1), -40.3),
    ("back before", date(1997, 2, 28), -5.0),
    ("back before", date(1997, 3, 31), 25.0),
    ("today", AS_OF, 30.0),
    ("tomorrow", date(1998, 7, 1), 30.0),
    ("Zoë O'Brien", date(1997, 12, 31), 1e6),
    ("Zoë O'Brien", date(1998, 1, 1), 0.01),
)
_FOLLOWED: Final[dict[str, Any]] = {"observed_from": date(1997, 3, 1)}
_FIELDS: Final = {"name": "text", "email": "email", "phone": "phone", "born": "birth_date"}
_RAW: Final[dict[str, Any]] = {"customer": "who", "date": "when", "amount": "paid"}
_TERMS: Final[dict[str, Any]] = {
    "end": "to",
    "cancelled": "gave notice",
    "agent": "agent",
    "keep": ["branch"],
    "cooling_off_days": 10,
    "grace_days": 31,
    "date_format": "%Y-%m-%d",
}
_ITEMS: Final = {
    "what": ["visits", "hotline", "sales", "referrals", "discount"],
    "kind": ["cost", "cost", "revenue", "Revenue ", "revenue"],
    "euro": [300.0, 100.0, 950.0, 50.0, -20.0],
    "year": ["2023", "2024", "2023", "2024", "2024"],
}
_SURVIVORS: Final = {
    "period": list(range(8)),
    "survivors": [1000, 631, 468, 382, 326, 289, 262, 241],
}
_PROSPECTS: Final = ["00004", "pia", "pit", "returns-only"]


# The tables, made once in Polars


@cache
def tables() -> Mapping[str, pl.DataFrame]:
    """Make one table of each kind."""
    orders = _orders()
    raw = orders.rename({"customer_id": "who", "date": "when", "amount": "paid"})
    customers = rfm.summarize(orders, as_of=AS_OF)
    segmented = rfm.segment(rfm.score(customers, breakpoints=BREAKPOINTS))
    rhythm = lifecycle.rhythm(orders, as_of=AS_OF, prospects=_people())
    valued = clv.predict(segmented, purchases=purchases(), spend=spend(), horizon_days=365)
    tiered = tiers.assign(valued, rule=TIERS)
    staged = lifecycle.assign(rhythm, rules=STAGE_RULES)
    pace = staged.select("customer_id", "overdue_ratio", "stage")
    signals = pace.join(tiered, on="customer_id", how="left")
    rated = churn.risk(signals, purchases=purchases(), horizon_days=365)
    past = churn.past_amount(orders, as_of=AS_OF, horizon_days=365)
    return {
        "raw": raw,
        "odd raw": _odd_raw(),
        "orders": orders,
        "opportunities": clv.opportunities(orders, as_of=AS_OF),
        "lines": _lines(orders),
        "shop lines": _shop_lines(orders),
        "branches": _branches(customers),
        "history": (history := lifecycle.history(orders, dates=HISTORY_DATES, rules=STAGE_RULES)),
        "known stages": _known_stages(orders),
        "spells": lifecycle.durations(history),
        "last stages": history.filter(pl.col("date") == HISTORY_DATES[-1]),
        "visits": orders.drop("amount").filter(pl.col("customer_id") != "returns-only"),
        "items": pl.DataFrame(_ITEMS),
        "costs": crmkit.costs(
            pl.DataFrame(_ITEMS), item="what", kind="kind", amount="euro", group="year"
        ),
        "people": _people(),
        "records": _records(),
        "customers": customers,
        "known": _with_channel(customers),
        "known then": _with_channel(customers).head(90).drop("orders"),
        "classed": tiers.abc(_with_channel(customers), within="channel"),
        "segmented": segmented,
        "rhythm": rhythm,
        "staged": staged.with_columns(stage=pl.col("stage").replace("returned", "on leave")),
        "tiered": tiered,
        "signals": signals,
        "rated": rated,
        "past": past,
        "held out": churn.risk(
            rfm.holdout(orders, split=SPLIT, as_of=AS_OF), purchases=purchases(), horizon_days=273
        ),
        "recommended": actions.recommend(churn.value_at_risk(rated, past=past)),
        "assigned": _assigned(tiered),
        "audited": tiers.audit(_assigned(tiered), rule=TIERS),
        "tier moves": tiers.migrate(customers[5:], customers[:-5], rule=TIERS, by="total_amount"),
        "reviewed": tiers.review(_held(tiered), customers, rule=TIERS, as_of=AS_OF, hold_days=200),
        "current tiers": _held(tiered),
        "customers before": customers[5:],
        "staged before": (before := _staged_at(orders, SPLIT, tiered)),
        "staged after": (after := _staged_at(orders, AS_OF, tiered[5:])),
        "events": events.compare(before, after),
        "chances": _chances(valued),
        "panel": _panel(customers),
        "churn scored": _panel(customers).with_columns(
            p_churn=0.1 + pl.int_range(pl.len()) % 8 / 10
        ),
        "stated": _panel(customers).select("customer_id", why="branch"),
        "treated": _treated(customers),
        "outcomes": _outcomes(customers),
        "experiment": _experiment(customers),
        "planned": campaigns.plan(
            _chances(valued), value="value", p_without="p0", p_with="p1", contact_cost=1, budget=20
        ),
        "rates": cohorts.retention(orders, as_of=AS_OF),
        "survivors": pl.DataFrame(_SURVIVORS),
        "contracts": _contracts(orders),
        "policies": _policies(orders),
        "source costs": pl.DataFrame({"source": ["north", "fair"], "cost": [120.0, 30.0]}),
        "raw contracts": _raw_contracts(),
        "raw contacts": _raw_contacts(),
        "contacts": _contacts(customers),
        "referrals": _referrals(customers),
        "wallets": _wallets(customers),
        "products": _products(orders),
        "asked": _asked(customers),
        "sold": (sold := _sold(orders)),
        "growth": sales.growth(sold, by="branch", every="quarter", as_of=AS_OF),
        "branch targets": _branch_targets(),
        "share targets": pl.DataFrame(
            {"branch": ["branch 1"], "product": ["fund 1"], "target_share": [0.25]}
        ),
        "attained": sales.attainment(sold, _branch_targets(), by="branch", as_of=AS_OF),
        "segment map": rfm.segment_map("rf_25", backend="polars"),
    }


def _orders() -> pl.DataFrame:
    """Take some customers of CDNOW, and rows of the kinds that go wrong."""
    sample: pl.DataFrame = load_cdnow(sample=True, backend="polars").drop("quantity")
    few = sample["customer_id"].unique().sort().head(_N_CUSTOMERS)
    names = ("customer_id", "date", "amount")
    awkward = pl.DataFrame(_AWKWARD, schema=names, orient="row")
    return pl.concat([sample.filter(pl.col("customer_id").is_in(few.to_list())), awkward])


def _with_channel(customers: pl.DataFrame) -> pl.DataFrame:
    """Let every third customer have come by the web."""
    row = pl.int_range(pl.len())
    channel = pl.when(row % 3 == 0).then(pl.lit("web")).otherwise(pl.lit("shop"))
    return customers.with_columns(channel=channel)


def _known_stages(orders: pl.DataFrame) -> pl.DataFrame:
    """Give prospects and customers their stages at many dates, and a source; some is unknown."""
    history = lifecycle.history(orders, dates=HISTORY_DATES, rules=STAGE_RULES, prospects=_people())
    kind = pl.col("customer_id").str.len_chars() % 3
    source = pl.when(kind == 0).then(pl.lit("fair")).when(kind == 1).then(pl.lit("web"))
    return history.with_columns(source=source)


def _staged_at(orders: pl.DataFrame, day: date, tiered: pl.DataFrame) -> pl.DataFrame:
    """Give the customers of a day their stages and tiers."""
    staged = lifecycle.assign(lifecycle.rhythm(orders, as_of=day), rules=STAGE_RULES)
    return staged.join(tiered.select("customer_id", "tier"), on="customer_id")


def _held(tiered: pl.DataFrame) -> pl.DataFrame:
    """Let the customers but a few have held the tier of a neighbour, some since lately."""
    row = pl.int_range(pl.len())
    return (
        tiered[3:]
        .select(
            "customer_id",
            pl.col("tier").shift(1),
            tier_since=pl.when(row % 7 != 0).then(pl.lit(AS_OF).dt.offset_by("-1y"))
            - pl.duration(days=row % 3),
            tier_basis=pl.when(row % 11 == 0).then(pl.lit("invited")),
        )
        .with_columns(tier_since=pl.col("tier_since").cast(pl.Date))
    )


def _assigned(tiered: pl.DataFrame) -> pl.DataFrame:
    """Give each customer a tier by hand, and somebody who did it; one of each is unknown."""
    row = pl.int_range(pl.len())
    by_hand = pl.when(row % 3 == 0).then(pl.lit("gold")).otherwise(pl.col("tier"))
    return tiered.select(
        "customer_id",
        "total_amount",
        tier_assigned=pl.when(row != 1).then(by_hand),
        agent=pl.when(row != 2).then(pl.concat_str(pl.lit("agent "), row % 4)),
    )


def _chances(valued: pl.DataFrame) -> pl.DataFrame:
    """Give each customer a value, and chances with and without a contact; one is not known."""
    row = pl.int_range(pl.len())
    return valued.select("customer_id").with_columns(
        value=(row % 7 * 12.5).cast(pl.Float64),
        p0=(row % 5) / 10.0,
        p1=(row % 5) / 10.0 + (row % 3) / 10.0,
        p2=pl.when(row > 0).then((row % 5) / 10.0 + (row % 4) / 20.0),
        branch=pl.when(row % 2 == 0).then(pl.lit("north")).otherwise(pl.lit("south")),
        stage=pl.when(row % 3 == 0).then(pl.lit("lost")).otherwise(pl.lit("at risk")),
    )


def _treated(customers: pl.DataFrame) -> pl.DataFrame:
    """Treat every other customer."""
    return customers.select("customer_id", treated=pl.int_range(pl.len()) % 2 == 0)


def _outcomes(customers: pl.DataFrame) -> pl.DataFrame:
    """Let every third customer buy."""
    row = pl.int_range(pl.len())
    return customers.select("customer_id", outcome=row % 3 % 2, amount=row * 1.5).gather_every(2)


def _experiment(customers: pl.DataFrame) -> pl.DataFrame:
    """Treat and follow customers in two branches."""
    row = pl.int_range(pl.len())
    return customers.select(
        "customer_id",
        "frequency",
        treated=row % 2,
        bought=(row % 3 == 0) | (row % 8 == 0),
        amount=row % 5 * 2.0,
        target=row % 4 == 0,
        branch=pl.when(row % 5 < 2).then(pl.lit("north")).otherwise(pl.lit("south")),
    )


def _lines(orders: pl.DataFrame) -> pl.DataFrame:
    """Split orders into lines, the second a day later; some are returns that count as visits."""
    numbered = orders.with_row_index("order_id").with_columns(pl.col("order_id").cast(pl.Int64))
    half = numbered.with_columns(pl.col("amount") / 2)
    later = half.filter(pl.col("order_id") % 3 == 0).with_columns(
        pl.col("date") + pl.duration(days=1)
    )
    return pl.concat([half, later]).with_columns(is_purchase=pl.col("order_id") % 5 > 0)


def _shop_lines(orders: pl.DataFrame) -> pl.DataFrame:
    """Give each line a product and a discount, which a few have not."""
    lines = _lines(orders).drop("is_purchase")
    row = pl.int_range(pl.len())
    return lines.with_columns(
        product=pl.when(row % 11 > 0).then(pl.format("p{}", row % 4)),
        discount=pl.when(row % 7 > 0).then((row % 3).cast(pl.Float64)),
    )


def _branches(customers: pl.DataFrame) -> pl.DataFrame:
    """Know customers on two days: their branch then."""
    row = pl.int_range(pl.len())
    branch = pl.when(row % 2 == 0).then(pl.lit("north")).otherwise(pl.lit("south"))
    first = customers.select("customer_id", branch=branch, date=pl.lit(date(1997, 5, 1)))
    moved = pl.lit("abroad")
    return pl.concat(
        [first, first.head(40).with_columns(branch=moved, date=pl.lit(date(1997, 12, 31)))]
    )


def _odd_raw() -> pl.DataFrame:
    """Make a raw log with one row for each complaint, whole numbers for ids and text for dates."""
    return pl.DataFrame(
        {
            "who": [" ann", "ben", None, "cid", "ben", "dan", "eve", "eve"],
            "when": [
                "31/01/2024",
                "05/02/2024",
                "06/02/2024",
                "30/02/2024",
                "05/02/2024",
                "01/01/1890",
                "07/02/2024",
                None,
            ],
            "paid": [20.0, 10.0, 5.0, 15.0, 10.0, 3.0, -7.0, None],
        }
    )


def _people() -> pl.DataFrame:
    return pl.DataFrame({"customer_id": _PROSPECTS})


def _records() -> pl.DataFrame:
    """Make records of people as departments keep them, with all that goes wrong."""
    nobody = (None, None, None, None)
    rows = [
        ("shop-1", "Ann Meier", " Ann@Mail.org", "+49 (0)89 123-4567", "1980-02-29", "shop"),
        ("call-1", "Meier, Anne", None, "0049 89 1234567", None, "call"),
        ("fair-1", "A. Meier", "ann@mail.org", "n/a", "1879-03-14", "fair"),
        ("shop-2", "Bob Stone", "ann+bob@mail.org", "0000", "2030-01-01", "shop"),
        ("call-2", "Bob Stoan", "none@shop.com", "089/7654321 ext 5", "30.02.1990", "call"),
        ("fair-2", "N/A", "not an e-mail", "00", "-", "fair"),
        ("fair-3", "\u674e\u96f7", "-", "491701234567", "1990-05-05", None),
        ("fair-4", *nobody, "fair"),
    ]
    names = ("customer_id", "name", "email", "phone", "born", "source")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def _contracts(orders: pl.DataFrame) -> pl.DataFrame:
    """Take the time from the first order to the last for a contract; a few still run."""
    spans = orders.group_by("customer_id").agg(
        pl.col("date").min().alias("start"), pl.col("date").max().alias("end")
    )
    runs_on = pl.col("end") > date(1998, 5, 1)
    return spans.with_columns(end=pl.when(~runs_on).then("end")).sort("customer_id")


def _policies(orders: pl.DataFrame) -> pl.DataFrame:
    """Give contracts a plan and, where they ended, a reason."""
    row = pl.int_range(pl.len())
    why = pl.when(row % 4 == 0).then(pl.lit("moved")).otherwise(pl.lit("price"))
    return _contracts(orders).with_columns(
        plan=pl.when(row % 3 == 0).then(pl.lit("long")).otherwise(pl.lit("short")),
        why=pl.when(pl.col("end").is_not_null()).then(why),
        seats=row % 5,
    )


def _raw_contracts() -> pl.DataFrame:
    """Make terms in text: renewed with a pause, cancelled early, still young, without an end."""
    nothing: tuple[None, None] = (None, None)
    rows = [
        ("ann", "1997-01-01", "1997-06-30", None, 10.0, "kim", "north"),
        ("ann", "1997-07-15", "1997-12-31", None, 20.0, "lee", "south"),
        ("ann", "1998-03-15", *nothing, 30.0, "kim", "north"),
        ("ben", "1997-05-01", "1998-04-30", "1997-05-08", 12.5, "lee", "south"),
        ("cid", "1997-05-01", None, "1997-05-12", None, None, None),
        ("dan", "1998-06-25", *nothing, 7.0, "kim", "north"),
    ]
    names = ("who", "from", "to", "gave notice", "paid", "agent", "branch")
    return pl.DataFrame(rows, schema=names, orient="row")


def _raw_contacts() -> pl.DataFrame:
    """Make contacts in text: complaints, one without a date, one answered too early."""
    rows = [
        ("00004", "1998-01-05", "phone", "complaint", "kim", "1998-01-07", "north"),
        ("00004", "1998-01-09", "shop", "order", "lee", None, "south"),
        ("00018", "1998-02-01", "phone", "Claim: late", None, "1998-01-30", "north"),
        ("00021", "soon", None, None, "kim", None, None),
        (None, "1998-03-01", "web", "order", "kim", None, "north"),
        ("nobody", "1998-03-02", "web", "order", "lee", None, "south"),
    ]
    names = ("client", "called on", "channel", "reason", "handled by", "closed", "branch")
    return pl.DataFrame(rows, schema=names, orient="row")


def _contacts(customers: pl.DataFrame) -> pl.DataFrame:
    """Let every other customer call or visit, some to complain, some twice."""
    row = pl.int_range(pl.len())
    calls = customers.gather_every(2).select(
        "customer_id",
        contact_date=pl.lit(date(1997, 6, 1)) + pl.duration(days=row % 300),
        channel=pl.when(row % 3 == 0).then(pl.lit("shop")).otherwise(pl.lit("phone")),
        contact_kind=pl.when(row % 4 > 0).then(pl.lit("order")),
        is_complaint=row % 4 == 0,
        answered_on=pl.when(row % 8 < 6).then(
            pl.lit(date(1997, 6, 1)) + pl.duration(days=row % 300 + row % 9)
        ),
    )
    again = calls.head(40).with_columns(contact_date=pl.col("contact_date") + pl.duration(days=5))
    return pl.concat([calls, again.with_columns(answered_on=None)])


def _referrals(customers: pl.DataFrame) -> pl.DataFrame:
    """Let each customer have come by an earlier one; nobody by themselves, and no way round."""
    ids = customers["customer_id"]
    above = ids.gather([i // 3 for i in range(len(ids) - 1)])
    return pl.DataFrame({"customer_id": ids[1:], "referred_by": above})


def _wallets(customers: pl.DataFrame) -> pl.DataFrame:
    """Give customers a wallet, some below what they spend, and a rank among brands."""
    row = pl.int_range(pl.len())
    return customers.select(
        "customer_id",
        "frequency",
        spend=pl.when(row != 3).then(row % 50 * 10.0),
        category=pl.when(row != 4).then(row % 60 * 12.0),
        our_rank=1 + row % 2,
        brands=2 + row % 3,
        branch=pl.when(row % 5 < 2).then(pl.lit("north")).otherwise(pl.lit("south")),
    )


def _asked(customers: pl.DataFrame) -> pl.DataFrame:
    """Ask customers what they think; one does not answer."""
    row = pl.int_range(pl.len())
    return customers.select(
        "customer_id",
        liking=pl.when(row != 4).then(1 + row % 5),
        again=1 + row % 3,
        repeat_share=pl.when(row != 6).then(row % 11 / 10),
        cheapest=row % 2 == 0,
        points=row % 3,
        profit=row % 7 * 10.0,
        branch=pl.when(row % 5 < 2).then(pl.lit("north")).otherwise(pl.lit("south")),
    )


def _products(orders: pl.DataFrame) -> pl.DataFrame:
    """Give each order a product and a branch; one of each is unknown."""
    row = pl.int_range(pl.len())
    return orders.with_columns(
        product=pl.when(row != 5).then(pl.concat_str(pl.lit("fund "), row % 3)),
        branch=pl.when(row % 7 > 0).then(pl.concat_str(pl.lit("branch "), row % 4)),
    )


def _sold(orders: pl.DataFrame) -> pl.DataFrame:
    """Give each order a product, a branch, units, a discount and a cost; one of each is unknown."""
    row = pl.int_range(pl.len())
    return _products(orders).with_columns(
        order_id=row // 2,
        quantity=pl.when(row != 3).then(1 + row % 4),
        discount=pl.when(row != 4).then(row % 3 * 2.5),
        cost=pl.when(row != 6).then(pl.col("amount") * 0.5),
    )


def _branch_targets() -> pl.DataFrame:
    """Give three of four branches, and one that is not known, a target."""
    return pl.DataFrame(
        {
            "branch": ["branch 0", "branch 1", "branch 2", None],
            "target_amount": [9000.0, 8000.5, 0.0, 1000.0],
        }
    )


@cache
def season() -> sales.SeasonalIndex:
    """Find the season of the branches."""
    return sales.seasonal_index(
        tables()["sold"], as_of=AS_OF, years=1, within="branch", method="means"
    )


@cache
def on(engine: str, name: str) -> Any:
    """Take a table to an engine."""
    return ENGINES[engine].make(arrow(tables()[name]))


def arrow(frame: pl.DataFrame) -> pa.Table:
    """Take a table to Arrow in the types that every engine knows."""
    table = frame.to_arrow()
    plain = [
        field.with_type(pa.string())
        if pa.types.is_large_string(field.type) or pa.types.is_string_view(field.type)
        else field
        for field in table.schema
    ]
    return table.cast(pa.schema(plain))


# What has been learned beforehand

BREAKPOINTS: Final = rfm.Breakpoints(
    n=5,
    days_since_last=(91, 182, 273, 365),
    orders=(2, 3, 4, 6),
    total_amount=(20, 40, 80, 160),
)


def _panel(customers: pl.DataFrame) -> pl.DataFrame:
    """Make a panel of one date, on which those who were silent for long left more often."""
    number = pl.int_range(pl.len())
    return customers.select("customer_id", "frequency", "T", "days_since_last").with_columns(
        date=pl.lit(AS_OF),
        branch=pl.when(number % 3 == 0).then(pl.lit("north")).otherwise(pl.lit("south")),
        churned=number * 37 % 101 < 20 + pl.col("days_since_last") % 101 / 2,
    )


@cache
def churn_model() -> churn.ChurnModel:
    """Who leaves, learned once."""
    return churn.fit(_panel(tables()["customers"]))


@cache
def uplift() -> campaigns.UpliftModel:
    """What a contact changes, learned once."""
    return campaigns.fit_uplift(
        _experiment(tables()["customers"]),
        treated="treated",
        outcome="bought",
        features=["frequency", "branch"],
    )


def care_policy() -> pl.DataFrame:
    """Ask for contacts of any kind, and for some by phone; nothing is said of silver."""
    policy: pl.DataFrame = events.care_policy(backend="polars").head(2)
    by_phone = pl.DataFrame([("gold", "phone", "order", 1, 200)], policy.schema, orient="row")
    return pl.concat([policy, by_phone])


HISTORY_DATES: Final = (date(1997, 6, 30), SPLIT, date(1997, 12, 31))
STAGE_RULES: Final = lifecycle.StageRules(60, 1, 120, 1.5, 3, 2, 3, 5)
TIERS: Final = tiers.TierRule(
    ("diamond", "gold", "silver"), (200.0, 50.0), ("total_amount",), (1.0,), (1.0,), "thresholds"
)


@cache
def purchases() -> clv.Fit:
    """Fit a purchase model."""
    return clv.fit(rfm.summarize(_orders(), as_of=AS_OF), model="bg_nbd")


@cache
def by_channel() -> clv.Fit:
    """Fit a purchase model that knows where customers came from."""
    return clv.fit(tables()["known"], model="bg_nbd", covariates=["channel"])


@cache
def spend() -> clv.Fit:
    """Fit a spend model."""
    return clv.fit(rfm.summarize(_orders(), as_of=AS_OF), model="gamma_gamma")


@cache
def trees() -> clv.Trees:
    """Train boosted trees."""
    return clv.fit_trees(_orders(), as_of=AS_OF, horizon_days=91)


@cache
def moves() -> lifecycle.Transitions:
    """Count the moves between stages."""
    return lifecycle.transitions(tables()["history"])


@cache
def donations() -> clv.OpportunityFit:
    """Fit a model of opportunities."""
    return clv.fit_opportunities(clv.opportunities(_orders(), as_of=AS_OF), every="month")


@cache
def kept() -> pipeline.Kept:
    """Fit the values of a quarter before."""
    return pipeline.run(_orders(), as_of=date(1998, 3, 31), split=SPLIT).kept


# The functions


@dataclass(frozen=True, slots=True)
class Case:
    """A call of a public function.

    `tables` are what it is given. `sort` names the columns that put its rows in order, and
    `rtol` how far numbers may differ: models end their search where a step changes nothing that
    matters, which is not the same digit on every sum. `ignored` are columns that may differ: the
    time that something took, and the number of a row, which a lazy table has not.
    """

    call: Callable[..., Any]
    tables: tuple[str, ...]
    sort: Sequence[str] = ("customer_id",)
    rtol: float = 1e-12
    ignored: Sequence[str] = ()


_FIT: Final = 1e-6
_SUMS: Final = 1e-9
_CELL: Final = ("cohort", "period")

CASES: Final[Mapping[str, Case]] = {
    "intake.transactions": Case(
        lambda raw: intake.transactions(raw, **_RAW), ("raw",), ("customer_id", "date", "amount")
    ),
    "intake.check": Case(
        lambda raw: intake.check(raw, **_RAW, date_format="%d/%m/%Y"),
        ("odd raw",),
        ("rule",),
        ignored=("example",),
    ),
    "intake.clean": Case(
        lambda raw: intake.clean(raw, **_RAW, date_format="%d/%m/%Y"), ("odd raw",), ()
    ),
    "intake.costs": Case(
        lambda items: intake.costs(items, item="what", kind="kind", amount="euro", group="year"),
        ("items",),
        ("item",),
    ),
    "intake.check_costs": Case(
        lambda items: intake.check_costs(
            items, item="what", kind="kind", amount="euro", decimal="."
        ),
        ("items",),
        ("rule",),
        ignored=("example",),
    ),
    "intake.clean_costs": Case(
        lambda items: intake.clean_costs(
            items, item="what", kind="kind", amount="euro", decimal="."
        ),
        ("items",),
        (),
    ),
    "intake.contracts": Case(
        lambda raw: intake.contracts(
            raw, customer="who", start="from", amount="paid", as_of=AS_OF, **_TERMS
        ),
        ("raw contracts",),
        ("customer_id", "start"),
    ),
    "intake.contracts by day": Case(
        lambda contracts: intake.contracts(
            contracts, customer="customer_id", start="start", end="end", cooling_off_days=9
        ),
        ("contracts",),
    ),
    "intake.contacts": Case(
        lambda contacts: intake.contacts(
            contacts,
            date="contact_date",
            kind="contact_kind",
            complaint="is_complaint",
            answered="answered_on",
        ),
        ("contacts",),
        ("customer_id", "contact_date"),
    ),
    "intake.check_contacts": Case(
        lambda raw, people: intake.check_contacts(
            raw, date="called on", customers=people, date_format="%Y-%m-%d"
        ),
        ("raw contacts", "customers"),
        ("rule",),
        ignored=("example",),
    ),
    "intake.clean_contacts": Case(
        lambda raw: intake.clean_contacts(
            raw, date="called on", keep=["branch"], date_format="%Y-%m-%d"
        ),
        ("raw contacts",),
        (),
    ),
    "intake.check_contracts": Case(
        lambda raw: intake.check_contracts(
            raw, customer="who", start="from", end="to", cooling_off_days=10, as_of=AS_OF
        ),
        ("raw contracts",),
        ("rule",),
        ignored=("example",),
    ),
    "intake.clean_contracts": Case(
        lambda raw: intake.clean_contracts(
            raw, customer="who", start="from", amount="paid", as_of=AS_OF, **_TERMS
        ),
        ("raw contracts",),
        (),
    ),
    "intake.prospects": Case(
        lambda people: intake.prospects(people, customer="customer_id"), ("customers",)
    ),
    "intake.clean_prospects": Case(
        lambda people: intake.clean_prospects(people, customer="customer_id"), ("customers",), ()
    ),
    "intake.hash_ids": Case(
        lambda customers: intake.hash_ids(customers, key="a long secret"), ("customers",)
    ),
    "intake.match": Case(
        lambda records: intake.match(
            records, keys=["email", "phone"], fuzzy=("name", 0.8), country_code="49"
        ),
        ("records",),
        (),
    ),
    "intake.completeness": Case(
        lambda records: intake.completeness(records, fields=_FIELDS, as_of=AS_OF, by="source"),
        ("records",),
        ("source", "field"),
    ),
    "intake.completeness_of_customers": Case(
        lambda records: intake.completeness_of_customers(records, fields=_FIELDS, as_of=AS_OF),
        ("records",),
    ),
    "intake.shared_contacts": Case(
        lambda records: intake.shared_contacts(records, least=2, country_code="49"),
        ("records",),
        ("field", "contact_value"),
    ),
    "rfm.summarize": Case(lambda orders: rfm.summarize(orders, as_of=AS_OF), ("orders",)),
    "rfm.summarize of lines": Case(lambda lines: rfm.summarize(lines, as_of=AS_OF), ("lines",)),
    "rfm.summarize of visits": Case(lambda orders: rfm.summarize(orders, as_of=AS_OF), ("visits",)),
    "rfm.summarize with gaps": Case(
        lambda orders: rfm.summarize(orders, as_of=AS_OF, log_gaps=True), ("orders",)
    ),
    "rfm.holdout": Case(lambda orders: rfm.holdout(orders, split=SPLIT, as_of=AS_OF), ("orders",)),
    "rfm.newcomers": Case(
        lambda orders: rfm.newcomers(orders, split=SPLIT, as_of=AS_OF), ("orders",), ()
    ),
    "rfm.breakpoints": Case(rfm.breakpoints, ("customers",)),
    "rfm.breakpoints nested": Case(
        lambda customers: rfm.breakpoints(customers, nested=True, ties="min"), ("customers",)
    ),
    "rfm.score": Case(
        lambda customers: rfm.score(customers, breakpoints=BREAKPOINTS), ("customers",)
    ),
    "rfm.segment": Case(
        lambda scored, rules: rfm.segment(scored, segments=rules),
        ("segmented", "segment map"),
    ),
    "rfm.check_map": Case(rfm.check_map, ("segment map",), ()),
    "rfm.segment_summary": Case(rfm.segment_summary, ("segmented",), ("segment",)),
    "clv.fit": Case(lambda customers: clv.fit(customers, model="bg_nbd"), ("customers",), (), _FIT),
    "clv.fit of spend": Case(
        lambda customers: clv.fit(customers, model="gamma_gamma"), ("customers",), (), _FIT
    ),
    "clv.choose": Case(
        lambda orders: clv.choose(orders, as_of=AS_OF, models=["bg_nbd", "mbg_nbd"]),
        ("orders",),
        (),
        _FIT,
    ),
    "clv.fit_misses": Case(
        lambda orders: clv.fit_misses(
            orders, as_of=AS_OF, horizon_days=91, model="bg_nbd", origins=1
        ),
        ("orders",),
        (),
        _FIT,
    ),
    "clv.fit_trees": Case(
        lambda orders: clv.fit_trees(orders, as_of=AS_OF, horizon_days=91), ("orders",), (), _FIT
    ),
    "clv.predict_trees": Case(
        lambda customers: clv.predict_trees(customers, trees=trees()), ("customers",)
    ),
    "clv.rank": Case(
        lambda customers: clv.rank(
            customers, purchases=purchases(), spend=spend(), trees=trees(), horizon_days=91
        ),
        ("customers",),
    ),
    "clv.fit with covariates": Case(
        lambda customers: clv.fit(customers, model="bg_nbd", covariates=["channel"]),
        ("known",),
        (),
        _FIT,
    ),
    "clv.posterior": Case(
        lambda customers: clv.posterior(customers, fit=purchases(), draws=500),
        ("customers",),
        (),
        _FIT,
    ),
    "clv.predict": Case(
        lambda customers: clv.predict(
            customers,
            purchases=purchases(),
            spend=spend(),
            horizon_days=365,
            annual_discount_rate=0.1,
        ),
        ("customers",),
    ),
    "clv.predict with covariates": Case(
        lambda customers: clv.predict(customers, purchases=by_channel(), horizon_days=365),
        ("known",),
    ),
    "clv.predict with bounds": Case(
        lambda customers: clv.predict(
            customers,
            purchases=purchases(),
            spend=spend(),
            horizon_days=365,
            cost=1.5,
            level=0.9,
        ),
        ("customers",),
        (),
        1e-9,
    ),
    "clv.predict_total": Case(
        lambda customers: clv.predict_total(
            customers, purchases=purchases(), spend=spend(), horizon_days=365
        ),
        ("customers",),
        ("n_customers",),
        1e-9,
    ),
    "clv.probability_alive": Case(
        lambda customers: clv.probability_alive(customers, purchases=purchases(), days=90),
        ("customers",),
    ),
    "clv.purchase_distribution": Case(
        lambda customers: clv.purchase_distribution(
            customers, purchases=purchases(), horizon_days=365, most=2
        ),
        ("customers",),
    ),
    "clv.discounted_purchases": Case(
        lambda customers: clv.discounted_purchases(
            customers, purchases=purchases(), annual_discount_rate=0.1, horizon_days=365
        ),
        ("customers",),
    ),
    "clv.expected_purchases": Case(
        lambda customers: clv.expected_purchases(
            customers, purchases=purchases(), horizon_days=365
        ),
        ("customers",),
    ),
    "clv.fit_opportunities": Case(
        lambda seen: clv.fit_opportunities(seen, every="month"), ("opportunities",), (), _FIT
    ),
    "clv.forecast_opportunities": Case(
        lambda seen: clv.forecast_opportunities(seen, fit=donations(), n_opportunities=6),
        ("opportunities",),
    ),
    "clv.pattern": Case(
        lambda orders: clv.pattern(orders, purchases=purchases(), as_of=AS_OF, horizon_days=91),
        ("orders",),
        (),
        _FIT,
    ),
    "clv.spend_dependence": Case(clv.spend_dependence, ("customers",), (), 1e-9),
    "clv.compare": Case(
        lambda customers: clv.compare(customers, models=["nbd", "bg_nbd"]),
        ("customers",),
        ("model",),
        _FIT,
        ignored=("seconds",),
    ),
    "clv.tracking": Case(
        lambda orders: clv.tracking(orders, purchases=purchases(), as_of=AS_OF, every="month"),
        ("orders",),
        ("starts",),
    ),
    "clv.backtest": Case(
        lambda orders: clv.backtest(orders, splits=[SPLIT], as_of=AS_OF),
        ("orders",),
        ("method",),
        _FIT,
        ignored=("seconds",),
    ),
    "clv.calibration": Case(
        lambda orders: clv.calibration(orders, split=SPLIT, as_of=AS_OF),
        ("orders",),
        ("frequency",),
        _FIT,
    ),
    "clv.opportunities": Case(lambda orders: clv.opportunities(orders, as_of=AS_OF), ("orders",)),
    "clv.fit_retention": Case(
        lambda survivors: clv.fit_retention(survivors, every="year"), ("survivors",), (), _FIT
    ),
    "clv.fit_retention of contracts": Case(
        lambda contracts: clv.fit_retention(contracts, every="month", as_of=AS_OF),
        ("contracts",),
        (),
        _FIT,
    ),
    "cohorts.table": Case(
        lambda orders: cohorts.table(orders, as_of=AS_OF, every="quarter", measure="amount"),
        ("orders",),
        _CELL,
    ),
    "cohorts.calendar_retention": Case(
        lambda orders: cohorts.calendar_retention(orders, as_of=AS_OF), ("orders",), _CELL
    ),
    "cohorts.retention": Case(
        lambda orders: cohorts.retention(
            orders, as_of=AS_OF, windows=cohorts.n_day(7) + cohorts.rolling(30)
        ),
        ("orders",),
        ("cohort", "from_day"),
    ),
    "clv.validate": Case(
        lambda orders: clv.validate(orders, split=SPLIT, as_of=AS_OF),
        ("orders",),
        ("method",),
        _FIT,
    ),
    "cohorts.rates": Case(
        lambda orders: cohorts.rates(orders, every="month", as_of=AS_OF), ("orders",), ("starts",)
    ),
    "cohorts.pooled": Case(cohorts.pooled, ("rates",), ("from_day",)),
    "actions.call_list": Case(actions.call_list, ("recommended",)),
    "actions.summary": Case(actions.summary, ("recommended",), ("action",)),
    "rfm.purchase_days": Case(
        lambda lines: rfm.purchase_days(lines, as_of=AS_OF), ("lines",), ("customer_id", "date")
    ),
    "lifecycle.rhythm": Case(
        lambda orders, people: lifecycle.rhythm(orders, as_of=AS_OF, prospects=people),
        ("orders", "people"),
    ),
    "lifecycle.fit_rules": Case(
        lambda orders: lifecycle.fit_rules(orders, as_of=AS_OF, horizon_days=91), ("orders",), ()
    ),
    "lifecycle.calibrate": Case(
        lambda orders: lifecycle.calibrate(
            orders, dates=[SPLIT, date(1997, 12, 31)], horizon_days=91, rules=STAGE_RULES
        ),
        ("orders",),
        ("date", "stage"),
        1e-9,
    ),
    "lifecycle.history": Case(
        lambda orders, people: lifecycle.history(
            orders, dates=HISTORY_DATES, rules=STAGE_RULES, prospects=people
        ),
        ("orders", "people"),
        ("customer_id", "date"),
    ),
    "lifecycle.transitions": Case(lifecycle.transitions, ("history",), ()),
    "lifecycle.durations": Case(lifecycle.durations, ("history",), ("customer_id", "spell")),
    "lifecycle.duration_summary": Case(lifecycle.duration_summary, ("spells",), ("stage",)),
    "lifecycle.funnel": Case(
        lambda stages: lifecycle.funnel(stages, by="source"),
        ("known stages",),
        ("source", "step_order"),
    ),
    "lifecycle.second_purchases": Case(
        lambda stages: lifecycle.second_purchases(stages, every="quarter"),
        ("known stages",),
        ("cohort",),
    ),
    "lifecycle.phases": Case(lifecycle.phases, ("staged",)),
    "lifecycle.states": Case(
        lambda staged, people: lifecycle.states(staged, prospects=people, targets=people),
        ("staged", "people"),
    ),
    "lifecycle.flow": Case(lifecycle.flow, ("history",), ("date", "from_stage", "to_stage")),
    "lifecycle.forecast": Case(
        lambda staged: lifecycle.forecast(staged, transitions=moves(), periods=2),
        ("last stages",),
        ("period", "stage_order"),
    ),
    "lifecycle.growth_accounting": Case(
        lambda orders: lifecycle.growth_accounting(orders, as_of=AS_OF, every="month"),
        ("orders",),
        ("starts",),
        1e-9,
    ),
    "lifecycle.rules": Case(lifecycle.rules, ("rhythm",)),
    "lifecycle.assign": Case(
        lambda rhythm: lifecycle.assign(rhythm, rules=STAGE_RULES), ("rhythm",)
    ),
    "lifecycle.stage_summary": Case(lifecycle.stage_summary, ("staged",), ("stage",)),
    "churn.risk": Case(
        lambda signals: churn.risk(signals, purchases=purchases(), horizon_days=365), ("signals",)
    ),
    "churn.inactivity": Case(
        lambda orders: churn.inactivity(orders, as_of=AS_OF), ("orders",), ("quantile",)
    ),
    "churn.label": Case(
        lambda orders: churn.label(orders, as_of=SPLIT, horizon_days=91), ("orders",)
    ),
    "churn.label_contracts": Case(
        lambda contracts: churn.label_contracts(contracts, as_of=SPLIT, horizon_days=91),
        ("contracts",),
    ),
    "churn.features": Case(lambda orders: churn.features(orders, as_of=AS_OF), ("orders",)),
    "churn.features of lines": Case(
        lambda lines, customers: churn.features(lines, as_of=AS_OF, customers=customers),
        ("shop lines", "branches"),
    ),
    "churn.drift": Case(
        lambda then, now: churn.drift(then, now=now),
        ("known", "known then"),
        ("column",),
    ),
    "churn.panel": Case(
        lambda orders, customers: churn.panel(
            orders, dates=[SPLIT, "1997-12-31"], horizon_days=91, customers=customers
        ),
        ("orders", "branches"),
        ("date", "customer_id"),
    ),
    "churn.fit_calibration": Case(churn.fit_calibration, ("held out",)),
    "churn.reliability": Case(
        lambda held_out: churn.reliability(held_out, method="platt"), ("held out",), ("bin",)
    ),
    "churn.past_amount": Case(
        lambda orders: churn.past_amount(orders, as_of=AS_OF, horizon_days=365), ("orders",)
    ),
    "churn.value_at_risk": Case(
        lambda rated, past: churn.value_at_risk(rated, past=past), ("rated", "past")
    ),
    "clv.no_purchase": Case(
        lambda customers: clv.no_purchase(customers, purchases=purchases(), horizon_days=365),
        ("customers",),
    ),
    "churn.survival": Case(
        lambda policies: churn.survival(policies, as_of=AS_OF, by="plan", **_FOLLOWED),
        ("policies",),
        ("plan", "duration"),
    ),
    "churn.survival_summary": Case(
        lambda policies: churn.survival_summary(policies, as_of=AS_OF, by="plan"),
        ("policies",),
        ("plan",),
    ),
    "churn.survival_difference": Case(
        lambda policies: churn.survival_difference(policies, as_of=AS_OF, by="plan"),
        ("policies",),
        ("group", "other"),
    ),
    "churn.cumulative_incidence": Case(
        lambda policies: churn.cumulative_incidence(policies, as_of=AS_OF, reason="why"),
        ("policies",),
        ("reason", "duration"),
    ),
    "churn.log_rank": Case(
        lambda policies: churn.log_rank(policies, as_of=AS_OF, by="plan", strata="seats", rho=1),
        ("policies",),
        ("plan",),
    ),
    "churn.log_rank_pairs": Case(
        lambda policies: churn.log_rank_pairs(policies, as_of=AS_OF, by="seats"),
        ("policies",),
        ("group", "other"),
    ),
    "churn.lapse_table": Case(
        lambda policies: churn.lapse_table(
            policies, as_of=AS_OF, every="month", by="plan", **_FOLLOWED
        ),
        ("policies",),
        ("plan", "period"),
    ),
    "churn.fit_cox": Case(
        lambda policies: (
            churn.fit_cox(policies, as_of=AS_OF, features=["plan", "seats"], **_FOLLOWED)
            .table(backend="polars")["coefficient"]
            .to_list()
        ),
        ("policies",),
        (),
        _FIT,
    ),
    "churn.p_active": Case(churn.p_active, ("customers",)),
    "tiers.rule": Case(
        lambda customers: tiers.rule(customers, method="value_share", cuts=(0.5, 0.8)),
        ("customers",),
    ),
    "tiers.assign": Case(lambda customers: tiers.assign(customers, rule=TIERS), ("customers",)),
    "tiers.rule within": Case(
        lambda known: tiers.rule(known, method="value_share", cuts=(0.5, 0.8), within="channel"),
        ("known",),
    ),
    "tiers.summary": Case(lambda tiered: tiers.summary(tiered, rule=TIERS), ("tiered",), ("tier",)),
    "tiers.audit": Case(
        lambda assigned: tiers.audit(assigned, rule=TIERS, tolerance=0.1), ("assigned",)
    ),
    "tiers.audit_summary": Case(tiers.audit_summary, ("audited",), ("agent",)),
    "tiers.migrate": Case(
        lambda before, after: tiers.migrate(before, after, rule=TIERS, by="total_amount"),
        ("customers before", "customers"),
        ("tier_before", "tier_after", "move"),
    ),
    "tiers.review": Case(
        lambda current, proposed: tiers.review(
            current, proposed, rule=TIERS, as_of=AS_OF, hold_days=366, when="anniversary"
        ),
        ("current tiers", "customers"),
    ),
    "tiers.review_summary": Case(
        lambda reviewed: tiers.review_summary(reviewed, rule=TIERS), ("reviewed",), ("tier",)
    ),
    "tiers.value_matrix": Case(
        lambda customers: tiers.value_matrix(
            customers, current="total_amount", potential="frequency"
        ),
        ("customers",),
    ),
    "tiers.migration_value": Case(
        lambda tiered: tiers.migration_value(tiered, rule=TIERS, by="total_amount", net_margin=0.1),
        ("tiered",),
        ("step",),
    ),
    "tiers.mobility": Case(
        lambda moves: tiers.mobility(moves, rule=TIERS).value_moved, ("tier moves",), (), _FIT
    ),
    "tiers.abc": Case(tiers.abc, ("customers",)),
    "tiers.abc within": Case(lambda known: tiers.abc(known, within="channel"), ("known",)),
    "tiers.abc_summary": Case(
        lambda classed: tiers.abc_summary(classed, within="channel"),
        ("classed",),
        ("channel", "abc_class"),
    ),
    "tiers.concentration": Case(tiers.concentration, ("customers",), ("customer_share",)),
    "tiers.gini": Case(tiers.gini, ("customers",)),
    "tiers.whale": Case(
        lambda customers: tiers.whale(customers, by="total_amount"), ("customers",), ()
    ),
    "campaigns.plan": Case(
        lambda chances: campaigns.plan(
            chances, value="value", p_without="p0", p_with="p1", contact_cost=0.5, budget=9
        ),
        ("chances",),
    ),
    "campaigns.plan of offers": Case(
        lambda chances: campaigns.plan(
            chances,
            value="value",
            p_without="p0",
            contact_cost=0.1,
            offers=pd.DataFrame(
                {"offer": ["card", "call"], "cost": [1.0, 0.0], "p_with_column": ["p1", "p2"]}
            ),
            capacity=4,
            within="branch",
        ),
        ("chances",),
    ),
    "campaigns.plan_summary": Case(
        lambda planned: campaigns.plan_summary(planned, budget=20), ("planned",), ()
    ),
    "campaigns.save_list": Case(
        lambda chances: campaigns.save_list(
            chances, value="value", p_leave="p0", save_rate=0.5, contact_cost=1
        ),
        ("chances",),
    ),
    "campaigns.win_back": Case(
        lambda chances: campaigns.win_back(chances, value="value", p_with="p1", contact_cost=1),
        ("chances",),
    ),
    "campaigns.reactivate": Case(
        lambda chances: campaigns.reactivate(
            chances, potential=60, value="value", p_with="p1", contact_cost=1
        ),
        ("chances",),
    ),
    "campaigns.split": Case(
        lambda chances: campaigns.split(chances, share=0.3, within=["branch"]), ("chances",)
    ),
    "campaigns.record": Case(
        lambda treated, outcomes: campaigns.record(treated, outcomes=outcomes),
        ("treated", "outcomes"),
    ),
    "campaigns.result": Case(
        lambda experiment: campaigns.result(
            experiment,
            treated="treated",
            outcome="bought",
            amount="amount",
            by="branch",
            before=["frequency"],
        ),
        ("experiment",),
        ("branch", "treatment"),
    ),
    "campaigns.compare_policies": Case(
        lambda experiment: campaigns.compare_policies(
            experiment, treated="treated", outcome="bought", policies=["target"], value=5
        ),
        ("experiment",),
        ("policy",),
    ),
    "campaigns.response_table": Case(
        lambda experiment: campaigns.response_table(
            experiment, outcome="bought", by="branch", amount="amount", contact_cost=1
        ),
        ("experiment",),
        ("branch",),
    ),
    "campaigns.response_table by depth": Case(
        lambda experiment: campaigns.response_table(
            experiment, outcome="bought", score="frequency", groups=4, profit_per_response=5
        ),
        ("experiment",),
        ("depth",),
    ),
    "campaigns.fit_uplift": Case(
        lambda experiment: (
            campaigns.fit_uplift(
                experiment, treated="treated", outcome="bought", features=["frequency", "branch"]
            ).verdict
        ),
        ("experiment",),
    ),
    "campaigns.score_uplift": Case(
        lambda experiment: campaigns.score_uplift(experiment, model=uplift()), ("experiment",)
    ),
    "campaigns.uplift_curve": Case(
        lambda experiment: campaigns.uplift_curve(
            experiment, treated="treated", outcome="bought", score="frequency", points=5
        ),
        ("experiment",),
        ("share",),
    ),
    "events.compare": Case(
        events.compare,
        ("staged before", "staged after"),
        ("customer_id", "event"),
    ),
    "events.care_gaps": Case(
        lambda tiered, contacts: events.care_gaps(
            tiered, contacts, as_of=AS_OF, policy=care_policy()
        ),
        ("tiered", "contacts"),
        ("customer_id", "channel", "every_days"),
    ),
    "events.exposed": Case(
        lambda orders: events.exposed(
            orders,
            products={"fund 0": 0.1, "fund 2": -1},
            as_of=AS_OF,
            days=365,
            channel="branch",
        ),
        ("products",),
    ),
    "loyalty.referrals": Case(
        lambda customers, links: loyalty.referrals(customers, links, value="total_amount"),
        ("customers", "referrals"),
    ),
    "loyalty.behaviour": Case(lambda orders: loyalty.behaviour(orders, as_of=AS_OF), ("orders",)),
    "loyalty.types": Case(
        lambda asked: loyalty.types(
            asked,
            attitude="liking",
            repeat="repeat_share",
            flags={"price": "cheapest", "incentive": "points"},
        ),
        ("asked",),
    ),
    "loyalty.profit_types": Case(
        lambda asked: loyalty.profit_types(
            asked, profit="liking", duration="repeat_share", cuts=(3, 0.5)
        ),
        ("asked",),
    ),
    "loyalty.type_summary": Case(
        lambda asked: loyalty.type_summary(
            asked,
            by="branch",
            profit="profit",
            scores=("liking", "repeat_share"),
            outcome="profit",
        ),
        ("asked",),
        ("branch",),
    ),
    "loyalty.scores": Case(
        lambda asked: loyalty.scores(
            asked, emotional=["liking", "again"], intentional=["again"], reversed_items=["again"]
        ),
        ("asked",),
    ),
    "loyalty.complaints": Case(
        lambda contacts, orders: loyalty.complaints(contacts, orders, as_of=AS_OF),
        ("contacts", "orders"),
        (),
    ),
    "sales.wallet": Case(
        lambda wallets: sales.wallet(wallets, ours="spend", wallet="category", required_share=0.5),
        ("wallets",),
    ),
    "sales.wallet_from_ranks": Case(
        lambda wallets: sales.wallet_from_ranks(
            wallets, ours="spend", rank="our_rank", brands="brands"
        ),
        ("wallets",),
    ),
    "sales.realistic_wallet": Case(
        lambda wallets: sales.realistic_wallet(
            wallets, ours="spend", features=["frequency", "branch"]
        ),
        ("wallets",),
    ),
    "sales.realistic_wallet of all": Case(
        lambda wallets: sales.realistic_wallet(wallets, ours="spend"), ("wallets",)
    ),
    "events.compare of a review": Case(
        lambda before, after: events.compare(
            before,
            after,
            after_date=AS_OF,
            rules=pl.DataFrame(
                {
                    "event": ["tier will fall"],
                    "column": ["falls_on"],
                    "change": ["soon"],
                    "compare_to": ["400"],
                    "priority": [2],
                    "reason": [""],
                }
            ),
        ),
        ("current tiers", "reviewed"),
        ("customer_id", "event"),
    ),
    "sales.growth": Case(
        lambda sold: sales.growth(
            sold, by=["branch", "product"], every="quarter", as_of=AS_OF, subtotals=True
        ),
        ("sold",),
        ("dimensions", "starts", "branch", "product"),
        rtol=_SUMS,
    ),
    "sales.growth of customers": Case(
        lambda days: sales.growth(
            days, by="customer_id", every="month", as_of=AS_OF, compare="year"
        ),
        ("orders",),
        ("starts", "customer_id"),
        rtol=_SUMS,
    ),
    "sales.movers": Case(
        lambda table: sales.movers(table, most=2), ("growth",), ("mover", "mover_rank")
    ),
    "sales.bridge": Case(
        lambda sold: sales.bridge(sold, every="quarter", as_of=AS_OF, mix="joint term apart"),
        ("sold",),
        ("bridge_step",),
        rtol=_SUMS,
    ),
    "sales.revenue_tree": Case(
        lambda sold: sales.revenue_tree(sold, every="quarter", as_of=AS_OF, compare="year"),
        ("sold",),
        ("figure",),
        rtol=_SUMS,
    ),
    "sales.trend": Case(lambda orders: sales.trend(orders, as_of=AS_OF), ("orders",), rtol=_SUMS),
    "sales.composition": Case(
        lambda sold, targets: sales.composition(
            sold, by="product", within="branch", target=targets
        ),
        ("sold", "share targets"),
        ("branch", "product"),
        rtol=_SUMS,
    ),
    "sales.attainment": Case(
        lambda sold, targets: sales.attainment(
            sold, targets, by="branch", as_of=AS_OF, season=season()
        ),
        ("sold", "branch targets"),
        ("branch",),
        rtol=_SUMS,
    ),
    "sales.target_fairness": Case(sales.target_fairness, ("attained",), (), rtol=_SUMS),
    "sales.seasonal_index": Case(
        lambda sold: sales.seasonal_index(
            sold, as_of=AS_OF, years=1, within="branch", method="means"
        ),
        ("sold",),
        rtol=_SUMS,
    ),
    "sales.spread": Case(
        lambda targets: sales.spread(targets, index=season(), year=1998),
        ("branch targets",),
        ("branch", "season"),
    ),
    "sales.concessions": Case(
        lambda sold: sales.concessions(sold, as_of=AS_OF), ("sold",), rtol=_SUMS
    ),
    "sales.after_concessions": Case(
        lambda sold: sales.after_concessions(sold, ended=SPLIT, as_of=AS_OF),
        ("sold",),
        ("concession_class",),
        rtol=_SUMS,
    ),
    "events.summary": Case(events.summary, ("events",), ("event",)),
    "campaigns.score_prospects": Case(
        lambda experiment, others: campaigns.score_prospects(
            others, experiment, outcome="bought", features=["frequency", "branch"]
        ),
        ("experiment", "experiment"),
        (),
    ),
    "campaigns.sources": Case(
        lambda experiment, costs: campaigns.sources(
            experiment, source="branch", converted="bought", costs=costs, value="amount"
        ),
        ("experiment", "source costs"),
        ("branch",),
    ),
    "churn.fit": Case(lambda panel: churn.fit(panel).verdict, ("panel",)),
    "churn.score": Case(lambda panel: churn.score(panel, model=churn_model()), ("panel",)),
    "churn.reasons": Case(
        lambda panel: churn.reasons(panel, model=churn_model(), most=1), ("panel",)
    ),
    "churn.drivers": Case(
        lambda panel: churn.drivers(panel, model=churn_model(), repeats=1), ("panel",), ("feature",)
    ),
    "churn.stated_reasons": Case(
        lambda stated: churn.stated_reasons(stated, reason="why"), ("stated",), ("reason",)
    ),
    "churn.evaluate": Case(
        lambda scored: churn.evaluate(scored, outcome="churned", by="branch", draws=2),
        ("churn scored",),
        ("branch", "metric"),
    ),
    "churn.gains": Case(
        lambda scored: churn.gains(scored, outcome="churned", points=4),
        ("churn scored",),
        ("share",),
    ),
    "churn.calibration_table": Case(
        lambda scored: churn.calibration_table(scored, outcome="churned", bins=3),
        ("churn scored",),
        ("bin",),
    ),
    "churn.profit_curve": Case(
        lambda scored: churn.profit_curve(
            scored, outcome="churned", campaign=churn.RetentionCampaign(50, 1, 2), points=4
        ),
        ("churn scored",),
        ("share",),
    ),
    "economics.cost_benefit": Case(
        lambda costs: economics.cost_benefit(costs, declared={"total_cost": 380}), ("costs",), ()
    ),
    "actions.recommend": Case(actions.recommend, ("signals",)),
    "pipeline.evaluate": Case(
        lambda orders: pipeline.evaluate(orders, horizon_days=91, origins=[SPLIT]),
        ("orders",),
        (),
        _FIT,
    ),
    "pipeline.run": Case(
        lambda orders, people: pipeline.run(orders, as_of=AS_OF, split=SPLIT, prospects=people),
        ("orders", "people"),
        (),
        _FIT,
        ignored=("seconds",),
    ),
    "pipeline.run by kept values": Case(
        lambda orders: pipeline.run(orders, as_of=AS_OF, split=SPLIT, kept=kept()),
        ("orders",),
        (),
        _FIT,
        ignored=("seconds",),
    ),
    "pipeline.run_summary": Case(
        lambda customers: pipeline.run_summary(customers, as_of=AS_OF, keep=["channel"]),
        ("known",),
        (),
    ),
}

NO_TABLE_TO_READ: Final[Mapping[str, str]] = {
    "actions.plan": "makes a table from nothing",
    "clv.discounted_residual_lifetime": "reads a fit only",
    "clv.forecast_retention": "reads a fit only",
    "clv.from_lifetimes": "reads a fit of another package only",
    "clv.parameters": "reads fits only",
    "clv.simulate": "reads a fit only",
    "clv.to_lifetimes": "reads a fit only",
    "cohorts.bracket": "makes windows from numbers",
    "cohorts.n_day": "makes windows from numbers",
    "cohorts.rescale_churn": "works on a number",
    "cohorts.rolling": "makes windows from numbers",
    "datasets.load_cdnow": "makes a table from nothing",
    "intake.check_prospects": "finds people in two rows only in tables that are not lazy",
    "intake.read_file": "reads a file",
    "intake.read_log": "reads a file",
    "churn.load_model": "reads a file",
    "report.render": "draws the result of the main job, which pipeline.run makes on any engine",
    "campaigns.break_even_index": "works on two numbers",
    "campaigns.break_even_rate": "works on two numbers",
    "campaigns.sample_size": "works on numbers",
    "events.care_policy": "makes a table from nothing",
    "events.rules": "makes a table from nothing",
    "lifecycle.markov_value": "reads transitions only",
    "lifecycle.phase_map": "makes a table from nothing",
    "lifecycle.transition_table": "reads transitions only",
    "rfm.segment_map": "makes a table from nothing",
    "sales.season_table": "reads an index only",
    "tiers.policy": "makes a table from nothing",
}
"""Public functions that read no table, and why."""
