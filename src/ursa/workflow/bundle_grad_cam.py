"""`ursa grad-cam`: a bundle and pictures -> where the model sees the class in each, if that can be believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ursa.core import picture_file
from ursa.core.decoding.image import Pixels
from ursa.core.progress import Progress
from ursa.core.progress_display import shown
from ursa.errors import DataError, did_you_mean
from ursa.serve.prediction import Prediction
from ursa.serve.predictor import Predictor
from ursa.workflow.predicting.opened import opened

if TYPE_CHECKING:
    from ursa.diagnose.explain.cam import GradCam
    from ursa.plots.figure import Figure

MOST = 32  # pictures in one figure
HALF = 0.5  # of a map's largest value: the region that is told as a share of the picture


@dataclass(frozen=True)
class Explained:
    """Where a bundle's model sees a class in pictures."""

    pictures: tuple[Path, ...]  # that could be read
    views: Pixels  # [N, S, S, 3] as the model sees them
    predictions: tuple[Prediction, ...]
    labels: tuple[str, ...]  # [N] the class that each map is of
    cam: "GradCam"
    problems: dict[str, str]  # file -> why it could not be read

    @property
    def believable(self) -> bool:
        """Whether the maps pass the sanity check: whether random weights destroy them."""
        return self.cam.check is not None and self.cam.check.passed

    def overlays(self) -> Pixels:
        """[N, S, S, 3]: the views with their maps laid over them."""
        from ursa.diagnose.explain.overlays import overlays

        return overlays(self.views, self.cam.maps)

    def figure(self) -> "Figure":
        """Each picture beside its map. Raises DataError for maps that do not pass the sanity check."""
        from ursa.plots.networks.heatmaps import heatmaps

        if not self.believable:
            fix = "do not read such maps as an explanation"
            what = "the maps do not pass the sanity check, so they are not shown"
            raise DataError(what, found=str(self.cam.check), fix=fix)
        titles = [_title(one, label) for one, label in zip(self.predictions, self.labels, strict=True)]
        return heatmaps(self.views, self.overlays(), titles, self.cam.note)

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa grad-cam --json`, without the file."""
        rows = zip(self.pictures, self.predictions, self.labels, self.cam.maps, strict=True)
        found = [
            {"picture": str(path), "label": one.label, "probability": one.probability, "of": of, **_where(map_)}
            for path, one, of, map_ in rows
        ]
        check = None if self.cam.check is None else self.cam.check.to_json()
        unread = [{"picture": name, "problem": problem} for name, problem in self.problems.items()]
        return {"layer": self.cam.layer.name, "check": check, "pictures": [*found, *unread]}


def bundle_grad_cam(
    bundle: str | Path,
    pictures: Sequence[str | Path],
    label: str | None = None,
    *,
    layer: str | None = None,
    progress: Progress | bool | None = None,
) -> Explained:
    """Grad-CAM of a bundle's network for picture files: of the class that is predicted, or of `label`.

    layer: its name in the network; None: the last one with a map. Needs torch, unlike predicting. Raises BundleError
    for a bundle whose network cannot be built by its name, DataError for a class that it does not know and where no
    picture can be read, TrainingError for a network without a layer that is a map (the `pixels` backbone).
    """
    if not 1 <= len(pictures) <= MOST:
        fix = "name picture files, as in bears/black/1.jpg"
        raise DataError(f"1 to {MOST} pictures are looked at together", found=f"{len(pictures)}", fix=fix)
    with shown(progress) as bar:
        bar("open", 0, 0)
        predictor = opened(bundle, "ursa grad-cam BUNDLE PICTURE...", pictures, single_label="Grad-CAM")
        names = predictor.labels.names
        if label is not None and label not in names:
            raise DataError(f"the model knows no class {label!r}", fix=did_you_mean(label, names))
        files, views, problems = _views(predictor, [Path(each) for each in pictures])
        bar("explain", 0, 0)
        predictions = predictor.classified(views)
        of = tuple(one.label if label is None else label for one in predictions)
        found = _maps(predictor, views, np.array([names.index(each) for each in of]), layer)
    return Explained(files, views, tuple(predictions), of, found, problems)


def _maps(predictor: Predictor, views: Pixels, targets: npt.NDArray[np.int64], layer: str | None) -> "GradCam":
    from ursa.diagnose.explain import cam
    from ursa.learner.interpretation.looked_at import single_view
    from ursa.workflow.training_run.rebuilt import rebuilt

    return cam.grad_cam(single_view(rebuilt(predictor, views)), views, targets, layer=layer)


def _views(predictor: Predictor, files: list[Path]) -> tuple[tuple[Path, ...], Pixels, dict[str, str]]:
    """Those that can be read, what the model sees of them, and what is wrong with the others."""
    read, views, problems = [], [], {}
    for file in files:
        try:
            if file.is_dir():
                raise DataError("a folder: name the pictures in it")
            views.append(predictor.view(picture_file.read(file)))
            read.append(file)
        except DataError as problem:
            problems[str(file)] = problem.what
    if not views:
        name, reason = next(iter(problems.items()))
        raise DataError("there is no picture to look at", found=f"{name}: {reason}", fix="name picture files")
    return tuple(read), np.stack(views), problems


def _title(one: Prediction, of: str) -> str:
    share = f"{100 * one.probabilities[of]:.0f} %"
    return f"{of} {share}" if of == one.label else f"for {of} {share}; seen as {one.label}"


def _where(one: npt.NDArray[np.float32]) -> dict[str, Any]:
    """The brightest place, and how much of the view is at least half as bright; None where nothing speaks for it."""
    if not one.any():
        return {"peak": None, "share": 0.0}
    y, x = np.unravel_index(int(one.argmax()), one.shape)
    high, wide = one.shape
    peak = {"x": round((int(x) + 0.5) / wide, 4), "y": round((int(y) + 0.5) / high, 4)}
    return {"peak": peak, "share": round(float((one >= HALF).mean()), 4)}
