"""Recipe: the settings of a training run, in groups by what reads them. Frozen; unit, limits, source at each default.

>>> Recipe.of(epochs=5, rotate=10)                    # short names, as far as they are unambiguous
>>> Recipe().with_settings(["augment.rotate=10"])     # as text, from a command line
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ursa.backbone_settings import BY_BACKBONE
from ursa.errors import TrainingError, did_you_mean
from ursa.setting_names import OTHER_NAMES


def _setting(
    default: Any, doc: str, low: float = -math.inf, high: float = math.inf, choices: tuple[str, ...] = ()
) -> Any:
    return field(default=default, metadata={"doc": doc, "low": low, "high": high, "choices": choices})


def _check(each: "dataclasses.Field[Any]", value: Any) -> None:
    """Raises TrainingError for a value out of the limits."""
    choices, low, high = each.metadata["choices"], each.metadata["low"], each.metadata["high"]
    if choices and value not in choices:
        fix = f"one of {', '.join(choices)}"
        raise TrainingError(f"the setting {each.name} has no such choice", found=repr(value), fix=fix)
    if choices or isinstance(value, bool):
        return
    if not low <= value <= high:  # false for NaN too
        hint = "; it multiplies: 2.6 of Ursa 0.1 is 1 / 2.6 = 0.385 now" if each.name == "layer_decay" else ""
        fix = f"a number from {low:g} to {high:g}{hint}"
        raise TrainingError(f"the setting {each.name} is out of range", found=value, fix=fix)


@dataclass(frozen=True)
class SettingsGroup:
    """A group of settings. Raises TrainingError for a value out of its limits."""

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            _check(each, getattr(self, each.name))

    def to_json(self) -> dict[str, Any]:
        """All settings by name."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class SplitSettings(SettingsGroup):
    """How pictures are divided where the folders do not say it; shares of each class."""

    valid: float = _setting(0.2, "share of each class put aside for validation", 0.01, 0.9)
    test: float = _setting(0.0, "share of each class put aside for testing", 0, 0.9)
    train_dev: float = _setting(0.0, "share kept from training and judged beside validation (Ng 2018)", 0, 0.9)


@dataclass(frozen=True)
class ProbeSettings(SettingsGroup):
    """The linear probe on embeddings."""

    folds: int = _setting(5, "folds of its cross-validation (Kohavi 1995: 5 to 10)", 2, 100)


@dataclass(frozen=True)
class OptimSettings(SettingsGroup):
    """Gradient descent."""

    epochs: int = _setting(5, "passes over the training pictures; 0: the probe alone", 0, 10_000)
    batch_size: int = _setting(32, "examples a step", 1, 65_536)
    micro_batch_size: int = _setting(
        0, "pictures a forward pass on a CPU: speed, not results; 0: by the network's size", 0, 65_536
    )
    head_lr: float = _setting(1e-3, "largest learning rate of the head (measured: docs/decisions.md)", 1e-9, 10)
    body_lr: float = _setting(3e-4, "largest learning rate of the body's last third (docs/decisions.md)", 1e-9, 10)
    layer_decay: float = _setting(
        0.385, "learning rates are multiplied by this from third to third (Howard and Ruder 2018: 1 / 2.6)", 0.01, 1
    )
    weight_decay: float = _setting(0.01, "decoupled (Loshchilov and Hutter 2019); not on biases and norms", 0, 10)
    warmup: float = _setting(0.25, "share of all steps in which the rate rises (Smith 2018; fastai's pct_start)", 0, 1)
    gradual_unfreezing: float = _setting(
        0.0, "share of the run after which all layers learn, from the head downwards; 0: at once", 0, 1
    )
    max_grad_norm: float = _setting(1.0, "largest norm of the gradient; 0: any", 0, 1e9)
    patience: int = _setting(0, "epochs without a better one until training stops; 0: never (Prechelt 1998)", 0, 10_000)
    prune_below: float = _setting(
        0.1, "chance to beat the probe below which fine-tuning is ended early (Optuna's pruning); 0: never", 0, 1
    )
    ema_decay: float = _setting(
        0.98, "share of the averaged weights kept at each step (Polyak and Juditsky 1992); 0: no average", 0, 0.99999
    )
    wise_ft_alpha: float = _setting(
        1.0,
        "share of the way from the probe's weights to the fine-tuned ones that is kept (Wortsman et al. 2022)",
        0.01,
        1,
    )
    label_smoothing: float = _setting(0.1, "share of each target spread over all classes (Szegedy 2016)", 0, 0.9)
    class_weights: bool = _setting(False, "whether rare classes count more in the loss")
    oversample: bool = _setting(False, "whether pictures of rare classes are shown more often")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.class_weights and self.oversample:
            fix = "one of class_weights=true and oversample=true"
            raise TrainingError("rare classes would count twice", found="class_weights and oversample", fix=fix)


@dataclass(frozen=True)
class AugmentSettings(SettingsGroup):
    """What is done to pictures before a network sees them. Probabilities, shares of a side, degrees."""

    hflip: float = _setting(0.5, "probability of mirroring left and right; 0 where it matters, as for digits", 0, 1)
    vflip: float = _setting(0.0, "probability of mirroring up and down", 0, 1)
    min_scale: float = _setting(0.75, "least share of each side that a random crop keeps; 1: the whole", 0.05, 1)
    aspect_ratio: float = _setting(
        4 / 3, "the shares of a crop's two sides differ at most by this factor (Szegedy et al. 2015)", 1, 20
    )
    rotate: float = _setting(0.0, "largest rotation either way, degrees (fastai: 10)", 0, 180)
    rotate90: float = _setting(0.0, "probability of a rotation by 90, 180 or 270 degrees", 0, 1)
    perspective: float = _setting(
        0.0, "largest tilt of the camera: how far corners move, share of half a side (fastai: 0.2)", 0, 0.5
    )
    translate: float = _setting(0.0, "largest shift either way, share of a side", 0, 1)
    padding_mode: str = _setting(
        "constant", "beyond the picture: constant (gray) or reflect (its mirror image)", choices=("constant", "reflect")
    )
    brightness: float = _setting(0.0, "changes by at most this share (fastai, torchvision: 0.2 to 0.4)", 0, 1)
    contrast: float = _setting(0.0, "likewise, about the view's mean brightness", 0, 1)
    saturation: float = _setting(0.0, "likewise", 0, 1)
    hue: float = _setting(0.0, "largest change of hue, share of the whole circle", 0, 0.5)
    grayscale: float = _setting(0.0, "probability of taking all color away", 0, 1)
    pca: float = _setting(
        0.0, "deviation of a shift along ImageNet's directions of color (Krizhevsky et al. 2012: 0.1)", 0, 1
    )
    random_erasing: float = _setting(0.0, "probability of a gray rectangle (Zhong et al. 2020: 0.5)", 0, 1)
    trivial_augment: float = _setting(
        0.0, "probability of one change of TrivialAugment (Müller and Hutter 2021: 1)", 0, 1
    )
    mixup: float = _setting(0.0, "probability that a batch is blended in pairs (Zhang et al. 2018)", 0, 1)
    cutmix: float = _setting(0.0, "probability that a batch gets rectangles of other pictures (Yun et al. 2019)", 0, 1)
    progressive_resizing: float = _setting(
        0.0, "share of the epochs, the first ones, that see pictures at two thirds of their size (Howard 2018)", 0, 1
    )
    tta: int = _setting(1, "views that a prediction averages over: 2 adds the mirror image, at twice the time", 1, 2)


@dataclass(frozen=True)
class Recipe:
    """All settings of `ursa train`."""

    seed: int = 0
    split: SplitSettings = SplitSettings()
    probe: ProbeSettings = ProbeSettings()
    optim: OptimSettings = OptimSettings()
    augment: AugmentSettings = AugmentSettings()

    @classmethod
    def of(cls, **settings: Any) -> "Recipe":
        """The usual settings but for these, by their short names. Raises TrainingError as `with_settings`."""
        return cls().with_settings(settings)

    @classmethod
    def for_backbone(cls, name: str) -> "Recipe":
        """The usual settings with this backbone: those of BY_BACKBONE where it is named there."""
        return cls().with_settings(BY_BACKBONE.get(name, {}))

    def with_settings(self, settings: Iterable[str] | Mapping[str, Any]) -> Self:
        """A recipe with other settings: ["epochs=5"], {"epochs": 5} or {"optim.epochs": 5}.

        Raises TrainingError for a setting that there is not, naming the one that was meant, and for a wrong value.
        """
        pairs = settings.items() if isinstance(settings, Mapping) else [setting_pair(text) for text in settings]
        changes: dict[str, dict[str, Any]] = {}
        for asked, value in pairs:
            group, name = _place(asked)
            changes.setdefault(group, {})[name] = _value(group, name, value)
        alone = changes.pop("", {})
        groups = {group: dataclasses.replace(getattr(self, group), **some) for group, some in changes.items()}
        return dataclasses.replace(self, **alone, **groups)

    def to_json(self) -> dict[str, Any]:
        """All settings, by group."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Recipe":
        """What `to_json` gave. Raises TrainingError for anything else."""
        flat: dict[str, Any] = {}
        for name, value in document.items():
            inside = (
                {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, Mapping) else {name: value}
            )
            flat |= inside
        return cls().with_settings(flat)

    def flat(self) -> dict[str, Any]:
        """All settings by their whole names, as in "optim.epochs"."""
        return {
            name: getattr(getattr(self, group), key) if group else getattr(self, key)
            for name, (group, key) in PLACES.items()
        }

    def with_lr(self, lr: float) -> "Recipe":
        """The head's learning rate, and the body's in the same proportion as before."""
        return self.with_settings({"head_lr": lr, "body_lr": lr * self.optim.body_lr / self.optim.head_lr})

    def changed(self, usual: "Recipe | None" = None) -> dict[str, Any]:
        """The settings that differ from the usual ones, by whole names."""
        theirs = (usual or Recipe()).flat()
        return {name: value for name, value in self.flat().items() if value != theirs[name]}

    def run_settings(self) -> dict[str, Any]:
        """What a run and its resumption have in common: all settings but the epochs, of which there may be more."""
        return {name: value for name, value in self.flat().items() if name != "optim.epochs"}

    def refuse(self, names: Iterable[str], why: str, fix: str, usual: "Recipe | None" = None) -> None:
        """Raises TrainingError where one of these settings, by whole names, was changed: here it has no meaning.

        usual: the recipe that counts as unchanged.
        """
        changed = self.changed(usual)
        for name in names:
            if name in changed:
                found = f"{name}={changed[name]}"
                raise TrainingError(f"the setting {name.rpartition('.')[2]} has no meaning {why}", found=found, fix=fix)


GROUPS: dict[str, type[SettingsGroup]] = {
    "split": SplitSettings,
    "probe": ProbeSettings,
    "optim": OptimSettings,
    "augment": AugmentSettings,
}
# By whole name -> group ("" for the seed) and name.
PLACES = {"seed": ("", "seed")} | {
    f"{group}.{each.name}": (group, each.name) for group, kind in GROUPS.items() for each in dataclasses.fields(kind)
}


def recipe_from(
    given: Recipe | Mapping[str, Any] | None, usual: Recipe | None = None, *, lr: float | None = None, **short: Any
) -> Recipe:
    """A recipe as a whole, or the settings that differ from the usual one, and some beside it by keyword.

    short: "seed", "epochs" and so on, None where not given; lr: of the head, the body's keeps its proportion. Raises
    TrainingError as `Recipe.with_settings`, and for a setting that is given both ways with two values.
    """
    usual = usual or Recipe()
    recipe = given if isinstance(given, Recipe) else usual.with_settings(given or {})
    named = (
        recipe.changed(usual)
        if isinstance(given, Recipe)
        else {".".join(_place(n)).lstrip("."): 0 for n in given or {}}
    )
    asked = {".".join(_place(name)).lstrip("."): value for name, value in short.items() if value is not None}
    for name, value in asked.items():
        if name in named and recipe.flat()[name] != value:
            key = name.rpartition(".")[2]
            raise _given_twice(key, value, f"{key}={recipe.flat()[name]}")
    recipe = recipe.with_settings(asked)
    both = [name for name in ("optim.head_lr", "optim.body_lr") if name in named]
    if lr is not None and both and recipe.with_lr(lr) != recipe:
        raise _given_twice("lr", lr, ", ".join(f"{name[6:]}={recipe.flat()[name]:g}" for name in both))
    return recipe if lr is None else recipe.with_lr(lr)


def settings_table() -> list[tuple[str, str, str, str]]:
    """Whole name, default, what it may be, and what it does: a row for each setting, for help and documentation."""
    rows = [("seed", "0", "a whole number", "of all that is random: the same seed gives the same run")]
    return rows + [
        (f"{group}.{each.name}", _default(group, each), _limits(each), each.metadata["doc"])
        for group, kind in GROUPS.items()
        for each in dataclasses.fields(kind)
    ]


def _given_twice(key: str, value: Any, found: str) -> TrainingError:
    return TrainingError(
        f"the setting {key} is given twice, with two values",
        found=f"{key}={value}, and {found} in the recipe",
        fix="give it once",
    )


def _limits(each: "dataclasses.Field[Any]") -> str:
    if isinstance(each.default, bool):
        return "true, false"
    if each.metadata["choices"]:
        return ", ".join(each.metadata["choices"])
    return f"{each.metadata['low']:g} to {each.metadata['high']:g}"


def _default(group: str, each: "dataclasses.Field[Any]") -> str:
    """The default, and those that backbones have of their own."""
    own = ((backbone, usual.get(f"{group}.{each.name}")) for backbone, usual in BY_BACKBONE.items())
    named = [f"{backbone}: {_text(value)}" for backbone, value in own if value not in (None, each.default)]
    return "; ".join([_text(each.default), *named])


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.4g}" if isinstance(value, float) else str(value)


def _place(name: str) -> tuple[str, str]:
    """A whole or a short name -> group and name."""
    if name in PLACES:
        return PLACES[name]
    found = [place for place in PLACES.values() if place[1] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise TrainingError(
            f"several settings are called {name!r}", fix=" or ".join(".".join(place) for place in found)
        )
    short = name.rpartition(".")[2]
    if short in OTHER_NAMES:
        raise TrainingError(f"a recipe has no setting {name!r}", fix=f"here it is called {OTHER_NAMES[short]}")
    raise TrainingError(
        f"a recipe has no setting {name!r}", fix=did_you_mean(short, [key for _, key in PLACES.values()])
    )


def _value(group: str, name: str, value: Any) -> Any:
    """The value in the kind that the setting has."""
    default = 0 if not group else next(each.default for each in dataclasses.fields(GROUPS[group]) if each.name == name)
    kind: Any = type(default)
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}[kind]
    wrong = TrainingError(f"the setting {name} has to be {words}", found=repr(value))
    if kind is bool:
        truth = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if str(value).lower() not in truth:
            raise wrong
        return truth[str(value).lower()]
    if isinstance(value, bool) or (kind is int and isinstance(value, float) and not value.is_integer()):
        raise wrong
    try:
        return kind(value)
    except (ValueError, TypeError, OverflowError):
        raise wrong from None


def setting_pair(text: str) -> tuple[str, str]:
    """ "epochs=5" -> its name and its value, as text. Raises TrainingError for anything else."""
    name, equals, value = text.partition("=")
    if not equals:
        raise TrainingError("a setting is given as NAME=VALUE", found=repr(text), fix="for example --set epochs=5")
    return name.strip(), value.strip()
