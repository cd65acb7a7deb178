"""kill -9 at random moments, resume: are weights and history those of a run that was never killed, bit for bit?"""

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import BACKBONE, SHARED, SQUEEZENET, median, report, shared

SIDE_BY_SIDE = 3  # runs at a time; more of them make the moments of kills more random, and the waiting shorter
EVERY = {"cnn": 0.1, "squeezenet": 1.0}  # seconds between checkpoints
WHAT = {
    "cnn": "small CNN with dropout and weight average, 1,000 digits, 4 epochs",
    "squeezenet": "SqueezeNet in bf16, fine-tuned on 100 photos of 128 px, 2 epochs",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cnn", type=int, default=18)
    parser.add_argument("--squeezenet", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=2, metavar=("KIND", "FOLDER"))
    arguments = parser.parse_args()
    if arguments.child:
        kind, folder = arguments.child
        print(json.dumps({"cnn": cnn, "squeezenet": squeezenet}[kind](Path(folder))), flush=True)
        return
    shared("dogs_cats")
    rows = [
        row(kind, count, arguments.seed)
        for kind, count in (("cnn", arguments.cnn), ("squeezenet", arguments.squeezenet))
    ]
    report(
        "kills",
        "kill -9 at a random moment, then resumed",
        ["run", "times", "kills", "steps", "same weights", "same history", "a checkpoint takes"],
        rows,
        "The moment is uniform over the time that training takes, with a checkpoint a second or more. Every second "
        "run is killed again, at any time from the start of Python on, if it is not done by then. Weights: SHA-256 of "
        "all of them; history: all losses, rates and metrics.",
    )


def row(kind: str, times: int, seed: int) -> list[object]:
    """Let it run once, then kill and resume it so many times, some side by side."""
    began = time.perf_counter()
    straight = finished(kind, None)
    whole = time.perf_counter() - began

    def trial(number: int) -> tuple[int, dict[str, Any]]:
        draw = random.Random(f"{kind} {seed} {number}")
        with tempfile.TemporaryDirectory() as place:
            kills = int(killed(kind, Path(place), draw.uniform(0, straight["seconds"]), once_training=True))
            if number % 2:
                kills += killed(kind, Path(place), draw.uniform(0, whole), once_training=False)
            end = finished(kind, Path(place))
        print(kind, number, end["weights"] == straight["weights"], f"{kills} kills", flush=True)
        return kills, end

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        kills, ends = zip(*pool.map(trial, range(times)), strict=True)
    weights = sum(end["weights"] == straight["weights"] for end in ends)
    history = sum(end["history"] == straight["history"] for end in ends)
    cost = f"{1e3 * straight['checkpoint']:.0f} ms"
    return [WHAT[kind], times, sum(kills), straight["steps"], f"{weights} of {times}", f"{history} of {times}", cost]


def command(kind: str, folder: Path) -> Sequence[str]:
    """What runs, or goes on, in a process of its own."""
    return [sys.executable, __file__, "--child", kind, str(folder)]


def finished(kind: str, folder: Path | None) -> dict[str, Any]:
    """What a run says at its end."""
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run(command(kind, folder or Path(place)), check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def killed(kind: str, folder: Path, after: float, *, once_training: bool) -> bool:
    """Start or resume, kill some seconds later, or so long after the first checkpoint. -> was it still running?"""
    with subprocess.Popen(command(kind, folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while once_training and not any(folder.glob("step-*.safetensors")):
            time.sleep(0.01)
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
            return True
    return False


def cnn(folder: Path) -> dict[str, Any]:
    """A small convolutional network on digits."""
    import numpy as np
    import torch
    from torch import nn

    from ursa.training.batches.array_batches import ArrayBatches
    from ursa.training.fit import fit
    from ursa.training.loop import State
    from ursa.training.optim.ema import EMA
    from ursa.training.optim.optimizers import Group, make

    with np.load(SHARED / "data" / "mnist_12k.npz") as file:
        x, y = (torch.from_numpy(file[name][:1500]) for name in ("x_train", "y_train"))
    x, y = x[:, None].float() / 255, y.long()
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 2), nn.BatchNorm2d(16)
    )
    model.extend([nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(16 * 6 * 6, 10)])
    state = State(model, make("adamw", [Group([model], 3e-3)], model=model), average=EMA(model, 0.98))

    def evaluate(model: nn.Module) -> dict[str, float]:
        model.eval()
        with torch.inference_mode():
            said = model(x[1000:])
        right = (said.argmax(1) == y[1000:]).float().mean()
        return {"valid_loss": float(nn.functional.cross_entropy(said, y[1000:])), "accuracy": float(right)}

    checkpoints = timed(folder, "cnn")
    batches = ArrayBatches((x[:1000],), y[:1000], batch=32)
    history, _ = fit(state, batches, evaluate, epochs=4, max_grad_norm=1.0, checkpoints=checkpoints, resume=True)
    return ended(model, history.steps, history.epochs, checkpoints)


def squeezenet(folder: Path) -> dict[str, Any]:
    """Real pictures, views and all, through the transfer recipe."""
    import torch

    from ursa.core.prepare import Preparation
    from ursa.data.sources.folder_source import from_folder
    from ursa.embed.backbone import Backbone
    from ursa.recipe import OptimSettings
    from ursa.training.batches.picture_batches import PictureBatches, Views
    from ursa.training.classifier import Classifier
    from ursa.training.fine_tuning import fine_tune

    catalog = from_folder(shared("dogs_cats"))
    learn, valid = (replace(catalog, rows=catalog.rows[first::14]) for first in (0, 7))
    backbone = Backbone(BACKBONE, SQUEEZENET)
    extractor, preparation = backbone.load(), Preparation(size=128)
    with torch.inference_mode():
        features = extractor(torch.zeros(1, preparation.size, preparation.size, 3, dtype=torch.uint8)).shape[1]
    torch.manual_seed(0)
    model = Classifier(extractor, features, 2)
    checkpoints = timed(folder, "squeezenet")
    outcome = fine_tune(
        model,
        PictureBatches(learn, learn.targets(), preparation, batch_size=8, epochs=2),
        Views(valid, preparation),
        valid.targets(),
        OptimSettings(epochs=2),
        precision=torch.bfloat16,
        checkpoints=checkpoints,
    )
    return ended(outcome.model, outcome.steps, outcome.epochs, checkpoints)


def timed(folder: Path, kind: str) -> Any:
    """Checkpoints that note the seconds that each one takes."""
    from ursa.training.checkpoints.checkpoint_folder import Checkpoints

    class Timed(Checkpoints):
        seconds: list[float] = []  # noqa: RUF012

        def save(self, *state: Any) -> Path:
            began = time.perf_counter()
            path = super().save(*state)
            self.seconds.append(time.perf_counter() - began)
            return path

    return Timed(folder, every_seconds=EVERY[kind])


def ended(
    model: Any, steps: list[dict[str, float]], epochs: list[dict[str, float]], checkpoints: Any
) -> dict[str, Any]:
    """What is compared."""
    records = [{name: value for name, value in record.items() if name != "seconds"} for record in epochs]
    history = hashlib.sha256(json.dumps([steps, records]).encode()).hexdigest()
    weights = hashlib.sha256(b"".join(value.numpy().tobytes() for value in model.state_dict().values())).hexdigest()
    cost = median(checkpoints.seconds) if checkpoints.seconds else 0.0
    seconds = sum(record.get("seconds", 0) for record in epochs)
    return {"weights": weights, "history": history, "steps": len(steps), "seconds": seconds, "checkpoint": cost}


if __name__ == "__main__":
    main()
