"""Recipe: every setting of a training run. Frozen; units and a source beside each default."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ursa.errors import TrainingError, did_you_mean


@dataclass(frozen=True)
class Recipe:
    """The settings of `ursa train`. `Recipe().with_settings(["epochs=5"])` gives another one."""

    seed: int = 0
    valid: float = 0.2  # share of each class put aside for validation, where the folders give no validation part
    folds: int = 5  # of the probe's cross-validation (Kohavi 1995: 5 to 10)

    epochs: int = 5  # passes over the training pictures; 0: the probe alone
    batch: int = 32  # pictures a step
    micro_batch: int = 8  # pictures a forward pass on a CPU; gradients add up, so results do not depend on it
    head_rate: float = 1e-3  # peak learning rate of the head (measured: docs/decisions.md)
    body_rate: float = 1e-4  # peak learning rate of the body's last third
    layer_decay: float = 2.6  # rates fall by this factor from third to third (Howard and Ruder 2018, ULMFiT)
    weight_decay: float = 0.01  # decoupled (Loshchilov and Hutter 2019); not on biases and norms
    warm_up: float = 0.25  # fraction of all steps with a rising rate (Smith 2018; fastai's pct_start)
    clip: float = 1.0  # largest norm of the gradient
    smoothing: float = 0.1  # label smoothing (Szegedy et al. 2016)

    flip: float = 0.5  # probability of mirroring left and right; 0 where left and right matter, as for digits
    zoom: float = 0.75  # least share of each side that a random crop keeps; 1: the whole picture always

    def __post_init__(self) -> None:
        for name, low, high in _LIMITS:
            value = getattr(self, name)
            if not low <= value <= high:  # false for NaN too
                raise TrainingError(
                    f"the setting {name} is out of range", found=value, fix=f"a number from {low:g} to {high:g}"
                )

    def with_settings(self, settings: Iterable[str] | Mapping[str, Any]) -> "Recipe":
        """A recipe with other settings: ["epochs=5"] or {"epochs": 5}. Raises TrainingError for an unknown one."""
        pairs = settings.items() if isinstance(settings, Mapping) else [_pair(text) for text in settings]
        kinds: dict[str, type[int] | type[float]] = {name: type(value) for name, value in self.to_json().items()}
        changes: dict[str, Any] = {}
        for name, value in pairs:
            if name not in kinds:
                raise TrainingError(f"a recipe has no setting {name!r}", fix=did_you_mean(name, kinds))
            try:
                changes[name] = kinds[name](value)
            except (ValueError, TypeError):
                kind = "a whole number" if kinds[name] is int else "a number"
                raise TrainingError(f"the setting {name} has to be {kind}", found=repr(value)) from None
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """All settings by name."""
        return dataclasses.asdict(self)


_LIMITS: tuple[tuple[str, float, float], ...] = (
    ("valid", 0.01, 0.9),
    ("folds", 2, 100),
    ("epochs", 0, 10_000),
    ("batch", 1, 65_536),
    ("micro_batch", 1, 65_536),
    ("head_rate", 1e-9, 10),
    ("body_rate", 1e-9, 10),
    ("layer_decay", 1, 100),
    ("weight_decay", 0, 10),
    ("warm_up", 0, 1),
    ("clip", 1e-6, 1e9),
    ("smoothing", 0, 0.9),
    ("flip", 0, 1),
    ("zoom", 0.05, 1),
)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise TrainingError("a setting is given as NAME=VALUE", found=repr(text), fix="for example --set epochs=5")
    return name.strip(), value.strip()
