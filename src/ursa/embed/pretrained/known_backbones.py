"""The table of backbones that were taken through every command: what each costs, what it gives, under which license.

`known_backbones.json` is the table, `benchmarks/backbones.py` measures it. Other names work too: what timm says of
their license is said to the user, never a reason to refuse.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PERMISSIVE = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0")  # in timm's words: of use in a product, too
UNKNOWN = (None, "unknown")


@dataclass(frozen=True)
class KnownBackbone:
    """A row of the table."""

    name: str
    license: str  # of the weights
    parameters: float  # millions, without the head
    size: int  # pixels, both sides of the pictures it sees
    imagenet: float  # top-1 accuracy in per cent, as its makers or timm's results say; see the JSON's note
    milliseconds: Mapping[str, float]  # a picture of the pass on 2 cores, by runtime and precision


@functools.cache
def table() -> tuple[KnownBackbone, ...]:
    """The rows, the fastest first."""
    document = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return tuple(KnownBackbone(**row) for row in document["backbones"])


def markdown() -> str:
    """The table as docs/training.md shows it."""
    head = (
        "| backbone | parameters | ImageNet | torch, fp32 | torch, bf16 | OpenVINO, bf16 |\n|---|---|---|---|---|---|\n"
    )
    ways = ("torch fp32", "torch bf16", "openvino bf16")
    rows = (
        f"| `{row.name}` | {row.parameters:g} M | {row.imagenet:g} % | "
        + " | ".join(f"{row.milliseconds[way]:g} ms" for way in ways)
        + " |\n"
        for row in table()
    )
    return head + "".join(rows)


def limits_use(license: str | None) -> bool:
    """Whether a license, as timm calls it, is neither permissive nor unknown."""
    return license not in (*UNKNOWN, *PERMISSIVE)


def license_words(name: str, license: str) -> str:
    """What to say of weights whose license limits what may be done with a model made from them."""
    plain = "non-commercial use only" if "-nc-" in license or "noncommercial" in license else "use under its own terms"
    return f"The weights of {name} are licensed {license}, for {plain}: that holds for models trained from them, too."
