"""The report: the paper's tables and plots, side by side with what the runs of plans gave.

section (the runs of one plan) -> tables, plots -> page
"""

from gaitd_train.report.page import PAGE, write

__all__ = ["PAGE", "write"]
