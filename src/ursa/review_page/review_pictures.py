"""Bytes of a picture -> a small or a large copy, made by us: what a file holds beside its pixels reaches no browser.

Small ones are kept in the workspace, large ones in memory for a while. A file whose bytes are no longer those that the
check has seen is not shown: a decision would be about another picture.
"""

import hashlib
import threading
from collections import OrderedDict

from ursa import sandbox
from ursa.core import picture_file
from ursa.core.decoding.image import Pixels
from ursa.core.prepare import fitted, resize
from ursa.errors import DataError
from ursa.review_page.picture_table import PictureTable
from ursa.review_page.thumbnail_pack import ThumbnailPack

SMALL, LARGE = 320, 1600  # px of the longer side: tiles of 160 px and windows of 1,600 are sharp on any screen
SMALL_QUALITY, LARGE_QUALITY = 70, 82  # WebP, about 8 KB; JPEG, about 250 KB
REMEMBERED = 64 << 20  # bytes of large ones


class ReviewPictures:
    """Safe to use from several threads."""

    def __init__(self, table: PictureTable, pack: ThumbnailPack) -> None:
        self.table, self.pack = table, pack
        self._large: OrderedDict[str, bytes] = OrderedDict()
        self._bytes, self._lock = 0, threading.Lock()

    def small(self, sha256: str) -> bytes:
        """WebP. Raises DataError where the file is gone, was changed, or cannot be read."""
        known = self.pack.get(sha256)
        if known is None:
            known = picture_file.encoded(self._pixels(sha256, SMALL), "WEBP", quality=SMALL_QUALITY, method=2)
            self.pack.put(sha256, known)
        return known

    def large(self, sha256: str) -> bytes:
        """JPEG. Raises DataError as `small`."""
        with self._lock:
            if sha256 in self._large:
                self._large.move_to_end(sha256)
                return self._large[sha256]
        made = picture_file.encoded(self._pixels(sha256, LARGE), "JPEG", quality=LARGE_QUALITY)
        with self._lock:
            if sha256 not in self._large:
                self._large[sha256] = made
                self._bytes += len(made)
            while self._bytes > REMEMBERED and len(self._large) > 1:
                self._bytes -= len(self._large.popitem(last=False)[1])
        return made

    def _pixels(self, sha256: str, side: int) -> Pixels:
        data = picture_file.read(self.table.file_of(sha256))
        if hashlib.sha256(data).hexdigest() != sha256:
            raise DataError("this file was changed since the check", fix="check again: ursa check")
        pixels = sandbox.read(data, at_least=side, side="longer").pixels
        height, width = pixels.shape[:2]
        return pixels if max(width, height) <= side else resize(pixels, *fitted(width, height, side))
