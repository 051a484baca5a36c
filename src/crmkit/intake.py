"""Intake: raw tables, checked and turned into the tables that crmkit works with.

Tables
    transactions: Turn a raw log of purchases into a ledger of transactions.
    costs: Turn a raw table of costs and revenues into cost-benefit items.
Data quality
    check: Check the data quality of a raw transaction log.
    clean: Clean a raw transaction log: keep valid rows, set the others aside.
    Cleaned: Result of `clean`: valid rows as a ledger, and the rows set aside.
People
    match: Match records of one person: the ids that share an e-mail, a phone or another key.
    Matches: Customers that are one: old ids and the id that they share, as a value to keep.
    completeness: Completeness of a table of people: known and valid rate of each field.
    completeness_of_customers: Completeness of each record: how many fields are known and valid, and which are not.
    shared_contacts: Find e-mails and phones of many customers.
"""

from crmkit._intake.check import check
from crmkit._intake.clean import Cleaned, clean
from crmkit._intake.completeness import completeness, completeness_of_customers
from crmkit._intake.costs import costs
from crmkit._intake.match import match
from crmkit._intake.matches import Matches
from crmkit._intake.shared_contacts import shared_contacts
from crmkit._intake.transactions import transactions

__all__ = [
    "Cleaned",
    "Matches",
    "check",
    "clean",
    "completeness",
    "completeness_of_customers",
    "costs",
    "match",
    "shared_contacts",
    "transactions",
]
