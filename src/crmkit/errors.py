"""Errors that crmkit raises, and its one warning."""

from __future__ import annotations

from functools import partial
from typing import Any


class CrmkitError(ValueError):
    """Base of every error that crmkit raises on purpose."""


class MissingColumnsError(CrmkitError):
    """A table lacks columns that its contract promises."""


class InvalidRowsError(CrmkitError):
    """Some rows break their table's contract.

    Attributes
    ----------
    n_rows
        How many rows break it.
    examples
        Keys of the first few of them, to look up in the data; of a lazy table, which has not been
        seen, the values that break it.
    """

    def __init__(self, message: str, *, n_rows: int, examples: tuple[object, ...]) -> None:
        super().__init__(message)
        self.n_rows = n_rows
        self.examples = examples

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild with all three: `pickle` and `copy` would give the message alone."""
        build = partial(type(self), n_rows=self.n_rows, examples=self.examples)
        return build, self.args, self.__dict__


class TooMuchSetAsideError(CrmkitError):
    """So many rows, or so much money, would be set aside that the rest may mislead.

    Attributes
    ----------
    reasons
        One row per reason: reason, rows, money.
    """

    def __init__(self, message: str, *, reasons: tuple[tuple[str, int, float], ...]) -> None:
        super().__init__(message)
        self.reasons = reasons

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild with both: `pickle` and `copy` would give the message alone."""
        return partial(type(self), reasons=self.reasons), self.args, self.__dict__


class InvalidArgumentError(CrmkitError):
    """An argument is outside the range that its docstring states."""


class FitError(CrmkitError):
    """The data are not sufficient to fit the model."""


class CrmkitWarning(UserWarning):
    """A result is right but easily misread; the message says how to read it."""
