"""A fitted churn model: what it computes, how it was judged, and its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from crmkit._churn.model import blend
from crmkit._churn.model.blend import Blend
from crmkit._door import feature_matrix
from crmkit._door.feature_matrix import Features
from crmkit._words import kept
from crmkit._words.arguments import shown
from crmkit.errors import InvalidArgumentError

_KIND: Final = "ChurnModel"
_CANDIDATE: Final[Mapping[str, kept.Reader[Any]]] = {
    "candidate": kept.text,
    "log_loss": kept.number,
    "brier": kept.number,
    "auc": kept.number,
    "behind": kept.number,
    "behind_se": kept.number,
    "is_calibrated": kept.flag,
    "is_used": kept.flag,
}
_FIELDS: Final[Mapping[str, kept.Reader[Any]]] = {
    "label": kept.text,
    "features": feature_matrix.READER,
    "dates": kept.list_of(kept.text),
    "held_out_dates": kept.list_of(kept.text),
    "horizon_days": kept.optional(kept.positive),
    "n_rows": kept.whole,
    "n_held_out": kept.whole,
    "churn_rate": kept.number,
    "used": kept.text,
    "candidates": kept.list_of(kept.record(_CANDIDATE)),
    "verdict": kept.text,
    "notes": kept.list_of(kept.text),
    "typical": kept.list_of(kept.number_or_nan),
    "versions": kept.mapping_of(kept.text),
    "seed": kept.whole,
    "blend": kept.record(blend.BLEND),
}


@dataclass(frozen=True, slots=True)
class ChurnModel:
    """A churn model, with the evidence for it.

    Attributes
    ----------
    label
        What its probability is of, in a sentence.
    features
        The columns that it was trained on, with their kinds and categories.
    dates, held_out_dates
        Dates of the panel, and those of them on which the candidates were judged.
    horizon_days
        Days after a date in which customers left or stayed, if they were given.
    n_rows, n_held_out, churn_rate
        Rows of the panel, rows that judged, and the share of all rows that left.
    used
        The candidate that the model computes with.
    candidates
        One row per candidate, the best first: `log_loss`, `brier` and `auc` on the held-out
        dates, `behind`, the log loss beyond that of the best with its standard error
        `behind_se`, `is_calibrated` and `is_used`.
    verdict, notes
        What that says in one sentence, and what is to be known besides.
    typical
        Median of each feature, NaN for text.
    versions
        Versions of crmkit, numpy and scikit-learn that trained it.
    seed
        The seed that it was trained with.
    """

    label: str
    features: Features
    dates: tuple[str, ...]
    held_out_dates: tuple[str, ...]
    horizon_days: float | None
    n_rows: int
    n_held_out: int
    churn_rate: float
    used: str
    candidates: tuple[dict[str, Any], ...]
    verdict: str
    notes: tuple[str, ...]
    typical: tuple[float, ...]
    versions: dict[str, str]
    seed: int
    blend: Blend

    def __repr__(self) -> str:
        """Show what it says, and how well."""
        return f"ChurnModel({self.label}; {self.n_rows:,} rows; {self.verdict})"

    def __eq__(self, other: object) -> bool:
        """Compare what both compute and were trained on."""
        if not isinstance(other, ChurnModel):
            return NotImplemented
        return self._fields() == other._fields() and self.blend == other.blend

    def __hash__(self) -> int:
        """Hash the sentence and the numbers of rows."""
        return hash((self.label, self.n_rows, self.used, self.seed))

    def to_json(self) -> str:
        """Write the model as JSON text: names, numbers and sentences, nothing that runs."""
        return kept.write(_KIND, self._fields() | {"blend": self.blend.as_fields()})

    @classmethod
    def from_json(cls, text: str) -> ChurnModel:
        """Read what `to_json` wrote, and check that every tree can be walked through.

        Raises
        ------
        InvalidArgumentError
            If the text is not that of a churn model, or was changed so that it cannot be used.
        """
        try:
            found = kept.read(text, kind=_KIND, fields=_FIELDS)
        except RecursionError:
            kept.refuse_fields(_KIND, "the text is nested too deep.")
        features = Features.of_fields(found["features"])
        computed = blend.of_fields(found["blend"])
        if why := computed.complaint(features):
            kept.refuse_fields(_KIND, f"it cannot be computed: {why}.")
        if len(found["typical"]) != len(features.columns):
            kept.refuse_fields(_KIND, "`typical` does not have a number for each feature.")
        return cls(**found | {"features": features, "blend": computed})

    def save(self, path: str | Path) -> None:
        """Keep the model in one file of JSON text, for `crmkit.churn.load_model`.

        Raises
        ------
        InvalidArgumentError
            If the path is not one of a file that can be written, or the model holds an
            `estimator` that only its own code could load.
        """
        text = self.to_json()
        try:
            _path(path).write_text(text, encoding="utf-8")
        except OSError as error:
            msg = f"`path`: {path} cannot be written: {error.strerror}.\nName another file."
            raise InvalidArgumentError(msg) from error

    def _fields(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in _FIELDS if name != "blend"}
        fields["features"] = self.features.as_fields()
        return cast("dict[str, Any]", kept.nan_as_null(fields))


def load_model(path: str | Path) -> ChurnModel:
    """Load a churn model from its file, without running code from it.

    Parameters
    ----------
    path
        The file that `ChurnModel.save` wrote.

    Returns
    -------
    The `ChurnModel`, equal to the one that was saved.

    Raises
    ------
    InvalidArgumentError
        If the file cannot be read, is not that of a churn model, or was changed so that it cannot
        be used: a tree that leads nowhere, a feature that is not there, a number that is none.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from crmkit import churn
    >>> panel = pd.DataFrame(
    ...     {
    ...         "customer_id": range(200),
    ...         "days_since_last": [n % 100 for n in range(200)],
    ...         "churned": [n * 37 % 100 < n % 100 for n in range(200)],
    ...     }
    ... )
    >>> model = churn.fit(panel)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(Path(folder) / "model.json")
    ...     churn.load_model(Path(folder) / "model.json") == model
    True
    """
    try:
        text = _path(path).read_text(encoding="utf-8")
    except OSError as error:
        msg = f"`path`: {path} cannot be read: {error.strerror}.\nName a file of a churn model."
        raise InvalidArgumentError(msg) from error
    except UnicodeDecodeError:
        msg = f"`path`: {path} is not text.\nName a file that ChurnModel.save() wrote."
        raise InvalidArgumentError(msg) from None
    return ChurnModel.from_json(text)


def _path(path: object) -> Path:
    if not isinstance(path, str | Path) or not str(path) or "\0" in str(path):
        msg = f"`path` must be the name of a file, got {shown(path)}.\nWrite 'model.json'."
        raise InvalidArgumentError(msg)
    return Path(path)
