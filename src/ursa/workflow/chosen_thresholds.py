"""What `ursa evaluate` measured, costs, a wanted share of errors -> thresholds, tried there and written down."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core.bundles.bundle import Bundle
from ursa.core.decisions import Costs, Decisions, costs_of
from ursa.core.labels import Labels
from ursa.diagnose.abstain import Threshold, threshold_for
from ursa.diagnose.operating_points import ClassCurves, class_curves, saved_by
from ursa.errors import DataError
from ursa.export.bundle_files import with_thresholds
from ursa.workflow.results.evaluated import Evaluated


@dataclass(frozen=True)
class WantedThresholds:
    """What thresholds are asked for."""

    costs: Mapping[str, Costs] = field(default_factory=dict)
    max_error: float | None = None
    out: Path | None = None

    @classmethod
    def of(
        cls, costs: Mapping[str, Any] | None, max_error: float | None, out: str | Path | None, labels: Labels
    ) -> "WantedThresholds":
        """Raises DataError for what cannot be, before any picture is read."""
        known = costs_of(costs or {}, labels.names)
        if max_error is not None and not 0 < max_error < 1:
            fix = "0.01 means one in a hundred"
            raise DataError("a share of wrong answers lies between 0 and 1", found=f"{max_error:g}", fix=fix)
        if out is not None and not known and max_error is None:
            fix = "say which ones: --cost CLASS=MISS:FALSE_ALARM, --max-error SHARE"
            raise DataError(
                "a bundle is written with thresholds, of which none were asked for", found=str(out), fix=fix
            )
        return cls(known, max_error, None if out is None else Path(out))

    @property
    def anything(self) -> bool:
        """Whether there is something to choose."""
        return bool(self.costs) or self.max_error is not None


def with_operating_points(
    found: Evaluated,
    probabilities: npt.NDArray[np.float64],
    targets: npt.NDArray[np.int64],
    wanted: WantedThresholds,
    bundle: Bundle,
) -> Evaluated:
    """probabilities [N, K], targets [N] of the pictures that were not learned from."""
    names = found.labels.names
    if not len(targets):
        if wanted.anything:
            fix = "name a folder of other pictures"
            raise DataError(
                "thresholds are chosen on pictures that the model did not learn from", found="none", fix=fix
            )
        return found
    curves = class_curves(probabilities, targets, names, wanted.costs)
    saved = saved_by(probabilities, targets, names, wanted.costs) if wanted.costs else None
    abstain = None
    if wanted.max_error is not None:  # of what will be answered, which costs may change
        chosen = Decisions(wanted.costs or bundle.decisions.costs).chosen(probabilities, names)
        abstain = threshold_for(probabilities, targets, wanted.max_error, chosen=chosen)
    result = replace(found, curves=curves, saved=saved, abstain=abstain)
    if wanted.out is None or not result.promised:
        return result
    return replace(result, bundle=with_thresholds(bundle, _document(curves, abstain, bundle), wanted.out))


def _document(curves: tuple[ClassCurves, ...], abstain: Threshold | None, bundle: Bundle) -> dict[str, Any]:
    """Costs and threshold with what was measured at them; what was not asked for stays as it is in the bundle."""
    before = bundle.document.get("thresholds", {})
    points = {each.name: each.point.to_json() for each in curves if each.point is not None}
    return {
        "abstain": before.get("abstain") if abstain is None else abstain.to_json(),
        "costs": points or before.get("costs", {}),
    }
