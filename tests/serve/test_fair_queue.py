import asyncio

import pytest

from ursa.serve.http import fair_queue
from ursa.serve.http.fair_queue import FairQueue
from ursa.serve.http.refusals import RefusedError


class Requests:
    """Requests at a queue; each turn lasts until `finish`."""

    def __init__(self, queue):
        self.queue, self.at_work, self.log, self.tasks, self.refused = queue, {}, [], {}, []

    async def arrive(self, name, turns=1):
        """name: the client's letter and a number."""
        self.tasks[name] = asyncio.create_task(self._run(name, turns))
        await settle()

    async def _run(self, name, turns):
        try:
            with self.queue.place(name[0]) as place:
                for _ in range(turns):
                    async with self.queue.turn(place):
                        self.log.append(name)
                        self.at_work[name] = asyncio.Event()
                        await self.at_work[name].wait()
        except RefusedError as problem:
            assert problem.status == 503
            self.refused.append(name)

    async def finish(self, name):
        self.at_work.pop(name).set()
        await settle()

    async def finish_all(self):
        while self.at_work:
            await self.finish(next(iter(self.at_work)))
        assert all(task.done() for task in self.tasks.values())


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


def law(test, workers=1, waiting=4):
    """The test, given requests at a queue with one worker and 4 places to wait; in the end all is free again."""

    def run():
        async def go():
            requests = Requests(FairQueue(workers, waiting, ahead=0))
            await test(requests)
            await requests.finish_all()
            queue = requests.queue
            assert (queue.free, queue.places.taken, len(queue._turns), queue.not_quick) == (workers, 0, 0, 0)

        asyncio.run(go())

    run.__name__ = test.__name__
    return run


@law
async def test_one_client_is_served_in_order(requests):
    for i in range(5):
        await requests.arrive(f"a{i}")
    assert requests.log == ["a0"]
    await requests.finish_all()
    assert requests.log == ["a0", "a1", "a2", "a3", "a4"]


@law
async def test_who_comes_late_from_another_address_need_not_wait_for_all_of_the_first(requests):
    for i in range(4):
        await requests.arrive(f"a{i}")
    await requests.arrive("b0")
    await requests.finish_all()
    assert requests.log == ["a0", "a1", "b0", "a2", "a3"]


@law
async def test_a_request_of_many_pictures_takes_turns_with_others(requests):
    await requests.arrive("a0", turns=4)
    await requests.arrive("b0")
    await requests.arrive("c0")
    await requests.finish_all()
    assert requests.log == ["a0", "b0", "c0", "a0", "a0", "a0"]


@law
async def test_a_full_queue_refuses_the_client_that_filled_it(requests):
    for i in range(5):
        await requests.arrive(f"a{i}")
    with pytest.raises(RefusedError, match="busy"):
        requests.queue.refuse_if_full("a")
    await requests.arrive("a5")
    assert requests.refused == ["a5"]


@law
async def test_a_full_queue_gives_another_client_the_newest_place_of_the_first(requests):
    for i in range(5):
        await requests.arrive(f"a{i}")
    requests.queue.refuse_if_full("b")
    await requests.arrive("b0")
    await requests.arrive("c0")
    assert requests.refused == ["a4", "a3"]
    await requests.finish_all()
    assert requests.log == ["a0", "a1", "b0", "c0", "a2"]


@law
async def test_equal_shares_are_left_alone(requests):
    for name in ("a0", "b0", "c0", "d0", "e0"):
        await requests.arrive(name)
    await requests.arrive("f0")
    assert requests.refused == ["f0"]


@law
async def test_what_is_begun_is_not_sent_away(requests):
    await requests.arrive("a0", turns=2)
    for i in range(1, 5):
        await requests.arrive(f"a{i}", turns=2)
    await requests.finish("a0")  # a1 at work, a0 waits for its second turn
    for name in ("b0", "c0", "d0"):
        await requests.arrive(name)
    assert set(requests.refused) == {"a2", "a3", "a4"}
    await requests.finish_all()
    assert requests.log.count("a0") == requests.log.count("a1") == 2


@law
async def test_who_is_cancelled_while_waiting_leaves_no_hole(requests):
    for name in ("a0", "a1", "b0"):
        await requests.arrive(name)
    requests.tasks["a1"].cancel()
    await settle()
    await requests.finish_all()
    assert requests.log == ["a0", "b0"]


@law
async def test_a_turn_that_comes_to_somebody_just_cancelled_is_passed_on(requests):
    for name in ("a0", "a1", "b0"):
        await requests.arrive(name)
    requests.at_work.pop("a0").set()
    for _ in range(10):  # at every moment between the end of a0's turn and the begin of a1's
        if not requests.queue._turns.get("a"):
            break
        await asyncio.sleep(0)
    requests.tasks["a1"].cancel()
    await settle()
    await requests.finish_all()
    assert "b0" in requests.log


def test_turns_are_given_ahead_so_that_a_slow_event_loop_leaves_no_core_idle():
    async def go():
        requests = Requests(FairQueue(1, 4, ahead=2))
        for name in ("a0", "a1", "a2", "a3", "a4"):
            await requests.arrive(name)
        assert requests.log == ["a0"]  # a newcomer
        requests.queue.judge("a", 0.1)
        await requests.finish("a0")
        assert requests.log == ["a0", "a1", "a2", "a3"]
        await requests.finish_all()

    asyncio.run(go())


# A core for the quick


async def known(requests, quick="", slow=""):
    """Clients that have sent a picture, one that took its time or one that did not."""
    for client in quick + slow:
        requests.queue.judge(client, 2.0 if client in slow else 0.1)


def with_two_workers(test):
    def run(monkeypatch):
        async def inner(requests):
            await test(requests, monkeypatch)

        law(inner, workers=2, waiting=8)()

    run.__name__ = test.__name__
    return run


@with_two_workers
async def test_clients_whose_pictures_were_slow_leave_one_core_to_the_others(requests, monkeypatch):
    await known(requests, quick="ab", slow="st")
    for name in ("s1", "t1", "s2", "a1", "b1"):
        await requests.arrive(name)
    assert requests.log == ["s1", "a1"]
    await requests.finish("a1")
    assert requests.log == ["s1", "a1", "b1"]
    await requests.finish("b1")
    assert requests.log == ["s1", "a1", "b1"]  # the core stays free for somebody quick
    await requests.finish("s1")
    assert requests.log[3:] == ["t1"]


@with_two_workers
async def test_newcomers_share_the_other_core_and_come_before_the_slow(requests, monkeypatch):
    await known(requests, quick="a", slow="st")
    for name in ("s1", "t1", "n1", "a1", "a2"):
        await requests.arrive(name)
    assert requests.log == ["s1", "a1"]
    await requests.finish("s1")
    assert requests.log == ["s1", "a1", "n1"]
    await requests.finish("n1")
    assert requests.log == ["s1", "a1", "n1", "t1"]


@with_two_workers
async def test_quick_clients_have_all_cores_while_nobody_else_waits(requests, monkeypatch):
    await known(requests, quick="ab")
    await requests.arrive("a1")
    await requests.arrive("a2")
    await requests.arrive("b1")
    assert requests.log == ["a1", "a2"]


@with_two_workers
async def test_who_was_slow_is_quick_again_after_a_while(requests, monkeypatch):
    monkeypatch.setattr(fair_queue, "SLOW_FOR", 0.05)
    await known(requests, slow="s")
    assert not requests.queue._quick("s")
    await asyncio.sleep(0.1)
    assert requests.queue._quick("s")


@with_two_workers
async def test_the_memory_of_clients_is_bounded(requests, monkeypatch):
    monkeypatch.setattr(fair_queue, "REMEMBERED", 2)
    await known(requests, quick="abc")
    assert [requests.queue._quick(client) for client in "abc"] == [False, True, True]


@with_two_workers
async def test_a_queue_full_of_slow_clients_and_newcomers_has_a_place_for_a_quick_one(requests, monkeypatch):
    await known(requests, quick="a", slow="s")
    for name in ("s1", "a1", *"bcdefghi"):
        await requests.arrive(f"{name}1"[:2])
    await requests.arrive("z1")
    assert requests.refused == ["z1"]
    await requests.arrive("a2")
    assert len(requests.refused) == 2
    assert "a2" not in requests.refused
