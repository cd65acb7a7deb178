"""The pipeline: order, completeness, bounds, and cores shared by what was timed."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from ursa.core import prepare
from ursa.core.decoding import image
from ursa.core.prepare import Preparation
from ursa.core.threads import chunks, cores
from ursa.data import scan
from ursa.data.scan import read_file
from ursa.embed import pipeline
from ursa.embed.resize import by_torch

PREPARATION = Preparation(size=16)


@pytest.fixture(scope="module")
def files(tmp_path_factory, picture_folder):
    folder = picture_folder(tmp_path_factory.mktemp("many"), {"red": 158}, side=16)
    return sorted(folder.glob("*/*"))


def forward(views: np.ndarray) -> np.ndarray:
    return views.reshape(len(views), -1)[:, ::97].astype(np.float32)


def nothing(_key: str) -> bool:
    return False


def on_cores(files, known=nothing, forward=forward, batch=4):
    return pipeline.on_cores(files, PREPARATION, forward, known, batch=batch)


def ahead(files, known=nothing, forward=forward, batch=4):
    return pipeline.ahead(files, PREPARATION, forward, known, batch=batch)


@pytest.mark.parametrize("way", [on_cores, ahead])
@pytest.mark.parametrize(("count", "batch"), [(0, 4), (1, 4), (7, 3), (158, 4), (158, 1), (158, 500)])
def test_every_file_comes_out_once_in_order_with_its_own_vector(files, way, count, batch):
    expected = [read_file(file, PREPARATION, by_torch) for file in files[:count]]
    seen = [*way(files[:count], batch=batch)]
    assert [facts for chunk in seen for facts in chunk.facts] == [facts for facts, _ in expected]
    vectors = {key: vector for chunk in seen for key, vector in chunk.vectors.items()}
    assert vectors.keys() == {facts.sha256 for facts, _ in expected}
    for facts, view in expected:
        assert np.array_equal(vectors[facts.sha256], forward(view[None])[0])


@pytest.mark.parametrize("way", [on_cores, ahead])
def test_what_is_known_or_broken_does_not_go_forward(files, tmp_path, way):
    (tmp_path / "page.jpg").write_text("<html>")
    some = [files[0], tmp_path / "page.jpg", tmp_path / "gone.jpg", files[1], files[0]]
    old = read_file(files[1], PREPARATION)[0].sha256
    passed = []

    def counted(views):
        passed.append(len(views))
        return forward(views)

    (chunk,) = way(some, known=lambda key: key == old, forward=counted, batch=8)
    assert [fact.problem is None for fact in chunk.facts] == [True, False, False, True, True]
    assert [*chunk.vectors] == [chunk.facts[0].sha256] and passed == [1]


@pytest.mark.parametrize("way", [on_cores, ahead])
def test_threads_end_when_the_reader_stops(files, way):
    before = set(threading.enumerate())  # a predictor of another test keeps its own
    run = way(files)
    next(run)
    assert set(threading.enumerate()) - before
    run.close()
    assert not set(threading.enumerate()) - before


@pytest.mark.parametrize("way", [on_cores, ahead])
def test_an_error_in_a_thread_reaches_the_reader_and_nothing_hangs(files, way):
    def broken(views):
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        next(way(files, forward=broken))


@pytest.mark.parametrize("way", [on_cores, ahead])
def test_little_is_decoded_ahead(files, monkeypatch, way):
    monkeypatch.setattr(pipeline, "GROUPS", 2)
    looked = []
    read = scan.picture_file.read
    monkeypatch.setattr(scan.picture_file, "read", lambda file: looked.append(file) or read(file))
    done = 0
    for chunk in way(files, batch=2):
        done += len(chunk.facts)
        assert len(looked) <= done + 9 * 2 * 2


SCRIPT = """
import multiprocessing, sys
from pathlib import Path
from ursa.core.prepare import Preparation
from ursa.embed import pipeline

def read_all(files):
    forward = lambda views: views.reshape(len(views), -1)[:, :3].astype("float32")
    run = pipeline.on_cores(files, Preparation(16), forward, lambda _: False, batch=4)
    return [fact.sha256 for chunk in run for fact in chunk.facts]

if __name__ == "__main__":
    files = sorted(Path(sys.argv[1]).glob("*/*"))[:20]
    here = read_all(files)
    for method in {"spawn", "fork"} & set(multiprocessing.get_all_start_methods()):
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.apply_async(read_all, (files,)).get(timeout=60) == here, method
    print(len(here))
"""


def test_another_process_reads_the_same_forked_or_spawned(files, tmp_path):
    """Threads are made when they are needed, so a pipeline works in a forked child of a process that has used one."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script, files[0].parents[1]], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "20", done.stderr


def test_torch_resizes_as_pillow_does(photo):
    draw = np.random.default_rng(0)
    for number in range(60):
        h, w, height, width = draw.integers(1, 300, 4)
        pixels = photo(number, int(w), int(h))
        if number % 3 == 0:
            pixels = (pixels > 127).astype(np.uint8) * 255  # as hard as it gets
        whole = by_torch(pixels, int(width), int(height)).astype(int)
        difference = np.abs(whole - prepare.resize(pixels, int(width), int(height)))
        assert difference.max() <= 2
        part = pixels[h // 4 :, w // 3 :]
        assert np.abs(by_torch(part, 20, 30).astype(int) - prepare.resize(part, 20, 30)).max() <= 2


def test_the_view_of_a_large_photo_stays_near_that_of_the_whole_decode(photo, encode):
    """DCT scaling reads less of the file; the stated bound: 1 grey level on average, 99 of 100 pixels within 4."""
    data = encode(photo(5, 2400, 1800, noise=12), "JPEG", quality=90)
    preparation = Preparation(224)
    needed = image.read(data, at_least=224, side=preparation.side).pixels
    assert needed.shape == (450, 600, 3)  # a quarter each way
    difference = np.abs(preparation.view(needed).astype(int) - preparation.view(image.read(data).pixels))
    assert difference.mean() < 1 and np.percentile(difference, 99) <= 4


def test_chunks_work_in_as_many_threads_as_asked():
    seen = set()
    gate = threading.Barrier(3, timeout=20)

    def work(item):
        seen.add(threading.current_thread().name)
        gate.wait()
        return item

    assert [*chunks(range(6), work, size=3, threads=3)] == [[0, 1, 2], [3, 4, 5]]
    assert len(seen) == 3


@pytest.mark.parametrize(("said", "most"), [("1", 1), ("2", 2), ("0", None), ("many", None), ("", None)])
def test_cores_respect_what_the_user_has_set(monkeypatch, said, most):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    all_of_them = cores()
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert cores() == min(all_of_them, most or all_of_them)
