"""Look at a file, and write nothing."""

from __future__ import annotations

import argparse

from crmkit._cli import reading, told


def run(options: argparse.Namespace) -> None:
    """Print the columns, their forms, the findings and the money at stake."""
    log = reading.read(options, accept_loss=1.0)
    print(told.reading(log))
    print(f"\n{told.findings(log)}")
