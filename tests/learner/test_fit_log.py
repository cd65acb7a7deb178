"""Several fits, one history: steps and epochs count on, an earlier try of a resumed fit is forgotten."""

import pytest

from ursa.learner.fit_log import FitLog
from ursa.training.checkpoints.checkpoint_folder import Checkpoints
from ursa.training.history import Best, History


def fitted(epochs, per_epoch=2, stopped=None):
    """The history of a fit, which begins with its epoch 0."""
    steps = [{"step": i + 1, "epoch": i // per_epoch, "loss": 1.0, "lr": 0.1} for i in range(epochs * per_epoch)]
    return History(steps, [{"epoch": e, "valid_loss": 1.0 / (e + 1)} for e in range(epochs + 1)], stopped)


def best(epoch):
    return Best(epoch, {}, {})


def added(*fits):
    log = FitLog()
    for epochs, kept in fits:
        log.add(fitted(epochs), best(kept), None)
    return log


def numbers(log):
    return [s["step"] for s in log.history.steps], [s["epoch"] for s in log.history.steps], epochs(log)


def epochs(log):
    return [record["epoch"] for record in log.history.epochs]


def test_a_second_fit_counts_on_and_its_start_is_the_end_of_the_first():
    log = added((2, 2), (1, 1))
    assert numbers(log) == ([1, 2, 3, 4, 5, 6], [0, 0, 1, 1, 2, 2], [0, 1, 2, 3])
    assert (log.fits, log.kept) == (2, 3)


def test_the_kept_epoch_is_of_the_whole_history_and_stays_where_a_fit_was_no_better_than_its_start():
    assert added((3, 1), (2, 0)).kept == 1  # the second left what the first had kept
    assert added((3, 0)).kept == 0
    assert added((3, 1), (2, 2)).kept == 5


def test_what_a_fit_noted_is_not_changed_by_counting_on():
    log, now = added((1, 1)), fitted(1)
    log.add(now, best(1), None)
    assert [s["step"] for s in now.steps] == [1, 2] and [r["epoch"] for r in now.epochs] == [0, 1]


def test_a_fit_that_was_refused_before_it_began_does_not_count():
    log = added((2, 2))
    log.add(History(), None, None)
    assert (log.fits, log.kept, epochs(log)) == (1, 2, [0, 1, 2])


def test_a_fit_that_an_error_ended_counts_and_keeps_what_was_kept():
    log = added((2, 1))
    log.add(fitted(1, stopped="time"), None, None)
    assert (log.fits, log.kept, log.history.stopped) == (2, 1, "time")


def test_why_the_last_fit_stopped_is_all_that_counts():
    log = added((1, 1))
    log.add(fitted(2, stopped="no better"), best(1), None)
    assert log.history.stopped == "no better"
    log.add(fitted(1), best(1), None)
    assert log.history.stopped is None


@pytest.mark.parametrize("before", [0, 2])
def test_resuming_forgets_the_try_whose_checkpoints_it_has(tmp_path, before):
    """The checkpoints' own history holds it: counted twice, a resumed run would have more epochs than asked for."""
    log, checkpoints = added(*[(before, before)] if before else []), Checkpoints(tmp_path)
    log.add(fitted(1, stopped="interrupted"), best(1), checkpoints)
    fits = log.fits
    log.resume(checkpoints)
    assert (log.fits, log.kept, epochs(log)) == (fits - 1, before, [*range(before + 1)] if before else [])
    log.add(fitted(4), best(3), checkpoints)
    assert (log.fits, log.kept, epochs(log)) == (fits, before + 3, [*range(before + 5)])
    assert [s["step"] for s in log.history.steps] == [*range(1, 2 * before + 9)]


def test_other_checkpoints_or_none_forget_nothing(tmp_path):
    log = FitLog()
    log.add(fitted(2), best(2), Checkpoints(tmp_path / "a"))
    for other in (Checkpoints(tmp_path / "b"), None):
        log.resume(other)
        assert epochs(log) == [0, 1, 2]


def test_what_was_kept_is_said_only_where_it_is_not_the_last_epoch():
    assert FitLog().kept_text() == "" and added((3, 3)).kept_text() == ""
    assert added((3, 1)).kept_text() == "kept: the weights from epoch 1 (of 3)"
    assert added((3, 0)).kept_text() == "kept: the weights from before the first epoch, as none was better (of 3)"
    assert added((3, 3), (2, 0)).kept_text() == "kept: the weights from epoch 3 (of 5)"
