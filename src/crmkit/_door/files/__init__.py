"""Files: whatever a shop has, read into one table; tables written for people.

Nothing heavy is imported before a file is read.
"""

from __future__ import annotations

from crmkit._door.files.raw_file import BELOW, EMPTY, NOT_LOST, TITLE, TOTAL, RawFile, of_table
from crmkit._door.files.read import read_file
from crmkit._door.files.write import safe_for_spreadsheets, write_table

__all__ = [
    "BELOW",
    "EMPTY",
    "NOT_LOST",
    "TITLE",
    "TOTAL",
    "RawFile",
    "of_table",
    "read_file",
    "safe_for_spreadsheets",
    "write_table",
]
