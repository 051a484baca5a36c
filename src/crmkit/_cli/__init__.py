"""The command: its options, what it prints and what it writes, behind `crmkit.cli`."""

from __future__ import annotations
