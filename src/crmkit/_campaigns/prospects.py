"""Which prospects resemble customers of value, from attributes alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._campaigns import likeness
from crmkit._campaigns.likeness import Flags
from crmkit._door import draw, feature_matrix, frames, time
from crmkit._door.feature_matrix import Features
from crmkit._door.found import with_found
from crmkit._door.frames import Floats
from crmkit._words import formats
from crmkit._words.arguments import require_column_name, require_seed
from crmkit.errors import FitError, InvalidArgumentError, InvalidRowsError
from crmkit.tables import Column
from crmkit.tables.contracts import NOT_MADE

_OUTCOME: Final = "crmkit_outcome"
_JOINED: Final = "crmkit_joined"
_MADE: Final = ("p_valued", "prospect_rank")
_FEWEST: Final = 50
_NEWCOMERS: Final = 0.2
_GROUPS: Final = 10
_SURE: Final = 1.645
_SHOWN: Final = 3


class ScoredProspects(NamedTuple):
    """Prospects by their likeness to valued customers, and how far that holds.

    Attributes
    ----------
    prospects
        The same rows, with `p_valued` and `prospect_rank`.
    lift
        One row per tenth of held-out customers, those ranked first at the top.
    verdict
        What the held-out customers say, in one sentence.
    """

    prospects: Any
    lift: Any
    verdict: str


def score_prospects(
    prospects: IntoFrameT,
    customers: IntoFrame,
    *,
    outcome: str,
    features: Sequence[str],
    joined: str | None = None,
    seed: int = 0,
) -> ScoredProspects:
    """Likeness of prospects to valued customers, with its lift on held-out ones.

    Attributes alone tell little of what somebody will be worth: read `verdict` before the list.
    Likeness is to those who came so far, by the ways they came; prospects of another kind may do
    otherwise.

    Parameters
    ----------
    prospects
        One row per person with `customer_id` and the features.
    customers
        One row per customer with `customer_id`, the features as they were known when the customer
        came, and the outcome. At most about 200,000 of them, drawn by a hash of the id, come to
        this machine.
    outcome
        The column of `customers` that says who is of value: a flag, or 0 and 1.
    features
        Columns of both tables: numbers, flags and text, such as industry, region, source. Nothing
        that is only known of customers.
    joined
        A column of `customers` with the date on which each came. With it the newest fifth is held
        out, and forecast from those before: as prospects will be. Without it each fifth by chance
        is forecast from the others.
    seed
        Decides how customers are divided.

    Returns
    -------
    `prospects`, the same rows with

    ====================  =====  =========================================================
    ``p_valued``          float  probability to become a customer of value, were they one
    ``prospect_rank``     int    1 for the highest; equal ones share a rank
    ====================  =====  =========================================================

    `lift`, one row per tenth of the held-out customers, those with the highest probability first,
    on the engine of `customers`:

    ====================  =====  =========================================================
    ``depth``             float  share of the customers down to this tenth
    ``customers``         float  customers; equal probabilities count in parts
    ``valued``            float  of whom are of value
    ``valued_rate``       float  share of them
    ``lift``              float  that share over the share of all
    ``valued_share``      float  share of all customers of value, down to this tenth
    ====================  =====  =========================================================

    and `verdict`, a sentence.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing or of another kind, the outcome is not 0 or 1, or a prospect is
        listed twice.
    InvalidArgumentError
        If `features` is empty or has the outcome in it.
    FitError
        If there are fewer than 50 customers with either outcome.

    Notes
    -----
    Logistic regression, boosted trees and the mean of all are compared by their log loss in
    cross-fitting, and the best one scores. Where that is the mean, all have the same score.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> known = pd.DataFrame({"customer_id": range(2000), "staff": rng.integers(1, 200, 2000)})
    >>> known["good"] = rng.random(2000) < known["staff"] / 250
    >>> new = pd.DataFrame({"customer_id": ["ann", "ben"], "staff": [5, 180]})
    >>> found = score_prospects(new, customers=known, outcome="good", features=["staff"])
    >>> found.prospects["prospect_rank"].tolist()
    [2, 1]
    >>> print(found.verdict)
    Worth using: AUC 0.77 on held-out customers; the first tenth has 1.9 times the mean share.
    """
    require_seed(seed)
    require_column_name(outcome, argument="outcome")
    if joined is not None:
        require_column_name(joined, argument="joined")
    never = [outcome, "customer_id", *([] if joined is None else [joined])]
    names = feature_matrix.require_features(features, never=never)
    frame, data = _customers(customers, names, outcome, joined)
    learned = feature_matrix.learned(frame, data, names)
    matrix, valued = learned.matrix(data), data[_OUTCOME] == 1
    _require_both(valued)
    learner, p, held = _held_out(learned, matrix, valued, data.get(_JOINED), seed=seed)
    model = likeness.fit(learner, learned, matrix, valued, seed=seed)
    scored = _scored(prospects, learned, model)
    lift = frames.table_like(_lift(p, valued[held]), like=frame)
    return ScoredProspects(
        scored, frames.give(lift, like=customers), _verdict(learner, p, valued[held])
    )


def _customers(
    customers: IntoFrame, names: Sequence[str], outcome: str, joined: str | None
) -> tuple[frames.Frame, dict[str, Any]]:
    others = [
        Column("customer_id", "key", "who"),
        Column(outcome, "key", "whether of value", made_by=NOT_MADE),
    ]
    if joined is not None:
        others.append(Column(joined, "date", "when they came", made_by=NOT_MADE))
    table = feature_matrix.contract("customers", names, others=others)
    frame = frames.read(customers, table)
    dtype = frame.collect_schema()[outcome]
    if not (dtype == nw.Boolean or dtype.is_numeric()):
        msg = (
            f"customers: `{outcome}` has type {dtype}; expected a flag, or 0 and 1.\n"
            "Give 1 for customers of value and 0 for the others."
        )
        raise InvalidArgumentError(msg)
    steps = {_OUTCOME: frames.as_number(outcome, dtype)}
    if joined is not None:
        steps[_JOINED] = time.day_number(frame, joined)
    frame = frames.with_columns(frame, **steps)
    data = draw.collect_draw(frame, *names, *steps)
    wrong = int((~np.isin(data[_OUTCOME].astype(float), (0.0, 1.0))).sum())
    if wrong:
        msg = (
            f"customers: `{outcome}` is not 0 or 1 in {wrong:,} of {len(data[_OUTCOME]):,} rows.\n"
            "Give 1 for customers of value and 0 for the others."
        )
        raise InvalidRowsError(msg, n_rows=wrong, examples=())
    return frame, data


def _require_both(valued: Flags) -> None:
    few = min(int(valued.sum()), int((~valued).sum()))
    if few < _FEWEST:
        msg = (
            f"customers: {int(valued.sum()):,} of {len(valued):,} are of value; at least {_FEWEST} "
            "with and without are needed.\nMove the border of value, or give more customers."
        )
        raise FitError(msg)


def _held_out(
    features: Features,
    matrix: Floats,
    valued: Flags,
    joined: Any,  # noqa: ANN401 - an array, or None
    *,
    seed: int,
) -> tuple[str, Floats, Flags]:
    """Choose the learner, and forecast customers that it was not trained on."""
    if joined is None:
        judged = likeness.judge(features, matrix, valued, seed=seed)
        return judged.learner, judged.p, np.ones(len(valued), dtype=bool)
    day = joined.astype(float)
    held = day > np.quantile(day, 1 - _NEWCOMERS)
    for part, what in ((~held, "who came before"), (held, "newcomers")):
        if not (valued[part].any() and (~valued[part]).any()):
            msg = (
                f"customers: of the {int(part.sum()):,} {what} all have the same outcome.\n"
                "Give customers of more days, or leave out `joined`."
            )
            raise FitError(msg)
    judged = likeness.judge(features, matrix[~held], valued[~held], seed=seed)
    model = likeness.fit(judged.learner, features, matrix[~held], valued[~held], seed=seed)
    return judged.learner, model(matrix[held]), held


def _scored(prospects: IntoFrameT, features: Features, model: likeness.Model) -> IntoFrameT:
    id_ = Column("customer_id", "key", "who")
    frame = feature_matrix.require_same(prospects, features, table="prospects", others=[id_]).drop(
        *_MADE, strict=False
    )
    rows = frame.select("customer_id", *features.names).collect()
    _require_once(rows["customer_id"].to_list())
    matrix = features.matrix(feature_matrix.arrays(rows))
    p = model(matrix) if len(matrix) else np.zeros(0)
    rank = 1 + len(p) - np.searchsorted(np.sort(p), p, side="right")
    scores = {"p_valued": p, "prospect_rank": rank.astype(np.int64)}
    scored = with_found(frame, scores, ids=rows["customer_id"], like=prospects)
    return frames.give(scored, like=prospects)


def _require_once(ids: Sequence[Any]) -> None:
    counts = Counter(ids)
    twice = [each for each, n in counts.items() if n > 1]
    if twice:
        first = ", ".join(map(repr, twice[:_SHOWN]))
        msg = (
            f"prospects: `customer_id` is listed twice for {len(twice):,} of {len(counts):,} "
            f"prospects (customer_id {first}).\nKeep one row of each."
        )
        raise InvalidRowsError(msg, n_rows=len(twice), examples=tuple(twice[:_SHOWN]))


def _lift(p: Floats, valued: Flags) -> dict[str, Floats]:
    """Cut the held-out customers into tenths; equal probabilities count in parts."""
    _, place, n = np.unique(-p, return_inverse=True, return_counts=True)
    found = np.bincount(place, weights=valued)
    depth = np.arange(_GROUPS + 1) / _GROUPS
    ends = np.concatenate([[0.0], np.cumsum(n)])
    total = np.interp(depth * len(p), ends, np.concatenate([[0.0], np.cumsum(found)]))
    each = np.diff(total)
    size = np.full(_GROUPS, len(p) / _GROUPS)
    return {
        "depth": depth[1:],
        "customers": size,
        "valued": each,
        "valued_rate": each / size,
        "lift": each / size / valued.mean(),
        "valued_share": total[1:] / valued.sum(),
    }


def _verdict(learner: str, p: Floats, valued: Flags) -> str:
    if learner == likeness.LEARNERS[0]:
        return "Not worth using: no learner did better on held-out customers than the mean of all."
    area, error = likeness.auc(p, valued)
    said = (
        f"AUC {formats.decimal(area)} on held-out customers; the first tenth has "
        f"{formats.decimal(_lift(p, valued)['lift'][0], digits=1)} times the mean share."
    )
    sure = area - 0.5 > _SURE * error
    return f"{'Worth using' if sure else 'Not shown to be better than chance'}: {said}"
