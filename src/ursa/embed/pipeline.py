"""Files -> facts and vectors, in order. Each core reads, decodes, resizes and computes its own few pictures.

So no core ever waits for another one, whether decoding or the network is the larger part, and what belongs to a picture
stays in the cache of its core. Four cores with a batch each go through a network 1.1 to 2 times as fast as all four on
one batch after the other (measured, docs/decisions.md). An accelerator gets large batches instead, decoded ahead.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ursa.core.decoding.image import Pixels
from ursa.core.prepare import Preparation
from ursa.core.threads import batched, chunks
from ursa.data.scan import FileInfo, read_files, with_hashes
from ursa.embed import resize
from ursa.embed.store import F32

GROUPS = 16  # of pictures a chunk: what is reported, stored and in memory at a time

Forward = Callable[[Pixels], F32]  # views [N, S, S, 3] -> vectors [N, D]
Known = Callable[[str], bool]  # sha256 -> whether its vector is there already


@dataclass(frozen=True)
class Chunk:
    """Some files, scanned and embedded."""

    facts: list[FileInfo]  # in the order of the files
    vectors: dict[str, F32]  # sha256 -> [D], of the pictures that were new


def on_cores(
    files: Iterable[Path],
    preparation: Preparation,
    forward: Forward,
    known: Known,
    *,
    batch: int,
    begin: Callable[[], object] | None = None,
) -> Iterator[Chunk]:
    """files -> chunks in the order of the files; each thread scans `batch` of them and takes them forward.

    begin: what a thread does before it first calls `forward`.
    """

    def work(group: list[Path]) -> tuple[_Scanned, dict[str, F32]]:
        scanned = _scan(group, preparation)
        return scanned, scanned.forward(forward, known)

    for some in chunks(batched(files, batch), work, size=GROUPS, ahead=1, begin=begin):
        facts = [fact for scanned, _ in some for fact in scanned.finished(preparation)]
        yield Chunk(facts, {key: vector for _, vectors in some for key, vector in vectors.items()})


def ahead(
    files: Iterable[Path], preparation: Preparation, forward: Forward, known: Known, *, batch: int
) -> Iterator[Chunk]:
    """files -> chunks in the order of the files, one call of `forward` each, while the next ones are decoded."""
    for (scanned,) in chunks(batched(files, batch), lambda group: _scan(group, preparation), size=1, ahead=8):
        yield Chunk(scanned.finished(preparation), scanned.forward(forward, known))


@dataclass(frozen=True)
class _Scanned:
    facts: list[FileInfo]
    views: Pixels  # [n, S, S, 3]; blank where there is a problem

    def finished(self, preparation: Preparation) -> list[FileInfo]:
        return with_hashes(self.facts, self.views, preparation, resize.fastest())

    def forward(self, forward: Forward, known: Known) -> dict[str, F32]:
        """The vectors of those whose bytes are new."""
        keys = {fact.sha256: row for row, fact in enumerate(self.facts) if fact.sha256 and fact.problem is None}
        new = {key: row for key, row in keys.items() if not known(key)}
        if not new:
            return {}
        whole = len(new) == len(self.views)
        return dict(zip(new, forward(self.views if whole else self.views[[*new.values()]]), strict=True))


def _scan(files: list[Path], preparation: Preparation) -> _Scanned:
    return _Scanned(*read_files(files, preparation, resize.fastest()))
