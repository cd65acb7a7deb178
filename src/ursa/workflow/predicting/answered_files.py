"""Files -> what a bundle says of each, decoded on all cores, in order, memory flat."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ursa.core import picture_file
from ursa.core.decoding.image import Pixels
from ursa.core.progress import Progress, silent
from ursa.core.threads import batched, chunks, cores
from ursa.errors import DataError
from ursa.serve.prediction import AnyPrediction
from ursa.serve.predictor import Predictor
from ursa.serve.session import BATCH

AT_ONCE = 2  # batches a core that are handed out together


def predictions(
    predictor: Predictor, files: Sequence[Path | bytes], progress: Progress = silent
) -> Iterator[tuple[Path | bytes, AnyPrediction | DataError]]:
    """Each file, or a file's bytes, in order, with its prediction or with what is wrong with it.

    Decoded on all cores, memory flat.
    """

    def answered(some: list[Path | bytes]) -> list[AnyPrediction | DataError]:
        views = [view_of(predictor, file) for file in some]
        answers = iter(predictor.predictions(seen for seen in views if not isinstance(seen, DataError)))
        return [seen if isinstance(seen, DataError) else next(answers) for seen in views]

    source, done = iter(files), 0
    for found in chunks(batched(files, BATCH), answered, size=AT_ONCE * cores(), ahead=1):
        for answers in found:
            done += len(answers)
            yield from ((next(source), answer) for answer in answers)
        progress("predict", done, len(files))


def view_of(predictor: Predictor, file: Path | bytes) -> Pixels | DataError:
    """What the model sees of a file, or what is wrong with it."""
    try:
        return predictor.view(file if isinstance(file, bytes) else picture_file.read(file))
    except DataError as problem:
        return problem
