"""Share of wallet: what customers spend with us, and what they could."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._words.arguments import require_column_name, require_number
from crmkit.errors import InvalidArgumentError
from crmkit.tables import Column, Table
from crmkit.tables.contracts import NOT_MADE

_MADE: Final = ("wallet_share", "headroom", "headroom_to_required", "wallet_finding")
_ABOVE: Final = "share above 1"


def wallet(
    customers: IntoFrameT, *, ours: str, wallet: str, required_share: float | None = None
) -> IntoFrameT:
    """Share of wallet from a survey: share, head-room, and head-room to a required share.

    The assumption that most often fails is that both numbers are of the same period and the same
    category: a year's wallet beside a quarter's sales makes every customer look half won.

    Parameters
    ----------
    customers
        One row per customer, with both columns.
    ours
        The column of money that the customer spends with us.
    wallet
        The column of money that the customer spends in the category with everybody.
    required_share
        The share that is aimed at, as a fraction, such as 0.6.

    Returns
    -------
    The same rows in the same order, with more columns:

    ========================  =====  =========================================================
    ``wallet_share``          float  ours / wallet; null where the wallet is not above 0
    ``headroom``              float  wallet less ours; null where the share is above 1 or
                                     unknown
    ``headroom_to_required``  float  with `required_share`: what lacks to that share of the
                                     wallet, 0 where it is reached; null likewise
    ``wallet_finding``        text   "share above 1" where we sell more than the wallet holds,
                                     so that one of both is wrong; empty otherwise
    ========================  =====  =========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a column, or a customer is there twice.
    InvalidArgumentError
        If `required_share` is not above 0 and at most 1, or the table already has one of the new
        columns.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {"customer_id": ["ann", "ben"], "spend": [25.0, 90.0], "category": [50.0, 60.0]}
    ... )
    >>> found = wallet(customers, ours="spend", wallet="category", required_share=0.6)
    >>> columns = ["wallet_share", "headroom", "headroom_to_required"]
    >>> print(found[columns].to_string(index=False))
     wallet_share  headroom  headroom_to_required
              0.5      25.0                   5.0
              1.5       NaN                   NaN
    >>> found["wallet_finding"].tolist()
    ['', 'share above 1']
    """
    if required_share is not None:
        require_number(
            required_share,
            argument="required_share",
            must="be above 0 and at most 1",
            fits=lambda x: 0 < x <= 1,
            advice="Write 0.6 for 60 % of the wallet.",
        )
    frame = read_customers(customers, ours=ours, wallet=wallet)
    require_free(frame, _MADE)
    mine, all_ = frames.known(ours), frames.known(wallet)
    share = nw.when(all_ > 0).then(mine / all_)
    frame = frames.with_columns(frame, wallet_share=share)
    fits, left = nw.col("wallet_share") <= 1, all_ - mine
    new: dict[str, nw.Expr] = {"headroom": nw.when(fits).then(left)}
    if required_share is not None:
        lacks = all_ * float(required_share) - mine
        lacks = nw.when(lacks > 0).then(lacks).otherwise(nw.lit(0.0))
        new["headroom_to_required"] = nw.when(fits).then(lacks)
    above = (nw.col("wallet_share") > 1).fill_null(value=False)
    new["wallet_finding"] = nw.when(above).then(nw.lit(_ABOVE)).otherwise(nw.lit(""))
    return frames.give(frames.with_columns(frame, **new), like=customers)


def wallet_from_ranks(customers: IntoFrameT, *, ours: str, rank: str, brands: str) -> IntoFrameT:
    """Wallet allocation rule: share of wallet from our rank among the brands used.

    It needs two questions, which brands somebody uses and which they like better, in place of what
    they spend on each. The assumption that most often fails is that all brands used were named: one
    that is left out makes our share too large.

    Parameters
    ----------
    customers
        One row per customer, with the three columns.
    ours
        The column of money that the customer spends with us.
    rank
        The column of our rank among the brands used, 1 for the best; ties have the mean of their
        ranks, such as 1.5.
    brands
        The column of the number of brands used, ours among them.

    Returns
    -------
    The same rows in the same order, with more columns, null where one of the three is:

    ====================  =====  ==============================================
    ``wallet_share``      float  share of wallet by the rule
    ``estimated_wallet``  float  ours / share
    ``headroom``          float  estimated wallet less ours
    ====================  =====  ==============================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a column, a rank or a number of brands is below 1, or a rank exceeds
        the number of brands. The values of a lazy table are not checked; the columns are null
        there.
    InvalidArgumentError
        If the table already has one of the new columns.

    Notes
    -----
    ``share = (1 - rank / (brands + 1)) * 2 / brands``. The shares of one customer's brands sum to
    one; with one brand the share is 1, and no head-room is left.

    References
    ----------
    Keiningham, T. L., Aksoy, L., Buoye, A. & Cooil, B. (2011). Customer loyalty isn't enough. Grow
    your share of wallet. *Harvard Business Review* 89(10), 29-31.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid"],
    ...         "spend": [100.0, 60.0, 50.0],
    ...         "our_rank": [1, 2, 1],
    ...         "brands": [2, 3, 1],
    ...     }
    ... )
    >>> found = wallet_from_ranks(customers, ours="spend", rank="our_rank", brands="brands")
    >>> print(found[["customer_id", "wallet_share", "headroom"]].round(3).to_string(index=False))
    customer_id  wallet_share  headroom
            ann         0.667      50.0
            ben         0.333     120.0
            cid         1.000       0.0
    """
    frame = read_customers(customers, least=1, ours=ours, rank=rank, brands=brands)
    require_free(frame, ("wallet_share", "estimated_wallet", "headroom"))
    place, n = frames.known(rank), frames.known(brands)
    if not frames.is_lazy(customers):
        broken = {f"`{rank}` exceeds `{brands}`": place > n}
        advice = "A rank is a place among the brands that the customer uses, ours among them."
        table = _table({"ours": ours, "rank": rank, "brands": brands})
        frames.require(frame.collect(), table, broken, advice=advice)
    fits = (place >= 1) & (place <= n)
    share = nw.when(fits).then((1.0 - place / (n + 1.0)) * 2.0 / n)
    frame = frames.with_columns(frame, wallet_share=share)
    mine = frames.known(ours)
    frame = frames.with_columns(frame, estimated_wallet=mine / nw.col("wallet_share"))
    left = nw.col("estimated_wallet") - mine
    return frames.give(frames.with_columns(frame, headroom=left), like=customers)


def read_customers(
    customers: IntoFrameT, *, least: float | None = None, **columns: str
) -> frames.Frame:
    """Read customers with columns of numbers; those but ours may have a least value."""
    for argument, column in columns.items():
        require_column_name(column, argument=argument)
    return frames.read(customers, _table(columns, least=least))


def require_free(frame: Any, made: tuple[str, ...]) -> None:  # noqa: ANN401 - a frame
    """Require that the table has none of the columns that are made."""
    there = [name for name in made if frames.has(frame, name)]
    if there:
        msg = f"customers: {frames.quoted(there)} is there already.\nDrop or rename the column."
        raise InvalidArgumentError(msg)


def _table(columns: Mapping[str, str], *, least: float | None = None) -> Table:
    listed = {
        name: Column(
            name,
            "number",
            argument,
            None if argument == "ours" else least,
            nullable=True,
            made_by=NOT_MADE,
        )
        for argument, name in columns.items()
    }
    key = {"customer_id": Column("customer_id", "key", "who", made_by=NOT_MADE)}
    return Table(
        name="customers",
        row="one customer",
        made_by=NOT_MADE,
        columns=tuple((listed | key).values()),
        one_row_each="customer_id",
    )
