"""What an evaluation came to -> its page, and beside it the mistakes to tag."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ursa.errors import DataError
from ursa.workflow.results.evaluated import Evaluated

if TYPE_CHECKING:
    from ursa.data.catalog import Catalog
    from ursa.prepared.setup import Data, Setup

ENDINGS = (".html", ".htm")


def require_writable(page: Path) -> None:
    """Raises DataError for a name that is no page's, and where none can be written: before pictures are predicted."""
    if page.suffix.lower() not in ENDINGS:
        found = f"{page} is a folder" if page.is_dir() else str(page)
        raise DataError("a report is an HTML file", found=found, fix="--report report.html")
    above = next(place for place in page.absolute().parents if place.exists())
    if not os.access(above, os.W_OK) or page.is_dir():
        raise DataError(f"cannot write the report {page}", fix="name another file: --report FILE.html")


def write_evaluation(
    result: Evaluated,
    catalog: "Catalog",
    probabilities: npt.NDArray[np.float32],
    bundle: Path,
    data: "Data",
    setup: "Setup",
    page: Path,
) -> Evaluated:
    """catalog: the pictures that were not learned from; probabilities [N, K] of them -> the result, which names its
    page."""
    from ursa import workspace
    from ursa.diagnose.judged import Judged
    from ursa.diagnose.report import evaluation_page
    from ursa.workflow.mistake_sheet import write_mistakes
    from ursa.workflow.report_source import report_info

    judged = Judged(catalog, result.labels, probabilities, probabilities, result.accuracy.method)
    sheet = page.with_name(f"{page.stem}-mistakes.csv")
    words = ["--report", str(page)]
    info = report_info(
        "evaluate", data, replace(setup, named=False), page, {}, words, first=[str(bundle)], bundle=bundle
    )
    read = info.following("error-analysis", "--tags", str(sheet))
    html = evaluation_page(judged, result.accuracy, result.findings, result.problems, info, read)
    with workspace.writing(page, "--report FILE.html") as file:
        file.write(html.encode())
    write_mistakes(judged, sheet)
    return replace(result, report=page)
