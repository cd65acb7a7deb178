"""The pipeline: order, completeness, and a plan for the cores that follows from what was timed."""

import threading

import pytest

from ursa.core.prepare import Preparation
from ursa.core.threads import chunks, cores
from ursa.embed import pipeline
from ursa.embed.pipeline import CHUNK, Plan, best_plan

PREPARATION = Preparation(size=16)


@pytest.fixture(scope="module")
def files(tmp_path_factory, picture_folder):
    folder = picture_folder(tmp_path_factory.mktemp("many"), {"red": 2 * CHUNK + 30}, side=16)
    return sorted(folder.glob("*/*"))


@pytest.mark.parametrize("plan", [Plan(1, 3, True), Plan(4, 4, False)], ids=["side by side", "in turns"])
@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, 2 * CHUNK + 30])
def test_every_file_comes_out_once_in_order_whatever_the_plan(files, monkeypatch, plan, count):
    monkeypatch.setattr(pipeline, "cores", lambda: 4)
    monkeypatch.setattr(pipeline, "best_plan", lambda *_: plan)
    expected = [pipeline.look(file, PREPARATION)[0].sha256 for file in files[:count]]
    threads = []
    seen = [facts.sha256 for chunk in pipeline.looks(files[:count], PREPARATION, threads.append) for facts, _ in chunk]
    assert seen == expected
    assert threads in ([], [plan.forward, 4])  # set for the plan, and set back


def test_threads_are_set_back_when_the_reader_stops(files, monkeypatch):
    monkeypatch.setattr(pipeline, "cores", lambda: 4)
    monkeypatch.setattr(pipeline, "best_plan", lambda *_: Plan(1, 3, True))
    threads = []
    run = pipeline.looks(files, PREPARATION, threads.append)
    for _ in range(3):
        next(run)
    run.close()
    assert threads == [3, 4]


def test_an_accelerator_gets_every_file_too(files):
    seen = [facts.sha256 for chunk in pipeline.looks(files, PREPARATION, None) for facts, _ in chunk]
    assert seen == [pipeline.look(file, PREPARATION)[0].sha256 for file in files]


def test_the_plan_follows_from_the_times():
    assert best_plan(1.0, 1.4, 1.6, 4) == Plan(1, 3, True)  # 4 x 1.6 / 3 = 2.1 < 2.6
    assert best_plan(0.1, 0.4, 1.6, 4) == Plan(4, 4, False)  # 1.7 < 2.1
    assert best_plan(9.0, 30.0, 0.2, 4) == Plan(4, 4, False)  # 9.2 < 10: large photos, a small network
    assert best_plan(9.0, 9.0, 0.2, 4) == Plan(3, 1, True)  # a decoder that does not gain from threads
    assert best_plan(1.0, 1.0, 9.0, 1) == Plan(1, 1, False)


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
