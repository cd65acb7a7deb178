"""Pictures that are not learned from -> what the probe says of them, and what the kept model does; how good that is.

The probe's answers come from the store of embeddings: every picture was read and passed through the backbone for them
already. Only a fine-tuned model has to see pictures again.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ursa.core import statistics
from ursa.core.statistics import Estimate
from ursa.data.catalog import Catalog
from ursa.diagnose.gaps import Count
from ursa.diagnose.judged import Judged
from ursa.embed.probe import Head
from ursa.embed.store import F32
from ursa.embed.stored_probe import select
from ursa.prepared.setup import Prepared
from ursa.prepared.splitting import Parts
from ursa.workflow.training_run.held_out_predictions import HeldOutPredictions
from ursa.workflow.training_run.minutes import SEEN_IN_A_HURRY

if TYPE_CHECKING:
    from ursa.training.batches.picture_batches import Views
    from ursa.training.fine_tuning import Outcome

SEEN_AGAIN = 500  # pictures: a training error of 2 % is then known to 1.1 to 3.6 %
VALID = "held-out validation pictures"
EACH = "held-out validation pictures, each judged by what the others would have kept"


@dataclass(frozen=True)
class HeldOut:
    """The parts of prepared pictures, and the probe of those to learn from."""

    ready: Prepared
    parts: Parts
    head: Head
    tta: int  # views that a prediction averages over

    def stored(self, part: Catalog) -> F32 | None:
        """[N, K] what the probe says of pictures whose embeddings are in the store; None where those do not do.

        They are in the engine's precision, as those are that the probe was fitted to. Mirror images are not in it.
        """
        return self.head.probabilities(select(part, self.ready.embeddings).vectors) if self.tta == 1 else None

    def views(self, part: Catalog) -> "Views":
        """What a model sees of pictures."""
        from ursa.training.batches.picture_batches import Views

        return Views(part, self.ready.engine.about.preparation)

    def of_kept(self, outcome: "Outcome", part: Catalog) -> F32:
        """[N, K] what the kept model says of pictures."""
        from ursa.training.fine_tuning import predict

        known = self.stored(part) if outcome.kept == "probe" else None
        return predict(outcome.model, self.views(part)) if known is None else known

    def of_probe(self, part: Catalog) -> F32:
        """[N, K] what the probe says of pictures."""
        known = self.stored(part)
        if known is not None:
            return known
        from ursa.training.classifier import Classifier
        from ursa.training.fine_tuning import predict

        engine = self.ready.engine
        model = Classifier.from_probe(engine.backbone.load(), self.head, self.tta).to(engine.device)
        return predict(model, self.views(part))

    def judged(self, outcome: "Outcome") -> Judged:
        """The probe and what was kept, on the test part; without one on the validation part."""
        test, labels = self.parts.test, self.parts.labels
        if not len(test):
            kept = self.on_validation(outcome)
            return Judged(self.parts.valid, labels, outcome.before, outcome.after, VALID, kept)
        after = self.of_kept(outcome, test)
        before = after if outcome.kept == "probe" else self.of_probe(test)
        return Judged(test, labels, before, after, "held-out test pictures")

    def on_validation(self, outcome: "Outcome") -> Estimate:
        """Accuracy of what was kept on the validation pictures, corrected for their having chosen it."""
        if outcome.comparison is None or outcome.kept == "probe":
            return statistics.accuracy(outcome.after, self.parts.valid.targets(self.parts.labels), VALID)
        chose = ", which also chose the epoch" if outcome.comparison.tried > 1 else ""
        return outcome.comparison.accuracy_of_kept(EACH + chose, kept=True)

    def predictions(self, outcome: "Outcome", judged: Judged) -> HeldOutPredictions:
        """What the kept model and the probe say of each part that they did not learn from."""
        parts = self.parts
        found = {"valid": (parts.valid, outcome.after, outcome.before)}
        if judged.catalog is not parts.valid:
            found["test"] = (judged.catalog, judged.after, judged.before)
        if len(parts.train_dev):
            kept = self.of_kept(outcome, parts.train_dev)
            probe = kept if outcome.kept == "probe" else self.of_probe(parts.train_dev)
            found["train-dev"] = (parts.train_dev, kept, probe)
        return HeldOutPredictions.of(parts.labels, found)

    def accuracy_by_part(
        self, outcome: "Outcome", judged: Judged, predictions: HeldOutPredictions
    ) -> dict[str, Estimate]:
        """Accuracy of what was kept on each part that it did not learn from."""
        parts, found = self.parts, {}
        if len(parts.train_dev):
            right = predictions.right()[(predictions.rows["part"] == "train-dev").to_numpy()]
            method = "train-dev pictures, alike those learned from"
            found["train-dev"] = statistics.proportion(int(right.sum()), len(right), method)
        found["valid"] = self.on_validation(outcome)
        if judged.catalog is not parts.valid:
            found["test"] = judged.accuracy
        return found

    def on_training(self, outcome: "Outcome", *, hurry: bool) -> Count:
        """(wrong, pictures) of what was kept on pictures that it learned from, seen as in evaluation.

        The probe's answers for all of them come from the store; a fine-tuned model sees a sample again, a small one in
        a hurry.
        """
        learn, labels = self.parts.learn, self.parts.labels
        if outcome.kept == "fine-tuned" or self.tta > 1:
            count = seen_again(len(learn), 0 if hurry else len(outcome.epochs) - 1)
            rows = np.unique(np.linspace(0, len(learn) - 1, count).round().astype(int))
            learn = replace(learn, rows=learn.rows[rows])
        wrong = self.of_kept(outcome, learn).argmax(1) != learn.targets(labels)
        return int(wrong.sum()), len(learn)


def seen_again(learned: int, epochs: int) -> int:
    """How many of the pictures learned from are seen once more to measure the gaps.

    A twentieth of what training saw, which took about three times as long a picture, so that it costs a sixtieth of it.
    """
    return min(learned, SEEN_AGAIN, max(SEEN_IN_A_HURRY, learned * epochs // 20))
