"""Judged labels, decisions so far -> how many wrong ones are left, whether to stop, and a picture drawn at random."""

from collections.abc import Sequence

import numpy as np

from ursa.clean.decisions.decision import Decision
from ursa.clean.kept_findings import KeptFindings
from ursa.clean.stopping.review_answers import review_answers
from ursa.clean.stopping.when_to_stop import StopAdvice, drawn_at_random, when_to_stop
from ursa.review_page.picture_table import PictureTable


class LabelsLeft:
    """The labels that the check judged, of the pictures that are there."""

    def __init__(self, table: PictureTable, kept: KeptFindings) -> None:
        judged = kept.judged
        there = [(row, at) for at, id in enumerate(judged.ids) if (row := table.row_of.get(id)) is not None]
        self.rows = [row for row, _ in there]
        self.margins = np.asarray(judged.margins, np.float64)[[at for _, at in there]]
        self.hashes = [table.sha256(row) for row in self.rows]
        self.labels = [table.label(row) for row in self.rows]
        self._likely = {row: judged.likely[at] for row, at in there}

    def __len__(self) -> int:
        return len(self.rows)

    def likely(self, row: int) -> str | None:
        """The class that the probe likes best beside the label; None of a picture that was not judged."""
        return self._likely.get(row)

    def advice(self, decisions: Sequence[Decision]) -> StopAdvice:
        """decisions: of the journal, the oldest first."""
        return when_to_stop(self.margins, review_answers(decisions, self.hashes, self.labels))

    def drawn(self, decisions: Sequence[Decision]) -> tuple[int, int] | None:
        """A row of the table that nobody has looked at, and from how many it was drawn; None where all were."""
        answers = review_answers(decisions, self.hashes, self.labels)
        found = drawn_at_random(len(self), answers)
        return None if found is None else (self.rows[found.row], found.drawn_from)
