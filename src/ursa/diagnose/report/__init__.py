"""What a command found -> one HTML page that holds all it shows, readable on a phone, on paper and without its script.

A page is a title, the first screen (`first_screen`: a verdict, the accuracy, what to do next) and sections, each with
an id that can be linked to. Every section is a function of values to HTML; `html_page` puts them together.
"""

from ursa.diagnose.report.check_report import check_page
from ursa.diagnose.report.evaluation_report import evaluation_page
from ursa.diagnose.report.mistakes_part import MistakeMaps
from ursa.diagnose.report.report_info import ReportInfo
from ursa.diagnose.report.training_report import train_page

__all__ = ["MistakeMaps", "ReportInfo", "check_page", "evaluation_page", "train_page"]
