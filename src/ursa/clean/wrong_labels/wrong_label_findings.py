"""Pictures, their out-of-sample probabilities -> a finding for each label that may be wrong. Reads, never writes."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ursa.clean.wrong_labels.label_margins import LabelMargins, mean_probabilities
from ursa.clean.wrong_labels.nearest_pictures import nearest_of_class
from ursa.clean.wrong_labels.suspected import suspects
from ursa.core.finding import Finding

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

NAMED = 5  # classes in a sentence
ADVICE = "Look at it: change its label, remove it, or keep it as it is."


def wrong_labels(
    ids: Sequence[str], names: Sequence[str], given: I64, repeats: list[F32], vectors: F32, groups: I64
) -> list[Finding]:
    """ids [N], names [K], given [N] labels, repeats of probabilities [N, K], vectors [N, D], groups [N] -> findings.

    One a picture, the likeliest first; and one for the classes whose labels cannot be judged, because all of their
    pictures are copies of one: a head that has not seen them knows nothing of the class.
    """
    unknown = [k for k in np.unique(given).tolist() if len(np.unique(groups[given == k])) < 2]
    out = np.isin(given, unknown)
    copies = [ids[row] for row in np.flatnonzero(out).tolist()]
    found = [_not_judged([names[k] for k in unknown], copies)] if copies else []
    judged = np.flatnonzero(~out)
    if len(names) < 2 or not len(judged):
        return found
    probabilities = mean_probabilities(repeats)
    margins = LabelMargins.of(probabilities[judged], given[judged])
    some = suspects(probabilities[judged], given[judged], margins)
    rows, likely = judged[some], margins.likely[some]
    same = nearest_of_class(vectors, given, groups, rows, given[rows])
    other = nearest_of_class(vectors, given, groups, rows, likely)
    for number, (row, place) in enumerate(zip(rows.tolist(), some.tolist(), strict=True)):
        near = {"given": [ids[i] for i in same[number]], "likely": [ids[i] for i in other[number]]}
        label, better = names[given[row]], names[likely[number]]
        sure, own = float(margins.likely_probability[place]), float(margins.given_probability[place])
        found.append(
            Finding(
                kind="wrong-label",
                where=(ids[row],),
                score=sure / (sure + own),
                evidence=f"Labelled {label}; the probe, which had not seen it, says {better} ({_percent(sure)}; "
                f"{label} {_percent(own)}).",
                advice=ADVICE,
                numbers={
                    "given": label,
                    "likely": better,
                    "probability": round(sure, 4),
                    "given_probability": round(own, 4),
                    "margin": round(float(margins.margins[place]), 4),
                    "nearest": near,
                },
            )
        )
    return found


def summary(findings: Sequence[Finding]) -> str:
    """The sentence for all of them, "" where there are none."""
    count = sum(finding.kind == "wrong-label" for finding in findings)
    if not count:
        return ""
    return (
        f"About {count:,} {'label' if count == 1 else 'labels'} may be wrong. The count is rough: nobody has looked "
        "yet, and a hard picture looks like one with a wrong label. The report shows them, the likeliest first; --json "
        "lists all, with the nearest pictures of both classes."
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
