"""The report: one HTML page that opens anywhere, without a network.

Tables and pictures of the main job, in the order in which a manager asks. Text from the data
is escaped by the template engine; the page loads nothing from outside and says so to the
browser.
"""

from crmkit._report.render import render

__all__ = ["render"]
