"""Arguments, rates, kept values and numbers as text: one answer to each small question."""

from __future__ import annotations
