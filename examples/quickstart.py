"""From a log of purchases to a list of customers to call.

The log is CDNOW's, which comes with crmkit. With your own it begins with

    orders = crmkit.transactions(raw, customer="CustomerID", date="InvoiceDate", amount="Amount")
"""

from __future__ import annotations

from datetime import date

import polars as pl

from crmkit import actions, churn, clv, lifecycle, rfm, tiers
from crmkit.datasets import load_cdnow

today = date(1998, 6, 30)
orders = load_cdnow()

# Who the customers are, and what they are worth in the year to come.
customers = rfm.summarize(orders, as_of=today)
purchases = clv.fit(customers, model="bg_nbd")
spend = clv.fit(customers, model="gamma_gamma")
customers = clv.predict(customers, purchases=purchases, spend=spend, horizon_days=365)

# In which tier they are by what they have spent: the best 5 %, the next 15 %, the others.
rule = tiers.rule(customers, method="customer_share", cuts=(0.05, 0.20))
customers = tiers.assign(customers, rule=rule)

# Where in life they are by their own rhythm, and how likely they are gone.
rhythm = lifecycle.rhythm(orders, as_of=today)
staged = lifecycle.assign(rhythm, rules=lifecycle.rules(rhythm))
own_pace = staged.select("customer_id", "overdue_ratio", "stage")
customers = churn.risk(customers.join(own_pace, on="customer_id"))

# What to do, and whom to call first: those with most value at risk.
customers = actions.recommend(customers)
at_stake = (pl.col("clv") * pl.col("churn_risk")).alias("value_at_risk")
calls = customers.filter(pl.col("action") == "call now").with_columns(at_stake)
calls = calls.sort("value_at_risk", descending=True).head(5)

with pl.Config(
    tbl_hide_dataframe_shape=True,
    tbl_hide_column_data_types=True,
    float_precision=2,
    fmt_str_lengths=50,
):
    print(tiers.summary(customers, rule=rule))
    print(lifecycle.stage_summary(staged).select("stage", "n_customers", "amount_share"))
    print(calls.select("customer_id", "value_at_risk", "action", "risk_reason"))
