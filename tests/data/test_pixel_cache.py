"""The cache of decoded pictures: what goes in comes out, within bounds, whatever was killed before."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ursa.core.threads import chunks
from ursa.data import pixel_cache
from ursa.data.pixel_cache import PixelCache
from ursa.errors import DataError


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def picture(number: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


@given(sizes=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=12))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_goes_in_comes_out_also_by_another_process(tmp_path_factory, sizes):
    folder = tmp_path_factory.mktemp("cache")
    with PixelCache(folder, 1 << 20) as cache:
        for number, size in enumerate(sizes):
            assert cache.get(key(number)) is None
            cache.put(key(number), picture(number, *size))
            assert np.array_equal(cache.get(key(number)), picture(number, *size))
    with PixelCache(folder, 1 << 20) as again:
        assert len(again) == len(sizes)
        for number, size in enumerate(sizes):
            assert np.array_equal(again.get(key(number)), picture(number, *size))


def test_segments_are_written_while_it_fills(tmp_path, monkeypatch):
    monkeypatch.setattr(pixel_cache, "SEGMENT_BYTES", 4000)
    with PixelCache(tmp_path, 1 << 20) as cache:
        for number in range(10):
            cache.put(key(number), picture(number))
        assert len([*tmp_path.glob("*.index.npy")]) == 3  # three of 1,800 bytes each
        assert all(np.array_equal(cache.get(key(number)), picture(number)) for number in range(10))


def test_it_stays_within_its_bounds_and_older_segments_make_way(tmp_path):
    with PixelCache(tmp_path, 10_000) as cache:
        for number in range(100):
            cache.put(key(number), picture(number))
        assert len(cache) == 5
    assert sum(file.stat().st_size for file in tmp_path.glob("*.npy") if "index" not in file.name) < 10_200
    with PixelCache(tmp_path, 5_000) as smaller:
        assert len(smaller) == 0
    assert not [*tmp_path.iterdir()]


def test_the_longest_unused_segment_goes_first(tmp_path):
    for number in range(3):
        with PixelCache(tmp_path, 1 << 20) as cache:
            cache.put(key(number), picture(number))
    for age, index in enumerate(sorted(tmp_path.glob("*.index.npy"))):
        kept = int(next(n for n in range(3) if np.load(index)["key"][0].tobytes() == bytes.fromhex(key(n))))
        os.utime(index, (1000 + kept, 1000 + kept))
        assert age < 3
    with PixelCache(tmp_path, 2 * 2000) as cache:
        assert cache.get(key(0)) is None
        assert cache.get(key(1)) is not None and cache.get(key(2)) is not None


@pytest.mark.parametrize("damage", ["index gone", "pixels gone", "pixels cut", "index cut", "text"])
def test_a_damaged_segment_is_as_if_it_were_not_there(tmp_path, damage):
    with PixelCache(tmp_path, 1 << 20) as cache:
        cache.put(key(1), picture(1))
    index = next(tmp_path.glob("*.index.npy"))
    data = index.with_name(index.name.replace(".index", ""))
    if damage == "index gone":
        index.unlink()
    elif damage == "pixels gone":
        data.unlink()
    elif damage == "pixels cut":
        data.write_bytes(data.read_bytes()[:-100])
    elif damage == "index cut":
        index.write_bytes(index.read_bytes()[:-10])
    else:
        index.write_text("what is this?")
    with PixelCache(tmp_path, 1 << 20) as cache:
        assert cache.get(key(1)) is None
        cache.put(key(1), picture(1))
        assert np.array_equal(cache.get(key(1)), picture(1))


def test_threads_may_share_it(tmp_path, monkeypatch):
    monkeypatch.setattr(pixel_cache, "SEGMENT_BYTES", 10_000)

    def use(number: int) -> bool:
        cache.put(key(number % 50), picture(number % 50))
        return np.array_equal(cache.get(key(number % 50)), picture(number % 50))

    with PixelCache(tmp_path, 1 << 20) as cache:
        assert all(all(some) for some in chunks(range(400), use, threads=8))
        assert len(cache) == 50


def test_a_full_disk_is_said_and_loses_nothing_that_was_there(disk):
    place = disk("200k")
    with PixelCache(place / "cache", 1 << 30) as cache:
        cache.put(key(1), picture(1))
    with pytest.raises(DataError, match="no space left"), PixelCache(place / "cache", 1 << 30) as cache:
        for number in range(2, 300):
            cache.put(key(number), picture(number))
    with PixelCache(place / "cache", 1 << 30) as cache:
        assert np.array_equal(cache.get(key(1)), picture(1))


def test_a_kill_in_mid_write_leaves_a_cache_that_works(tmp_path):
    script = textwrap.dedent("""
        import hashlib, sys, numpy as np
        from pathlib import Path
        from ursa.data import pixel_cache as pixels
        pixels.SEGMENT_BYTES = 100_000
        with pixels.PixelCache(Path(sys.argv[1]), 1 << 30) as cache:
            for number in range(10**9):
                key = hashlib.sha256(str(number).encode()).hexdigest()
                cache.put(key, np.random.default_rng(number).integers(0, 256, (20, 30, 3), np.uint8))
                if number == 500:
                    print("going", flush=True)
    """)
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with PixelCache(tmp_path, 1 << 30) as cache:
        assert len(cache) > 100
        assert all(np.array_equal(cache.get(key(n)), picture(n)) for n in range(100))
