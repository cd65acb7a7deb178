"""What fine-tuning came to -> how good it is on each part, what it says of each picture there, and where it loses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ursa.core.finding import Finding
from ursa.core.statistics import Estimate
from ursa.diagnose.gaps import Count, Gaps, gaps
from ursa.diagnose.judged import Judged
from ursa.embed.probe import Probe
from ursa.prepared.splitting import Parts
from ursa.recipe import Recipe
from ursa.workflow.training_run.agreement import agreement
from ursa.workflow.training_run.held_out import HeldOut
from ursa.workflow.training_run.held_out_predictions import HeldOutPredictions

if TYPE_CHECKING:
    from ursa.training.fine_tuning import Outcome


@dataclass(frozen=True)
class MeasuredParts:
    """The kept model on all parts."""

    judged: Judged  # on the test part, without one on the validation part
    predictions: HeldOutPredictions
    accuracy: dict[str, Estimate]  # by part that it did not learn from
    agreement: Finding  # whether the probe's cross-validated and its held-out accuracy agree
    gaps: Gaps

    @classmethod
    def of(
        cls, held_out: HeldOut, outcome: "Outcome", probe: Probe, recipe: Recipe, human: float | None, *, hurry: bool
    ) -> "MeasuredParts":
        """human: share that people get wrong, None where it is not known; hurry: to see fewer pictures again."""
        parts, judged = held_out.parts, held_out.judged(outcome)
        predictions = held_out.predictions(outcome, judged)
        accuracy = held_out.accuracy_by_part(outcome, judged, predictions)
        agreed = agreement(probe, parts, judged, held_out.ready, recipe)
        lost = _gaps(held_out.on_training(outcome, hurry=hurry), accuracy, parts, human)
        return cls(judged, predictions, accuracy, agreed, lost)


def _gaps(train: Count, accuracy: Mapping[str, Estimate], parts: Parts, human: float | None) -> Gaps:
    """train: (wrong, pictures) of those learned from; accuracy: of each other part."""
    counts = parts.counts()
    others: Any = {
        name.replace("-", "_"): ((1 - found.value) * counts[name], counts[name]) for name, found in accuracy.items()
    }
    return gaps(train, **others, human=human)
