"""Measure the coverage of intervals where the truth is known, and write docs/coverage.md.

Run by hand, from the project's root, as it takes half an hour: `python docs/coverage_study.py`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

import crmkit
from crmkit import clv
from crmkit._clv.prediction.intervals import parameter_points
from crmkit.errors import CrmkitWarning
from crmkit.models import BGNBD, MBGNBD, Floats, GammaGamma, ParetoNBD
from crmkit.models.predictive.purchases import predictive_purchases

LEVEL: Final = 0.9
HORIZON: Final = 3650.0
N_CUSTOMERS: Final = 1500
N_SIMULATIONS: Final = 300
SEED: Final = 20240101

# Customers buy every few years, so that two purchases hardly fall on one day, which the models do
# not know.
TRUTHS: Final[Mapping[str, Any]] = {
    "bg_nbd": BGNBD(r=0.5, alpha=400.0, a=0.8, b=3.0),
    "mbg_nbd": MBGNBD(r=0.7, alpha=400.0, a=0.6, b=3.0),
    "pareto_nbd": ParetoNBD(r=0.6, alpha=500.0, s=0.7, beta=1500.0),
}
SPEND: Final = GammaGamma(p=4.0, q=4.0, v=20.0)

_PAGE: Final = """# Do the intervals hold?

A 90 % interval should hold in 90 of 100 cases. Here is how often those of `clv.Fit.intervals`,
`clv.predict(..., level=0.9)` and `clv.predict_total` do. In each of {n_simulations} simulations
a model simulates {n_customers:,} customers with an age of five to twenty years and is fitted to
their purchases so far; those in the ten years after are compared with the intervals. Their spend
is simulated by Gamma-Gamma and fitted as well.

| 90 % interval of | {names} |
| --- | {lines} |
{rows}

By chance alone a row over {n_simulations} simulations has an error of up to {error:.1f} (two
standard errors). So have the probabilities of being active, whose error is much the same for all
customers of a simulation; the other rows of customers are means over {n_customers:,} times as
many and nearly exact.

- **Customers' purchases** are whole numbers, and mostly 0, so whole bounds hold more often than
  in 90 %: the row "as whole numbers". The other row counts an outcome on the edge in part: its
  place is drawn between the probability of fewer and that of as many, and counts if it is between
  5 % and 95 %. Exact intervals then hold in 90.0 % of the cases.
- **Customers' money** is counted so where it is 0; any other amount counts as it is.
- **Probabilities of being active** are compared with those under the true parameters, for
  customers with a probability below 1.
- **Purchases are by the day**, as in a summary: several on one day are one. Here that is rare. With
  all times a tenth as long, and days as they are, so that the frequent buy every few days, the
  bounds of r held in 85 to 89 %, those of alpha in 80 to 86 %, those of a and b of `mbg_nbd` in
  84 to 85 %, and all other rows as above. The models are of purchases at any time, and an interval
  includes the uncertainty within a model, not the error of the model.
- The customers are as the model assumes. For real ones `clv.backtest` has the coverage on held-out
  months.

Made by `python docs/coverage_study.py` on {today} with crmkit {version}, seed {seed}. True
parameters: {truths}; {spend}.
"""


class Simulated(NamedTuple):
    """Customers with their history, and their later purchases."""

    customers: pl.DataFrame
    history: tuple[Floats, Floats, Floats]
    mean_spend: Floats
    purchases: Floats
    money: Floats


def simulated(model: Any, *, n_customers: int, rng: np.random.Generator) -> Simulated:  # noqa: ANN401 - of any kind
    """Simulate customers until today, and a horizon further."""
    T = rng.integers(1800, 7201, n_customers).astype(np.float64)
    customer, age = model.simulate(T + HORIZON, rng=rng)
    # Purchases count at the end of their day, and several on one are one, as in a summary.
    customer, age = np.unique([customer, np.ceil(age)], axis=1)
    customer = customer.astype(np.int64)
    rate = rng.gamma(SPEND.q, 1 / SPEND.v, n_customers)
    amount = rng.gamma(SPEND.p, 1 / rate[customer])
    past = age <= T[customer]

    def total(rows: np.ndarray[Any, Any], of: Floats | None = None) -> Floats:
        weights = None if of is None else of[rows]
        return np.bincount(customer[rows], weights, n_customers).astype(np.float64)

    x, last = total(past), np.zeros(n_customers)
    last[customer[past]] = age[past]
    customers = pl.DataFrame(
        {
            "customer_id": np.arange(n_customers),
            "frequency": x,
            "recency": last,
            "T": T,
            "monetary_value": total(past, amount) / np.where(x > 0, x, np.nan),
        }
    ).with_columns(pl.col("monetary_value").fill_nan(None))
    return Simulated(customers, (x, last, T), SPEND.p / rate, total(~past), total(~past, amount))


def coverage(name: str, *, n_customers: int, seed: Sequence[int]) -> dict[str, float]:
    """Coverage of each kind of interval in one simulation."""
    rng = np.random.default_rng(seed)
    truth = TRUTHS[name]
    seen = simulated(truth, n_customers=n_customers, rng=rng)
    fits = clv.fit(seen.customers, model=name), clv.fit(seen.customers, model="gamma_gamma")
    chosen: dict[str, Any] = {"purchases": fits[0], "spend": fits[1], "horizon_days": HORIZON}
    shares: dict[str, float] = {}
    for fitted, true in zip(fits, (truth, SPEND), strict=True):
        for parameter, bounds in fitted.intervals(level=LEVEL).items():
            holds = bounds is not None and bounds[0] <= getattr(true, parameter) <= bounds[1]
            shares[f"parameter {parameter}"] = float(holds)
    found = clv.predict(seen.customers, level=LEVEL, **chosen)
    shares |= _of_customers(seen, found, truth)
    shares |= _as_drawn(seen, found, fits, rng)
    total = clv.predict_total(seen.customers, level=LEVEL, **chosen).row(0, named=True)
    for column, came in (("expected_purchases", seen.purchases), ("clv", seen.money)):
        holds = total[f"{column}_lower"] <= came.sum() <= total[f"{column}_upper"]
        shares[f"total of {'money' if column == 'clv' else 'purchases'}"] = float(holds)
    return shares


def _of_customers(seen: Simulated, found: pl.DataFrame, truth: Any) -> dict[str, float]:  # noqa: ANN401 - of any kind
    """Coverage of the intervals as they are."""
    alive = truth.probability_alive(*seen.history)
    uncertain = alive < 1 - 1e-12
    return {
        "customers' chance of being alive": _inside(found, "p_alive", alive)[uncertain].mean(),
        "customers' own mean spend": _inside(found, "expected_spend", seen.mean_spend).mean(),
        "customers' purchases, as whole numbers": _inside(
            found, "expected_purchases", seen.purchases
        ).mean(),
    }


def _as_drawn(
    seen: Simulated, found: pl.DataFrame, fits: tuple[clv.Fit, clv.Fit], rng: np.random.Generator
) -> dict[str, float]:
    """Coverage where an outcome on the edge counts in part."""
    low, high, none = (np.empty(len(seen.purchases)) for _ in range(3))
    blocks = predictive_purchases(
        [point.model for pair in parameter_points(*fits).purchases for point in pair],
        *seen.history,
        days=seen.history[0],
        kind=np.zeros(len(seen.history[0]), np.int64),
        horizon_days=HORIZON,
        tail=1e-6,
    )
    for block in blocks:
        count = seen.purchases[block.rows].astype(np.int64)
        low[block.rows] = 1 - block.more_than(count - 1)
        high[block.rows] = 1 - block.more_than(count)
        none[block.rows] = 1 - block.more_than(np.zeros_like(count))
    drawn = rng.random(len(none))
    of_money = np.where(
        seen.money > 0, _inside(found, "clv", seen.money), _in_the_middle(drawn * none)
    )
    return {
        "customers' purchases": _in_the_middle(low + drawn * (high - low)).mean(),
        "customers' money": of_money.mean(),
    }


def _in_the_middle(place: Floats) -> np.ndarray[Any, Any]:
    return np.abs(place - 0.5) < LEVEL / 2


def _inside(found: pl.DataFrame, column: str, came: Floats) -> np.ndarray[Any, Any]:
    lower, upper = (found[f"{column}_{bound}"].to_numpy() for bound in ("lower", "upper"))
    return (lower <= came) & (came <= upper)


def _page(shares: Mapping[str, Mapping[str, float]], *, n_customers: int, n: int) -> str:
    rows = list(dict.fromkeys(row for of_model in shares.values() for row in of_model))
    rows.sort(key=lambda row: ("parameter" not in row, "customers" not in row))
    cells = {
        row: " | ".join(
            f"{100 * of_model[row]:.1f}" if row in of_model else "" for of_model in shares.values()
        )
        for row in rows
    }
    return _PAGE.format(
        n_simulations=n,
        n_customers=n_customers,
        names=" | ".join(f"`{name}`" for name in shares),
        lines=" | ".join("---:" for _ in shares),
        rows="\n".join(f"| {row} | {of_row} |" for row, of_row in cells.items()),
        error=200 * (LEVEL * (1 - LEVEL) / n) ** 0.5,
        today=date.today(),  # noqa: DTZ011 - the day it was run
        version=crmkit.__version__,
        seed=SEED,
        truths=", ".join(map(str, TRUTHS.values())),
        spend=SPEND,
    )


def main(n: int = N_SIMULATIONS) -> None:
    """Run the study and write the page."""
    warnings.simplefilter("ignore", CrmkitWarning)
    shares = {}
    for position, name in enumerate(TRUTHS):
        runs = [coverage(name, n_customers=N_CUSTOMERS, seed=[SEED, position, i]) for i in range(n)]
        shares[name] = {row: float(np.mean([run[row] for run in runs])) for row in runs[0]}
    page = _page(shares, n_customers=N_CUSTOMERS, n=n)
    (Path(__file__).parent / "coverage.md").write_text(page)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
