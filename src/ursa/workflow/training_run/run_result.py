"""What a finished run came to <-> result.json in its folder, sealed: what `ursa runs` and `ursa compare` read."""

import datetime
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa import workspace
from ursa.core.labels import Labels
from ursa.core.statistics import Estimate
from ursa.embed.engine import Engine
from ursa.recipe import Recipe
from ursa.workflow.results.trained import Trained
from ursa.workspace import Workspace

NAME = "result.json"


@dataclass(frozen=True)
class RunResult:
    """A finished run."""

    ended: str  # UTC, ISO 8601
    settings: Mapping[str, Any]  # of the recipe as it was read, by whole names; backbone and precision beside them
    classes: tuple[str, ...]
    kept: str  # "probe" or "fine-tuned"
    part: str  # on which the accuracy was measured: "test" or "valid"
    accuracy: Estimate  # of what was kept
    probe: Estimate
    pictures: Mapping[str, int]  # by part
    seconds: float  # of the process that finished it
    verdict: str  # its kind
    bundle: Path

    @classmethod
    def of(cls, trained: Trained, recipe: Recipe, labels: Labels, engine: Engine) -> "RunResult":
        """From what `ursa.train` returns, now."""
        return cls(
            ended=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            settings={"backbone": engine.backbone.name, "precision": engine.precision, **recipe.flat()},
            classes=labels.names,
            kept=trained.kept,
            part="test" if trained.pictures["test"] else "valid",
            accuracy=trained.accuracy,
            probe=trained.probe,
            pictures=trained.pictures,
            seconds=sum(trained.seconds.values()),
            verdict=trained.verdict.kind,
            bundle=trained.bundle.absolute(),
        )

    @property
    def labels(self) -> Labels:
        """The classes."""
        return Labels(self.classes)

    def to_json(self) -> dict[str, Any]:
        """All of it by name."""
        return {
            "ended": self.ended,
            "settings": dict(self.settings),
            "classes": list(self.classes),
            "kept": self.kept,
            "part": self.part,
            "accuracy": self.accuracy.to_json(),
            "probe": self.probe.to_json(),
            "pictures": dict(self.pictures),
            "seconds": self.seconds,
            "verdict": self.verdict,
            "bundle": str(self.bundle),
        }

    def write(self, space: Workspace, run: str) -> None:
        """Into the folder of the run. Raises DataError where it cannot be written."""
        workspace.write_sealed(space.run(run) / NAME, json.dumps(self.to_json()).encode(), f"{run}/{NAME}")

    @classmethod
    def read(cls, space: Workspace, run: str) -> "RunResult | None":
        """What `write` wrote; None for anything else, as what another user or another Ursa wrote."""
        known = workspace.object_of(workspace.read_sealed(space.run(run) / NAME, f"{run}/{NAME}"))
        texts = [known.get(name) for name in ("ended", "kept", "part", "verdict", "bundle")]
        objects = [known.get(name) for name in ("settings", "pictures")]
        classes, seconds = known.get("classes"), known.get("seconds")
        estimates = [_estimate(known.get(name)) for name in ("accuracy", "probe")]
        if (
            not all(isinstance(text, str) for text in texts)
            or not all(isinstance(some, dict) for some in objects)
            or not isinstance(classes, list)
            or not all(isinstance(name, str) for name in classes)
            or not isinstance(seconds, float | int)
            or not all(type(count) is int for count in known["pictures"].values())
            or None in estimates
        ):
            return None
        numbers: Any = {"accuracy": estimates[0], "probe": estimates[1], "seconds": float(seconds)}
        others = {name: known[name] for name in ("ended", "settings", "kept", "part", "pictures", "verdict")}
        return cls(**others, **numbers, classes=tuple(classes), bundle=Path(known["bundle"]))


def _estimate(told: Any) -> Estimate | None:
    """What `Estimate.to_json` gave of a share; None for anything else."""
    if not isinstance(told, dict) or set(told) != {"value", "low", "high", "method"}:
        return None
    numbers = [math.nan if told[name] is None else told[name] for name in ("value", "low", "high")]
    if not all(isinstance(number, float | int) for number in numbers) or not isinstance(told["method"], str):
        return None
    value, low, high = map(float, numbers)
    return Estimate(value, low, high, told["method"], share=True)
