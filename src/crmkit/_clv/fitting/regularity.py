"""What the CNBD-k take beside the histories: k, and the days between purchases."""

from __future__ import annotations

from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words.arguments import listed, require_whole
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.tables import SUMMARY, Table

_MODELS: Final = ("bg_cnbd_k", "mbg_cnbd_k")
_GAPS: Final = Table(
    name=SUMMARY.name,
    row=SUMMARY.row,
    made_by=SUMMARY.made_by,
    columns=tuple(
        column for column in SUMMARY.columns if column.name in ("frequency", "sum_log_gaps")
    ),
)


def require_k(k: int | None, *, name: str) -> None:
    """Require a whole number of arrivals, and a model that has them."""
    if k is None:
        return
    if name not in _MODELS:
        msg = f"`{name}` has no parameter `k`.\nIt is for {listed(_MODELS)}."
        raise InvalidArgumentError(msg)
    require_whole(k, argument="k", least=1, advice="Write 2 for fairly regular purchases.")


def regularity(customers: IntoFrame, x: Floats, /, *, name: str, k: int | None) -> dict[str, Any]:
    """Options of the fit of a CNBD-k; none for another model."""
    return {"k": k} | log_gaps(customers, x, name=name) if name in _MODELS else {}


def log_gaps(customers: IntoFrame, x: Floats, /, *, name: str) -> dict[str, Floats]:
    """Logs of the days between the purchases of each row, for a CNBD-k and where they are known.

    The likelihood depends on the logs through their total only, so each row has its share.
    """
    mean = _mean_log_gap(customers) if name in _MODELS else None
    return {} if mean is None else {"log_gaps": mean * x}


def _mean_log_gap(customers: IntoFrame) -> float | None:
    """Mean log of the days between purchases; None where the table does not have their sum."""
    if not frames.has(frames.reopen(customers), "sum_log_gaps"):
        return None
    frame = frames.read(customers, _GAPS)
    repeats, logs = frames.known("frequency"), frames.known("sum_log_gaps")
    unknown = nw.when((repeats > 0) & logs.is_null()).then(1.0).otherwise(0.0)
    (row,) = frames.rows(
        frame.select(repeats=repeats.sum(), logs=logs.sum(), unknown=unknown.sum())
    )
    n_unknown = round(row["unknown"] or 0.0)
    if n_unknown:
        msg = (
            f"{SUMMARY.name}: `sum_log_gaps` is null for {n_unknown:,} customers with repeat "
            "purchases.\nBuild this table with crmkit.rfm.summarize(..., log_gaps=True)."
        )
        raise InvalidRowsError(msg, n_rows=n_unknown, examples=())
    return float(row["logs"] / row["repeats"]) if row["repeats"] else 0.0
