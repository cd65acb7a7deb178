"""Workers: the same pictures as without them, and whatever ends one ends one picture."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from ursa import sandbox
from ursa.core import picture_file
from ursa.core.decoding import image
from ursa.core.decoding.image import Picture
from ursa.core.prepare import Preparation
from ursa.errors import DataError, UrsaError
from ursa.sandbox.pool import DecodingLimits, Pool
from ursa.sandbox.protocol import Request
from ursa.sandbox.shared_memory import MemoryBudget

pytestmark = pytest.mark.skipif(os.name != "posix", reason="faults are planted by what POSIX offers")

GIGABYTE = 1 << 30


@pytest.fixture
def pool(plant, monkeypatch):
    """Workers whose JPEG decoder has the planted faults."""
    monkeypatch.syspath_prepend(plant)
    made = Pool(DecodingLimits(seconds=1, wall=20, memory=GIGABYTE))
    yield made
    made.close()


def read(pool: Pool, data: bytes) -> Picture:
    (found,) = several(pool, [data])
    if isinstance(found, DataError):
        raise found
    return found


def several(pool: Pool, datas: list[bytes]) -> list[Picture | DataError]:
    pictures = pool.each(datas, lambda length, slot: Request(length, pool.limits.seconds, 24, "longer", slot=slot))
    return [replace(found, pixels=found.pixels.copy()) if isinstance(found, Picture) else found for found in pictures]


def refused(pool: Pool, data: bytes) -> str:
    with pytest.raises(DataError) as problem:
        read(pool, data)
    return problem.value.what


def workers_of(pool: Pool) -> list[int]:
    return [worker.process for worker in pool._free]


def alive(process: int) -> bool:
    """Whether it runs; one that has ended and was not waited for does not."""
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{process}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    return False


def gone(process: int, seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while alive(process) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(process)


# ---- the same pictures


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("GIF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("BMP", {}),
        ("PPM", {}),
        ("JPEG2000", {}),
        ("AVIF", {}),
        ("ICO", {}),
    ],
)
@pytest.mark.parametrize("at_least", [None, 20])
def test_a_worker_reads_what_the_process_itself_would(format, options, at_least, photo, encode):
    data = encode(photo(1, 200, 120), format, **options)
    ours, theirs = image.read(data, at_least, "longer"), sandbox.read(data, at_least, "longer")
    assert np.array_equal(ours.pixels, theirs.pixels)
    assert (ours.format, ours.width, ours.height, ours.frames) == (
        theirs.format,
        theirs.width,
        theirs.height,
        theirs.frames,
    )


@pytest.mark.parametrize("fit", ["pad", "squash", "crop"])
def test_a_view_is_what_preparation_makes_of_the_picture(fit, photo, encode):
    data, preparation = encode(photo(2, 700, 300), "JPEG"), Preparation(64, fit)
    pixels = image.read(data, preparation.size, preparation.side).pixels
    assert np.array_equal(sandbox.view(data, preparation), preparation.view(pixels))


def test_a_refusal_says_the_same(photo, encode):
    for data in (b"", b"<html></html>", encode(photo(), "PNG")[:500], encode(photo(), "JPEG")[:-200]):
        with pytest.raises(DataError) as ours:
            image.read(data)
        with pytest.raises(DataError) as theirs:
            sandbox.read(data)
        assert (ours.value.what, ours.value.fix) == (theirs.value.what, theirs.value.fix)


def test_the_torture_files_come_out_as_without_workers(shared):
    for file in sorted((shared / "data" / "torture").rglob("*")):
        if not file.is_file() or file.name == "MANIFEST.tsv":
            continue
        data = file.read_bytes()
        try:
            ours: object = image.read(data, 224, "longer")
        except DataError as problem:
            ours = problem.what
        try:
            theirs: object = sandbox.read(data, 224, "longer")
        except DataError as problem:
            theirs = problem.what
        if isinstance(ours, Picture) and isinstance(theirs, Picture):
            assert np.array_equal(ours.pixels, theirs.pixels), file.name
            assert ours.format == theirs.format
        else:
            assert ours == theirs, file.name


def test_many_threads_share_few_workers(photo, encode):
    pictures = [encode(photo(seed, 90 + seed, 60), "JPEG") for seed in range(12)]
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda number: sandbox.read(pictures[number % 12]).pixels, range(200)))
    for number, pixels in enumerate(found):
        assert np.array_equal(pixels, image.read(pictures[number % 12]).pixels)


# ---- what ends a worker


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("abort", "crashes its decoder: ended by SIGABRT"),
        ("exit", "crashes its decoder: ended with status 3"),
        ("loop", "takes too long: decoding took over 1 s of computing"),
        ("memory", "too large: it does not fit into memory"),
    ],
)
def test_what_ends_a_decoder_is_named_and_costs_one_picture(pool, planted, fault, said):
    before = read(pool, planted("nothing")).pixels
    assert refused(pool, planted(fault)) == said
    assert np.array_equal(read(pool, planted("nothing")).pixels, before)


def test_a_worker_that_only_waits_is_ended_by_the_clock(plant, planted, monkeypatch):
    monkeypatch.syspath_prepend(plant)
    pool = Pool(DecodingLimits(seconds=60, wall=0.5, memory=GIGABYTE))
    assert refused(pool, planted("sleep")) == "takes too long: decoding took over 0.5 s"
    assert read(pool, planted("nothing")).width == 64
    pool.close()


def test_who_comes_after_a_picture_that_broke_its_worker_is_not_blamed(pool, planted):
    assert read(pool, planted("later")).width == 64  # from now on this worker dies at the next picture
    assert read(pool, planted("nothing")).width == 64


@pytest.mark.parametrize("fault", ["abort", "exit", "loop", "memory"])
def test_among_many_the_one_that_ends_its_worker_is_named_and_all_others_come_out_in_order(pool, planted, fault):
    datas = [planted("nothing", seed) for seed in range(6)]
    wanted = several(pool, datas)
    for place in (0, 3, 6):
        found = several(pool, [*datas[:place], planted(fault), *datas[place:]])
        assert isinstance(found.pop(place), DataError)
        for ours, theirs in zip(found, wanted, strict=True):
            assert np.array_equal(ours.pixels, theirs.pixels)


def test_who_stops_in_the_middle_leaves_no_worker_behind_that_answers_somebody_else(pool, planted):
    datas = [planted("nothing", seed) for seed in range(4)]
    wanted = several(pool, datas)
    for _ in range(5):
        pictures = pool.each(datas, lambda length, slot: Request(length, 10, 24, "longer", slot=slot))
        next(pictures)
        pictures.close()
        assert np.array_equal(read(pool, datas[3]).pixels, wanted[3].pixels)
    assert several(pool, []) == []


def test_a_worker_can_do_nothing_but_decode(pool, planted, plant):
    plant.chmod(0o777)  # only the sandbox forbids it to delete what lies there
    with pytest.raises(DataError) as problem:
        read(pool, planted("attempts"))
    told = f"{problem.value.what} {problem.value.found}"
    assert "done: uid" in told  # nothing succeeded
    if os.getuid() == 0:
        assert "uid 65534" in told
    assert (plant / "simplejpeg.py").exists()


def test_a_worker_is_small(pool, planted):
    read(pool, planted("nothing"))
    (process,) = workers_of(pool)
    with open(f"/proc/{process}/status") as file:
        resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    assert resident < 60_000  # kB


def test_memory_of_a_large_picture_is_given_back(pool, encode):
    data = encode(np.zeros((4000, 5000, 3), np.uint8), "PNG")
    for found in pool.each([data] * 3, lambda length, slot: Request(length, 10, slot=slot)):
        assert found.pixels.shape == (4000, 5000, 3)
        del found
    for process in workers_of(pool):
        with open(f"/proc/{process}/smaps_rollup") as file:
            resident = next(int(line.split()[1]) for line in file if line.startswith("Rss"))
        assert resident < 100_000  # kB, of the 60 MB of pixels none


def test_a_file_beyond_the_limit_is_refused_unread(pool, monkeypatch):
    monkeypatch.setattr(picture_file, "MAX_BYTES", 1000)
    assert refused(pool, bytes(1001)) == "too large: a file of 1,001 bytes, the limit is 1,000"


# ---- processes around it


def test_the_process_that_workers_come_from_is_begun_again(pool, planted):
    read(pool, planted("nothing"))
    os.kill(pool.server._process.pid, signal.SIGKILL)
    assert refused(pool, planted("abort")).startswith("crashes its decoder")
    assert read(pool, planted("nothing")).width == 64


def test_a_worker_killed_from_outside_is_replaced(pool, planted):
    read(pool, planted("nothing"))
    (process,) = workers_of(pool)
    os.kill(process, signal.SIGKILL)
    assert read(pool, planted("nothing")).width == 64
    assert workers_of(pool) != [process]


def test_a_forked_child_has_workers_of_its_own(photo, encode):
    data = encode(photo(3, 80, 60), "JPEG")
    wanted = sandbox.read(data).pixels
    child = os.fork()
    if child == 0:
        same = np.array_equal(sandbox.read(data).pixels, wanted)
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert np.array_equal(sandbox.read(data).pixels, wanted)


PARENT = """
import os, sys, time
from ursa import sandbox
from ursa.sandbox import pool
data = open(sys.argv[1], "rb").read()
sandbox.read(data)
print(pool._POOL.server._process.pid, *[worker.process for worker in pool._POOL._free], flush=True)
time.sleep(float(sys.argv[2]))
sandbox.read(data)
print("read again", flush=True)
"""


def test_workers_end_with_their_caller_however_it_ends(tmp_path, photo, encode):
    (tmp_path / "a.jpg").write_bytes(encode(photo(), "JPEG"))
    command = [sys.executable, "-c", PARENT, str(tmp_path / "a.jpg"), "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as caller:
        processes = [int(word) for word in caller.stdout.readline().split()]
        assert len(processes) == 2
        assert all(alive(process) for process in processes)
        caller.kill()
    assert all(gone(process) for process in processes)


def test_ctrl_c_does_not_reach_workers(tmp_path, photo, encode):
    (tmp_path / "a.jpg").write_bytes(encode(photo(), "JPEG"))
    code = "import signal; signal.signal(signal.SIGINT, lambda *_: None)\n" + PARENT
    command = [sys.executable, "-c", code, str(tmp_path / "a.jpg"), "0.5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as caller:
        processes = [int(word) for word in caller.stdout.readline().split()]
        os.killpg(caller.pid, signal.SIGINT)
        for process in processes:
            os.kill(process, signal.SIGINT)
        assert caller.stdout.readline() == "read again\n"
    assert all(gone(process) for process in processes)


def test_a_system_that_gives_no_process_is_said(pool, planted, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(UrsaError, match="cannot start a process") as problem:
        read(pool, planted("nothing"))
    assert not isinstance(problem.value, DataError)  # or every picture of a folder would be called broken
    monkeypatch.undo()


# ---- memory


def test_the_budget_is_never_exceeded_but_by_one_alone():
    budget, held, worst = MemoryBudget(100), [], []
    lock = threading.Lock()

    def take(count: int) -> None:
        with budget.hold(count):
            with lock:
                held.append(count)
                worst.append((sum(held), len(held)))
            time.sleep(0.0005)
            with lock:
                held.remove(count)

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(take, [30, 60, 10, 250, 100, 45, 70, 5] * 20))
    assert len(worst) == 160
    assert all(total <= 100 or count == 1 for total, count in worst)


def test_large_pictures_wait_for_the_budget_and_those_behind_them_are_not_lost(encode, photo):
    pool = Pool(DecodingLimits(seconds=20, wall=60, memory=GIGABYTE))
    large = encode(np.zeros((3000, 4000, 3), np.uint8), "PNG", compress_level=1)
    datas = [large, encode(photo(1, 64, 48)), large, encode(photo(2, 64, 48))]
    started = []
    start = pool.server.start
    pool.server.start = lambda: started.append(1) or start()
    found = several(pool, datas * 2)
    assert [one.pixels.shape[:2] for one in found] == [(3000, 4000), (48, 64)] * 4
    assert len(started) == 1  # none of them was taken for a crash
    pool.close()
