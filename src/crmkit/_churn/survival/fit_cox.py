"""Cox regression: which features go with an earlier end."""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import NormalDist
from typing import Any, Final, Literal

import numpy as np
from narwhals.typing import IntoFrame
from scipy.special import chdtrc

from crmkit._churn.survival import durations
from crmkit._churn.survival.concordance import concordance
from crmkit._churn.survival.durations import DURATION, ENTRY, EVENT, Flags, Spells
from crmkit._door import feature_matrix, frames
from crmkit._door.feature_matrix import Features
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_backend, require_choice, require_column_name
from crmkit._words.rates import require_level
from crmkit.errors import FitError, InvalidArgumentError
from crmkit.tables import Column
from crmkit.tables.contracts import NOT_MADE
from crmkit.typing import Backend

Ties = Literal["efron", "breslow"]

_NEVER: Final = ("start", "end", "duration", "event", "entry", "customer_id")
_SURELY_LOST: Final = 20.0
"""Log hazard ratios of one standard deviation: e^20 is what a separating feature gives."""
_FLAT: Final = 1e-4
"""Slope of the log-likelihood per end at which the search has settled."""
_STRATUM: Final = "crmkit_stratum"


@dataclass(frozen=True, slots=True, eq=False)
class CoxFit:
    """Cox regression of contracts: effect of each feature on the rate of ending.

    Attributes
    ----------
    terms
        One row per coefficient: `term`, `coefficient`, `standard_error`, `hazard_ratio`, `lower`
        and `upper` of the ratio, and `p_value`.
    features
        The columns that it was fitted to.
    ties
        How ends on the same day are counted: "efron" or "breslow".
    n_contracts, n_events
        Contracts that it was fitted to, and how many of them ended.
    n_left_out
        Contracts that were left out, since a feature is null.
    log_likelihood, null_log_likelihood
        Log of the partial likelihood, with the features and without.
    lr_statistic, lr_degrees, lr_p_value
        Likelihood ratio test of all features together.
    concordance
        Share of pairs in which the contract with the higher hazard ended first; .5 by chance. NaN
        where contracts were first seen late.
    """

    terms: tuple[dict[str, Any], ...]
    features: Features
    ties: Ties
    n_contracts: int
    n_events: int
    n_left_out: int
    log_likelihood: float
    null_log_likelihood: float
    lr_statistic: float
    lr_degrees: int
    lr_p_value: float
    concordance: float

    def __repr__(self) -> str:
        """Show the hazard ratios."""
        ratios = ", ".join(f"{row['term']} {row['hazard_ratio']:.3g}" for row in self.terms)
        return (
            f"CoxFit(hazard ratios: {ratios}; {self.n_events:,} of {self.n_contracts:,} "
            f"contracts ended)"
        )

    def table(self, *, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - native to `backend`
        """Give the coefficients as a table of a library."""
        require_backend(backend)
        columns = {name: [row[name] for row in self.terms] for name in self.terms[0]}
        return frames.new_table(columns, backend=backend)


def fit_cox(
    contracts: IntoFrame,
    *,
    features: Sequence[str],
    as_of: date | str | None = None,
    observed_from: date | str | None = None,
    strata: str | None = None,
    ties: Ties = "efron",
    level: float = 0.95,
) -> CoxFit:
    """Cox regression: how much earlier contracts end by feature (hazard ratios).

    A hazard ratio of 1.2 is a rate of ending 20 % higher, others things being equal, at every age
    of the contract: that it is the same at every age is the assumption that most often fails. It
    is an association, not what would happen if the feature were changed.

    Parameters
    ----------
    contracts
        As in `crmkit.churn.survival`, with the features. All of them come to this machine.
    features
        Columns known when the contract began: numbers, flags and text. A text column gives a
        coefficient for each value but the first by the alphabet.
    as_of
        As in `crmkit.churn.survival`.
    observed_from
        As in `crmkit.churn.survival`.
    strata
        A column whose values each have their own baseline, such as the product.
    ties
        How ends on the same day are counted: "efron", which is closer, or "breslow".
    level
        Level of the intervals.

    Returns
    -------
    A frozen `CoxFit`; its method `table()` has a row per coefficient.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        As `crmkit.churn.survival`.
    InvalidArgumentError
        If `features` is empty, or has a column of the duration itself; if `ties` or `level` is
        wrong, or statsmodels is not installed.
    FitError
        If no contract ended, a feature is constant or follows from others, or the search does not
        settle, as where a feature separates those who end from those who stay.

    Notes
    -----
    Fitted by statsmodels (``pip install "crmkit[survival]"``). A contract with an unknown feature
    is left out and counted in `n_left_out`.

    References
    ----------
    Cox, D. R. (1972). Regression models and life-tables. *JRSS B* 34(2), 187-220.
    Efron, B. (1977). The efficiency of Cox's likelihood function for censored data. *JASA*
    72(359), 557-565. https://doi.org/10.1080/01621459.1977.10480613

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> monthly = rng.random(2000) < 0.5
    >>> ends = rng.exponential(np.where(monthly, 10, 20))
    >>> followed = pd.DataFrame(
    ...     {"duration": np.minimum(ends, 24), "event": ends < 24, "monthly": monthly}
    ... )
    >>> fit = fit_cox(followed, features=["monthly"])
    >>> bool(1.8 < fit.terms[0]["hazard_ratio"] < 2.3)
    True
    """
    names = feature_matrix.require_features(features, never=_NEVER)
    require_choice(ties, ("efron", "breslow"), argument="ties")
    require_level(level)
    if strata is not None:
        require_column_name(strata, argument="strata")
    learner = _learner()
    data, learned = _rows(contracts, names, as_of=as_of, observed_from=observed_from, strata=strata)
    terms, matrix = _terms(learned, data)
    known: Flags = np.isfinite(matrix.sum(axis=1))
    strata_of = None if strata is None else _codes(data[_STRATUM])
    history = durations.spells_of(
        data,
        n=np.ones(len(known)),
        keys={"row": np.arange(len(known)), "known": known},
    )
    rows = history.keys["row"]
    usable = known[rows]
    chosen, spells = matrix[rows[usable]], history.where(usable)
    _require_varied(terms, chosen, spells)
    within = None if strata_of is None else strata_of[rows[usable]]
    return _fitted(
        learner,
        terms,
        chosen,
        spells,
        within,
        features=learned,
        ties=ties,
        level=level,
        n_left_out=int((~usable).sum()),
    )


def _fitted(
    learner: Any,  # noqa: ANN401 - a class of statsmodels
    terms: Sequence[str],
    matrix: Floats,
    spells: Spells,
    strata: Floats | None,
    *,
    features: Features,
    ties: Ties,
    level: float,
    n_left_out: int,
) -> CoxFit:
    """Fit to features of mean 0 and deviation 1, so that the search is well scaled."""
    spread = matrix.std(axis=0)
    scaled = (matrix - matrix.mean(axis=0)) / spread
    is_late = bool(np.isfinite(spells.entry).any())
    # Only the order of days counts; as numbers of it, an entry falls between two of them.
    days, place = np.unique(spells.duration, return_inverse=True)
    model = learner(
        place + 1.0,
        scaled,
        status=spells.event.astype(float),
        entry=np.searchsorted(days, spells.entry, side="right") + 0.5 if is_late else None,
        strata=strata,
        ties=ties,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.fit(disp=0)
    if not (found.bse < _SURELY_LOST).all() or not (abs(found.params) < _SURELY_LOST).all():
        _refuse_fit()
    if np.abs(model.score(found.params)).max() > _FLAT * spells.event.sum():
        _refuse_fit()
    beta, error = found.params / spread, found.bse / spread
    z = NormalDist().inv_cdf((1 + level) / 2)
    full, null = float(found.llf), float(model.loglike(np.zeros(len(terms))))
    rows = tuple(
        {
            "term": term,
            "coefficient": float(b),
            "standard_error": float(e),
            "hazard_ratio": math.exp(b),
            "lower": math.exp(b - z * e),
            "upper": math.exp(b + z * e),
            "p_value": math.erfc(abs(b / e) / math.sqrt(2)),
        }
        for term, b, e in zip(terms, beta, error, strict=True)
    )
    statistic = 2 * (full - null)
    return CoxFit(
        terms=rows,
        features=features,
        ties=ties,
        n_contracts=len(spells),
        n_events=int(spells.event.sum()),
        n_left_out=n_left_out,
        log_likelihood=full,
        null_log_likelihood=null,
        lr_statistic=statistic,
        lr_degrees=len(terms),
        lr_p_value=float(chdtrc(len(terms), max(statistic, 0.0))),
        concordance=math.nan
        if is_late
        else concordance(spells.duration, spells.event, matrix @ beta, strata=strata),
    )


def _rows(
    contracts: IntoFrame,
    names: Sequence[str],
    *,
    as_of: date | str | None,
    observed_from: date | str | None,
    strata: str | None,
) -> tuple[dict[str, Any], Features]:
    wanted = [*names, *([] if strata is None else [strata])]
    columns = [Column(name, "key", "feature", nullable=True, made_by=NOT_MADE) for name in wanted]
    frame, parts = durations.followed(
        contracts, as_of=as_of, observed_from=observed_from, columns=columns
    )
    chosen = [*dict.fromkeys([DURATION, ENTRY, EVENT, *wanted])]
    collected = [feature_matrix.collected(part, chosen) for part in parts]
    data = {name: np.concatenate([part[name] for part in collected]) for name in chosen}
    if strata is not None:
        data[_STRATUM] = data[strata]
    return data, feature_matrix.learned(frame, data, names)


def _terms(features: Features, data: dict[str, Any]) -> tuple[list[str], Floats]:
    """Lay out the columns: a text column as one for each value but the first."""
    terms, columns = [], []
    for each in features.columns:
        numbers = Features((each,)).matrix(data)[:, 0]
        if each.kind != "text":
            terms.append(each.name)
            columns.append(numbers)
        for code, category in enumerate(each.categories[1:], start=1):
            terms.append(f"{each.name}: {category}")
            columns.append(np.where(np.isnan(numbers), np.nan, numbers == code))
    if not terms:
        msg = "`features` has one value only, in all columns.\nName columns that differ."
        raise FitError(msg)
    return terms, np.column_stack(columns)


def _codes(values: Any) -> Floats:  # noqa: ANN401 - an array of any type
    _, codes = np.unique(np.array([str(value) for value in values]), return_inverse=True)
    return codes.astype(float)


def _require_varied(terms: Sequence[str], matrix: Floats, spells: Spells) -> None:
    if not spells.event.any():
        msg = "contracts: none ended, so that nothing can be learned of ends.\nGive a longer time."
        raise FitError(msg)
    constant = [term for term, same in zip(terms, np.ptp(matrix, axis=0) == 0, strict=True) if same]
    if constant:
        msg = f"contracts: {frames.quoted(constant)} is the same in all rows.\nLeave it out."
        raise FitError(msg)
    centred = matrix - matrix.mean(axis=0)
    if np.linalg.matrix_rank(centred / centred.std(axis=0)) < len(terms):
        msg = (
            f"contracts: of {frames.quoted(terms)} at least one follows from the others.\n"
            "Leave one of them out."
        )
        raise FitError(msg)


def _refuse_fit() -> None:
    msg = (
        "contracts: the search for the coefficients does not settle.\n"
        "A feature may separate those who ended from all others: leave it out, or join its values."
    )
    raise FitError(msg)


def _learner() -> Any:  # noqa: ANN401 - a class of statsmodels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("statsmodels.duration.hazard_regression").PHReg
    except ImportError:
        msg = (
            "Cox regression needs the package statsmodels, which is not installed.\n"
            'Install it with pip install "crmkit[survival]".'
        )
        raise InvalidArgumentError(msg) from None
