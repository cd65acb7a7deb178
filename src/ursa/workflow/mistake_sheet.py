"""The mistakes to tag, written beside a report; tags that somebody has put there stay."""

from pathlib import Path

from ursa import workspace
from ursa.diagnose.judged import Judged
from ursa.diagnose.mistake_sample import mistake_sample
from ursa.diagnose.tag_sheet import TagSheet, read_sheet, sheet_text
from ursa.errors import DataError

NAME = "mistakes.csv"


def write_mistakes(judged: Judged, path: Path) -> Path:
    """A sheet with the sample of mistakes. One that is there and cannot be read is kept under another name."""
    sample = mistake_sample(judged)
    before = _before(path)
    known = {} if before is None else dict(before.tags)
    if sample.mistakes or before is not None:
        workspace.write_text(path, sheet_text(sample, known))
    return path


def _before(path: Path) -> TagSheet | None:
    """What stands there already."""
    if not path.exists():
        return None
    try:
        return read_sheet(path)
    except DataError:  # filled in by somebody, in a way that is not understood: it is not ours to throw away
        spare = path.with_name(f"{path.stem}-before{path.suffix}")
        try:
            path.replace(spare)
        except OSError as problem:
            raise workspace.cannot_write(spare, problem) from problem
        return None
