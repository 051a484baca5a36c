"""From a log of purchases to a list of customers to call.

The log is CDNOW's, which comes with crmkit. With your own it begins with

    orders = crmkit.transactions(raw, customer="CustomerID", date="InvoiceDate", amount="Amount")
"""

from __future__ import annotations

from datetime import date

from crmkit import actions, churn, clv, lifecycle, tiers
from crmkit.datasets import load_cdnow

today = date(1998, 6, 30)
orders = load_cdnow()  # a pandas DataFrame; the same calls take Polars, DuckDB and Spark

# One row per customer: history and rhythm. Each step adds columns to it.
customers = lifecycle.rhythm(orders, as_of=today)

# What they will be worth in the year to come.
purchases = clv.fit(customers, model="bg_nbd")
spend = clv.fit(customers, model="gamma_gamma")
customers = clv.predict(customers, purchases=purchases, spend=spend, horizon_days=365)

# The tier by past spend: the best 5 %, the next 15 %, the others.
rule = tiers.rule(customers, method="customer_share", cuts=(0.05, 0.20))
customers = tiers.assign(customers, rule=rule)

# The life-cycle stage by their own rhythm, and the risk that they buy nothing in that year.
customers = lifecycle.assign(customers, rules=lifecycle.rules(customers))
customers = churn.risk(customers, purchases=purchases, horizon_days=365)

# What to do, and whom to call first: those with most value at risk.
customers = actions.recommend(customers)
past = churn.past_amount(orders, as_of=today, horizon_days=365)
customers = churn.value_at_risk(customers, past=past)
calls = actions.call_list(customers[customers["action"] == "call now"], most=5)

print(tiers.summary(customers, rule=rule).round(2).to_string(index=False), "\n")
stages = lifecycle.stage_summary(customers)
print(stages[["stage", "n_customers", "amount_share"]].round(2).to_string(index=False), "\n")
columns = ["customer_id", "value_at_risk", "action", "risk_reason"]
print(calls[columns].round(2).to_string(index=False))
