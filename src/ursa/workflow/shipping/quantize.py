"""`ursa export --int8` and `--fp16`: a bundle -> one with smaller numbers, measured beside it, or refused. No torch."""

import dataclasses
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.core.decoding.image import Pixels
from ursa.core.prepare import stacks
from ursa.core.progress import Progress
from ursa.core.progress_display import shown
from ursa.core.threads import chunks
from ursa.diagnose.paired_accuracy import PairedAccuracy
from ursa.errors import BundleError, DataError, did_you_mean
from ursa.serve.predictor import Predictor
from ursa.workflow.predicting.answered_files import view_of
from ursa.workflow.predicting.opened import opened
from ursa.workflow.results.quantized import ModelFigures, Quantized
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.data.catalog import Catalog
    from ursa.prepared.setup import Data

PRECISIONS = ("int8", "fp16")
CALIBRATION = 128  # pictures; 64 to 512 gave the same accuracy (docs/decisions.md)
TIMED = 8  # pictures of a batch when it is timed, as `serve` takes at most
SECONDS = 4.0  # at least, for timing both models; and three rounds
RUNS, REST = 4, 0.02  # of a turn; seconds before it
AGAIN = "train again with this Ursa, which writes into a bundle what it learned from"


def quantize(
    bundle: str | Path,
    data: "Data",
    *,
    out: str | Path | None = None,
    precision: str = "int8",
    max_loss: float = 1.0,
    workspace: str | Path | None = None,
    pattern: str | None = None,
    table: Mapping[str, str] | None = None,
    progress: Progress | bool | None = None,
) -> Quantized:
    """The bundle with a smaller model, written to `out` unless it loses accuracy or wins nothing.

    data: the pictures that it was trained on, labelled. "int8": static quantization, by channel, ranges from pictures
    that it learned from; "fp16": weights of half the size, computed as before. Both models are judged on the same
    pictures, of those that it did not learn from; its test part is left alone, since this is a choice. max_loss:
    percentage points of accuracy, by the difference that is measured; what the interval does not exclude is said.

    out: default the bundle's name with `-int8.ursa`. workspace, pattern, table, progress: as of `ursa.check`.

    Raises BundleError for a bundle that this cannot be done with, DataError for pictures that cannot be used.
    """
    if precision not in PRECISIONS:
        raise DataError("no such precision", found=precision, fix=did_you_mean(precision, PRECISIONS))
    if not 0 <= max_loss <= 100:
        raise DataError("a loss lies between 0 and 100 percentage points", found=f"{max_loss:g}", fix="--max-loss 1")
    at = Path(out) if out is not None else Path(bundle).with_name(f"{Path(bundle).stem}-{precision}.ursa")
    if at.resolve() == Path(bundle).resolve():
        raise DataError("the new bundle would replace the one it is made from", found=str(at), fix="--out OTHER.ursa")
    way = "ursa export BUNDLE --int8 --data FOLDER"
    predictor = opened(bundle, way, [data], single_label="a smaller model")
    _require_possible(predictor)
    with shown(progress) as bar:
        pictures = _pictures(predictor, data, workspace, pattern, table or {})
        model, calibrated_on = _smaller(predictor, pictures, precision, bar)
        other = Predictor(dataclasses.replace(predictor.bundle, parts={**predictor.bundle.parts, "model.onnx": model}))
        try:
            found = _compared(predictor, other, pictures, bar)
        finally:
            other.close()
    found = dataclasses.replace(found, precision=precision, max_loss=max_loss, calibrated_on=calibrated_on)
    if found.refusal is not None:
        return found
    from ursa.export.bundle_files import with_model

    with_model(predictor.bundle, model, found.noted(), found.largest_difference, at)
    return dataclasses.replace(found, bundle=at)


@dataclass(frozen=True)
class _Pictures:
    """Which ones are for what."""

    calibration: "Catalog"  # learned from
    judged: "Catalog"  # not learned from, and no test pictures
    targets: npt.NDArray[np.int64]  # [N] of the judged


def _require_possible(predictor: Predictor) -> None:
    document = predictor.bundle.document
    if document.get("quantized"):
        fix = "give the bundle that it was made from"
        raise BundleError("this bundle was quantized before", found=str(document["quantized"]["precision"]), fix=fix)
    if predictor.bundle.pictures is None:
        raise BundleError("the bundle does not say which pictures it learned from", found="no hashes", fix=AGAIN)


def _pictures(
    predictor: Predictor, data: "Data", workspace: str | Path | None, pattern: str | None, table: Mapping[str, str]
) -> _Pictures:
    from ursa.data import scan
    from ursa.data.sources.folder_source import needs_labels
    from ursa.prepared.setup import Setup, catalog_of

    at = None if workspace is None else Path(workspace)
    catalog = needs_labels(catalog_of(data, Setup(pattern=pattern, table=table, workspace=at))).labeled()
    space = Workspace.of(catalog.root, at)
    catalog = scan.hashed(scan.load_scan(catalog, space.catalog))
    known = predictor.bundle.pictures
    parts = np.array([] if known is None else known.part_of(catalog.rows["sha256"].to_list()), object)
    parts[(catalog.rows["split"] == "test").fill_null(False).to_numpy()] = "test"  # of a folder with one: new ones, too
    learned, other = np.flatnonzero(parts == "train"), np.flatnonzero((parts != "train") & (parts != "test"))
    fix = "give the folder that it was trained on: --data FOLDER"
    if not len(learned):
        raise DataError(f"the model learned from none of the pictures in {catalog.root}", found=_all(catalog), fix=fix)
    if not len(other):
        what = "there are no pictures to measure the loss on: the model learned from all but its test part"
        raise DataError(what, found=_all(catalog), fix=f"{fix}, with pictures that it did not learn from")
    spread = np.unique(np.linspace(0, len(learned) - 1, min(len(learned), CALIBRATION)).round().astype(int))
    judged = dataclasses.replace(catalog, rows=catalog.rows[other.tolist()])
    calibration = dataclasses.replace(catalog, rows=catalog.rows[learned[spread].tolist()])
    return _Pictures(calibration, judged, judged.targets(predictor.labels))


def _all(catalog: "Catalog") -> str:
    return f"{len(catalog):,} pictures"


def _smaller(predictor: Predictor, pictures: _Pictures, precision: str, bar: Progress) -> tuple[bytes, int]:
    """The model, and on how many pictures it was calibrated."""
    from ursa.export import quantization

    model = predictor.bundle.parts["model.onnx"]
    if precision == "fp16":
        return quantization.to_fp16(model), 0
    files, count = pictures.calibration.files(), 0

    def views() -> Iterator[Pixels]:
        nonlocal count
        for group in _views(predictor, files, bar, "calibrate"):
            found = [view for _, view in group if not isinstance(view, DataError)]
            count += len(found)
            yield from found
        if not count:
            raise DataError("none of the pictures to calibrate on can be read", found=f"{len(files)} files")

    return quantization.to_int8(model, stacks(views(), TIMED)), count


def _compared(one: Predictor, other: Predictor, pictures: _Pictures, bar: Progress) -> Quantized:
    """Both models on the judged pictures; what is not known here is filled in by the caller."""
    rows: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = []
    kept: list[int] = []
    timed: list[Pixels] = []
    problems: dict[str, str] = {}
    for group in _views(one, pictures.judged.files(), bar, "compare"):
        seen = [(row, view) for row, view in group if not isinstance(view, DataError)]
        problems |= {pictures.judged.ids[row]: view.what for row, view in group if isinstance(view, DataError)}
        views = [view for _, view in seen]
        timed += views[: TIMED - len(timed)]
        kept += [row for row, _ in seen]
        rows.append((one.probabilities(views), other.probabilities(views)))
    if not kept:
        raise DataError("none of the pictures to measure the loss on can be read", found=f"{len(problems)} files")
    before, after = (np.concatenate(side) for side in zip(*rows, strict=True))
    targets, names = pictures.targets[kept], one.labels.names
    first, second = (one.bundle.decisions.chosen(side, names) for side in (before, after))
    pair = PairedAccuracy(second == targets, first == targets)
    new, old = pair.accuracies()
    speeds = _milliseconds(one, other, np.stack(timed))
    sizes = [len(each.bundle.parts["model.onnx"]) / 1e6 for each in (one, other)]
    return Quantized(
        precision="",
        before=ModelFigures(_of_pictures(old), sizes[0], *speeds[0]),
        after=ModelFigures(_of_pictures(new), sizes[1], *speeds[1]),
        difference=pair.difference,
        pictures=pair.pictures,
        changed=int((first != second).sum()),
        calibrated_on=0,
        max_loss=0.0,
        largest_difference=float(np.abs(before - after).max()),
        problems=problems,
    )


def _of_pictures(estimate: statistics.Estimate) -> statistics.Estimate:
    return dataclasses.replace(estimate, method="pictures that the model did not learn from, none of its test part")


def _views(
    predictor: Predictor, files: list[Path], bar: Progress, phase: str
) -> Iterator[list[tuple[int, Pixels | DataError]]]:
    """What the model sees of files, by their numbers, or what is wrong with them; some at a time, on all cores."""
    done = 0
    for views in chunks(files, partial(view_of, predictor)):
        yield list(enumerate(views, done))
        done += len(views)
        bar(phase, done, len(files))


def _milliseconds(one: Predictor, other: Predictor, views: Pixels) -> list[tuple[float, float]]:
    """Of each model a picture, alone and in batches: the fastest of rounds in which both take turns.

    What else the machine does only adds to a time. A turn is several runs, after a rest: where threads of a runtime
    spin, those of the model before keep their processors (turns of one run made a model 1.4 times as fast as itself).
    """
    times: dict[tuple[int, int], list[float]] = {(model, many): [] for model in (0, 1) for many in (0, 1)}
    began, rounds = time.perf_counter(), 0
    while rounds < 3 or time.perf_counter() - began < SECONDS:
        for many, pictures in enumerate((views[:1], np.resize(views, (TIMED, *views.shape[1:])))):
            for model, predictor in enumerate((one, other)):
                time.sleep(REST)
                for _ in range(RUNS):
                    start = time.perf_counter()
                    predictor.probabilities(pictures)
                    times[model, many].append(1000 * (time.perf_counter() - start) / len(pictures))
        rounds += 1
    return [(min(times[model, 0]), min(times[model, 1])) for model in (0, 1)]
