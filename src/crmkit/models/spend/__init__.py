"""Models of spend per purchase."""

from __future__ import annotations
