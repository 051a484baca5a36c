"""Leaderboard of churn models, out of time on order logs and by repeated folds on a table.

    python -m benchmarks.churn cdnow.csv.gz:1997-12-31:181 retail.parquet:2011-09-09:91
    python -m benchmarks.churn telco.csv.gz --speed

A log is judged as of a day: trained on dates whose outcome was known by then, and scored against
what customers did in the days after it. A file with a column of churn is judged by five folds of
customers, repeated.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from crmkit import churn, rfm

_WINDOWS = (30, 90, 365)
_OUTCOMES = {"churn", "churned", "exited", "attrition"}
_DATES = 3


def main() -> None:
    """Print a leaderboard for each file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="a table, or a log as FILE:AS_OF:DAYS")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--speed", action="store_true", help="time training on 200,000 x 40")
    options = parser.parse_args()
    for each in options.files:
        path, _, rest = each.partition(":")
        if rest:
            as_of, _, days = rest.partition(":")
            _out_of_time(path, date.fromisoformat(as_of), int(days))
        else:
            _by_folds(path, repeats=options.repeats)
    if options.speed:
        _speed()


# Logs


def _out_of_time(path: str, as_of: date, days: int) -> None:
    orders = _orders(path)
    first = orders["date"].min().date()
    last_known = as_of - timedelta(days=days)
    dates = _training_dates(first, last_known)
    panel = pd.concat([_panel_of(orders, each, days) for each in dates], ignore_index=True)
    began = time.perf_counter()
    model = churn.fit(panel, horizon_days=days)
    seconds = time.perf_counter() - began
    test = _panel_of(orders, as_of, days)
    scored = churn.score(test, model=model)
    title = (
        f"{path}, {as_of}, {days} days: {len(test):,} customers, {test['churned'].mean():.3f} left"
    )
    print(f"\n{title}\ntrained on {', '.join(map(str, dates))} in {seconds:.1f} s")
    _print(scored, model, seconds)
    shown = churn.evaluate(
        test.assign(p=test["days_since_last"] / (test["days_since_last"].max() + 1)),
        outcome="churned",
        score="p",
        draws=0,
    )
    auc = shown.set_index("metric")["estimate"]["roc_auc"]
    print(f"  recency alone on that day: AUC {auc:.3f}")


def _training_dates(first: date, last: date) -> list[date]:
    """Dates on which the outcome is known, from the last one back, a month apart."""
    step = timedelta(days=30)
    dates = [last - step * i for i in range(_DATES)]
    known = [each for each in dates if (each - first).days >= 28]  # noqa: PLR2004 - some history
    return sorted(known or [last])


def _orders(path: str) -> pd.DataFrame:
    raw = pd.read_parquet(path) if path.endswith(".parquet") else pd.read_csv(path, dtype=str)
    names = {name.lower().replace("_", "").replace(" ", ""): name for name in raw.columns}

    def find(*words: str) -> Any:  # noqa: ANN401 - a column's name
        return next(names[word] for word in words if word in names)

    if "quantity" in names and ("unitprice" in names or "price" in names):
        raw["amount"] = raw[find("quantity")].astype(float) * raw[
            find("unitprice", "price")
        ].astype(float)
        amount = "amount"
    else:
        amount = find("amount", "dollarvalue", "dollars", "value", "spend")
        raw[amount] = raw[amount].astype(float)
    customer, when = find("customerid", "id", "customer"), find("date", "invoicedate")
    raw = raw.dropna(subset=[customer])
    day = raw[when].astype(str).str.slice(0, 10)
    compact = day.str.fullmatch(r"\d{8}").all()
    return pd.DataFrame(
        {
            "customer_id": raw[customer].astype(str),
            "date": pd.to_datetime(day, format="%Y%m%d" if compact else "ISO8601"),
            "amount": raw[amount].astype(float),
        }
    )


def _panel_of(orders: pd.DataFrame, as_of: date, days: int) -> pd.DataFrame:
    """Features as of a day, and who bought nothing in the days after it."""
    day = pd.Timestamp(as_of)
    past = orders[orders["date"] <= day]
    bought = past[past["amount"] > 0]
    table = rfm.summarize(bought, as_of=as_of)
    keyed = table.set_index("customer_id")
    for window in _WINDOWS:
        recent = bought[bought["date"] > day - pd.Timedelta(days=window)]
        by_day = recent.groupby(["customer_id", "date"])["amount"].sum()
        grouped = by_day.groupby("customer_id")
        keyed[f"n_orders_{window}d"] = grouped.size().reindex(keyed.index).fillna(0)
        keyed[f"amount_{window}d"] = grouped.sum().reindex(keyed.index).fillna(0)
    gaps = bought[["customer_id", "date"]].drop_duplicates().sort_values(["customer_id", "date"])
    gap = gaps.groupby("customer_id")["date"].diff().dt.days
    grouped = gap.groupby(gaps["customer_id"])
    keyed["gap_mean_days"] = grouped.mean().reindex(keyed.index)
    keyed["gap_sd_days"] = grouped.std().reindex(keyed.index)
    keyed["silence_over_gap"] = keyed["days_since_last"] / keyed["gap_mean_days"]
    keyed["returned"] = (
        past[past["amount"] < 0].groupby("customer_id").size().reindex(keyed.index).fillna(0)
    )
    later = orders[(orders["date"] > day) & (orders["date"] <= day + pd.Timedelta(days=days))]
    back = set(later.loc[later["amount"] > 0, "customer_id"])
    keyed["churned"] = [each not in back for each in keyed.index]
    found = keyed.reset_index()
    found.insert(1, "date", day)
    return found


# Tables


def _by_folds(path: str, *, repeats: int) -> None:
    table = pd.read_csv(path)
    outcome = next(name for name in table.columns if name.lower() in _OUTCOMES)
    table["churned"] = table[outcome].astype(str).str.lower().isin(["yes", "1", "true"])
    table = table.drop(columns=[] if outcome == "churned" else [outcome])
    id_ = next((n for n in table.columns if "customer" in n.lower() and "id" in n.lower()), None)
    table = (
        table.rename(columns={id_: "customer_id"})
        if id_
        else table.assign(customer_id=range(len(table)))
    )
    for name in table.columns:  # numbers that are blank in some rows
        if name != "customer_id" and not pd.api.types.is_numeric_dtype(table[name]):
            number = pd.to_numeric(table[name].astype(str).str.strip(), errors="coerce")
            if number.notna().mean() > 0.95:  # noqa: PLR2004 - text is hardly ever a number
                table[name] = number
    aucs, errors, briers = [], [], []
    for repeat in range(repeats):
        scored = pd.concat(_folds(table, repeat))
        found = churn.evaluate(scored, outcome="churned", draws=0).set_index("metric")["estimate"]
        aucs.append(found["roc_auc"])
        briers.append(found["brier"])
        errors.append(found["calibration_error_10_equal_count_bins_l1"])
    print(
        f"\n{path}, {repeats} x 5 folds: AUC {np.mean(aucs):.4f}, Brier {np.mean(briers):.4f}, "
        f"calibration error {np.mean(errors):.4f}"
    )
    model = churn.fit(table, label="contract cancelled")
    print(f"  {model.verdict}\n{pd.DataFrame(model.candidates).round(4).to_string(index=False)}")


def _folds(table: pd.DataFrame, repeat: int) -> Iterator[pd.DataFrame]:
    fold = np.random.default_rng(repeat).permutation(len(table)) % 5
    for k in range(5):
        model = churn.fit(table[fold != k].reset_index(drop=True), seed=repeat)
        yield churn.score(table[fold == k].reset_index(drop=True), model=model)


def _print(scored: pd.DataFrame, model: churn.ChurnModel, seconds: float) -> None:
    del seconds
    table = churn.evaluate(scored, outcome="churned", draws=100)
    found = table.set_index("metric")
    for metric in ("roc_auc", "brier", "log_loss", "calibration_slope", "lift_top_10_percent"):
        row = found.loc[metric]
        print(f"  {metric:20} {row['estimate']:.3f}  [{row['lower']:.3f}, {row['upper']:.3f}]")
    print(f"  {model.verdict}")
    print(pd.DataFrame(model.candidates).round(4).to_string(index=False))


def _speed() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(200_000, 40))
    panel = pd.DataFrame(matrix, columns=[f"x{i}" for i in range(40)])
    odds = matrix[:, 0] + 0.5 * matrix[:, 1] * matrix[:, 2] - 1
    panel["churned"] = rng.random(len(panel)) < 1 / (1 + np.exp(-odds))
    panel["customer_id"] = np.arange(len(panel)) // 2
    panel["date"] = np.where(np.arange(len(panel)) % 2, "2024-06-30", "2024-03-31")
    panel["date"] = pd.to_datetime(panel["date"])
    began, cpu = time.perf_counter(), time.process_time()
    model = churn.fit(panel)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"\n200,000 x 40: fit in {wall:.1f} s ({cpu:.1f} CPU s); {model.verdict}")
    began = time.perf_counter()
    churn.score(panel[panel["date"] > "2024-04"].reset_index(drop=True), model=model)
    print(f"100,000 x 40: score in {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
