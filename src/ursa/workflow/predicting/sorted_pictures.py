"""Predicted pictures -> a folder for each class, with copies of them or links to them. The originals stay."""

import contextlib
import os
import shutil
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ursa import workspace
from ursa.core.progress import Progress
from ursa.core.tasks import SINGLE_LABEL
from ursa.data.sources.folder_names import folders_can_be
from ursa.data.sources.walk import names_in
from ursa.errors import BundleError, DataError
from ursa.serve.prediction import AnyPrediction, Prediction
from ursa.serve.predictor import Predictor
from ursa.workflow.predicting.listing import Listed

UNSURE, UNREADABLE = "_unsure", "_unreadable"  # no class is called so: `require_sortable`
MARK = ".sorted-by-ursa"  # in the folder: the hash of the model that sorted it


def require_sortable(predictor: Predictor, to: Path, named: Sequence[str | Path]) -> None:
    """Raises BundleError for a model whose answers cannot be folders, DataError for a place that holds something else:
    a picture that an earlier model put into another class would lie in both."""
    names = predictor.labels.names
    if predictor.task != SINGLE_LABEL:
        found = f"a {predictor.task} model"
        raise BundleError("sorting needs one class a picture", found=found, fix="write a table: --out FILE.csv")
    if not folders_can_be([*names, UNSURE, UNREADABLE]) or {UNSURE, UNREADABLE} & set(names):
        fix = "write a table: --out FILE.csv"
        raise BundleError("these classes cannot all be names of folders", found=", ".join(names)[:200], fix=fix)
    if to.exists() and not to.is_dir():
        raise DataError(f"{to} is a file", fix="name a folder: --sort DIR")
    for place in map(Path, named):
        if place.is_dir() and (to.resolve() == place.resolve() or place.resolve() in to.resolve().parents):
            fix = "name a folder outside of it: --sort DIR"
            raise DataError("the sorted pictures would lie among those to sort", found=f"{to} in {place}", fix=fix)
    if names_in(to) if to.is_dir() else False:
        known = workspace.read(to / MARK, 200)
        if known is None or known.decode("ascii", "replace").strip() != model_of(predictor):
            what = "pictures sorted by another model" if known else "other files"
            raise DataError(f"{to} holds {what}", fix="name a new folder: --sort DIR")


def sort(
    rows: Iterable[tuple[Listed, AnyPrediction | str]],
    to: Path,
    predictor: Predictor,
    *,
    link: bool,
    several: bool,
    bar: Progress,
    of: int,
) -> None:
    """A copy of each picture, or a link to it, in `to/CLASS`, below it as it lay; those that are there stay.

    several: whether pictures of several folders come together, of which two may have the same names. The unsure ones
    come into `_unsure`, those that cannot be read into `_unreadable`. Raises DataError where they cannot be written.
    """
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise workspace.cannot_write(to, problem, "--sort DIR") from problem
    workspace.write_text(to / MARK, model_of(predictor))
    taken: set[Path] = set()
    for done, (one, answer) in enumerate(rows, 1):
        place = _free(to / _folder(answer) / _inside(one, several=several), taken)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if one.data is not None:
                _write(one.data, place)
            else:
                (_link if link else _copy)(one.path, place)
        except FileNotFoundError:  # the picture is gone, or never was
            continue
        except OSError as problem:
            if one.data is None and not one.path.exists():
                continue
            raise workspace.cannot_write(place, problem, "--sort DIR") from problem
        if done % 100 == 0 or done == of:
            bar("sort", done, of)


def model_of(predictor: Predictor) -> str:
    """The hash by which a model is known."""
    return str(predictor.bundle.document["sha256"])


def _folder(answer: AnyPrediction | str) -> str:
    if not isinstance(answer, Prediction):
        return UNREADABLE
    return UNSURE if answer.unsure else answer.label


def _inside(one: Listed, *, several: bool) -> Path:
    """Where it lay in the folder that was named; of several folders that one's name keeps them apart."""
    if one.data is not None:
        from ursa.data.download.downloader import file_name

        return Path(file_name(one.data))
    if one.root is None:
        return Path(one.path.name)
    if not several:
        return one.path.relative_to(one.root)
    root = one.root.name or one.root.resolve().name
    return Path(root) / one.path.relative_to(one.root)


def _free(place: Path, taken: set[Path]) -> Path:
    """The same name for the same picture at every run, and another one for each picture."""
    wanted, number = place, 2
    while place in taken:
        place, number = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}"), number + 1
    taken.add(place)
    return place


def _write(data: bytes, place: Path) -> None:
    with _part_of(place) as part:
        part.write_bytes(data)


def _copy(source: Path, place: Path) -> None:
    about = source.stat()
    with contextlib.suppress(OSError):
        there = place.stat()
        if (there.st_size, there.st_mtime_ns) == (about.st_size, about.st_mtime_ns):
            return
    with _part_of(place) as part:
        shutil.copyfile(source, part)
        os.utime(part, ns=(about.st_atime_ns, about.st_mtime_ns))


def _link(source: Path, place: Path) -> None:
    target = source.resolve(strict=True)
    if place.is_symlink() and place.readlink() == target:
        return
    with _part_of(place) as part:
        try:
            part.symlink_to(target)
        except OSError as problem:
            if sys.platform == "win32":
                fix = "copy them instead: leave out --link"
                raise DataError("Windows allows no links here", found=problem.strerror, fix=fix) from problem
            raise


@contextlib.contextmanager
def _part_of(place: Path) -> Iterator[Path]:
    """Where a file is made that then appears in its place. Not synced as `workspace.writing` does, which takes longer
    than a copy: what a power cut takes is copied by the next run."""
    part = place.with_name(f".{uuid.uuid4().hex[:12]}.part")
    try:
        yield part
        os.replace(part, place)
    finally:
        part.unlink(missing_ok=True)
