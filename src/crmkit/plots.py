"""Plots: one matplotlib chart for each table.

Every function takes a table that crmkit has made, on any engine, and gives matplotlib Axes, new
ones or yours; ``axes.figure.savefig("plot.svg")`` saves the chart. `matplotlib.pyplot` is not
used, so nothing is shown or kept in memory. matplotlib is imported with the first chart.

Business
    revenue: Bar chart of revenue by month, quarter or year.
Customers
    segments: Bar chart of each segment's share of customers and of money.
    stages: Bar chart of each life-cycle stage's share of customers and of money.
    flow: Sankey diagram of the customers who moved from stage to stage between dates.
    tiers: Bar chart of each tier's share of customers and of value.
    concentration: Concentration curve: share of the value from the best customers.
    rfm_grid: Heatmap of the number of customers by recency and frequency score.
Actions
    actions: Bar chart of the value at risk by recommended action.
    call_list: Bar chart of past money and value at risk of customers to call.
Cohorts
    retention_heatmap: Retention heatmap: retention rate of each cohort by period or window.
    retention_curve: Retention curve: retention rate of all cohorts together, with intervals.
    new_and_returning: Stacked bar chart of new and returning customers by period.
Contracts
    survival: Survival curves of contracts with intervals, and the numbers at risk below.
Forecasts
    forecast_error: Bar chart of the forecast error of each model and baseline.
    calibration: Calibration plot: predicted and actual purchases by past frequency.
    reliability: Reliability diagram: stated churn risk, and the share who then bought nothing.
Evaluation
    rankings: Dot plot of how well each method ranks at each origin.
    totals: Plot of the total forecast at each origin with its bounds, and what came.
Churn
    gains: Cumulative gains chart: share of those who left among the highest scores.
    profit_curve: Profit curve of a campaign by the share of customers contacted.
Economics
    cost_benefit: Bar chart of cost and revenue of each group.
"""

from crmkit._plots.bars import actions, call_list, cost_benefit, segments, stages, tiers
from crmkit._plots.cohorts import new_and_returning, retention_curve, retention_heatmap
from crmkit._plots.distribution import concentration, rfm_grid
from crmkit._plots.evaluation import rankings, totals
from crmkit._plots.flow import flow
from crmkit._plots.forecasts import calibration, forecast_error, reliability
from crmkit._plots.revenue import revenue
from crmkit._plots.survival import survival
from crmkit._plots.targeting import gains, profit_curve

__all__ = [
    "actions",
    "calibration",
    "call_list",
    "concentration",
    "cost_benefit",
    "flow",
    "forecast_error",
    "gains",
    "new_and_returning",
    "profit_curve",
    "rankings",
    "reliability",
    "retention_curve",
    "retention_heatmap",
    "revenue",
    "rfm_grid",
    "segments",
    "stages",
    "survival",
    "tiers",
    "totals",
]
