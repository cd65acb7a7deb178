"""What caller and worker share: slots that lie apart, memory that comes back, a size that nobody can change."""

import contextlib
import mmap
import os
import threading

import numpy as np
import pytest

from ursa.sandbox import protocol
from ursa.sandbox.shared_memory import MemoryBudget, SharedMemory, _memory, default_budget

pytestmark = pytest.mark.skipif(os.name != "posix", reason="memory is shared by what POSIX offers")


@pytest.fixture
def shared_memory():
    made = SharedMemory.create()
    yield made
    made.close()


def taken(memory: SharedMemory) -> int:
    """Bytes that it takes."""
    return os.fstat(memory.descriptor).st_blocks * 512


def test_what_one_side_writes_the_other_sees_in_the_same_slot(shared_memory):
    other = SharedMemory(os.dup(shared_memory.descriptor))
    for slot in range(protocol.SLOTS):
        other.room(slot)[:12] = np.arange(12) + slot
    for slot in range(protocol.SLOTS):
        wanted = (np.arange(12) + slot).reshape(2, 2, 3)
        np.testing.assert_array_equal(shared_memory.pixels(slot, 2, 2), wanted)
    other.close()


def test_files_and_pixels_of_all_slots_lie_apart(shared_memory):
    for slot in range(protocol.SLOTS):
        place = slot * protocol.SLOT
        shared_memory.bytes[place : place + 4] = bytes([1 + slot] * 4)
        shared_memory.bytes[place + protocol.ROOM_IN - 1] = 100 + slot
        room = shared_memory.room(slot)
        room[0] = room[-1] = 200 + slot
    for slot in range(protocol.SLOTS):
        place, room = slot * protocol.SLOT, shared_memory.room(slot)
        assert shared_memory.bytes[place : place + 4] == bytes([1 + slot] * 4)
        assert shared_memory.bytes[place + protocol.ROOM_IN - 1] == 100 + slot
        assert (room[0], room[-1], len(room)) == (200 + slot, 200 + slot, protocol.ROOM_OUT)


def test_only_what_is_written_takes_memory_and_a_released_slot_gives_its_own_back(shared_memory):
    assert taken(shared_memory) == 0
    for slot in (0, 1):
        shared_memory.room(slot)[: 8 << 20] = 7
    assert 16 << 20 <= taken(shared_memory) < 20 << 20
    shared_memory.release(1)
    if hasattr(mmap, "MADV_REMOVE"):
        assert taken(shared_memory) < 10 << 20
        assert not shared_memory.room(1)[: 8 << 20].any()
    assert (shared_memory.room(0)[: 8 << 20] == 7).all()


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="sealed memory is of Linux")
@pytest.mark.parametrize("size", [0, protocol.ROOM - 1, protocol.ROOM + 1])
def test_neither_side_can_change_its_size_under_the_other(shared_memory, size):
    with pytest.raises(PermissionError):
        os.ftruncate(shared_memory.descriptor, size)


def test_closing_leaves_no_descriptor_and_pictures_that_are_still_looked_at(shared_memory):
    made = SharedMemory.create()
    pixels = made.pixels(0, 1, 1)
    pixels[:] = 9
    made.close()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(made.descriptor)
    assert pixels.tolist() == [[[9, 9, 9]]]


def test_memory_with_a_name_is_of_windows():
    if os.name == "posix":
        with pytest.raises(OSError, match="of Windows: ursa-x"):
            SharedMemory.named("ursa-x")


# --- the budget ----------------------------------------------------------------------------------------------------


def test_the_budget_is_a_quarter_of_the_memory_within_its_limits():
    assert 1 << 30 <= default_budget() <= 4 << 30
    assert default_budget() == min(max(_memory() // 4, 1 << 30), 4 << 30)


@pytest.mark.parametrize(("gigabytes", "wanted"), [(1, 1 << 30), (8, 2 << 30), (64, 4 << 30)])
def test_budgets_of_small_and_large_machines(monkeypatch, gigabytes, wanted):
    monkeypatch.setattr("ursa.sandbox.shared_memory._memory", lambda: gigabytes << 30)
    assert default_budget() == wanted


def test_an_error_gives_its_share_back():
    budget = MemoryBudget(10)
    with contextlib.suppress(ZeroDivisionError), budget.hold(10):
        raise ZeroDivisionError
    with budget.hold(10):  # would wait forever
        assert budget._used == 10
    assert budget._used == 0


def test_more_than_there_is_waits_until_it_is_alone_and_keeps_others_out():
    budget, order, inside = MemoryBudget(10), [], threading.Event()

    def large() -> None:
        with budget.hold(50):
            order.append("large")
            inside.set()

    with budget.hold(1):
        thread = threading.Thread(target=large)
        thread.start()
        assert not inside.wait(0.05)
        order.append("small")
    thread.join(5)
    assert order == ["small", "large"] and budget._used == 0
