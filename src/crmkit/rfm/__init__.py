"""Who bought lately, who buys often, who spends most."""

from __future__ import annotations

from crmkit.rfm.summary import holdout, newcomers, summarize

__all__ = ["holdout", "newcomers", "summarize"]
