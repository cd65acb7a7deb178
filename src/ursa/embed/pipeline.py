"""Files -> facts and views, in order, at the speed of the decoder.

On a CPU, decoding and the forward pass take turns, each on all cores: run at the same time they fight for the cores and
take 1.4 times as long (measured, docs/decisions.md). For an accelerator the next chunk is decoded meanwhile.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ursa.core.image import Pixels
from ursa.core.prepare import Preparation
from ursa.core.threads import chunks
from ursa.data.scan import Facts, look


def looks(
    files: Iterable[Path], preparation: Preparation, *, ahead: bool = False
) -> Iterator[list[tuple[Facts, Pixels | None]]]:
    """files -> chunks of (facts, view), in the order of the files; `ahead` decodes one chunk in advance."""
    return chunks(files, lambda file: look(file, preparation), ahead=ahead)
