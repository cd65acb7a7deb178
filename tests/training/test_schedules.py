"""Schedules: golden values, torch's own where the definitions agree, laws of composition."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from ursa.errors import TrainingError
from ursa.training.optim import schedules
from ursa.training.optim.schedules import (
    constant,
    cosine,
    create,
    exponential,
    inverse_sqrt,
    inverse_time,
    linear,
    momentum_cycle,
    multi_step,
    one_cycle,
    piecewise_linear,
    sequential,
    warm_restarts,
    with_warmup,
)

STEPS = 40
fractions = st.floats(0, 1)
factors = st.floats(0, 2)

ALL = {
    "constant": constant(0.5),
    "linear": linear(1, 0.1),
    "cosine": cosine(1, 0.1),
    "one_cycle": one_cycle(),
    "multi_step": multi_step(),
    "exponential": exponential(),
    "inverse_time": inverse_time(),
    "inverse_sqrt": inverse_sqrt(),
    "warm_restarts": warm_restarts(),
    "by_hand": piecewise_linear([(0, 0.1), (0.3, 1), (1, 0)]),
    "with_warmup": with_warmup(cosine()),
    "a function of one's own": lambda done: (1 - done) ** 2,
}


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        # fastai 2.8: combined_cos(0.25, 1/25, 1, 1e-5) at 0, 1/8, 1/4, 1/2, 1
        (one_cycle(), [(0, 0.04), (0.125, 0.52), (0.25, 1.0), (0.5, 0.7500025), (1, 1e-5)]),
        # fastai 2.8: combined_cos(0.25, 0.95, 0.85, 0.95)
        (momentum_cycle(), [(0, 0.95), (0.125, 0.9), (0.25, 0.85), (0.625, 0.9), (1, 0.95)]),
        (cosine(1, 0), [(0, 1), (0.25, (2 + math.sqrt(2)) / 4), (0.5, 0.5), (1, 0)]),
        (linear(0.5, 0.1), [(0, 0.5), (0.25, 0.4), (1, 0.1)]),
        (constant(0.3), [(0, 0.3), (1, 0.3)]),
        (multi_step(0.1, (0.75, 0.5)), [(0, 1), (0.499, 1), (0.5, 0.1), (0.75, 0.01), (1, 0.01)]),
        (exponential(0.01), [(0, 1), (0.5, 0.1), (1, 0.01)]),
        (inverse_time(3), [(0, 1), (1 / 3, 0.5), (1, 0.25)]),
        (inverse_sqrt(0.25), [(0, 0), (0.125, 0.5), (0.25, 1), (1, 0.5)]),
        (warm_restarts(2), [(0, 1), (0.25, 0.5), (0.5, 1), (0.75, 0.5), (1, 0)]),
        (warm_restarts(2, growth=3), [(0, 1), (0.125, 0.5), (0.25, 1), (0.625, 0.5), (1, 0)]),
        (piecewise_linear([(0, 0.1), (0.3, 1), (1, 0)]), [(0, 0.1), (0.15, 0.55), (0.3, 1), (0.65, 0.5), (1, 0)]),
        (piecewise_linear([(0, 1), (0.5, 1), (0.5, 0.2), (1, 0.2)]), [(0.49, 1), (0.5, 0.2), (1, 0.2)]),
        (sequential([(0.75, constant()), (0.25, cosine())]), [(0, 1), (0.74, 1), (0.75, 1), (0.875, 0.5), (1, 0)]),
        (with_warmup(cosine(), 0.5), [(0, 0), (0.25, 0.5), (0.5, 1), (0.75, 0.5), (1, 0)]),
    ],
)
def test_golden_values(schedule, values):
    for done, value in values:
        assert schedule(done) == pytest.approx(value, abs=1e-7), done


def torch_rates(make, steps=STEPS):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    lrs = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        lrs.append(optimizer.param_groups[0]["lr"])
    return lrs


@pytest.mark.parametrize(
    ("schedule", "make"),
    [
        (linear(0.5, 0.1), lambda o: lr_scheduler.LinearLR(o, 0.5, 0.1, STEPS)),
        (cosine(1, 0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1)),
        (multi_step(0.1, (0.5, 0.75)), lambda o: lr_scheduler.MultiStepLR(o, [STEPS // 2, 3 * STEPS // 4], 0.1)),
        (exponential(0.01), lambda o: lr_scheduler.ExponentialLR(o, 0.01 ** (1 / STEPS))),
        (constant(), lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    ],
    ids=["linear", "cosine", "multi_step", "exponential", "constant"],
)
def test_the_rates_are_those_of_torch(schedule, make):
    assert [schedule(i / STEPS) for i in range(STEPS + 1)] == pytest.approx(torch_rates(make), abs=1e-9)


def test_one_cycle_is_that_of_torch():
    count = STEPS + 1  # torch counts from the first step to the last
    options = {"pct_start": (0.25 * STEPS + 1) / count, "div_factor": 25, "final_div_factor": 1e5 / 25}
    lrs = torch_rates(lambda o: lr_scheduler.OneCycleLR(o, 1.0, count, cycle_momentum=False, **options), STEPS)
    assert [one_cycle()(i / STEPS) for i in range(count)] == pytest.approx(lrs, abs=1e-9)


@pytest.mark.parametrize(("growth", "first"), [(1, 20), (3, 10)])
def test_warm_restarts_are_those_of_torch(growth, first):
    lrs = torch_rates(lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, first, growth, eta_min=0.1), STEPS - 1)
    schedule = warm_restarts(2, growth, end=0.1)
    assert [schedule(i / STEPS) for i in range(STEPS)] == pytest.approx(lrs, abs=1e-9)


@pytest.mark.parametrize("name", ALL)
@given(done=fractions)
def test_every_schedule_stays_between_0_and_its_peak(name, done):
    assert 0 <= ALL[name](done) <= 1


@pytest.mark.parametrize("name", ALL)
def test_every_schedule_passes_the_check(name):
    schedules.check(ALL[name])


@given(fractions, st.floats(0, 1))
def test_one_cycle_stays_between_its_ends_and_its_peak(done, warmup):
    assert 0 < one_cycle(warmup)(done) <= 1


@given(done=fractions, share=st.floats(0.01, 0.99), name=st.sampled_from(sorted(ALL)))
def test_a_part_of_a_composition_runs_from_its_own_0_to_its_own_1(done, share, name):
    schedule = sequential([(share, constant(7)), (1 - share, ALL[name])])
    if done < share:
        assert schedule(done) == 7
    else:
        assert schedule(done) == ALL[name](min(1.0, (done - share) / (1 - share)))


@given(done=fractions, first=st.floats(0.1, 0.8), second=st.floats(0.1, 0.9))
def test_composing_in_two_goes_is_composing_at_once(done, first, second):
    a, b, c = linear(0, 1), linear(1, 0.5), linear(0.5, 0)  # continuous, so that rounding at the seams does not matter
    rest = 1 - first
    nested = sequential([(first, a), (rest, sequential([(second, b), (1 - second, c)]))])
    flat = sequential([(first, a), (rest * second, b), (rest * (1 - second), c)])
    assert nested(done) == pytest.approx(flat(done), abs=1e-9)


@given(done=fractions, share=st.floats(0, 1), start=factors, end=factors)
def test_a_line_cut_in_two_is_the_line(done, share, start, end):
    middle = start + (end - start) * share
    cut = sequential([(share, linear(start, middle)), (1 - share, linear(middle, end))])
    assert cut(done) == pytest.approx(linear(start, end)(done), abs=1e-6)


@given(st.lists(st.tuples(fractions, factors), max_size=5), factors, factors, fractions)
def test_by_hand_meets_its_points_and_stays_between_them(points, start, end, done):
    points = [(0.0, start), *sorted({place: value for place, value in points if 0 < place < 1}.items()), (1.0, end)]
    schedule = piecewise_linear(points)
    for place, value in points:
        assert schedule(place) == pytest.approx(value, abs=1e-9)
    values = [value for _, value in points]
    assert min(values) - 1e-9 <= schedule(done) <= max(values) + 1e-9


def test_a_schedule_by_name_is_the_schedule():
    assert create("cosine", end=0.1)(0.3) == cosine(end=0.1)(0.3)
    assert create("one_cycle", warmup=0.5)(0.3) == one_cycle(0.5)(0.3)
    for name in schedules.NAMED:
        assert math.isfinite(create(name)(0.5))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: create("one_cycel"), "did you mean 'one_cycle'"),
        (lambda: create("cosine", ends=0.1), "did you mean 'end'"),
        (lambda: one_cycle(warmup=1.5), "warmup has to be a number from 0 to 1"),
        (lambda: one_cycle(start=math.nan), "start has to be"),
        (lambda: linear(-1, 1), "start has to be"),
        (lambda: constant(math.inf), "factor has to be"),
        (lambda: exponential(0), "end has to be a finite number above 0"),
        (lambda: inverse_time(-1), "rate has to be"),
        (lambda: inverse_sqrt(0), "warmup has to be"),
        (lambda: multi_step(at=(0.5, 2)), "at[1] has to be"),
        (lambda: warm_restarts(0), "whole number of cycles"),
        (lambda: warm_restarts(1.5), "whole number of cycles"),
        (lambda: piecewise_linear([(0, 1), (0.5, 0)]), "rise from 0 to 1"),
        (lambda: piecewise_linear([(0, 1), (0.7, 1), (0.5, 1), (1, 0)]), "rise from 0 to 1"),
        (lambda: sequential([(0.5, constant()), (0.4, cosine())]), "0.5 + 0.4"),
        (lambda: sequential([]), "sum to 1"),
        (lambda: schedules.check(lambda done: 1 - 2 * done), "after 51 % of the run"),
        (lambda: schedules.check(lambda done: done * math.nan), "nan after 0 % of the run"),
        (lambda: schedules.check(constant(0)), "0 all along"),
    ],
)
def test_a_wrong_schedule_says_what_to_do(make, said):
    with pytest.raises(TrainingError) as problem:
        make()
    assert said in str(problem.value)
