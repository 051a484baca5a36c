"""Intake: raw tables, checked and turned into the tables that crmkit works with.

Files
    read_log: Read a log of purchases from a file: find its columns, keep the valid rows.
    Log: Result of `read_log`: the ledger, what was set aside, and how all was read.
    read_file: Read the table of a file as it is: CSV, Excel, JSON, Parquet, SQLite and others.
Tables
    transactions: Turn a raw log of purchases into a ledger of transactions.
    costs: Turn a raw table of costs and revenues into cost-benefit items.
    contracts: Turn a raw table of contracts into contracts: one row each, none that never began.
    contacts: Turn a raw table of contacts into contacts: who, when, complaint, answered.
    prospects: Turn a raw table of people into prospects: one row per person known by name.
    hash_ids: Replace customer ids by hashes that only the holder of a key can make.
Data quality
    check: Check the data quality of a raw transaction log.
    clean: Clean a raw transaction log: keep valid rows, set the others aside.
    check_costs: Check the data quality of a raw table of costs and revenues.
    clean_costs: Clean a raw table of costs and revenues: keep valid rows, set the others aside.
    check_contracts: Check the data quality of a raw table of contracts.
    clean_contracts: Clean a raw table of contracts: keep valid rows, set the others aside.
    check_contacts: Check the data quality of a raw table of contacts.
    clean_contacts: Clean a raw table of contacts: keep valid rows, set the others aside.
    check_prospects: Check the data quality of a raw table of people.
    clean_prospects: Clean a raw table of people: keep one row per person, set the others aside.
    Cleaned: Result of `clean`: valid rows as a ledger, and the rows set aside.
People
    match: Match records of one person: the ids that share an e-mail, a phone or another key.
    Matches: Customers that are one: old ids and the id that they share, as a value to keep.
    completeness: Completeness of a table of people: known and valid rate of each field.
    completeness_of_customers: Completeness of each record: fields that are known, valid, missing.
    shared_contacts: Find e-mails and phones of many customers.
"""

from crmkit._intake.check import check
from crmkit._intake.clean import Cleaned, clean
from crmkit._intake.completeness import completeness, completeness_of_customers
from crmkit._intake.contact_checks import check_contacts, clean_contacts
from crmkit._intake.contacts import contacts
from crmkit._intake.contract_checks import check_contracts, clean_contracts
from crmkit._intake.contracts import contracts
from crmkit._intake.costs import costs
from crmkit._intake.hash_ids import hash_ids
from crmkit._intake.log import Log
from crmkit._intake.match import match
from crmkit._intake.matches import Matches
from crmkit._intake.other_doors import (
    check_costs,
    check_prospects,
    clean_costs,
    clean_prospects,
)
from crmkit._intake.prospects import prospects
from crmkit._intake.read_file import read_file
from crmkit._intake.read_log import read_log
from crmkit._intake.shared_contacts import shared_contacts
from crmkit._intake.transactions import transactions

__all__ = [
    "Cleaned",
    "Log",
    "Matches",
    "check",
    "check_contacts",
    "check_contracts",
    "check_costs",
    "check_prospects",
    "clean",
    "clean_contacts",
    "clean_contracts",
    "clean_costs",
    "clean_prospects",
    "completeness",
    "completeness_of_customers",
    "contacts",
    "contracts",
    "costs",
    "hash_ids",
    "match",
    "prospects",
    "read_file",
    "read_log",
    "shared_contacts",
    "transactions",
]
