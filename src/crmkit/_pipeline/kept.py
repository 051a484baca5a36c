"""The fitted values of the main job, to keep in a folder and apply again next month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from crmkit._intake.currencies import WRITTEN, can_stand_for_one
from crmkit._pipeline import kept_folder
from crmkit._words import kept as kept_text
from crmkit._words.arguments import require_fitted, shown
from crmkit.churn import RiskCalibration
from crmkit.clv import Fit, Trees
from crmkit.errors import InvalidArgumentError
from crmkit.lifecycle import StageRules
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS
from crmkit.rfm import Breakpoints
from crmkit.tiers import TierRule

Counts = Mapping[str, Mapping[str, int]]
"""Of each measure, such as `r_score` or `stage`: customers by its value."""


@dataclass(frozen=True, slots=True)
class About:
    """What fitted values were fitted to, and when.

    Attributes
    ----------
    as_of
        The day that they were fitted as of. What was missing then and fitted later is of a later
        day.
    n_customers
        Customers who had bought by then.
    n_purchase_days
        Days on which they had bought, each customer's counted apart; None where these are unknown.
    currency
        Sign or code of the amounts; empty where it is unknown.
    horizon_days
        How far the job looked ahead; None for one that does not.
    version
        The crmkit that fitted them.
    counts
        Customers by score, segment, stage and tier, to see next month what has moved.
    """

    as_of: date
    n_customers: int = 0
    n_purchase_days: int | None = None
    currency: str = ""
    horizon_days: float | None = None
    version: str = field(default_factory=lambda: version("crmkit"))
    counts: Counts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """The fitted values of the main job, to keep and apply again next month.

    None for what is left out, which `crmkit.pipeline.run` then fits anew.

    Attributes
    ----------
    breakpoints, purchases, spend, stages, tiers, risk
        Cut points of the scores, purchase and spend model, rules of stages and tiers, and the
        calibration of churn risk.
    about
        What they were fitted to, and when; None for values that were put together by hand.
    trees
        Boosted trees to rank by, where the job used them.
    """

    breakpoints: Breakpoints | None = None
    purchases: Fit | None = None
    spend: Fit | None = None
    stages: StageRules | None = None
    tiers: TierRule | None = None
    risk: RiskCalibration | None = None
    about: About | None = None
    trees: Trees | None = None

    def __post_init__(self) -> None:
        """Require a value of the right kind in each field."""
        for name, (type_, made_by) in _MADE.items():
            if getattr(self, name) is not None:
                require_fitted(getattr(self, name), type_, argument=name, made_by=made_by)
        for name, models in (("purchases", PURCHASE_MODELS), ("spend", SPEND_MODELS)):
            fit = getattr(self, name)
            if fit is not None and fit.name not in models:
                msg = f"`{name}` is a fit of {fit.name}.\nFit one of {', '.join(models)}."
                raise InvalidArgumentError(msg)

    def save(self, folder: str | Path) -> tuple[Path, ...]:
        """Write the values to a folder as JSON, one file each, and `about.json` on all of them.

        Parameters
        ----------
        folder
            Made if it is missing. Files of these names in it are written over.

        Returns
        -------
        The files written.

        Raises
        ------
        InvalidArgumentError
            If `folder` is not a path, or `about` is missing.
        """
        if self.about is None:
            msg = (
                "Kept: `about` is missing, so nobody could tell next month what the values are of."
                "\nGive about=crmkit.pipeline.About(as_of=...)."
            )
            raise InvalidArgumentError(msg)
        values = {name: getattr(self, name) for name in _MADE}
        texts = {name: _text(value) for name, value in values.items() if value is not None}
        return kept_folder.write(kept_folder.path_of(folder), texts, about=_as_json(self.about))

    @classmethod
    def load(cls, folder: str | Path) -> Kept:
        """Read the values that `save` wrote to a folder.

        Parameters
        ----------
        folder
            The folder, such as ``out/kept`` of the command.

        Returns
        -------
        The values.

        Raises
        ------
        InvalidArgumentError
            If a file is missing, has changed since, or comes of a later version of crmkit. The
            message names the file.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> from crmkit import rfm
        >>> cuts = rfm.Breakpoints(n=2, days_since_last=(90,), orders=(2,))
        >>> mine = Kept(breakpoints=cuts, about=About(as_of=date(2024, 12, 31)))
        >>> with TemporaryDirectory() as folder:
        ...     print([path.name for path in mine.save(folder)])
        ...     Kept.load(folder) == mine
        ['breakpoints.json', 'about.json']
        True
        """
        types = {name: type_ for name, (type_, _) in _MADE.items()}
        path = kept_folder.path_of(folder)
        about, values = kept_folder.read(path, about=_ABOUT, values=types)
        try:
            return cls(**values, about=About(**about))
        except InvalidArgumentError as error:
            raise kept_folder.of_file(path / kept_folder.ABOUT, error) from None

    def completed(self, fitted: Kept) -> Kept:
        """Fill what is missing by what was fitted now; what is kept stays."""
        known = {
            each.name: getattr(self, each.name) or getattr(fitted, each.name)
            for each in fields(self)
        }
        if self.about is not None and fitted.about is not None:
            counts = {**fitted.about.counts, **self.about.counts}
            known["about"] = replace(self.about, counts=counts)
        return Kept(**known)


def _read_day(value: Any, place: str) -> date:  # noqa: ANN401 - anything that JSON can hold
    text = kept_text.text(value, place)
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"`{place}` must be a date in ISO text, got {shown(text)}."
        raise InvalidArgumentError(msg) from None


_MADE: Final[Mapping[str, tuple[Any, str]]] = {
    "breakpoints": (Breakpoints, "crmkit.rfm.breakpoints"),
    "purchases": (Fit, "crmkit.clv.fit"),
    "spend": (Fit, "crmkit.clv.fit"),
    "stages": (StageRules, "crmkit.lifecycle.fit_rules"),
    "tiers": (TierRule, "crmkit.tiers.rule"),
    "risk": (RiskCalibration, "crmkit.churn.fit_calibration"),
    "trees": (Trees, "crmkit.clv.fit_trees"),
}
"""The fitted values: the type of each, and what makes it."""

_ABOUT: Final[Mapping[str, kept_text.Reader[Any]]] = {
    "as_of": _read_day,
    "n_customers": kept_text.whole,
    "n_purchase_days": kept_text.optional(kept_text.whole),
    "currency": kept_text.text,
    "horizon_days": kept_text.optional(kept_text.positive),
    "version": kept_text.text,
    "counts": kept_text.mapping_of(kept_text.mapping_of(kept_text.whole)),
}


def require_kept(kept: Kept | None, *, as_of: date, currency: str) -> Kept:
    """Require kept values that are not of a later day, nor of money of another currency."""
    if kept is None:
        return Kept()
    require_fitted(kept, Kept, argument="kept", made_by="crmkit.pipeline.Kept.load")
    about = kept.about
    if about is None:
        return kept
    if about.as_of > as_of:
        msg = (
            f"`kept` was fitted as of {about.as_of}, after `as_of` {as_of}, and would know what "
            "was still to come.\nGive values of that day or before, or a later `as_of`."
        )
        raise InvalidArgumentError(msg)
    if not _can_be_the_same(about.currency, currency):
        msg = (
            f"`kept` was fitted to amounts in {about.currency}, and these are in {currency}.\n"
            "Convert the amounts, or fit anew without `kept`. If both are the same, write "
            f"currency={about.currency!r}."
        )
        raise InvalidArgumentError(msg)
    return kept


def require_currency(currency: object) -> str:
    """Require a sign or code of a currency as text, and give it without spaces around it."""
    if not isinstance(currency, str):
        msg = f'`currency` must be text, got {shown(currency)}.\nWrite "$" or "EUR".'
        raise InvalidArgumentError(msg)
    return currency.strip()


def _can_be_the_same(one: str, other: str) -> bool:
    """Whether two currencies can be the same, as "$" and "USD" can; an unknown one can be any."""
    both = {one.upper(), other.upper()} - {""}
    return len(both) < 2 or (both <= {*WRITTEN} and can_stand_for_one(both))  # noqa: PLR2004 - two


def _text(value: Any) -> str:  # noqa: ANN401 - a fitted value
    """Write a value as it is written once it was read, so that saving again changes nothing."""
    text: str = type(value).from_json(value.to_json()).to_json()
    return text


def _as_json(about: About) -> dict[str, Any]:
    named = {each.name: getattr(about, each.name) for each in fields(about)}
    counts = {name: dict(each) for name, each in about.counts.items()}
    horizon_days = None if about.horizon_days is None else float(about.horizon_days)
    return named | {
        "as_of": about.as_of.isoformat(),
        "horizon_days": horizon_days,
        "counts": counts,
    }
