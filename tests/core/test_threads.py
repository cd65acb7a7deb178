"""Work on all cores gives the same as work on one."""

import threading
import time

import pytest

from ursa.core import threads
from ursa.core.threads import chunks, cores


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 23])
def test_results_come_in_order_in_lists_of_the_given_size(count, ahead):
    found = list(chunks(range(count), lambda i: i * i, size=6, ahead=ahead))
    assert [value for chunk in found for value in chunk] == [i * i for i in range(count)]
    assert all(len(chunk) == 6 for chunk in found[:-1])


def test_a_slow_item_does_not_change_the_order():
    assert list(chunks(range(8), lambda i: time.sleep(0.01 * (8 - i)) or i, size=8)) == [list(range(8))]


@pytest.mark.parametrize(("ahead", "most"), [(False, 8), (True, 12)])
def test_no_more_is_taken_than_is_being_worked_on(ahead, most):
    taken = []
    for number, _ in enumerate(chunks((taken.append(i) or i for i in range(100)), str, size=4, ahead=ahead), 1):
        assert len(taken) <= 4 * number + most - 4
    assert len(taken) == 100


def test_an_error_reaches_the_caller_and_no_thread_stays_behind():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(chunks(range(-5, 20), lambda i: 1 / i, size=10))
    assert threading.active_count() == before


def test_stopping_early_leaves_no_thread_behind():
    before = threading.active_count()
    source = chunks(range(1000), str, size=4, ahead=True)
    assert next(source) == ["0", "1", "2", "3"]
    source.close()
    assert threading.active_count() == before


def test_there_is_a_core():
    assert cores() >= 1


LIMITS = {"max 100000\n": None, "200000 100000\n": 2, "150000 100000\n": 2, "1000 100000\n": 1}
NONE = dict.fromkeys(("", "1 0", "a b c", "no file"))


@pytest.mark.parametrize(("text", "count"), [*LIMITS.items(), *NONE.items()])
def test_a_containers_share_of_time_limits_the_threads(text, count, tmp_path):
    path = tmp_path / "cpu.max"
    if text != "no file":
        path.write_text(text)
    assert threads._quota(str(path)) == count


def test_no_more_threads_than_the_container_has(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "_quota", lambda: 1)
    assert threads.cores() == 1
    monkeypatch.setattr(threads, "_quota", lambda: 10_000)
    assert 1 <= threads.cores() < 10_000
