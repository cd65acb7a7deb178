"""What a command was given -> where its report says that it comes from, and what the next command is called."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ursa.data.catalog import Catalog
from ursa.diagnose.report import ReportInfo
from ursa.prepared.setup import Data, Setup


def report_info(
    command: str,
    data: Data,
    setup: Setup,
    page: Path,
    settings: Mapping[str, Any],
    more: Sequence[str] = (),
    *,
    first: Sequence[str] = (),
    bundle: Path | None = None,
    thumbnails: Path | None = None,
) -> ReportInfo:
    """settings: of the recipe, those that are not the usual ones; more: other words of the command, first: those that
    stand before the pictures; page: where it is written."""
    words = _words(data, setup)
    return ReportInfo(
        command=shlex.join(["ursa", command, *first, *words, *_read(setup), *_settings(settings), *more]),
        data=tuple(words),
        backbone=setup.backbone,
        bundle="" if bundle is None else str(bundle),
        made=datetime.now(),  # of the clock on the wall, as people know when they did it
        page=page,
        thumbnails=thumbnails,
    )


def _words(data: Data, setup: Setup) -> list[str]:
    """By which a command finds the same pictures and their workspace."""
    place = str(data.root if isinstance(data, Catalog) else data)
    at = [] if setup.workspace is None else ["--workspace", str(setup.workspace)]
    return [f"./{place}" if place.startswith("-") else place, *at]


def _read(setup: Setup) -> list[str]:
    """How the pictures were read and what they went through."""
    given = {
        "--backbone": setup.backbone if setup.named else None,
        "--weights": setup.weights,
        "--pattern": setup.pattern,
    }
    words = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    return words + [word for key, value in setup.table.items() for word in ("--table", f"{key}={value}")]


def _settings(settings: Mapping[str, Any]) -> list[str]:
    return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
