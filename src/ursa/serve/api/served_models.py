"""The models of a server, each under its name, and which of its versions answers now.

All belongs to the event loop's thread, so counting needs no lock.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ursa.core.text import escaped
from ursa.errors import DataError
from ursa.serve.predictor import Predictor

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
# What a server with several models answers itself: none of them may be called so.
RESERVED = frozenset(("v1", "predict", "health", "ready", "metrics", "openapi.json", "examples", "card", "assets"))

STAMPED = ("bundle.json", "model.onnx")  # of a bundle that is a folder
Stamp = tuple[tuple[int, ...], ...]


class ServedModel:
    """A name and the predictor behind it, which may be exchanged while it is at work."""

    def __init__(
        self,
        name: str,
        predictor: Predictor,
        path: Path | None = None,
        title: str | None = None,
        stamp: Stamp | None = None,
    ) -> None:
        """path: of its bundle, where new versions of it are to be taken over; stamp: of what was read there."""
        self.name, self.predictor, self.path, self.title = name, predictor, path, title
        self.stamp = stamp if stamp is not None or path is None else stamp_of(path)
        self._users: dict[Predictor, int] = {}
        self._retired: set[Predictor] = set()

    @contextmanager
    def use(self) -> Iterator[Predictor]:
        """The version that answers now. It stays open as long as this block, whatever comes meanwhile."""
        predictor = self.predictor
        self._users[predictor] = self._users.get(predictor, 0) + 1
        try:
            yield predictor
        finally:
            self._users[predictor] -= 1
            if not self._users[predictor]:
                del self._users[predictor]
                self._close_if_spare(predictor)

    def take_over(self, predictor: Predictor) -> None:
        """From now on this one answers; the one before is closed after its last answer."""
        before, self.predictor = self.predictor, predictor
        self._retired.add(before)
        self._close_if_spare(before)

    def _close_if_spare(self, predictor: Predictor) -> None:
        if predictor in self._retired and predictor not in self._users:
            self._retired.remove(predictor)
            predictor.close()


def served_models(bundles: Sequence[Path]) -> tuple[ServedModel, ...]:
    """Paths of bundles -> their models, named after the files. Raises DataError where names do not do, BundleError."""
    if not bundles:
        raise DataError("there is nothing to serve", fix="name a bundle: ursa serve bears.ursa")
    names = [path.name.removesuffix(".ursa") for path in bundles]
    if len(names) > 1:
        _require_distinct(names)
    models: list[ServedModel] = []
    try:
        for name, path in zip(names, bundles, strict=True):
            stamp = stamp_of(path)  # before it is read: what comes meanwhile is a new version
            models.append(ServedModel(name, Predictor(path), path, stamp=stamp))
    except BaseException:
        for model in models:
            model.predictor.close()
        raise
    return tuple(models)


def stamp_of(path: Path) -> Stamp:
    """What changes with a bundle's bytes; () where there is none."""
    try:
        files = [path / name for name in STAMPED] if path.is_dir() else [path]
        return tuple((about.st_mtime_ns, about.st_size, about.st_ino) for about in map(os.stat, files))
    except OSError:
        return ()


def as_models(served: Predictor | ServedModel | Sequence[ServedModel], title: str | None) -> tuple[ServedModel, ...]:
    """What `app` was given -> models; title: of the page, where there is only one."""
    if isinstance(served, Predictor):
        return (ServedModel("model", served, title=title),)
    models = (served,) if isinstance(served, ServedModel) else tuple(served)
    if not models:
        raise DataError("there is nothing to serve", fix="give a predictor, or served_models([paths])")
    if title is not None:
        if len(models) > 1:
            raise DataError("one title for several models", found=f"{len(models)} models", fix="leave the title out")
        models[0].title = title
    if len(models) > 1:
        _require_distinct([model.name for model in models])
    return models


def by_name(models: Sequence[ServedModel]) -> Mapping[str, ServedModel]:
    """Those that have a path of their own: all, where there are several."""
    return {model.name: model for model in models} if len(models) > 1 else {}


def _require_distinct(names: Sequence[str]) -> None:
    """Names are parts of addresses."""
    for name in names:
        if not _NAME.fullmatch(name) or name in RESERVED:
            raise DataError(
                f"a model cannot be served under the name {escaped(name)!r}",
                found="a name of the server" if name in RESERVED else "signs that an address should not have",
                fix="copy the bundle to a name of letters, digits, _ . and -",
            )
    for name in names:
        if names.count(name) > 1:
            raise DataError(
                f"two bundles have the name {name!r}", found=", ".join(names), fix="copy one of them to another name"
            )
