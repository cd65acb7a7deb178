"""A bundle's path -> its new version, tried and loaded beside the old one, which answers until then.

Files are looked at by time and size, which works for every disk, in containers and across networks; a signal would not
come with a volume that Kubernetes exchanges. What was changed has to stay the same for one look more, so that a copy on
its way is left alone.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from ursa.core.text import escaped
from ursa.errors import UrsaError, first_line
from ursa.serve.api.served_models import ServedModel, stamp_of
from ursa.serve.predictor import Predictor

EVERY = 1.0  # s between two looks

logger = logging.getLogger("ursa.serve")
Done = Callable[[ServedModel, str], object]


async def take_over_new_versions(
    models: Sequence[ServedModel], done: Done, *, every: float = EVERY, load: Callable[[Path], Predictor] = Predictor
) -> None:
    """Until it is cancelled. done: called with each model and what came of a new version: `taken_over` or `refused`."""
    watched = [model for model in models if model.path is not None]
    known = [model.stamp for model in watched]
    last = list(known)
    while watched:
        await asyncio.sleep(every)
        for i, model in enumerate(watched):
            assert model.path is not None
            seen = await asyncio.to_thread(stamp_of, model.path)
            settled, last[i] = seen == last[i], seen
            # A path without a bundle is no new version: many programs remove a file before they write it again.
            if seen and settled and seen != known[i]:
                known[i] = seen
                await _take_over(model, model.path, done, load)


async def _take_over(model: ServedModel, path: Path, done: Done, load: Callable[[Path], Predictor]) -> None:
    try:
        fresh = await asyncio.to_thread(load, path)
    except (UrsaError, OSError, MemoryError) as problem:
        found = escaped(getattr(problem, "found", None) or "")
        logger.error(
            "%s was changed, and is not taken over: %s (%s); the version before goes on answering",
            escaped(path),
            escaped(first_line(problem)),
            found[:300],
        )
        done(model, "refused")
        return
    if fresh.bundle.document["sha256"] == model.predictor.bundle.document["sha256"]:
        fresh.close()  # the same once more: a copy, or `touch`
        return
    model.take_over(fresh)
    logger.info("%s was changed: the new version answers from now on", escaped(path))
    done(model, "taken_over")
