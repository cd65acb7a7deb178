"""What `ursa train` came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ursa.core.finding import Finding
from ursa.core.statistics import Estimate
from ursa.diagnose.gaps import Gaps
from ursa.workflow.results.short_repr import ShortRepr, interval_text
from ursa.workflow.training_run.minutes import Weighed


@dataclass(frozen=True, repr=False)
class Trained(ShortRepr):
    """What `ursa train` came to."""

    probe: Estimate  # held-out accuracy of the probe
    accuracy: Estimate  # held-out accuracy of what was kept
    kept: str  # "probe" or "fine-tuned"
    verdict: Finding
    training: Finding | None  # what the history says: rate, epochs, overfitting; None where nothing was trained
    agreement: Finding  # whether the probe's cross-validated and its held-out accuracy agree
    gaps: Gaps  # where accuracy is lost between people, the parts and new pictures
    pictures: dict[str, int]  # by part: train, train-dev, valid, test
    parts: dict[str, Estimate]  # accuracy of what was kept, by part that it did not learn from
    test_set_uses: int  # at this test part so far, this one with them; 0 without a test part
    findings: list[Finding]  # what is to be said of the parts
    history: Path
    report: Path
    bundle: Path
    parity: float  # largest difference of any probability between learner and exported model
    seconds: dict[str, float]
    weighed: tuple[Weighed, ...] = ()  # with a limit of time: the ways to spend it, one of them chosen
    decisions: Mapping[str, int] = field(default_factory=dict)  # relabeled, removed, open, others

    def _shown(self) -> list[tuple[str, str]]:
        counts = ", ".join(f"{count:,} {name}" for name, count in self.pictures.items() if count)
        rows = [
            ("accuracy", interval_text(self.accuracy)),
            ("probe", interval_text(self.probe)),
            ("kept", self.kept),
        ]
        return [*rows, ("pictures", counts), ("bundle", str(self.bundle)), ("report", str(self.report))]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa train --json`."""
        return {
            "probe": self.probe.to_json(),
            "accuracy": self.accuracy.to_json(),
            "kept": self.kept,
            "verdict": self.verdict.to_json(),
            "training": None if self.training is None else self.training.to_json(),
            "agreement": self.agreement.to_json(),
            "gaps": self.gaps.to_json(),
            "pictures": self.pictures,
            "parts": {name: {"accuracy": metric.to_json()} for name, metric in self.parts.items()},
            "test_set_uses": self.test_set_uses,
            "findings": [finding.to_json() for finding in self.findings],
            "history": str(self.history),
            "report": str(self.report),
            "bundle": str(self.bundle),
            "parity": self.parity,
            "seconds": self.seconds,
            "weighed": [way.to_json() for way in self.weighed],
            "decisions": dict(self.decisions),
        }
