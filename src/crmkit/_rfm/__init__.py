"""RFM scores and segments, behind `crmkit.rfm`."""

from __future__ import annotations
