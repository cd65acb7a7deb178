"""A name -> a frozen extractor with a fingerprint. What is learned about a backbone once is remembered, so that a run
whose embeddings are all in the store need not import torch.

Names: `pixels` and `small_cnn` (need no weights), a timm name such as `convnext_nano.in12k_ft_in1k`, or
`torchvision:NAME`.
"""

import copy
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ursa import workspace
from ursa.core.prepare import Preparation
from ursa.embed.pretrained.without_weights import WITHOUT_WEIGHTS
from ursa.errors import DataError, TrainingError

if TYPE_CHECKING:
    from torch import Tensor

    from ursa.embed.extractor import Extractor

# 15 million parameters, Apache-2.0, 82.3 % on ImageNet: 6 points above resnet34.a1_in1k, the default before, at about
# its seconds; and every command was measured with it (benchmarks/backbones.py, pretrained/known_backbones.json).
DEFAULT = "convnext_nano.in12k_ft_in1k"
LARGEST = 4096  # pixels, both sides of the pictures that a backbone sees
FEATURES = 2  # raised when Extractor computes something else from the same body: old embeddings then do not count


@dataclass(frozen=True)
class Backbone:
    """Which network, and where its weights come from."""

    name: str = DEFAULT
    weights: Path | None = None  # a safetensors file, or a state dict; None: the library's own, from its hub

    def describe(self, space: workspace.Workspace, load: "Callable[[], Extractor] | None" = None) -> "Description":
        """What is to be known without loading it; from the workspace when this backbone was used there before.

        load: used instead of `self.load` where it has to be loaded once for this, by callers who will keep it.
        """
        if self.weights is not None and not self.weights.is_file():
            raise DataError(f"there is no file of weights {self.weights}", fix="check the path after --weights")
        source = "hub" if self.weights is None else _sha256(self.weights)
        key = f"{self.name} {source} {_library_version(self.name)}"
        found = workspace.remember(
            space.backbones, key, lambda: self._examine(source, (load or self.load)()), known_by=_is_description
        )
        return Description(**found)

    def load(self, *, pretrained: bool = True) -> "Extractor":
        """The extractor with its weights, in float32, ready for evaluation.

        It is the caller's own, to be trained or converted: a copy of the one that was built and read last, so that a
        process that embeds, trains and exports reads the weights once. pretrained: False for random weights, to be
        filled from a file that holds all of them. Raises TrainingError for an unknown name or weights that do not fit,
        NoWeightsError for weights that cannot be had offline.
        """
        about = None if self.weights is None else self.weights.stat()
        stamp = None if about is None else (about.st_ino, about.st_size, about.st_mtime_ns)
        return copy.deepcopy(_built(self, stamp)) if pretrained else _build(self, pretrained=False)

    def _examine(self, source: str, extractor: "Extractor") -> dict[str, Any]:
        if source == "hub":
            source = _sha256_of_state(extractor.state_dict())
        from ursa.embed.pretrained.bodies import license_of

        size = extractor.size
        identity = json.dumps([self.name, source, size, FEATURES])
        fingerprint = hashlib.sha256(identity.encode()).hexdigest()[:16]
        return {"fingerprint": fingerprint, "size": size, "license": license_of(self.name)}


@functools.lru_cache(maxsize=1)
def _built(backbone: Backbone, _weights: tuple[int, ...] | None) -> "Extractor":
    """_weights: inode, size and time of the file, so that another one in its place is read."""
    return _build(backbone, pretrained=True)


def _build(backbone: Backbone, *, pretrained: bool) -> "Extractor":
    import torch

    from ursa.embed.extractor import Extractor
    from ursa.embed.pretrained import bodies

    name, weights = backbone.name, backbone.weights
    with torch.random.fork_rng(devices=[]):  # building a network draws initial weights: not from the user's stream
        if name in WITHOUT_WEIGHTS:
            if weights is not None:
                raise TrainingError(f"the backbone `{name}` has no weights to load", fix="leave out --weights")
            body, mean, std, size = bodies.of_pixels() if name == "pixels" else bodies.of_small_cnn()
        elif name.startswith("torchvision:"):
            place = name.removeprefix("torchvision:")
            body, mean, std, size = bodies.of_torchvision(place, weights, pretrained=pretrained)
        else:
            body, mean, std, size = bodies.of_timm(name, weights, pretrained=pretrained)
    return Extractor(body, mean, std, size).eval().requires_grad_(False)


@dataclass(frozen=True)
class Description:
    """What a backbone is known by."""

    fingerprint: str  # of name, weights and the definition of the features
    size: int  # pixels, both sides of the pictures it sees
    license: str | None = None  # of its weights, as timm calls it; None where nothing is said of it

    @property
    def preparation(self) -> Preparation:
        """How pictures are prepared for it."""
        return Preparation(size=self.size)

    def key(self, precision: str) -> str:
        """The name of the store that holds its embeddings."""
        seen = json.dumps([self.fingerprint, self.preparation.to_json(), precision], sort_keys=True)
        return hashlib.sha256(seen.encode()).hexdigest()[:16]


def _is_description(found: Any) -> bool:
    """Whether it is what `_examine` of this release gives."""
    if not isinstance(found, dict) or set(found) != set(Description.__annotations__):
        return False
    size, fingerprint, license = found["size"], found["fingerprint"], found["license"]
    if not isinstance(license, str | None):
        return False
    return isinstance(size, int) and 0 < size <= LARGEST and isinstance(fingerprint, str) and len(fingerprint) == 16


def _library_version(name: str) -> str:
    library = "torchvision" if name.startswith("torchvision:") else "timm"
    library = "ursa-learn" if name in WITHOUT_WEIGHTS else library
    return f"{library} {version(library)}"


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sha256_of_state(state: Mapping[str, "Tensor"]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].contiguous().numpy().tobytes())
    return digest.hexdigest()
