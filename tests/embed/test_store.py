"""The store: what was put in comes out, whatever happened to the process, the disk or the files meanwhile."""

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ursa.embed.store import Store
from ursa.errors import DataError

WIDTH = 16


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def vector(number: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=WIDTH).astype(np.float32)


def fill(store: Store, numbers) -> None:
    numbers = list(numbers)
    store.add([key(i) for i in numbers], np.stack([vector(i) for i in numbers]))


def holds(store: Store, numbers) -> bool:
    """Whether exactly these vectors come out for these numbers."""
    numbers = list(numbers)
    return np.array_equal(store.vectors([key(i) for i in numbers]), np.stack([vector(i) for i in numbers]))


def test_what_was_put_in_comes_out_in_the_order_it_is_asked_for(tmp_path):
    store = Store(tmp_path)
    fill(store, range(20))
    assert holds(store, range(20)) and holds(store, reversed(range(20))) and holds(store, [3, 3, 3])
    assert len(store) == 20
    assert key(3) in store and key(99) not in store
    assert store.vectors([key(1)]).dtype == np.float32


def test_it_makes_no_difference_whether_vectors_are_on_disk_yet_nor_in_how_many_segments(tmp_path):
    store = Store(tmp_path)
    for start in range(0, 30, 5):
        fill(store, range(start, start + 5))
        if start % 2:
            store.flush()
    rng = np.random.default_rng(0)
    for _ in range(5):
        assert holds(store, rng.permutation(30))


def test_another_process_finds_what_was_written(tmp_path):
    with Store(tmp_path / "deep") as store:
        fill(store, range(10))
    again = Store(tmp_path / "deep")
    assert len(again) == 10 and holds(again, range(10))


def test_leaving_the_context_with_an_error_keeps_what_was_finished(tmp_path):
    with pytest.raises(KeyboardInterrupt), Store(tmp_path) as store:
        fill(store, range(10))
        raise KeyboardInterrupt
    assert holds(Store(tmp_path), range(10))


def test_nothing_to_write_writes_nothing(tmp_path):
    with Store(tmp_path / "store") as store:
        store.flush()
    assert not (tmp_path / "store").exists()
    assert Store(tmp_path / "store").vectors([]).shape[0] == 0


def test_the_array_that_was_put_in_may_be_used_again(tmp_path):
    store, batch = Store(tmp_path), np.stack([vector(0)])
    store.add([key(0)], batch)
    batch[:] = 0
    assert holds(store, [0])


def test_unknown_pictures_are_counted_in_the_error(tmp_path):
    store = Store(tmp_path)
    fill(store, range(3))
    with pytest.raises(DataError, match="2 of 3 pictures have no embedding") as error:
        store.vectors([key(0), key(7), key(8)])
    assert "ursa check" in error.value.fix


def test_a_pass_that_takes_long_is_written_down_in_between(tmp_path, monkeypatch):
    monkeypatch.setattr("ursa.embed.store.SEGMENT_SECONDS", 0.0)
    store = Store(tmp_path)
    fill(store, range(3))
    time.sleep(0.01)
    fill(store, range(3, 6))
    assert holds(Store(tmp_path), range(6))


def test_large_vectors_are_written_down_in_between(tmp_path, monkeypatch):
    monkeypatch.setattr("ursa.embed.store.SEGMENT_BYTES", 3 * WIDTH * 4)
    store = Store(tmp_path)
    for number in range(4):
        fill(store, [number])
    assert holds(Store(tmp_path), range(4))


# --- damage --------------------------------------------------------------------------------------------------------


def test_a_leftover_of_an_interrupted_write_is_ignored(tmp_path):
    with Store(tmp_path) as store:
        fill(store, range(5))
    segment = next(tmp_path.glob("*.npy"))
    (tmp_path / f"{segment.name}.1234.part").write_bytes(segment.read_bytes()[:100])
    assert len(Store(tmp_path)) == 5


def damaged(whole: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "cut in the header": whole[:20],
        "cut in the data": whole[: len(whole) - 50],
        "not an array": b"hello, this is not an array",
        "zeros": bytes(len(whole)),
        "nonsense in the header": whole[:11] + b"(" + whole[12:],
        "a zip": b"PK\x03\x04" + whole[4:],
    }


@pytest.mark.parametrize(
    "kind",
    ["empty", "cut in the header", "cut in the data", "not an array", "zeros", "nonsense in the header", "a zip"],
)
def test_a_damaged_segment_counts_as_absent_and_the_others_are_read(tmp_path, kind):
    with Store(tmp_path) as store:
        fill(store, range(5))
    segment = next(tmp_path.glob("*.npy"))
    with Store(tmp_path) as store:
        fill(store, range(5, 9))
    segment.write_bytes(damaged(segment.read_bytes())[kind])
    store = Store(tmp_path)
    assert len(store) == 4 and holds(store, range(5, 9)) and key(0) not in store
    fill(store, range(5))
    assert holds(store, range(9))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 4), np.float32),
        np.zeros(3, [("key", "V32")]),
        np.zeros(3, [("key", "V16"), ("vector", "<f4", (4,))]),
        np.zeros(3, [("key", "V32"), ("vector", "<f8", (4,))]),
        np.zeros(3, [("key", "V32"), ("vector", "<f4")]),
    ],
    ids=["plain", "without vectors", "short keys", "doubles", "scalars"],
)
def test_an_array_of_another_kind_counts_as_absent(tmp_path, array):
    np.save(tmp_path / "strange.npy", array)
    store = Store(tmp_path)
    assert len(store) == 0
    fill(store, range(3))
    assert holds(store, range(3))


def test_nothing_in_a_segment_is_ever_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    np.save(tmp_path / "trap.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    assert len(Store(tmp_path)) == 0
    assert not (tmp_path / "sprung").exists()


# --- processes and disks -------------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
import numpy as np
from ursa.embed.store import Store
import hashlib

store, start, count = Store(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
for i in range(start, start + count):
    vector = np.random.default_rng(i).normal(size=16).astype(np.float32)
    store.add([hashlib.sha256(str(i).encode()).hexdigest()], vector[None])
    store.flush()
"""


def writer(folder: Path, start: int, count: int) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(folder), str(start), str(count)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_a_kill_in_the_middle_of_writing_leaves_a_store_that_can_be_read_and_gone_on_with(tmp_path):
    written = 0
    for attempt in range(6):
        process = writer(tmp_path, 100_000 * attempt, 100_000)
        before, deadline = written, time.monotonic() + 30
        while len(list(tmp_path.glob("*.npy"))) < before + 4 and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(0.003 * attempt)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert process.stdout is not None
        process.stdout.close()
        store = Store(tmp_path)
        kept = [i for i in range(100_000 * attempt, 100_000 * attempt + 5_000) if key(i) in store]
        assert kept == list(range(100_000 * attempt, 100_000 * attempt + len(kept)))  # in order, nothing left out
        assert holds(store, kept)
        written += len(kept)
        assert len(store) == written
    assert written > 20
    with Store(tmp_path) as store:
        fill(store, [7_000_000])
    assert holds(Store(tmp_path), [0, 7_000_000])


def test_two_processes_that_write_at_once_lose_nothing_even_where_both_write_the_same(tmp_path):
    processes = [writer(tmp_path, 0, 60), writer(tmp_path, 30, 60)]
    for process in processes:
        assert process.wait(timeout=60) == 0
        assert process.stdout is not None
        process.stdout.close()
    store = Store(tmp_path)
    assert len(store) == 90 and holds(store, range(90))


def test_a_full_disk_is_named_and_everything_before_is_kept(disk):
    folder = disk("400k") / "store"
    with Store(folder) as store:
        fill(store, range(1000))  # 1000 x (32 + 64) bytes
    store = Store(folder)
    fill(store, range(1000, 6000))
    with pytest.raises(DataError, match="no space left") as error:
        store.flush()
    assert "--workspace" in error.value.fix
    assert not list(folder.glob("*.part"))
    assert holds(Store(folder), range(1000))


def test_on_a_disk_that_fills_up_as_much_as_fits_is_kept_and_the_error_says_how_much(disk):
    folder = disk("400k") / "store"
    store = Store(folder)
    fill(store, range(6000))  # 96 bytes each: more than fit
    with pytest.raises(DataError, match="no space left") as error:
        store.flush()
    kept = len(Store(folder))
    assert 2000 < kept < 6000
    assert f"({kept:,} embeddings)" in error.value.fix
    assert holds(Store(folder), range(kept))


def test_when_there_is_space_again_nothing_that_was_waiting_is_lost(disk):
    place = disk("700k")
    (place / "in the way").write_bytes(bytes(600_000))
    store = Store(place / "store")
    fill(store, range(3000))
    with pytest.raises(DataError, match="no space left"):
        store.flush()
    (place / "in the way").unlink()
    assert holds(store, range(3000))
    assert holds(Store(place / "store"), range(3000))
