"""The clock beside the steps: what a step takes now, what is put aside, shares that never go back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.errors import TrainingError
from ursa.training.optim.deadline import MOST, RECENT, Deadline
from ursa.training.optim.schedules import linear


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def begun(seconds=100.0, after=0.0, step=0.0):
    clock = Clock()
    return Deadline(seconds, after, step, clock), clock


def stepped(deadline, clock, *seconds):
    said = []
    for each in seconds:
        clock.now += each
        said.append(deadline.over())
    return said


def test_a_step_takes_what_the_last_few_took_and_a_stall_does_not_count():
    deadline, clock = begun(1000, step=5.0)
    assert deadline.usual() == 5.0  # as planned, before the first
    stepped(deadline, clock, 2.0, 2.0, 200.0)
    assert deadline.usual() == 2.0
    stepped(deadline, clock, *[3.0] * RECENT)
    assert deadline.usual() == 3.0


def test_over_is_when_another_step_would_end_too_late():
    deadline, clock = begun(10.0)
    assert stepped(deadline, clock, 3.0, 3.0, 3.0) == [False, False, True]  # a fourth would end at 12
    deadline, clock = begun(12.0)
    assert stepped(deadline, clock, 3.0, 3.0, 3.0, 3.0) == [False, False, False, True]  # just in time is in time


@pytest.mark.parametrize(("took", "slow"), [(1.0, 1), (0.5, 1), (2.0, 2), (9.0, MOST)])
def test_what_comes_after_grows_as_steps_do_up_to_a_limit_and_never_shrinks(took, slow):
    deadline, clock = begun(100.0, after=10.0, step=2.0)
    stepped(deadline, clock, 2 * took)
    assert deadline.end_of_training() == 1000 + 100 - 10 * slow


def test_without_a_plan_what_comes_after_stays():
    deadline, clock = begun(100.0, after=10.0)
    stepped(deadline, clock, 50.0)
    assert deadline.end_of_training() == 1090


@given(st.lists(st.floats(0, 30), min_size=1, max_size=30), st.floats(0, 40), st.floats(0.1, 5))
def test_shares_rise_from_above_0_to_1_whatever_the_clock_does(steps, after, planned):
    deadline, clock = begun(60.0, after, planned)
    shares = [deadline.share()]
    for each in steps:
        stepped(deadline, clock, each)
        shares.append(deadline.share())
    assert shares == sorted(shares) and 0 < shares[0] <= shares[-1] <= 1
    clock.now += 1000
    assert deadline.share() == 1


def test_the_first_share_is_that_of_the_first_step():
    assert begun(100.0, step=5.0)[0].share() == pytest.approx(0.05)
    assert begun(100.0, after=20.0, step=4.0)[0].share() == pytest.approx(0.05)


def test_a_schedule_follows_whichever_is_further_on():
    deadline, clock = begun(100.0)
    schedule = deadline.schedule(linear(1, 0))
    assert schedule(0.3) == pytest.approx(0.7)  # steps are ahead
    clock.now += 80
    assert schedule(0.4) == pytest.approx(0.2)  # time is
    assert schedule(0.9) == pytest.approx(0.1)
    clock.now += 50
    assert schedule(0.5) == 0


@pytest.mark.parametrize("seconds", [-5.0, 0.0])
def test_no_time_is_over_after_the_first_step_and_at_the_schedules_end(seconds):
    deadline, clock = begun(seconds)
    clock.now += 0.1
    assert deadline.over() and deadline.share() == 1


@pytest.mark.parametrize(("seconds", "after"), [(math.inf, 0), (math.nan, 0), (10, -1), (10, math.inf), (10, math.nan)])
def test_time_has_to_be_a_number(seconds, after):
    with pytest.raises(TrainingError, match="finite number of seconds") as told:
        Deadline(seconds, after)
    assert str(after) in told.value.found
