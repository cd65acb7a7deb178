"""A learning curve, what the probe got right -> whether more pictures would help, and of which class, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ursa.core import statistics
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.core.statistics import Estimate
from ursa.diagnose.more_data.forecast import Forecast, forecast, forecast_classes, not_monotone
from ursa.diagnose.more_data.learning_curve import Bool, LearningCurve

HELPS = 0.01  # accuracy gained by twice the pictures that is worth collecting them
LITTLE = 0.005  # gained, and less is not
WRONG = 0.05  # share of errors from which on it matters that more pictures would not help
CLASS_GAINS = 0.02  # recall, for a class to be named


@dataclass(frozen=True)
class MorePictures:
    """A learning curve, where it leads, and what that means."""

    curve: LearningCurve | None  # None where there are too few pictures, or no labels
    forecasts: tuple[Forecast, ...]  # for twice and four times the pictures; none where refused
    recalls: Mapping[str, tuple[Estimate, Forecast | None]]  # by class: today, and with twice the pictures
    now: Estimate | None  # the probe's accuracy
    refused: str = ""  # why nothing is forecast

    @property
    def outlook(self) -> str:
        """ "help", "help little", or "cannot be told" where the laws that fit say both."""
        if not self.forecasts:
            return "cannot be told"
        gain = self.forecasts[0].gain
        if gain.value >= HELPS and gain.low > 0:
            return "help"
        return "help little" if gain.value < LITTLE or gain.high < HELPS else "cannot be told"

    @property
    def gains_most(self) -> str:
        """The class whose recall would surely gain, and most; "" where none would."""
        surely = {
            name: then.gain.value
            for name, (_, then) in self.recalls.items()
            if then and then.gain.value >= CLASS_GAINS and then.gain.low > 0
        }
        return max(surely, key=lambda name: surely[name], default="")

    def __str__(self) -> str:
        if not self.forecasts:
            return f"No forecast for more pictures: {self.refused}."
        reached = self.forecasts[0].accuracy
        low, high = f"{100 * reached.low:.1f}", f"{100 * reached.high:.1f}"
        words = {"cannot be told": "whether more pictures help cannot be told"}
        said = words.get(self.outlook, f"more pictures {self.outlook}")
        first = f"; collect more of {self.gains_most!r} first" if self.outlook == "help" and self.gains_most else ""
        return (
            f"With twice the pictures the probe would reach about {100 * reached.value:.1f} % ({low} to {high}): "
            f"{said}{first}."
        )

    @classmethod
    def refuse(cls, reason: str) -> "MorePictures":
        """Without a curve."""
        return cls(None, (), {}, None, reason)

    def findings(self) -> tuple[Finding, ...]:
        """One where it matters: more pictures would help, or would not although many are wrong."""
        if not self.forecasts or self.now is None or self.outlook == "cannot be told":
            return ()
        numbers = {"accuracy": self.now.to_json(), "forecast": [each.to_json() for each in self.forecasts]}
        score = min(1.0, max(0.0, 10 * self.forecasts[0].gain.value))
        if self.outlook == "help":
            advice = "Collect more pictures of the kind that the model will be used on"
            advice += f", of {self.gains_most!r} first{self._recall()}." if self.gains_most else "."
            return (Finding("more-pictures-help", (), score, str(self), advice, numbers),)
        if 1 - self.now.value < WRONG:
            return ()
        advice = "Look at the labels and at the classes that are confused, or try another backbone, before collecting."
        return (Finding("more-pictures-help-little", (), score, str(self), advice, numbers),)

    def to_json(self) -> dict[str, Any]:
        """{"sizes", "accuracy", "log_loss", "forecast", "per_class", "outlook", "refused"}."""
        curve = self.curve
        return {
            "sizes": curve.sizes.tolist() if curve else [],
            "accuracy": [each.to_json() for each in curve.accuracy()] if curve else [],
            "log_loss": curve.log_losses.tolist() if curve else [],
            "forecast": [each.to_json() for each in self.forecasts],
            "per_class": {
                name: {"recall": now.to_json(), "forecast": then.to_json() if then else None}
                for name, (now, then) in self.recalls.items()
            },
            "outlook": self.outlook,
            "refused": self.refused or None,
        }

    def _recall(self) -> str:
        now, then = self.recalls[self.gains_most]
        return (
            f": its recall would rise from {100 * now.value:.0f} % to {100 * then.accuracy.value:.0f} %" if then else ""
        )


def more_pictures(curve: LearningCurve, labels: Labels, right: Bool) -> MorePictures:
    """A learning curve, its class names; right [N]: whether the probe, cross-validated, was right -> MorePictures.

    Forecasts of a class are of its recall, were there twice the pictures of all classes.
    """
    now = statistics.proportion(int(right.sum()), len(right), "cross-validated linear probe")
    if reason := not_monotone(curve):
        return MorePictures(curve, (), {}, now, reason)
    ahead = forecast_classes(curve, right)
    recalls = {}
    for number in np.unique(curve.targets).tolist():
        own = right[curve.targets == number]
        recalls[labels.names[number]] = (
            statistics.proportion(int(own.sum()), len(own), "recall"),
            ahead.get(number),
        )
    return MorePictures(curve, tuple(forecast(curve, right)), recalls, now)
