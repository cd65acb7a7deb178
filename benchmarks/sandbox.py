"""What decoding in worker processes costs: the same work with and without them, in turn, in one process."""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from common import BACKBONE, SQUEEZENET, interleaved, median, ratio, report, shared

from ursa import sandbox
from ursa.core.decoding import image
from ursa.core.decoding.image import Picture, Pixels
from ursa.core.prepare import Preparation
from ursa.core.threads import cores
from ursa.data.scan import read_file, with_facts
from ursa.data.sources.folder_source import from_folder
from ursa.embed.backbone import Backbone
from ursa.embed.engine import Engine
from ursa.embed.extractor import Extractor
from ursa.embed.one_pass import embed
from ursa.errors import DataError
from ursa.training.batches.picture_batches import Views
from ursa.workspace import Workspace

PREPARATION = Preparation(224)
REQUESTS = 200


def reading(
    datas: Iterable[bytes], at_least: int | None = None, side: str = "shorter"
) -> Iterator[Picture | DataError]:
    """As it was before workers: decoded here."""
    for data in datas:
        try:
            yield image.read(data, at_least, side)
        except DataError as problem:
            yield problem


def view(data: bytes, preparation: Preparation, seconds: float = 10) -> Pixels:  # noqa: ARG001
    return preparation.view(image.read(data, preparation.size, preparation.side).pixels)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    folder = shared("dogs_cats")
    catalog = from_folder(folder)
    scanned = with_facts(catalog, [read_file(file, Preparation(32))[0] for file in catalog.files()]).usable()
    sandbox.prepare()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        engine = Engine(Backbone(BACKBONE, SQUEEZENET), Workspace.open(folder, place / "engine"), "bf16")
        engine(np.zeros((8, engine.about.size, engine.about.size, 3), np.uint8))
        normalize = Extractor(torch.nn.Identity(), (0.5,) * 3, (0.5,) * 3, 224).normalized

        def one_pass() -> None:
            embed(catalog, engine)
            shutil.rmtree(engine.space.embeddings(engine.key))

        def pipeline() -> None:
            for _ in Views(scanned, PREPARATION).each(32, lambda views: normalize(torch.from_numpy(views))):
                pass

        rows = [
            row("one pass of `ursa check`, SqueezeNet in bf16", one_pass, len(catalog), rounds, "<= 1.05"),
            row("files to normalized batches, 224 px", pipeline, len(scanned), rounds, "<= 1.05"),
            row("server: bytes to predictions, all cores", served(folder, place), REQUESTS, rounds, "<= 1.10"),
        ]
    report(
        "sandbox",
        f"Decoding in worker processes, dogs_cats, {cores()} cores, pictures a second",
        ["what", "in threads", "in workers", "time, workers over threads", "target"],
        rows,
        "In threads: as before, nothing is held if a decoder crashes. Medians and the median ratio of "
        f"{rounds} rounds in turn. The server's model is SqueezeNet's features with a head of two classes, in fp32.",
    )


def row(what: str, work: Callable[[], None], count: int, rounds: int, target: str) -> list[str]:
    def workers() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    def threads() -> float:
        with mock.patch.object(sandbox, "reading", reading), mock.patch.object(sandbox, "view", view):
            return workers()

    workers(), threads()
    seconds = interleaved(rounds, threads=threads, workers=workers)
    rates = [f"{count / median(seconds[name]):,.0f}" for name in ("threads", "workers")]
    return [what, *rates, f"{ratio(seconds['workers'], seconds['threads']):.3f}", target]


def served(folder: Path, place: Path) -> Callable[[], None]:
    """Requests as the server's threads answer them, without the network."""
    from ursa.serve.predictor import Predictor
    from ursa.workflow.train import train

    how: dict[str, Any] = {"backbone": BACKBONE, "weights": SQUEEZENET, "precision": "bf16", "epochs": 0}
    train(folder, workspace=place / "train", out=place / "model.ursa", **how)
    predictor = Predictor(place / "model.ursa")
    pictures = [file.read_bytes() for file in sorted(folder.glob("*/*"))[:REQUESTS]]

    def work() -> None:
        with ThreadPoolExecutor(cores()) as threads:
            list(threads.map(predictor, pictures))

    return work


if __name__ == "__main__":
    main()
