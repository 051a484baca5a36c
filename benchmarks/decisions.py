"""Do the numbers that people act on hold? Tested out of time on every log in a folder.

    python -m benchmarks.decisions FOLDER
    python -m benchmarks.decisions FOLDER --models bg_nbd pareto_nbd --only cdnow_master

At each origin everything is fitted on what was known then, the calibration of the risk too, and
compared with the days after it: who made no purchase (area under the ROC curve, Brier score, mean
calibration error by deciles), and how much of the money lost the tenth of customers with most
value at risk holds. Money lost is that of customers active in the last horizon who then buy
nothing, at what they brought in that horizon.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import rankdata

from crmkit import churn, clv, read_log, rfm
from crmkit.errors import CrmkitError, CrmkitWarning, FitError

Floats = npt.NDArray[np.float64]

_ORIGINS: Final[dict[str, list[tuple[date, int]]]] = {
    "cdnow_master": [(date(1997, 12, 31), 181), (date(1997, 9, 30), 91)],
    "online_retail_2010_2011": [(date(2011, 9, 9), 91), (date(2011, 7, 9), 60)],
}
"""Origins and horizons in days; any other log has two, a quarter of its time before its end."""

_LONGEST: Final = 181
_TENTH: Final = 0.1
_FEWEST_CUSTOMERS: Final = 200


class Case(NamedTuple):
    """A log seen from an origin."""

    log: str
    orders: pl.DataFrame
    origin: date
    horizon_days: int

    @property
    def ends(self) -> date:
        """Last day of the horizon."""
        return self.origin + timedelta(days=self.horizon_days)


def main() -> None:
    """Read the command line, and print a table for each origin of each log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", default=["bg_nbd", "pareto_nbd"])
    parser.add_argument("--only", nargs="+", default=[], help="names of logs, without suffix")
    options = parser.parse_args()
    warnings.simplefilter("ignore", CrmkitWarning)
    for path in sorted(options.folder.iterdir()):
        if path.is_dir() or (options.only and _name(path) not in options.only):
            continue
        try:
            cases = list(_cases(path))
        except CrmkitError as error:
            print(f"{path.name}: not a log: {str(error).splitlines()[0][:90]}\n")
            continue
        for case in cases:
            _print(case, options.models)


def _cases(path: Path) -> Iterator[Case]:
    orders = read_log(path, accept_loss=1.0, backend="polars").kept
    if "amount" not in orders.columns:
        orders = orders.with_columns(amount=pl.lit(1.0))
    days = orders["date"].cast(pl.Date)
    first, last = days.min(), days.max()
    assert isinstance(first, date), "a log has dates"
    assert isinstance(last, date), "a log has dates"
    horizon = min((last - first).days // 4, _LONGEST)
    plain = [(last - timedelta(days=n * horizon), horizon) for n in (1, 2)] if horizon else []
    for origin, horizon_days in _ORIGINS.get(_name(path), plain):
        yield Case(_name(path), orders, origin, horizon_days)


def _print(case: Case, models: list[str]) -> None:
    """Print what each way of ranking finds."""
    days = rfm.purchase_days(case.orders, as_of=case.ends)
    held_out = rfm.holdout(days, split=case.origin, as_of=case.ends).sort("customer_id")
    inactive = (held_out["frequency_holdout"] == 0).to_numpy()
    title = f"{case.log}, {case.origin}, {case.horizon_days} days"
    if len(inactive) < _FEWEST_CUSTOMERS or inactive.all() or not inactive.any():
        print(f"{title}: nothing to tell apart among {len(inactive)} customers\n")
        return
    past = churn.past_amount(days, as_of=case.origin, horizon_days=case.horizon_days)
    amount = held_out.select("customer_id").join(past, on="customer_id", how="left")["past_amount"]
    money = np.maximum(amount.fill_null(0.0).to_numpy(), 0.0)
    active = (held_out["days_since_last"] < case.horizon_days).to_numpy()
    print(f"{title}: {len(inactive):,} customers, {inactive.mean():.1%} inactive")
    print(f"  {'ranking':42}{'AUC':>7}{'Brier':>7}{'error':>7}{'lost money in top tenth':>26}")
    for name, score, stake in _rankings(case, days, held_out, money, models):
        is_risk = score.min() >= 0 and score.max() <= 1
        brier = f"{np.mean((score - inactive) ** 2):7.3f}" if is_risk else " " * 7
        error = f"{_calibration_error(score, inactive):7.3f}" if is_risk else " " * 7
        found = _found(stake[active], (money * inactive)[active])
        print(f"  {name:42}{_auc(score, inactive):7.3f}{brier}{error}{found:26.3f}")
    print()


def _rankings(
    case: Case, days: pl.DataFrame, held_out: pl.DataFrame, money: Floats, models: list[str]
) -> Iterator[tuple[str, Floats, Floats]]:
    """Give name, score (higher is riskier) and value at stake of each ranking."""
    seen = rfm.summarize(days, as_of=case.origin).sort("customer_id")
    assert seen["customer_id"].equals(held_out["customer_id"]), "the same customers"
    for model in models:
        try:
            fit = clv.fit(seen, model=model)
        except FitError as error:
            print(f"  {model}: {str(error).splitlines()[0]}")
            continue
        calibration = _calibration(case, days, model)
        for suffix, each in (("", None), (", calibrated", calibration)):
            rated = churn.risk(
                seen, purchases=fit, horizon_days=case.horizon_days, calibration=each
            )
            risk = rated["churn_risk"].to_numpy()
            if suffix and (each is None or each.method == "identity"):
                continue  # the same risk again
            how = "" if each is None else f" ({each.method})"
            yield f"churn_risk, {model}{suffix}{how}", risk, money * risk
        alive = clv.predict(seen, purchases=fit, horizon_days=case.horizon_days)
        ahead = alive["expected_purchases"].to_numpy()
        gone = 1 - alive["p_alive"].to_numpy()
        yield f"1 - p_alive, {model}; expected x gone", gone, money * 0 + ahead * gone
    days_since = seen["days_since_last"].to_numpy().astype(float)
    yield "recency; past money x recency", days_since, money * days_since
    scored = rfm.score(seen, breakpoints=rfm.breakpoints(seen))
    code = -scored["rfm_code"].cast(pl.Float64).to_numpy()
    yield "RFM code; past money", code, money
    total = -scored["rfm_sum"].cast(pl.Float64).to_numpy()
    yield "RFM sum; RFM sum", total, total
    frequency = -seen["frequency"].to_numpy().astype(float)
    yield "frequency; total amount", frequency, seen["total_amount"].to_numpy()


def _calibration(case: Case, days: pl.DataFrame, model: str) -> churn.RiskCalibration | None:
    """Learn from the last horizon before the origin, or from half of the time, as the job does."""
    first = days["date"].cast(pl.Date).min()
    assert isinstance(first, date), "a log has dates"
    middle = first + (case.origin - first) // 2
    split = max(middle, case.origin - timedelta(days=case.horizon_days))
    try:
        seen = rfm.holdout(days, split=split, as_of=case.origin)
        fit = clv.fit(seen, model=model)
        n_days = (case.origin - split).days
        return churn.fit_calibration(churn.risk(seen, purchases=fit, horizon_days=n_days))
    except FitError:
        return None


def _auc(score: Floats, inactive: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve: how often an inactive customer ranks above an active one."""
    n, n_inactive = len(score), int(inactive.sum())
    above = rankdata(score)[inactive].sum() - n_inactive * (n_inactive + 1) / 2
    return float(above / (n_inactive * (n - n_inactive)))


def _calibration_error(risk: Floats, inactive: npt.NDArray[np.bool_]) -> float:
    """Mean distance of said and happened over ten groups of like risk."""
    groups = np.array_split(np.argsort(risk, kind="stable"), 10)
    return float(np.mean([abs(risk[each].mean() - inactive[each].mean()) for each in groups]))


def _found(stake: Floats, lost: Floats) -> float:
    """Share of the money lost that the tenth with most at stake holds."""
    n = max(round(_TENTH * len(stake)), 1)
    first = np.argsort(-stake, kind="stable")[:n]
    return float(lost[first].sum() / lost.sum()) if lost.sum() else float("nan")


def _name(path: Path) -> str:
    return path.name.partition(".")[0]


if __name__ == "__main__":
    main()
