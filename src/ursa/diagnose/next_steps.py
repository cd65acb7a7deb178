"""What was found -> what to do next, most gained first, each with its command.

The rule. First comes what makes the figures themselves wrong (the same picture on both sides of a split, a label that
contradicts itself, a fact of the files that gives the class away): no gain can be measured before that is mended. Where
it concerns less than one picture in a hundred it moves figures by less than their intervals, and waits its turn. Then
steps come by the accuracy that they can be expected to bring, in points of all pictures. A gain that was measured or
forecast counts as it is; of a ceiling, which is all that could be gained at best, half counts: between nothing and
everything nothing is known. A ceiling that was counted is the lower end of its interval, so that one mistake in 36 does
not lead the list. Last come steps that bring no accuracy but something else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.core.finding import KINDS, Finding, kind_of

OF_A_CEILING = 0.5
SPOILING = tuple(name for name, kind in KINDS.items() if kind.tone == "bad" and kind.about != "files")
SPOILED = 0.01  # share of pictures from which on figures are wrong by what most intervals show
CONTRADICTIONS = ("same-picture-two-classes", "near-copy-two-classes")
GIVEN_AWAY = 0.9  # score of a shortcut, from which on 95 of 100 pictures are told apart without a look at the object
SURE = 0.9  # probability from which on a mistake may well be a label that is wrong
FALLS = 0.5  # power of the number of pictures that errors fall with, of a common learning curve (Viering and Loog 2023)
FINE_TUNING = 0.008  # gained over the probe on 12 runs with 120 validation pictures (docs/decisions.md)


@dataclass(frozen=True)
class NextStep:
    """Something to do, why, and with which command."""

    title: str  # an order: "Look at the 4 blacks that are predicted as grizzly"
    why: str  # a sentence
    command: str = ""  # to be copied; "" where it is done by hand
    section: str = ""  # id of the part of a report that shows it
    gain: float = 0.0  # expected gain in accuracy, as a share of all pictures
    first: bool = False  # whether the figures are wrong until it is done


@dataclass(frozen=True)
class Commands:
    """What is to be typed after something was mended, to get more pictures, and to decide about pictures."""

    again: str = ""
    collect: str = ""
    review: str = ""


def next_steps(steps: Iterable[NextStep], most: int = 3) -> list[NextStep]:
    """The most rewarding ones; what is equal stays in the order that it came in."""
    return sorted(steps, key=lambda step: (not step.first, 0.0 if step.first else -step.gain))[:most]


def from_findings(findings: Sequence[Finding], pictures: int, error: float, commands: Commands) -> list[NextStep]:
    """findings of `pictures`, of which the share `error` is predicted wrongly -> a step for each kind that one can act
    on."""
    by_kind: dict[str, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    order = [*SPOILING, *(name for name in by_kind if name not in SPOILING)]
    found = [_of_kind(name, by_kind[name], pictures, error, commands) for name in order if name in by_kind]
    return [step for step in found if step is not None]


def spoils(some: Sequence[Finding], pictures: int) -> bool:
    """Whether findings of one kind make figures of so many pictures wrong."""
    kind = kind_of(some[0].kind)
    concerned = {id for finding in some for id in finding.where}
    return some[0].kind in SPOILING and (kind.about != "pictures" or len(concerned) >= SPOILED * pictures)


def from_confusion(confusion: npt.NDArray[np.int64], names: Sequence[str], command: str) -> list[NextStep]:
    """confusion [K, K], rows the given class -> a step for the two classes that are taken for each other most."""
    both = np.triu(confusion + confusion.T, 1)
    total = int(confusion.sum())
    if not both.any():
        return []
    a, b = map(int, np.unravel_index(both.argmax(), both.shape))
    count = int(both[a, b])
    which, right = ("picture", "it") if count == 1 else (f"{count:,} pictures", "all of them")
    why = (
        f"Were {right} right, accuracy would be {100 * count / total:.1f} points higher: see what is hard, or mend the "
        "label."
    )
    title = f"Look at the {which} where {names[a]} and {names[b]} are confused"
    return [NextStep(title, why, command, "mistakes", _expected(count, total))]


def from_sure_mistakes(
    probabilities: npt.NDArray[np.floating[Any]], targets: npt.NDArray[np.int64], again: str, review: str = ""
) -> list[NextStep]:
    """probabilities [N, K] out of sample, targets [N] -> a step where sure mistakes hint at labels that are wrong.

    review: the command of the page on which labels are changed, where there is one.
    """
    sure = (probabilities.argmax(1) != targets) & (probabilities.max(1) >= SURE)
    count = int(sure.sum())
    if not count:
        return []
    how = "change the label on the page that this opens" if review else "move the file to that class's folder"
    why = f"The model is at least {100 * SURE:.0f} % sure of another class. Where it is right, {how}."
    title = f"Check the label{'s' * (count != 1)} of {count:,} picture{'s' * (count != 1)}"
    return [NextStep(title, why, review or again, "mistakes", _expected(count, len(targets)))]


def from_training(error: float, command: str) -> NextStep:
    """error: share of pictures that a probe gets wrong -> the step from the probe to a fine-tuned model."""
    gain = min(FINE_TUNING, OF_A_CEILING * error)
    why = "It fine-tunes the backbone on these pictures, keeps that only where it is better, and writes a model to use."
    return NextStep("Train a model", why, command, gain=gain)


def _of_kind(name: str, some: Sequence[Finding], pictures: int, error: float, commands: Commands) -> NextStep | None:
    """The step for the findings of a kind; None where there is nothing to be done or gained."""
    kind, count, again = kind_of(name), len(some), commands.again
    section, worst = f"finding-{name}", max(some, key=lambda finding: finding.score)
    if name in SPOILING:
        gain = _expected(count, pictures) if name in CONTRADICTIONS else 0.0
        title = f"Mend {kind.counted(count)}" if kind.about == "pictures" else worst.evidence.split(". ")[0].rstrip(".")
        command = (commands.review or again) if kind.about == "pictures" else again
        return NextStep(title, worst.advice, command, section, gain, first=spoils(some, pictures))
    if name == "shortcut":
        given_away = worst.score >= GIVEN_AWAY
        return NextStep("Test on pictures from one source", worst.evidence, again, section, first=given_away)
    if name == "more-pictures-help":
        ahead = worst.numbers.get("forecast") or [{}]
        gain = float(ahead[0].get("gain", {}).get("value") or 0.0)
        return NextStep("Collect more pictures", worst.evidence, commands.collect, "more-pictures", gain)
    if name == "weak-slice":
        title = f"Look at the {worst.numbers.get('slice', 'pictures of the weak kind')}"
        return NextStep(title, worst.evidence, again, section, _slice_gain(worst, pictures))
    if kind.about == "files" and pictures:
        title = f"Replace {kind.counted(count)}"
        gain = error * (1 - (pictures / (pictures + count)) ** FALLS)
        return NextStep(title, worst.advice.removeprefix("It is left out. "), again, section, gain)
    return None


def _expected(count: int, pictures: int) -> float:
    """Of a ceiling that was counted: `count` of `pictures` would be right."""
    return OF_A_CEILING * statistics.proportion(count, pictures, "").low if pictures >= count else 0.0


def _slice_gain(finding: Finding, pictures: int) -> float:
    """Half of what is lost where accuracy is lower than elsewhere."""
    inside, others = (finding.numbers.get(side, {}).get("value") for side in ("inside", "others"))
    if inside is None or others is None or inside >= others:
        return 0.0
    of_slice = len(finding.where) / (1 - float(inside))  # its pictures: those in `where` are its mistakes
    return OF_A_CEILING * (float(others) - float(inside)) * of_slice / max(pictures, 1)
