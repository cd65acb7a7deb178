"""fastai's `fine_tune(4)` on given splits: accuracy and seconds. Runs in an environment of its own.

python fastai_fine_tune.py SPLITS.json WEIGHTS.safetensors RESULTS.json

SPLITS.json: [{"set", "seed", "train": [[file, label], ...], "valid": [...]}, ...]. SqueezeNet 1.0, 224 px, batches of
32, fastai's own augmentation and rates: what its first lesson does.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastai.vision.all import (  # type: ignore[import-not-found]
    CategoryBlock,
    DataBlock,
    ImageBlock,
    IndexSplitter,
    Resize,
    accuracy,
    aug_transforms,
    set_seed,
    vision_learner,
)
from fastai.vision.learner import model_meta  # type: ignore[import-not-found]
from safetensors.torch import load_file
from torchvision.models import squeezenet1_0

EPOCHS = 4


def main() -> None:
    splits, weights, out = map(Path, sys.argv[1:4])

    def arch(pretrained: bool = True, **_: Any) -> Any:  # torchvision's network with the weights of a file
        model = squeezenet1_0()
        if pretrained:
            model.load_state_dict(load_file(weights))
        return model

    model_meta[arch] = model_meta[squeezenet1_0]
    results = json.loads(out.read_text()) if out.exists() else []
    done = {(r["set"], r["seed"]) for r in results}
    for split in json.loads(splits.read_text()):
        if (split["set"], split["seed"]) not in done:
            results.append(run(split, arch))
            print({k: v for k, v in results[-1].items() if k != "right"}, flush=True)
            out.write_text(json.dumps(results))


def run(split: dict[str, Any], arch: Callable[..., Any]) -> dict[str, Any]:
    set_seed(split["seed"])
    items = [*split["train"], *split["valid"]]
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_x=lambda item: item[0],
        get_y=lambda item: item[1],
        splitter=IndexSplitter(range(len(split["train"]), len(items))),
        item_tfms=Resize(224),
        batch_tfms=aug_transforms(),
    )
    start = time.perf_counter()
    loaders = block.dataloaders(items, bs=32)
    learner = vision_learner(loaders, arch, metrics=accuracy)
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(EPOCHS)
    seconds = time.perf_counter() - start
    by_epoch = [float(row[-1]) for row in learner.recorder.values]
    predictions, targets = learner.get_preds()
    right = (predictions.argmax(1) == targets).tolist()
    return {
        "set": split["set"],
        "seed": split["seed"],
        "accuracy": sum(right) / len(right),
        "by_epoch": by_epoch,
        "seconds": seconds,
        "right": right,
    }


if __name__ == "__main__":
    main()
