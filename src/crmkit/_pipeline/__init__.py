"""The main job, behind `crmkit.pipeline`."""

from __future__ import annotations
