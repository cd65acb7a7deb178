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
    test: float = 0.0  # share of each class sealed for testing, where the folders give no test part
    train_dev: float = 0.0  # share of each class kept from training that is judged beside validation (Ng 2018)
    folds: int = 5  # of the probe's cross-validation (Kohavi 1995: 5 to 10)

    epochs: int = 5  # passes over the training pictures; 0: the probe alone
    batch: int = 32  # pictures a step
    micro_batch: int = 0  # pictures a forward pass on a CPU, which changes speed, not results; 0: by the network's size
    head_rate: float = 1e-3  # peak learning rate of the head (measured: docs/decisions.md)
    body_rate: float = 3e-4  # peak learning rate of the body's last third (measured: docs/decisions.md)
    layer_decay: float = 2.6  # rates fall by this factor from third to third (Howard and Ruder 2018, ULMFiT)
    weight_decay: float = 0.01  # decoupled (Loshchilov and Hutter 2019); not on biases and norms
    warm_up: float = 0.25  # fraction of all steps with a rising rate (Smith 2018; fastai's pct_start)
    gradual: float = 0.0  # share of the run after which all layers learn, from the head downwards; 0: at once
    clip: float = 1.0  # largest norm of the gradient; 0: any
    patience: int = 0  # epochs without a better one after which training stops; 0: it never does (Prechelt 1998)
    ema: float = 0.98  # share of the averaged weights kept at each step (Polyak and Juditsky 1992); 0: no average
    smoothing: float = 0.1  # label smoothing (Szegedy et al. 2016)
    tta: int = 1  # views that a prediction averages over: 2 adds the mirror image, at twice the time
    small: float = 0.0  # share of the epochs, the first ones, that see pictures at two thirds of their size
    balance: str = "none"  # rare classes count more in the loss ("weights"), or are shown more often ("oversample")

    flip: float = 0.5  # probability of mirroring left and right; 0 where left and right matter, as for digits
    zoom: float = 0.75  # least share of each side that a random crop keeps; 1: the whole picture always
    ratio: float = 4 / 3  # the shares of a crop's two sides differ at most by this factor (Szegedy et al. 2015)
    flip_vertical: float = 0.0  # probability of mirroring up and down
    quarter: float = 0.0  # probability of a turn by 90, 180 or 270 degrees
    turn: float = 0.0  # largest turn either way, degrees (fastai: 10)
    warp: float = 0.0  # largest tilt of the camera: how far corners move, share of half a side (fastai: 0.2)
    shift: float = 0.0  # largest shift either way, share of a side
    border: str = "grey"  # what lies beyond the picture: "grey", or "reflect" for its mirror image (fastai's)

    light: float = 0.0  # brightness changes by at most this share (fastai, torchvision: 0.2 to 0.4)
    contrast: float = 0.0  # contrast likewise, about the view's mean brightness
    colour: float = 0.0  # saturation likewise
    hue: float = 0.0  # largest change of hue, share of the whole circle; at most 0.5
    grey: float = 0.0  # probability of taking all colour away
    pca: float = 0.0  # deviation of a shift along ImageNet's directions of colour (Krizhevsky et al. 2012: 0.1)
    erase: float = 0.0  # probability of a grey rectangle, 2 to 33 % of the view (Zhong et al. 2020: 0.5)
    trivial: float = 0.0  # probability that a picture gets one change of TrivialAugment (Müller and Hutter 2021: 1)
    mixup: float = 0.0  # probability that a batch is blended in pairs (Zhang et al. 2018)
    cutmix: float = 0.0  # probability that a batch, not blended, gets rectangles of other pictures (Yun et al. 2019)

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise TrainingError(
                    f"the setting {name} has no such choice",
                    found=repr(getattr(self, name)),
                    fix=f"one of {', '.join(choices)}",
                )
        for name, low, high in _LIMITS:
            value = getattr(self, name)
            if not low <= value <= high:  # false for NaN too
                raise TrainingError(
                    f"the setting {name} is out of range", found=value, fix=f"a number from {low:g} to {high:g}"
                )

    def with_settings(self, settings: Iterable[str] | Mapping[str, Any]) -> "Recipe":
        """A recipe with other settings: ["epochs=5"] or {"epochs": 5}. Raises TrainingError for an unknown one."""
        pairs = settings.items() if isinstance(settings, Mapping) else [_pair(text) for text in settings]
        kinds: dict[str, type[int] | type[float] | type[str]]
        kinds = {field.name: type(field.default) for field in dataclasses.fields(self)}  # type: ignore[misc]
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
    ("test", 0, 0.9),
    ("train_dev", 0, 0.9),
    ("folds", 2, 100),
    ("epochs", 0, 10_000),
    ("batch", 1, 65_536),
    ("micro_batch", 0, 65_536),
    ("head_rate", 1e-9, 10),
    ("body_rate", 1e-9, 10),
    ("layer_decay", 1, 100),
    ("weight_decay", 0, 10),
    ("warm_up", 0, 1),
    ("gradual", 0, 1),
    ("clip", 0, 1e9),
    ("patience", 0, 10_000),
    ("ema", 0, 0.99999),
    ("smoothing", 0, 0.9),
    ("tta", 1, 2),
    ("small", 0, 1),
    ("flip", 0, 1),
    ("zoom", 0.05, 1),
    ("ratio", 1, 20),
    ("flip_vertical", 0, 1),
    ("quarter", 0, 1),
    ("turn", 0, 180),
    ("warp", 0, 0.5),
    ("shift", 0, 1),
    ("light", 0, 1),
    ("contrast", 0, 1),
    ("colour", 0, 1),
    ("hue", 0, 0.5),
    ("grey", 0, 1),
    ("pca", 0, 1),
    ("erase", 0, 1),
    ("trivial", 0, 1),
    ("mixup", 0, 1),
    ("cutmix", 0, 1),
)

_CHOICES = {"border": ("grey", "reflect"), "balance": ("none", "weights", "oversample")}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise TrainingError("a setting is given as NAME=VALUE", found=repr(text), fix="for example --set epochs=5")
    return name.strip(), value.strip()
