"""`ursa train`: held-out accuracy against the probe's, over seeds; how far learner and exported model are apart."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from common import BACKBONE, SQUEEZENET, median, report, shared

from ursa.recipe import Recipe
from ursa.workflow.results.trained import Trained
from ursa.workflow.train import train


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    rows = []
    for name in ("dogs_cats", "clothing"):
        folder = shared(name)
        with tempfile.TemporaryDirectory() as place:
            runs: list[Trained] = []
            for seed in range(arguments.seeds):
                recipe = Recipe.of(seed=seed).with_settings(arguments.set)
                where: dict[str, Any] = {"workspace": Path(place) / "space", "out": Path(place) / "model.ursa"}
                runs.append(train(folder, backbone=BACKBONE, weights=SQUEEZENET, recipe=recipe, **where))
                print(name, seed, runs[-1].probe.value, runs[-1].accuracy.value, runs[-1].verdict.numbers, flush=True)
        rows.append(
            [
                name,
                runs[0].pictures["valid"],
                f"{100 * sum(run.probe.value for run in runs) / len(runs):.1f} %",
                f"{100 * sum(run.accuracy.value for run in runs) / len(runs):.1f} %",
                f"{sum(run.kept == 'fine-tuned' for run in runs)} of {len(runs)}",
                f"{min(run.accuracy.value - run.probe.value for run in runs):+.3f}",
                f"{median([run.seconds['train'] for run in runs]):.0f} s",
                f"{max(run.parity for run in runs):.1g}",
            ]
        )
    report(
        "training",
        f"Fine-tuning against the probe, SqueezeNet, {arguments.seeds} seeds",
        ["data", "held out", "probe", "kept", "fine-tuned kept", "worst gain", "fine-tuning", "ONNX differs by"],
        rows,
        "Held-out pictures also choose the epoch. ONNX is compared with the learner on all validation pictures; the "
        "figure is the largest difference in any probability (allowed: 1e-3), with the same class everywhere.",
    )


if __name__ == "__main__":
    main()
