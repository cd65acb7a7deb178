"""Does the exported model predict what the learner predicts? Proven on pictures, or export is refused."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.core import seeds
from ursa.core.decoding.image import Pixels
from ursa.core.prepare import resize
from ursa.core.tasks import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from ursa.errors import BundleError

# Largest difference in any probability, or in a number by its standard deviation; float32 on other kernels: about 1e-6.
LIMIT = 1e-3
COMPARED = 64  # validation pictures, evenly spread, on which a fine-tuned network and its file are compared
STAND_INS = 32  # views made of thumbnails on which network and file are compared where no picture has to be read


@dataclass(frozen=True)
class Parity:
    """How far learner and exported model are apart."""

    pictures: int
    difference: float  # largest, of any probability; of numbers in standard deviations of the targets
    disagreements: int  # pictures given another class although its margin exceeds the difference allowed


def parity(
    learner: npt.NDArray[np.float32],
    exported: npt.NDArray[np.float32],
    task: str = SINGLE_LABEL,
    scale: npt.NDArray[np.float32] | None = None,
) -> Parity:
    """Probabilities [N, K] of both, for the same pictures; of a regression numbers, which are compared in units of
    `scale` [K], what the targets vary by.

    Raises BundleError when they differ by more than LIMIT, or in shape, and where there is nothing to compare.
    """
    if learner.shape != exported.shape:
        raise BundleError(
            "the exported model gives other probabilities than the learner, so it was not written",
            found=f"{list(exported.shape)} instead of {list(learner.shape)}",
            fix="give the learner's probabilities for the same pictures and classes",
        )
    if not len(learner):
        raise BundleError(
            "there is no picture to compare the exported model with the learner on, so it was not written",
            fix="give at least one picture that can be read",
        )
    difference = float((np.abs(learner - exported) / (1 if scale is None else scale)).max())
    disagreements = _disagreements(learner, exported, task) if difference <= LIMIT else 0
    if not difference <= LIMIT or disagreements:  # `not <=`: NaN is refused too
        what = "numbers, in standard deviations," if task == REGRESSION else "probabilities"
        raise BundleError(
            "the exported model does not predict what the learner predicts, so it was not written",
            found=f"{what} differ by up to {difference:.2g} on {len(learner)} pictures; {LIMIT:g} is allowed",
            fix="choose another backbone with --backbone, and please report this one",
        )
    return Parity(len(learner), difference, disagreements)


def _disagreements(learner: npt.NDArray[np.float32], exported: npt.NDArray[np.float32], task: str) -> int:
    if task == REGRESSION:
        return 0
    if task == MULTI_LABEL:
        clear = np.abs(learner - 0.5) > LIMIT
        return int((clear & ((learner >= 0.5) != (exported >= 0.5))).any(1).sum())
    ordered = np.sort(learner, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > LIMIT
    return int((clear & (learner.argmax(1) != exported.argmax(1))).sum())


def stand_ins(thumbnails: Sequence[bytes], size: int, seed: int = 0) -> list[Pixels]:
    """Thumbnails of a scan, n x n gray levels each -> views [size, size, 3]: enlarged, tinted, with a camera's noise.

    They have the brightness and the shapes of the pictures, and colors and detail besides, so that a layer that was
    exported wrongly shows; and no file is opened for them. At most STAND_INS, spread over those that are there.
    """
    rows = np.unique(np.linspace(0, len(thumbnails) - 1, min(len(thumbnails), STAND_INS)).round().astype(int))
    draw = seeds.generator(seed, "stand-ins")
    views = []
    for row in rows.tolist():
        side = int(len(thumbnails[row]) ** 0.5)
        gray = np.frombuffer(thumbnails[row], np.uint8).reshape(side, side, 1)
        large = resize(np.repeat(gray, 3, axis=2), size, size)
        tinted = large * draw.uniform(0.6, 1.2, 3) + draw.normal(0, 12, large.shape)
        views.append(tinted.clip(0, 255).astype(np.uint8))
    return views
