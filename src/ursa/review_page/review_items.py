"""What a check found, pictures -> the items of the page, suspects first: a picture each, or a group of copies.

Every kind of finding about pictures or files comes here, those of checks of one's own too; each picture of a finding is
an item, unless they are versions of one picture, of which one is to be kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ursa.clean.kept_findings import KeptFindings
from ursa.core.finding import Finding, Kind, by_kind, kind_of
from ursa.review_page.picture_table import PictureTable

OF_A_PART = ("weak-slice", "labels-not-judged")  # they name hundreds of pictures and say nothing of a single one

DOUBTFUL, DRAWN, UNLABELED, TO_LABEL = "doubtful-label", "random-pick", "unlabeled", "row-to-label"
_WORDS = {
    DOUBTFUL: Kind("label that the probe doubts", "labels that the probe doubts", "note", "pictures"),
    DRAWN: Kind("picture drawn at random", "pictures drawn at random", "note", "pictures"),
    TO_LABEL: Kind("row of pictures to label", "rows of pictures to label", "note", "pictures"),
    UNLABELED: Kind("picture without a label", "pictures without a label", "note", "pictures"),
}


@dataclass(frozen=True)
class ReviewItem:
    """What is decided about at once. Pictures are rows of the table."""

    kind: str
    pictures: tuple[int, ...]
    evidence: str
    advice: str = ""
    likely: str | None = None  # the class that the probe prefers
    keep: int | None = None  # of copies, the one to keep
    nearest: Mapping[str, Sequence[str]] = field(default_factory=dict)  # ids of "given" and of "likely", or of "all"
    purpose: str = ""  # of a row of pictures to label: see ROWS


def words_of(kind: str) -> Kind:
    """How a kind of item is named."""
    return _WORDS.get(kind) or kind_of(kind)


def review_items(table: PictureTable, kept: KeptFindings) -> list[ReviewItem]:
    """Suspected labels first, then what spoils results, then doubtful labels, then the rest."""
    found = by_kind(kept.findings)
    suspected = [item for finding in found.pop("wrong-label", ()) for item in _of(finding, table)]
    known = {row for item in suspected for row in item.pictures}
    doubtful = [item for item in _doubtful(kept, table) if item.pictures[0] not in known]
    items = list(suspected)
    for name, some in found.items():
        if kind_of(name).tone == "bad":
            items += [item for finding in some for item in _of(finding, table)]
    items += doubtful
    for name, some in found.items():
        if kind_of(name).tone != "bad":
            items += [item for finding in some for item in _of(finding, table)]
    return items + _unlabeled(table)


ROWS = {  # why pictures are shown in a row, with the class that they probably have
    "alike": ("These look alike. Take out those that are of another class.", "Choose the class of the others."),
    "confirm": ("Probably all {likely}. Take out those that are not.", "A labels the others so."),
    "teach": ("What a classifier is least sure of: this label teaches it most.", "Choose its class."),
    "judge": ("Drawn at random: by such pictures the accuracy is told.", "Choose its class."),
}


def row_item(pictures: tuple[int, ...], purpose: str, likely: str | None) -> ReviewItem:
    """Pictures without a label, to be labeled at once but for those that are taken out."""
    evidence, advice = ROWS[purpose]
    return ReviewItem(TO_LABEL, pictures, evidence.format(likely=likely), advice, likely, purpose=purpose)


def drawn_item(row: int, likely: str | None) -> ReviewItem:
    """A picture that was drawn at random from those that nobody has looked at."""
    evidence = "Drawn at random: such pictures tell how many wrong labels nobody suspects."
    return ReviewItem(DRAWN, (row,), evidence, likely=likely)


def _of(finding: Finding, table: PictureTable) -> Iterator[ReviewItem]:
    rows = table.known(finding.where)
    if not rows or finding.kind in OF_A_PART or kind_of(finding.kind).about == "data":
        return
    if kind_of(finding.kind).copies:
        if len(rows) > 1:
            keep = table.row_of.get(str(finding.numbers.get("keep")), _keeper(finding.kind, rows, table))
            yield ReviewItem(finding.kind, rows, finding.evidence, finding.advice, keep=keep)
        return
    likely = finding.numbers.get("likely")
    nearest = finding.numbers.get("nearest", {})  # by class, or of an outlier in one list
    nearest = nearest if isinstance(nearest, Mapping) else {"all": nearest}
    for row in rows:
        yield ReviewItem(
            finding.kind,
            (row,),
            finding.evidence,
            finding.advice,
            likely=likely if isinstance(likely, str) else None,
            nearest=nearest,
        )


def _keeper(kind: str, rows: tuple[int, ...], table: PictureTable) -> int | None:
    """Where the finding names none: of copies in two splits the held-out one, so that figures stay comparable. Which of
    two classes is right nobody has said."""
    if kind not in ("leak", "near-leak"):
        return None
    order = {"test": 0, "valid": 1}
    return min(rows, key=lambda row: (order.get(table.split(row), 2), table.id(row)))


def _doubtful(kept: KeptFindings, table: PictureTable) -> Iterator[ReviewItem]:
    for one in kept.doubtful:
        row = table.row_of.get(one["id"])
        if row is not None:
            evidence = (
                f"Labelled {one['given']}; the probe, which had not seen it, says {one['likely']} "
                f"({100 * one['probability']:.0f} %; {one['given']} {100 * one['given_probability']:.0f} %)."
            )
            yield ReviewItem(DOUBTFUL, (row,), evidence, likely=one["likely"], nearest=one.get("nearest", {}))


def _unlabeled(table: PictureTable) -> list[ReviewItem]:
    said = "It has no label."
    told = zip(table.columns["label"], table.columns["problem"], strict=True)
    rows = (row for row, (label, problem) in enumerate(told) if label is None and problem is None)
    return [ReviewItem(UNLABELED, (row,), said, "Choose its class.") for row in rows]
