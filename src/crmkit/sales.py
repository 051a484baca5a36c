"""Sales: growth, season and targets, and how much more customers could spend.

Growth
    growth: Growth of sales by any dimensions: each group and period against an earlier one.
    movers: Groups that moved most in a period: up and down, with new and gone ones apart.
    bridge: Bridge from sales before to sales now: new and lost customers, volume, mix and price.
    revenue_tree: Revenue tree: what customers, orders, basket and price add to the change.
    trend: Trend of each customer's sales: a robust slope with interval, the surest growth first.
Composition and targets
    composition: Composition of sales: share of each group, cumulative, and against a target.
    attainment: Attainment of targets: share attained, expected by now, and projection of the year.
    target_fairness: Fairness of targets: how unequal the pace is, and whether size explains it.
Season
    seasonal_index: Seasonal index of sales by month or quarter, as a value to keep.
    season_table: Seasonal index as a table: one row per month or quarter, whole and groups.
    spread: Spread yearly targets over months or quarters by the season, to the cent.
    SeasonalIndex: A seasonal index by month or quarter, as a value to keep.
    GroupIndex: The seasonal index of one group, pulled to that of the whole.
Concessions
    concessions: Concessions by customer: share of sales at a discount, and margin after it.
    after_concessions: What customers buy after concessions end, by how much was at a discount.
Wallet
    wallet: Share of wallet from a survey: share, head-room, and head-room to a required share.
    wallet_from_ranks: Wallet allocation rule: share of wallet from our rank among the brands used.
    realistic_wallet: Realistic wallet: a high quantile of what like customers spend.
"""

from crmkit._sales.attainment import attainment
from crmkit._sales.bridge import bridge
from crmkit._sales.composition import composition
from crmkit._sales.concessions import after_concessions, concessions
from crmkit._sales.fairness import target_fairness
from crmkit._sales.growth import growth
from crmkit._sales.movers import movers
from crmkit._sales.realistic_wallet import realistic_wallet
from crmkit._sales.revenue_tree import revenue_tree
from crmkit._sales.season import seasonal_index
from crmkit._sales.season_table import season_table
from crmkit._sales.season_value import GroupIndex, SeasonalIndex
from crmkit._sales.spread import spread
from crmkit._sales.trend import trend
from crmkit._sales.wallet import wallet, wallet_from_ranks

__all__ = [
    "GroupIndex",
    "SeasonalIndex",
    "after_concessions",
    "attainment",
    "bridge",
    "composition",
    "concessions",
    "growth",
    "movers",
    "realistic_wallet",
    "revenue_tree",
    "season_table",
    "seasonal_index",
    "spread",
    "target_fairness",
    "trend",
    "wallet",
    "wallet_from_ranks",
]
