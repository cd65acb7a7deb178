"""Does the exported model predict what the learner predicts? Proven on real pictures, or export is refused."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.errors import BundleError

LIMIT = 1e-3  # largest difference in any probability; float32 on other kernels differs by about 1e-6


@dataclass(frozen=True)
class Parity:
    """How far learner and exported model are apart."""

    pictures: int
    difference: float  # largest, of any probability
    disagreements: int  # pictures given another class although its margin exceeds the difference allowed


def parity(learner: npt.NDArray[np.float32], exported: npt.NDArray[np.float32]) -> Parity:
    """Probabilities [N, K] of both, for the same pictures. Raises BundleError when they differ by more than LIMIT."""
    difference = float(np.abs(learner - exported).max()) if len(learner) else 0.0
    ordered = np.sort(learner, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > LIMIT
    disagreements = int((clear & (learner.argmax(1) != exported.argmax(1))).sum())
    if not difference <= LIMIT or disagreements:  # `not <=`: NaN is refused too
        raise BundleError(
            "the exported model does not predict what the learner predicts, so it was not written",
            found=f"probabilities differ by up to {difference:.2g} on {len(learner)} pictures; {LIMIT:g} is allowed",
            fix="choose another backbone with --backbone, and please report this one",
        )
    return Parity(len(learner), difference, disagreements)
