"""Every backbone goes through every command, with random weights in a file: does it work, exactly, and how fast is it?

Random weights say nothing of accuracy. All else is as with trained ones: layers, parity of the export, seconds.
"""

import argparse
import contextlib
import io
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from common import interleaved, median, report, shared

from ursa.core.threads import chunks
from ursa.embed.backbone import Backbone
from ursa.embed.engine import BATCH, Engine
from ursa.embed.openvino_network import OpenVINONetwork, installed
from ursa.embed.pretrained import known_backbones
from ursa.embed.store import Store
from ursa.workspace import Workspace

A_CLASS = 10  # pictures
VIEWS = 32  # pictures of noise that are timed
COMMANDS = ("check", "train", "train --minutes", "evaluate", "predict", "serve")
WAYS = (("torch", "fp32"), ("torch", "bf16"), ("openvino", "fp32"), ("openvino", "bf16"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--names", nargs="*", default=[one.name for one in known_backbones.table()])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--only-speed", action="store_true", help="time the passes, run no command")
    arguments = parser.parse_args()
    rows = [list(row(name, arguments).values()) for name in arguments.names]
    report(
        "backbones",
        "Backbones through every command, random weights",
        ["backbone", *COMMANDS, "cosine to torch fp32", "layers by group", "parity", "parameters", *SPEEDS],
        rows,
        "Pictures: 2 x 10 photos of dogs and cats. check: by torch and OpenVINO, in fp32 and bf16; the cosine is the "
        "least of any picture's embedding. serve: the bundle is tried as a stranger's is, then predicts. Milliseconds "
        "a picture of the forward pass: processor time over cores, medians of interleaved rounds.",
    )


SPEEDS = tuple(f"{runtime} {precision}" for runtime, precision in WAYS)


def row(name: str, arguments: argparse.Namespace) -> dict[str, object]:
    """One backbone -> its cells by column."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        weights = random_weights(name, home / "random.safetensors")
        cells = dict.fromkeys((*COMMANDS, "cosine", "groups", "parity"), "")
        if not arguments.only_speed:
            cells |= commands(name, weights, home, arguments.minutes)
        extractor = Backbone(name).load(pretrained=False)
        millions = f"{sum(p.numel() for p in extractor.parameters()) / 1e6:.1f} M"
        result: dict[str, object] = {"backbone": name, **cells, "parameters": millions}
        result |= speeds(name, weights, home, arguments.rounds)
    print(result, flush=True)
    return result


def random_weights(name: str, file: Path) -> Path:
    """A file with all weights of a network as it is when it is made."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = timm.create_model(name, pretrained=False).state_dict()
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, file)
    return file


def commands(name: str, weights: Path, home: Path, minutes: float) -> dict[str, str]:
    """What became of each command, and what it says."""
    folder, bundle = some_pictures(home / "pets"), home / "pets.ursa"
    own = ["--backbone", name, "--weights", str(weights)]
    cells: dict[str, str] = {}
    vectors = []
    for runtime, precision in WAYS if installed() else WAYS[:2]:
        space = home / f"{runtime}-{precision}"
        how = ("--workspace", space, "--runtime", runtime, "--precision", precision)
        cells["check"] = outcome(ursa("check", folder, *own, *how))
        if cells["check"] != "ok":
            return cells
        vectors.append(stored(Backbone(name, weights), Workspace.open(folder, space), precision))
    cells["cosine"] = f"{min(least_cosine(vectors[0], others) for others in vectors[1:]):.5f}"
    trained = ursa("train", folder, *own, "--epochs", "1", "--out", bundle, "--precision", "fp32")
    cells["train"] = outcome(trained)
    timed = ("--minutes", minutes, "--out", home / "timed.ursa")
    cells["train --minutes"] = outcome(ursa("train", folder, *own, *timed))
    cells["evaluate"] = outcome(ursa("evaluate", bundle, folder))
    picture = next(folder.glob("*/*"))
    cells["predict"] = outcome(ursa("predict", bundle, picture))
    cells["serve"] = served(bundle, picture)
    cells["groups"] = ", ".join(map(str, group_sizes(name)))
    cells["parity"] = f"{trained['parity']:.1g}" if isinstance(trained, dict) else ""
    return cells


def some_pictures(to: Path) -> Path:
    for kind in ("cat", "dog"):
        (to / kind).mkdir(parents=True)
        for file in sorted((shared("dogs_cats") / kind).iterdir())[:A_CLASS]:
            (to / kind / file.name).write_bytes(file.read_bytes())
    return to


def ursa(*words: object) -> Any:
    """The document of a command, or what it says instead. In this process, by the command line's own parser."""
    from ursa.cli.commands import app

    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            app([*map(str, words), "--json"], standalone_mode=False)
        except SystemExit as ended:
            said = json.loads(out.getvalue() or "{}")
            return f"exit {ended.code}: {said.get('error')} ({said.get('found')})"
    return json.loads(out.getvalue())


def outcome(document: Any) -> str:
    return document if isinstance(document, str) else f"ok, {document['kept']}" if "kept" in document else "ok"


def served(bundle: Path, picture: Path) -> str:
    """Whether the server's predictor takes the bundle as it does a stranger's."""
    from ursa.serve import trial
    from ursa.serve.predictor import Predictor

    try:
        predictor = Predictor(bundle)
        size, classes = predictor.bundle.preparation.size, len(predictor.labels)
        trial.require_works(predictor.bundle.parts["model.onnx"], size, classes)
        predictor(picture)
    except Exception as problem:  # noqa: BLE001  # a row of the table
        return f"{type(problem).__name__}: {problem}"
    return "ok"


def stored(backbone: Backbone, space: Workspace, precision: str) -> Any:
    """The embeddings [N, D] that a check left behind."""
    keys = [key for key in pl.read_parquet(space.catalog)["sha256"].to_list() if key]
    return Store(space.embeddings(backbone.describe(space).key(precision))).vectors(keys)


def least_cosine(exact: Any, other: Any) -> float:
    """Of any picture's two embeddings."""
    cosines = (exact * other).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(other, axis=1)
    return float(cosines.min())


def group_sizes(name: str) -> list[int]:
    """Layers in each group that has a learning rate of its own; the head's is the last."""
    from ursa.models.groups import layer_groups
    from ursa.training.classifier import Classifier

    return [len(group) for group in layer_groups(Classifier(Backbone(name).load(pretrained=False), 8, 2))]


def speeds(name: str, weights: Path, home: Path, rounds: int) -> dict[str, str]:
    """Milliseconds a picture of the forward pass, each way."""
    space = Workspace.open(home, home / "speeds")
    backbone = Backbone(name, weights)
    size = backbone.describe(space).size
    views = np.random.default_rng(0).integers(0, 256, (VIEWS, size, size, 3), dtype=np.uint8)
    actions: dict[str, Callable[[], float]] = {}
    failed: dict[str, str] = {}
    for runtime, precision in WAYS:
        try:
            forward = by(runtime, backbone, space, precision)
            forward(views[:BATCH])
            actions[f"{runtime}_{precision}"] = timed(forward, views)
        except Exception as problem:  # noqa: BLE001  # a cell of the table
            failed[f"{runtime}_{precision}"] = str(problem)
    taken = interleaved(rounds, **actions)
    ways = [f"{runtime}_{precision}" for runtime, precision in WAYS]
    return {way: f"{1000 * median(taken[way]) / VIEWS:.1f} ms" if way in taken else failed[way] for way in ways}


def by(runtime: str, backbone: Backbone, space: Workspace, precision: str) -> Callable[[Any], object]:
    if runtime == "torch":
        return Engine(backbone, space, precision)
    network = OpenVINONetwork(backbone.load(), precision, BATCH)
    return lambda views: list(chunks((views[i : i + BATCH] for i in range(0, len(views), BATCH)), network))


def timed(forward: Callable[[Any], object], views: Any) -> Callable[[], float]:
    def seconds() -> float:
        start = time.process_time()  # of all threads: other programs on this machine do not count
        forward(views)
        return (time.process_time() - start) / len(os.sched_getaffinity(0))

    return seconds


if __name__ == "__main__":
    main()
