"""The command without its script: `python -m crmkit report log.csv`."""

from __future__ import annotations

import sys

from crmkit.cli import main

sys.exit(main())
