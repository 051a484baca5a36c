"""Report: the result of the main job as one HTML page.

Tables and plots in the order of a manager's questions. The page needs no network: it loads
nothing from outside and forbids the browser to. The template engine escapes text from the data.

Report
    render: Render the result of the main job as one HTML page.
"""

from crmkit._report.render import render

__all__ = ["render"]
