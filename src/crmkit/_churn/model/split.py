"""Which rows of a panel judge a model: those of later dates."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from crmkit._churn.model.panel import Panel
from crmkit._door import time
from crmkit.errors import FitError

_SHARE_HELD_OUT: Final = 5
FOLDS: Final = 3

Rows = npt.NDArray[np.bool_]


class Split(NamedTuple):
    """Rows to train on, later rows to judge on, and what is to be said of it."""

    train: Rows
    held_out: Rows
    held_out_dates: tuple[str, ...]
    notes: tuple[str, ...]


def split(panel: Panel, *, horizon_days: float | None) -> Split:
    """Hold the last dates out: one of up to nine, or the last fifth.

    Rows whose outcome was not known yet on the first of these are left out of the training.
    """
    days = np.array([]) if panel.day is None else np.unique(panel.day)
    if panel.day is None or len(days) < 2:  # noqa: PLR2004 - one to train on, one to judge
        return _by_customer(panel, len(days))
    later = days[-max(len(days) // _SHARE_HELD_OUT, 1) :]
    held_out = panel.day >= later[0]
    notes = []
    if horizon_days is None:
        train = ~held_out
        notes.append("Without `horizon_days` it is not known whether outcome windows overlap.")
    else:
        train = panel.day + horizon_days <= later[0]
        if not train.any() or _is_of_one_class(panel.churned[train]):
            train = ~held_out
            notes.append(
                f"No earlier date lies {horizon_days:g} days before {time.day_of(int(later[0]))}: "
                "outcome windows of training and validation overlap, so figures are flattering."
            )
    for part, rows in (("earlier", train), ("later", held_out)):
        if _is_of_one_class(panel.churned[rows]):
            msg = (
                f"panel: on the {part} dates all left or all stayed, so nothing can be judged.\n"
                "Give more dates, or a horizon in which some leave and some stay."
            )
            raise FitError(msg)
    dates = tuple(str(time.day_of(int(each))) for each in later)
    return Split(train, held_out, dates, tuple(notes))


def folds(hash_: npt.NDArray[np.int64], *, seed: int) -> npt.NDArray[np.int64]:
    """Divide customers, all rows of one together."""
    return (hash_ // 8 + seed) % FOLDS


def _by_customer(panel: Panel, n_dates: int) -> Split:
    held_out = panel.hash % _SHARE_HELD_OUT == 0
    if _is_of_one_class(panel.churned[held_out]) or _is_of_one_class(panel.churned[~held_out]):
        held_out = panel.hash >= np.median(panel.hash)
    if _is_of_one_class(panel.churned[held_out]) or _is_of_one_class(panel.churned[~held_out]):
        msg = "panel: too few customers of either outcome to judge a model.\nAdd customers."
        raise FitError(msg)
    why = "no column `date`" if n_dates == 0 else "only one date"
    note = (
        f"There is {why}, so the model is judged on a fifth of the customers, drawn by a hash, and "
        "not on later ones."
    )
    return Split(~held_out, held_out, (), (note,))


def _is_of_one_class(churned: npt.NDArray[np.float64]) -> bool:
    return len(churned) == 0 or bool(churned.min() == churned.max())
