"""`ursa train` against fastai's `fine_tune(4)`: time to its accuracy, and accuracy in its time. 5 splits of each set.

Same pictures, same weights, same CPU; fastai runs in an environment of its own:

    uv venv fastai-env && uv pip install --python fastai-env/bin/python fastai safetensors
    python benchmarks/transfer.py --peer-python fastai-env/bin/python
"""

import argparse
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import polars as pl
from common import BACKBONE, SQUEEZENET, median, report, shared

from ursa.core import statistics
from ursa.data.catalog import Catalog
from ursa.data.split import split
from ursa.embed.similar_embeddings import near_duplicate_groups
from ursa.prepared.setup import Clock, Setup, prepared
from ursa.recipe import Recipe
from ursa.workflow.train import train

SETS = ("dogs_cats", "bears_thumbs", "clothing")
PEER = Path(__file__).with_name("peers") / "fastai_fine_tune.py"


@dataclass(frozen=True)
class Run:
    """One split of one set: what both reached, and when."""

    probe: float
    kept: float
    last: float  # after the last epoch, whether it was kept or not: nothing was chosen by looking at these pictures
    probe_seconds: float
    seconds: float  # to the end of fine-tuning
    peer: float
    peer_seconds: float | None  # unless measured beside other work


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer-python", help="of an environment with fastai")
    parser.add_argument("--peer-results", type=Path, help="of an earlier run, to be completed")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--out", type=Path, help="append a line of JSON for each run")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        parts = {name: parted(name, arguments.seeds, Path(place)) for name in arguments.sets}
        results = arguments.peer_results or Path(place) / "peer.json"
        peer = fastai(parts, arguments.peer_python, results, Path(place))
        for name, catalogs in parts.items():
            runs = []
            for seed, catalog in enumerate(catalogs):
                runs.append(measured(catalog, seed, arguments.set, peer[name, seed], Path(place) / f"{name}-{seed}"))
                print(name, seed, runs[-1], flush=True)
                if arguments.out:
                    with arguments.out.open("a") as file:
                        file.write(json.dumps([name, seed, arguments.set, vars(runs[-1])]) + "\n")
            rows.append(row(name, runs))
    report(
        "transfer",
        f"`ursa train` against fastai's `fine_tune(4)`, SqueezeNet, 224 px, {arguments.seeds} splits",
        ["data", "fastai", "its time", "probe", "probe's time", "of fastai's", "kept", "last epoch", "time",
         "splits: last epoch against fastai", "p"],
        rows,
        "Accuracy on a fifth of the pictures, the same for both, copies on one side; means over the splits. Times are "
        "medians, from pictures on disk, imports not counted; fastai's alone on the machine. Ursa keeps the better of "
        "probe and epochs by those same pictures, which flatters it a little; probe and last epoch are chosen by "
        "nothing. p: exact sign test over the splits, last epoch against fastai.",
    )  # fmt: skip


def parted(name: str, seeds: int, place: Path) -> list[Catalog]:
    """The usable pictures of a set, divided anew for each seed, copies together."""
    ready = prepared(shared(name), Setup(BACKBONE, SQUEEZENET, place / name), Clock(), classes=True)
    usable = ready.catalog.usable().with_columns(split=pl.lit(None, dtype=pl.String))
    groups = near_duplicate_groups(ready.catalog, ready.embeddings).of(usable)
    return [split(usable, valid=0.2, seed=seed, groups=groups) for seed in range(seeds)]


def fastai(
    parts: dict[str, list[Catalog]], python: str | None, results: Path, place: Path
) -> dict[tuple[str, int], dict[str, Any]]:
    """(set, seed) -> what fastai came to."""
    splits = [
        {"set": name, "seed": seed, **{part: listed(catalog.of_split(part)) for part in ("train", "valid")}}
        for name, catalogs in parts.items()
        for seed, catalog in enumerate(catalogs)
    ]
    (place / "splits.json").write_text(json.dumps(splits))
    if python:
        subprocess.run([python, PEER, place / "splits.json", SQUEEZENET, results], check=True)
    return {(found["set"], found["seed"]): found for found in json.loads(results.read_text())}


def listed(catalog: Catalog) -> list[list[str]]:
    return [[str(file), label] for file, label in zip(catalog.files(), catalog.rows["label"], strict=True)]


def measured(catalog: Catalog, seed: int, settings: list[str], peer: dict[str, Any], place: Path) -> Run:
    """From pictures on disk, nothing known of them."""
    bare = Catalog.of(catalog.root, {name: catalog.rows[name].to_list() for name in ("id", "path", "label", "split")})
    recipe = Recipe.of(seed=seed).with_settings(settings)
    where: dict[str, Any] = {"workspace": place / "space", "out": place / "model.ursa"}
    done = train(bare, backbone=BACKBONE, weights=SQUEEZENET, recipe=recipe, **where)
    history = json.loads(done.history.read_text())
    before = sum(seconds for phase, seconds in done.seconds.items() if phase not in ("train", *AFTER))
    return Run(
        probe=done.probe.value,
        kept=done.accuracy.value,
        last=history["epochs"][-1]["accuracy"],
        probe_seconds=before,
        seconds=before + done.seconds["train"],
        peer=peer["accuracy"],
        peer_seconds=peer["seconds"],
    )


AFTER = ("evaluate", "export", "report")


def row(name: str, runs: list[Run]) -> list[str]:
    peer = median([run.peer_seconds for run in runs if run.peer_seconds is not None])
    probe = median([run.probe_seconds for run in runs])
    better, worse = sum(r.last > r.peer for r in runs), sum(r.last < r.peer for r in runs)
    return [
        name,
        f"{100 * mean(r.peer for r in runs):.1f} %",
        f"{peer:.0f} s",
        f"{100 * mean(r.probe for r in runs):.1f} %",
        f"{probe:.1f} s",
        f"1/{peer / probe:.0f}",
        f"{100 * mean(r.kept for r in runs):.1f} %",
        f"{100 * mean(r.last for r in runs):.1f} %",
        f"{median([run.seconds for run in runs]):.0f} s",
        f"{better} better, {worse} worse",
        f"{statistics.mcnemar_exact(better, worse):.2g}",
    ]


if __name__ == "__main__":
    main()
