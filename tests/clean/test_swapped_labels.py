"""Classes that an augmentation swaps: named; a probe that merely gets worse: not."""

import numpy as np
import pytest

from ursa.clean.swapped_labels import Judgement, swapped

NAMES = ("six", "nine", "zero")
TARGETS = np.repeat([0, 1, 2], 30)
IDS = [f"{NAMES[t]}/{n}.png" for n, t in enumerate(TARGETS)]


def judged(six, nine, zero, *, before=TARGETS, back=None):
    """What 30 pictures of each class are predicted as, as counts [six, nine, zero]."""
    after = np.concatenate([np.repeat([0, 1, 2], counts) for counts in (six, nine, zero)])
    return Judgement("turned by 180 degrees", "rotate90=0", before, after, after if back is None else back)


def test_two_classes_taken_for_each_other_are_named_with_evidence_and_advice():
    (finding,) = swapped(judged([2, 25, 3], [18, 5, 7], [0, 0, 30]), TARGETS, NAMES, IDS)
    assert finding.kind == "augmentation-harms"
    assert finding.evidence == (
        "Turned by 180 degrees, six is predicted as nine for 83 % of pictures, and nine as six for 60 %."
    )
    assert "--set rotate90=0" in finding.advice
    assert finding.where == tuple(IDS[:60])
    assert 0.5 < finding.score < 43 / 60
    assert finding.numbers["classes"] == ["six", "nine"]


@pytest.mark.parametrize(
    "table",
    [
        ([10, 10, 10], [10, 10, 10], [10, 10, 10]),  # knows nothing any more
        ([0, 30, 0], [0, 30, 0], [0, 30, 0]),  # everything is a nine
        ([0, 0, 30], [0, 0, 30], [0, 0, 30]),
        ([0, 15, 15], [15, 0, 15], [0, 0, 30]),  # half of them: not surely more
        ([0, 30, 0], [5, 25, 0], [0, 0, 30]),  # one direction
        ([30, 0, 0], [0, 30, 0], [0, 0, 30]),
    ],
)
def test_loss_without_a_swap_is_not_named(table):
    assert swapped(judged(*table), TARGETS, NAMES, IDS) == []


def test_classes_that_are_confused_anyway_are_not_swapped():
    confused = np.where(TARGETS == 2, 2, 1 - TARGETS)
    assert swapped(judged([0, 30, 0], [30, 0, 0], [0, 0, 30], before=confused), TARGETS, NAMES, IDS) == []


def test_a_change_that_does_not_undo_itself_is_judged_with_its_inverse():
    after, back = np.repeat([1, 2, 0], 30), np.repeat([2, 0, 1], 30)
    turned = Judgement("turned", "rotate90=0", TARGETS, after, back)
    found = swapped(turned, TARGETS, NAMES, IDS)
    assert sorted(tuple(f.numbers["classes"]) for f in found) == [("nine", "zero"), ("six", "nine"), ("six", "zero")]
    sink = Judgement("turned", "rotate=0", TARGETS, np.repeat([1, 1, 1], 30), np.repeat([0, 0, 0], 30))
    assert swapped(sink, TARGETS, NAMES, IDS) == []


def test_a_few_pictures_prove_nothing():
    targets = np.array([0, 0, 1, 1])
    seen = np.array([1, 1, 0, 0])
    assert swapped(Judgement("m", "hflip=0", targets, seen, seen), targets, NAMES, ["a", "b", "c", "d"]) != []
    seen = np.array([1, 1, 0, 1])
    assert swapped(Judgement("m", "hflip=0", targets, seen, seen), targets, NAMES, ["a", "b", "c", "d"]) == []
