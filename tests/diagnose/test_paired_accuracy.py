"""Two models on the same pictures: who is better is said only where chance does not explain it."""

import numpy as np
import pytest
from scipy import stats

from ursa.core import statistics
from ursa.core.finding import KINDS
from ursa.diagnose.paired_accuracy import PairedAccuracy


def counted(both: int, first: int, second: int, neither: int) -> PairedAccuracy:
    one = np.repeat([True, True, False, False], [both, first, second, neither])
    other = np.repeat([True, False, True, False], [both, first, second, neither])
    return PairedAccuracy(one, other)


def test_a_difference_that_is_told_names_the_better_one_whichever_it_is():
    for paired, better, worse in ((counted(80, 15, 2, 3), "A", "B"), (counted(80, 2, 15, 3), "B", "A")):
        found = paired.verdict("A", "B")
        assert found.kind == "models-differ"
        assert found.evidence.startswith(
            f"{better} is better than {worse}: of 100 pictures it has right 15 that {worse}"
        )
        assert "13.0 points (95 % interval 5." in found.evidence
        assert found.advice == f"Use {better}."
        assert found.numbers["p_value"] == pytest.approx(stats.binomtest(2, 17).pvalue)
    assert counted(80, 2, 15, 3).difference.value == pytest.approx(-0.13)


def test_one_that_is_not_told_names_how_many_pictures_would_be_enough():
    found = counted(80, 8, 4, 8).verdict("A", "B")
    assert found.kind == "models-not-told-apart"
    assert found.evidence.startswith("Too small to tell: of 100 pictures A has right 8 that B has wrong")
    assert "about 620 pictures would be enough" in found.advice and found.numbers["enough"] == 620


@pytest.mark.parametrize(("alone", "said"), [(0, "and the same ones"), (5, "5 of them where the other one is wrong")])
def test_no_difference_is_said_with_what_would_have_shown(alone, said):
    found = counted(150, alone, alone, 50 - 2 * alone).verdict("A", "B")
    assert "No difference is seen" in found.evidence and said in found.evidence
    assert "points or more would most likely have shown here" in found.advice
    assert found.numbers["enough"] is None


def test_five_pictures_tell_nothing_however_they_fall():
    found = counted(0, 5, 0, 0).verdict("A", "B")
    assert found.kind == "models-not-told-apart" and "Compare them on 6 at least" in found.advice
    assert counted(0, 6, 0, 0).told
    with pytest.raises(ValueError, match="pictures"):
        counted(0, 0, 0, 0).verdict("A", "B")


def test_equal_models_are_seldom_told_apart_and_different_ones_are_with_enough_pictures():
    draw = np.random.default_rng(0)
    equal = [counted(*row).told for row in draw.multinomial(300, (0.8, 0.06, 0.06, 0.08), 1500)]
    assert np.mean(equal) <= 0.05
    chances = (0.8, 0.1, 0.04, 0.06)
    enough = counted(8000, 1000, 400, 600).enough
    assert 0.76 <= np.mean([counted(*row).told for row in draw.multinomial(enough, chances, 1500)]) <= 0.86


@pytest.mark.parametrize("pair", [(0, 0), (0, 9), (3, 3), (40, 60), (900, 1000), (20_000, 21_000)])
def test_mcnemars_test_is_the_binomial_one(pair):
    wins, losses = pair
    known = stats.binomtest(wins, wins + losses).pvalue if sum(pair) else 1.0
    assert statistics.mcnemar_exact(wins, losses) == pytest.approx(known, rel=1e-6)


def test_its_kinds_have_words():
    assert {"models-differ", "models-not-told-apart"} <= set(KINDS)
