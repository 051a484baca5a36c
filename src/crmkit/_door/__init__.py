"""The door: the only files that know engines and file formats."""

from __future__ import annotations
