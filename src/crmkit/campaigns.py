"""Campaigns: whom to contact within a budget, and whether it paid.

Whom to contact
    plan: Whom to contact within a budget: the list with the highest expected profit.
    plan_summary: Sum up a contact list: expected profit with its interval, and what limits it.
    save_list: Whom to contact so that they stay: `crmkit.campaigns.plan` for those who are leaving.
    win_back: Whom to win back: `crmkit.campaigns.plan` for lost customers.
    reactivate: Whom to bring up: `crmkit.campaigns.plan` for customers of low value with potential.

A test that can decide
    SampleSize: Customers to treat, and customers to leave alone for comparison.
    sample_size: Number of customers that a test needs to see a lift, if there is one.
    split: Draw a control group by chance: the same customers on every engine and every day.
    record: Write the outcomes of a campaign beside who was treated, for `crmkit.campaigns.result`.

Did it work
    result: Did the campaign work: lift over the control group, profit and break-even cost.
    compare_policies: Which rule of contacting brings most, beside contacting everybody and nobody.
    response_table: Response by cell or by depth of a score: what pays, and how deep to mail.

Uplift
    UpliftModel: What a contact changes, learned from an experiment.
    fit_uplift: Learn from an experiment whom a contact changes, and test it on others.
    score_uplift: Score customers by what a contact changes, for `crmkit.campaigns.plan`.
    uplift_curve: Uplift by depth of a score, beside customers drawn by chance.

Acquisition
    ScoredProspects: Prospects by their likeness to valued customers, and how far that holds.
    score_prospects: Likeness of prospects to valued customers, with its lift on held-out ones.
    sources: Acquisition by source: leads, conversion, cost and later value.

Break-even
    break_even_rate: Break-even response rate of a campaign.
    break_even_index: Break-even index: response rate relative to break-even, in percent.
"""

from crmkit._campaigns.break_even import break_even_index, break_even_rate
from crmkit._campaigns.contact_list import plan
from crmkit._campaigns.lists import reactivate, save_list, win_back
from crmkit._campaigns.plan_summary import plan_summary
from crmkit._campaigns.policies import compare_policies
from crmkit._campaigns.prospects import ScoredProspects, score_prospects
from crmkit._campaigns.record import record
from crmkit._campaigns.response_table import response_table
from crmkit._campaigns.result import result
from crmkit._campaigns.sources import sources
from crmkit._campaigns.split import SampleSize, sample_size, split
from crmkit._campaigns.uplift.fit_uplift import UpliftModel, fit_uplift
from crmkit._campaigns.uplift.score_uplift import score_uplift, uplift_curve

__all__ = [
    "SampleSize",
    "ScoredProspects",
    "UpliftModel",
    "break_even_index",
    "break_even_rate",
    "compare_policies",
    "fit_uplift",
    "plan",
    "plan_summary",
    "reactivate",
    "record",
    "response_table",
    "result",
    "sample_size",
    "save_list",
    "score_prospects",
    "score_uplift",
    "sources",
    "split",
    "uplift_curve",
    "win_back",
]
