"""Loss and gradient of a batch of 32 photos on a CPU: all cores on one operation after the other, or some on each."""

import argparse
import contextlib
import time
from collections.abc import Callable
from typing import Any

import torch
from common import BACKBONE, SQUEEZENET, interleaved, median, report
from torch import nn

from ursa.embed.backbone import Backbone
from ursa.embed.extractor import Extractor
from ursa.embed.pretrained.bodies import TimmBody
from ursa.training.batches.batch import Batch
from ursa.training.classifier import Classifier
from ursa.training.loop import Gradient, State, accumulated
from ursa.training.optim.data_parallel import data_parallel_cpu
from ursa.training.tasks.losses import cross_entropy

BATCH, CLASSES = 32, 10
NETWORKS = ("squeezenet1_0", "resnet34", "resnet50", "vit_small_patch16_224", "mobilenetv3_large_100", "convnext_tiny")
WAYS: dict[str, Callable[[torch.dtype], contextlib.AbstractContextManager[Gradient]]] = {
    "all cores, 32 at once": lambda dtype: contextlib.nullcontext(accumulated(0, dtype)),
    "all cores, 8 at a time": lambda dtype: contextlib.nullcontext(accumulated(8, dtype)),
    "4 on each core": lambda dtype: data_parallel_cpu(dtype, 4),
    "8 on each core": lambda dtype: data_parallel_cpu(dtype, 8),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    arguments = parser.parse_args()
    rows = []
    for name in arguments.networks:
        for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
            state, batch = made(name)
            seconds = interleaved(
                arguments.rounds, **{way: timed(make, state, batch, dtype) for way, make in WAYS.items()}
            )
            rows.append([name, precision, *(f"{BATCH / median(taken):.0f}" for taken in seconds.values())])
            print(rows[-1], flush=True)
    columns = ["network", "precision", *WAYS]
    note = "Pictures a second, forward and backward, 224 px, weights random but for SqueezeNet, batch norm frozen."
    report("gradients", "Gradients on a CPU", columns, rows, note)


def made(name: str) -> tuple[State, Batch]:
    extractor = Backbone(BACKBONE, SQUEEZENET).load() if name == "squeezenet1_0" else timm_extractor(name)
    extractor.requires_grad_(True).body.to(memory_format=torch.channels_last)
    views = torch.randint(0, 256, (BATCH, 224, 224, 3), dtype=torch.uint8)
    with torch.no_grad():
        features = extractor(views[:1]).shape[1]
    model: nn.Module = Classifier(extractor, features, CLASSES).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return State(model, optimizer), Batch((views,), torch.randint(0, CLASSES, (BATCH,)))


def timm_extractor(name: str) -> Extractor:
    import timm

    model: Any = timm.create_model(name, pretrained=False)
    model.reset_classifier(0)
    body = TimmBody(model)
    body.has_map = model.forward_features(torch.zeros(2, 3, 224, 224)).shape[1] == model.num_features
    return Extractor(body, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 224)


def timed(
    make: Callable[[torch.dtype], contextlib.AbstractContextManager[Gradient]],
    state: State,
    batch: Batch,
    dtype: torch.dtype,
) -> Callable[[], float]:
    def action() -> float:
        threads = torch.get_num_threads()
        with make(dtype) as gradient:
            state.optimizer.zero_grad()
            gradient(state, batch, cross_entropy)  # threads and memory are there from now on
            state.optimizer.zero_grad()
            start = time.perf_counter()
            gradient(state, batch, cross_entropy)
            seconds = time.perf_counter() - start
        torch.set_num_threads(threads)
        return seconds

    return action


if __name__ == "__main__":
    main()
