"""What a campaign costs and brings: the money behind a churn score."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crmkit._words.arguments import require_number, require_share, require_zero_or_more, shown
from crmkit.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class RetentionCampaign:
    """A campaign that offers customers something to stay (Neslin; Verbraken).

    Those who would leave accept with a probability that is not known exactly; those who would stay
    take the offer anyway.

    Attributes
    ----------
    value
        What a customer who stays is worth: an amount, or the column that has it.
    contact_cost
        Cost of a contact.
    offer_cost
        Cost of an offer that is taken.
    offer_share
        The same as a share of the customer's value, added to `offer_cost`.
    acceptance
        The two parameters of the beta distribution of the probability that one who would leave
        accepts; (6, 14) of the literature has a mean of 0.3.

    Examples
    --------
    >>> campaign = RetentionCampaign(value=200, contact_cost=1, offer_cost=10)
    >>> round(campaign.breakeven_probability, 3)
    0.164
    """

    value: float | str
    contact_cost: float
    offer_cost: float = 0.0
    offer_share: float = 0.0
    acceptance: tuple[float, float] = (6.0, 14.0)

    def __post_init__(self) -> None:
        """Refuse amounts below 0 and parameters that are none."""
        if not isinstance(self.value, str):
            _require_amount(self.value, "value")
        _require_amount(self.contact_cost, "contact_cost")
        _require_amount(self.offer_cost, "offer_cost")
        require_share(self.offer_share, argument="offer_share", advice="Write 0.05 for 5 %.")
        if not (isinstance(self.acceptance, tuple | list) and len(self.acceptance) == 2):  # noqa: PLR2004 - of a beta distribution
            msg = f"`acceptance` must be two numbers, got {shown(self.acceptance)}.\nWrite (6, 14)."
            raise InvalidArgumentError(msg)
        for each in self.acceptance:
            require_number(
                each,
                argument="acceptance",
                must="hold numbers above 0",
                fits=lambda x: 0 < x < math.inf,
                advice="Write (6, 14).",
            )

    @property
    def acceptance_rate(self) -> float:
        """Mean probability that one who would leave accepts."""
        alpha, beta = self.acceptance
        return alpha / (alpha + beta)

    @property
    def breakeven_probability(self) -> float:
        """Churn probability from which a contact pays: (d + c) / (g V + d (1 - g)).

        With d the cost of the offer, c of the contact, V the value and g the acceptance rate. NaN
        where the value is a column, and infinite where no contact pays.
        """
        if isinstance(self.value, str):
            return math.nan
        offer = self.offer_cost + self.offer_share * self.value
        gain = self.acceptance_rate * self.value + offer * (1 - self.acceptance_rate)
        return (offer + self.contact_cost) / gain if gain > 0 else math.inf


@dataclass(frozen=True, slots=True)
class AcquisitionCampaign:
    """A campaign to win prospects; the outcome is then who was won.

    Attributes
    ----------
    contribution
        Mean contribution of a customer won.
    contact_cost
        Cost of a contact.
    sales_cost
        Cost of a sale by the company's own people.
    direct_share
        Share of sales by them; the rest goes through others for a commission.
    commission
        Their share of the contribution.
    contribution_shape
        Shape of the gamma distribution of the mean contribution, which is not known exactly.

    Examples
    --------
    >>> AcquisitionCampaign(contribution=8000, contact_cost=50, sales_cost=500).commission
    0.1
    """

    contribution: float
    contact_cost: float
    sales_cost: float = 0.0
    direct_share: float = 1.0
    commission: float = 0.1
    contribution_shape: float = 12.0

    def __post_init__(self) -> None:
        """Refuse amounts below 0 and shares that are none."""
        for name in ("contribution", "contact_cost", "sales_cost"):
            _require_amount(getattr(self, name), name)
        for name in ("direct_share", "commission"):
            require_share(getattr(self, name), argument=name)
        require_number(
            self.contribution_shape,
            argument="contribution_shape",
            must="be above 0",
            fits=lambda x: 0 < x < math.inf,
            advice="Write 12.",
        )


def _require_amount(value: float, name: str) -> None:
    require_zero_or_more(value, argument=name, advice="Give an amount of money.")
