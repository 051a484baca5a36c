"""Intake: raw tables, checked and turned into the tables that crmkit works with.

Files
    read_log: Read a log of purchases from a file: find its columns, keep the valid rows.
    Log: Result of `read_log`: the ledger, what was set aside, and how all was read.
    read_file: Read the table of a file as it is: CSV, Excel, JSON, Parquet, SQLite and others.
Tables
    transactions: Turn a raw log of purchases into a ledger of transactions.
    costs: Turn a raw table of costs and revenues into cost-benefit items.
    prospects: Turn a raw table of people into prospects: one row per person known by name.
    hash_ids: Replace customer ids by hashes that only the holder of a key can make.
Data quality
    check: Check the data quality of a raw transaction log.
    clean: Clean a raw transaction log: keep valid rows, set the others aside.
    check_costs: Check the data quality of a raw table of costs and revenues.
    clean_costs: Clean a raw table of costs and revenues: keep valid rows, set the others aside.
    check_prospects: Check the data quality of a raw table of people.
    clean_prospects: Clean a raw table of people: keep one row per person, set the others aside.
    Cleaned: Result of `clean`: valid rows as a ledger, and the rows set aside.
"""

from crmkit._intake.check import check
from crmkit._intake.clean import Cleaned, clean
from crmkit._intake.costs import costs
from crmkit._intake.hash_ids import hash_ids
from crmkit._intake.log import Log
from crmkit._intake.other_doors import (
    check_costs,
    check_prospects,
    clean_costs,
    clean_prospects,
)
from crmkit._intake.prospects import prospects
from crmkit._intake.read_file import read_file
from crmkit._intake.read_log import read_log
from crmkit._intake.transactions import transactions

__all__ = [
    "Cleaned",
    "Log",
    "check",
    "check_costs",
    "check_prospects",
    "clean",
    "clean_costs",
    "clean_prospects",
    "costs",
    "hash_ids",
    "prospects",
    "read_file",
    "read_log",
    "transactions",
]
