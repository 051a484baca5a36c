"""Life-cycle stages, behind `crmkit.lifecycle`."""

from __future__ import annotations
