"""Pictures, their out-of-sample probabilities -> a finding for each label that may be wrong. Reads, never writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.clean.wrong_labels.label_margins import LabelMargins, mean_probabilities
from ursa.clean.wrong_labels.nearest_pictures import nearest_of_class
from ursa.clean.wrong_labels.suspected import suspected_count
from ursa.core.finding import Finding

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

SHOWN = 5_000  # doubtful pictures whose nearest ones are kept: more than a person looks through
NAMED = 5  # classes in a sentence
ADVICE = "Look at it: change its label, remove it, or keep it as it is."


@dataclass(frozen=True)
class DoubtfulLabel:
    """A picture for which the probe, which had not seen it, prefers another class: hard, or its label is wrong."""

    id: str
    given: str
    likely: str  # the other class
    probability: float  # of that class
    given_probability: float
    margin: float  # log of their ratio, above 0

    def to_json(self) -> dict[str, Any]:
        """Its row of the document."""
        numbers = {"probability": self.probability, "given_probability": self.given_probability, "margin": self.margin}
        rounded = {name: round(number, 4) for name, number in numbers.items()}
        return {"id": self.id, "given": self.given, "likely": self.likely, **rounded}


@dataclass(frozen=True)
class JudgedLabels:
    """All pictures whose label was judged: what an estimate of the wrong ones is made from."""

    ids: tuple[str, ...] = ()
    margins: F64 = field(default_factory=lambda: np.zeros(0))  # [N], a row a picture
    likely: tuple[str, ...] = ()  # the likeliest other class of each


@dataclass(frozen=True)
class LabelAudit:
    """Doubtful labels, the likeliest wrong first, and the findings for as many of them as are suspected."""

    doubtful: tuple[DoubtfulLabel, ...] = ()
    findings: tuple[Finding, ...] = ()
    nearest: tuple[Mapping[str, list[str]], ...] = ()  # of the first doubtful ones: ids by "given" and "likely"
    judged: JudgedLabels = field(default_factory=JudgedLabels, compare=False)

    def __str__(self) -> str:
        """The sentence for a person, "" where no label is doubtful."""
        if not self.doubtful:
            return ""
        count = sum(finding.kind == "wrong-label" for finding in self.findings)
        more = len(self.doubtful) - count
        some = f"About {count:,} {'label' if count == 1 else 'labels'} may be wrong" if count else "No label stands out"
        rest = f"; for {more:,}{' more' if count else ''} the probe prefers another class" if more else ""
        return (
            f"{some}{rest}. It is a rough count: nobody has looked yet, and a hard picture looks like one with a wrong "
            'label. --json lists them all under "doubtful_labels", the likeliest wrong first; `ursa review` shows them.'
        )


def audit_labels(
    ids: Sequence[str], names: Sequence[str], given: I64, repeats: list[F32], vectors: F32, groups: I64
) -> LabelAudit:
    """ids [N], names [K], given [N] labels, repeats of probabilities [N, K], vectors [N, D], groups [N] -> LabelAudit.

    One finding a suspected label; and one for the classes whose labels cannot be judged, because all of their pictures
    are copies of one: a head that has not seen them knows nothing of the class.
    """
    unknown = [k for k in np.unique(given).tolist() if len(np.unique(groups[given == k])) < 2]
    out = np.isin(given, unknown)
    copies = [ids[row] for row in np.flatnonzero(out).tolist()]
    not_judged = (_not_judged([names[k] for k in unknown], copies),) if copies else ()
    judged = np.flatnonzero(~out)
    if len(names) < 2 or not len(judged):
        return LabelAudit((), not_judged)
    probabilities, labels = mean_probabilities(repeats)[judged], given[judged]
    margins = LabelMargins.of(probabilities, labels)
    ranked = margins.ranked()
    some = ranked[margins.margins[ranked] > 0]
    doubtful = tuple(
        DoubtfulLabel(ids[row], names[given[row]], names[likely], sure, own, margin)
        for row, likely, sure, own, margin in zip(
            judged[some].tolist(),
            margins.likely[some].tolist(),
            margins.likely_probability[some].tolist(),
            margins.given_probability[some].tolist(),
            margins.margins[some].tolist(),
            strict=True,
        )
    )
    trusted = given.copy()
    trusted[judged[some]] = -1  # a doubtful picture shows nobody what its class looks like
    suspected = min(len(some), suspected_count(probabilities, labels, margins.margins))
    some = some[: max(SHOWN, suspected)]
    rows = judged[some]
    same = nearest_of_class(vectors, trusted, groups, rows, given[rows])
    other = nearest_of_class(vectors, trusted, groups, rows, margins.likely[some])
    near = [{"given": [ids[i] for i in a], "likely": [ids[i] for i in b]} for a, b in zip(same, other, strict=True)]
    found = (_finding(label, nearest) for label, nearest in zip(doubtful[:suspected], near, strict=False))
    known = tuple(ids[row] for row in judged.tolist())
    others = JudgedLabels(known, margins.margins, tuple(names[k] for k in margins.likely.tolist()))
    return LabelAudit(doubtful, (*not_judged, *found), tuple(near), others)


def _finding(label: DoubtfulLabel, nearest: dict[str, list[str]]) -> Finding:
    numbers = {name: value for name, value in label.to_json().items() if name != "id"}
    return Finding(
        kind="wrong-label",
        where=(label.id,),
        score=label.probability / (label.probability + label.given_probability),
        evidence=f"Labelled {label.given}; the probe, which had not seen it, says {label.likely} "
        f"({_percent(label.probability)}; {label.given} {_percent(label.given_probability)}).",
        advice=ADVICE,
        numbers=numbers | {"nearest": nearest},
    )


def _not_judged(names: Sequence[str], ids: list[str]) -> Finding:
    some = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} more classes" if len(names) > NAMED else "")
    return Finding(
        kind="labels-not-judged",
        where=tuple(ids),
        score=0.5,
        evidence=f"Whether labels of {some} are right cannot be told: there is one picture, or copies of one.",
        advice="Look at them yourself, or add other pictures of the class.",
        numbers={"classes": list(names)},
    )


def _percent(share: float) -> str:
    rounded = round(100 * share)
    return {0: "less than 1 %", 100: "more than 99 %"}.get(rounded, f"{rounded} %")
