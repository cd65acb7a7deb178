"""The pipeline: order, completeness, bounds, and cores shared by what was timed."""

import threading

import numpy as np
import pytest

from ursa.core import image, prepare
from ursa.core.prepare import Preparation
from ursa.core.threads import chunks, cores
from ursa.data.scan import glance, look
from ursa.embed import pipeline
from ursa.embed.pipeline import CHUNK, decoders
from ursa.embed.resize import by_torch

PREPARATION = Preparation(size=16)


@pytest.fixture(scope="module")
def files(tmp_path_factory, picture_folder):
    folder = picture_folder(tmp_path_factory.mktemp("many"), {"red": 2 * CHUNK + 30}, side=16)
    return sorted(folder.glob("*/*"))


@pytest.mark.parametrize("buffer", [2, 5, 1000])
@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, 2 * CHUNK + 30])
def test_every_file_comes_out_once_in_order_whatever_the_buffer(files, monkeypatch, buffer, count):
    monkeypatch.setattr(pipeline, "cores", lambda: 4)
    monkeypatch.setattr(pipeline, "BUFFER_BYTES", buffer * CHUNK * 16 * 16 * 3)
    threads = []
    expected = [look(file, PREPARATION, by_torch) for file in files[:count]]
    seen = [*pipeline.looks(files[:count], PREPARATION, threads.append)]
    assert [facts for chunk in seen for facts in chunk.facts] == [facts for facts, _ in expected]
    views = np.concatenate([chunk.views for chunk in seen]) if seen else np.empty((0, 16, 16, 3))
    assert len(views) == count
    for view, (_, known) in zip(views, expected, strict=True):
        assert np.abs(view.astype(int) - known).max() <= 2
    assert threads[-1] == 4  # set back


def test_no_more_is_decoded_ahead_than_the_buffer_holds(files, monkeypatch):
    monkeypatch.setattr(pipeline, "cores", lambda: 4)
    monkeypatch.setattr(pipeline, "CHUNK", 8)
    monkeypatch.setattr(pipeline, "BUFFER_BYTES", 3 * 8 * 16 * 16 * 3)
    looked = []
    monkeypatch.setattr(pipeline, "glance", lambda file, *rest: looked.append(file) or glance(file, *rest))
    for number, _ in enumerate(pipeline.looks(files, PREPARATION, lambda _: None), 1):
        assert len(looked) <= (number + 3) * 8


def test_decoders_stop_and_threads_are_set_back_when_the_reader_stops(files, monkeypatch):
    monkeypatch.setattr(pipeline, "cores", lambda: 4)
    threads = []
    run = pipeline.looks(files, PREPARATION, threads.append)
    next(run)
    run.close()
    assert threads == [3, 4]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ursa")]


def test_while_something_is_decoded_the_forward_pass_leaves_it_a_core(files, monkeypatch):
    monkeypatch.setattr(pipeline, "cores", lambda: 4)
    hold, threads = threading.Event(), []
    slow = files[CHUNK + 20]
    monkeypatch.setattr(pipeline, "glance", lambda file, *rest: (file != slow or hold.wait(20)) and glance(file, *rest))
    run = pipeline.looks(files, PREPARATION, threads.append)
    next(run)
    assert threads == [3]
    hold.set()
    assert sum(len(chunk.facts) for chunk in run) == len(files) - CHUNK
    assert threads[-1] == 4


@pytest.mark.parametrize("count", [1, 4])
def test_an_accelerator_or_a_single_core_gets_every_file_too(files, monkeypatch, count):
    monkeypatch.setattr(pipeline, "cores", lambda: count)
    expected = [look(file, PREPARATION)[0].sha256 for file in files]
    for set_threads in (None, lambda _: None):
        chunks = pipeline.looks(files, PREPARATION, set_threads)
        assert [facts.sha256 for chunk in chunks for facts in chunk.facts] == expected


def test_an_error_in_a_decoder_thread_reaches_the_reader(files, monkeypatch):
    def broken(file, *rest):
        raise RuntimeError(f"a defect, at {file.name}")

    monkeypatch.setattr(pipeline, "glance", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        next(pipeline.looks(files, PREPARATION, None))


def test_cores_are_shared_in_proportion():
    assert decoders(0.05, 0.1, 4) == 1  # a ninth of the work, but never none
    assert decoders(1.2, 0.1, 4) == 3  # three quarters
    assert decoders(9.0, 0.1, 4) == 3  # never all
    assert decoders(1.0, 0.25, 4) == 2
    assert decoders(1.0, 0.0, 2) == 1


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
