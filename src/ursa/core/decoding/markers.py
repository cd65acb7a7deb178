"""Bytes of a JPEG -> what its markers say before the first scan: the frame, and whether somebody has to look closer.

The markers are walked as libjpeg walks them (ITU-T T.81, annex B), never searched for: a thumbnail, a text or the
entropy-coded data may hold any bytes.
"""

import re
import struct
from typing import NamedTuple

from ursa.errors import DataError

SEGMENTS = 4_096  # before the first scan; a file of 80 megapixels with all that phones add to it has some hundred
JUNK = 1 << 16  # bytes between segments; libjpeg jumps over them with a warning, Pillow one by one
EXIF = 32  # segments, 2 MB; programs write one, and Pillow copies all that it has for each further one

PROCESSES = {0: "baseline", 1: "extended", 2: "progressive"}  # Huffman-coded DCT: what Ursa reads
_OTHERS = {3: "lossless", 5: "hierarchical", 6: "hierarchical", 7: "hierarchical", 9: "arithmetic-coded"}
_OTHERS |= {10: "arithmetic-coded", 11: "arithmetic-coded, lossless", 13: "hierarchical", 14: "hierarchical"}
_OTHERS |= {15: "hierarchical"}
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))  # markers without a length: TEM, RST0 to RST7
_KNOWN = frozenset((*_FRAMES, 0xC4, 0xCC, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE))  # others end libjpeg's reading

_segment = struct.Struct(">BBH").unpack_from
_frame = struct.Struct(">BHHB").unpack_from
_marker = re.compile(rb"\xff[\x01-\xfe]").search
_behind_scan = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]").search
_XMP = b"http://ns.adobe.com/xap/1.0/\0"


class Frame(NamedTuple):
    """What the frame header says, and where the first scan begins."""

    process: int  # n of SOFn: 0 baseline, 1 extended, 2 progressive, 3 lossless, ...
    precision: int  # bits
    width: int
    height: int
    components: int
    sampling: tuple[int, ...]  # horizontal and vertical factor of each component
    is_simple: bool  # neither EXIF, nor a turn in XMP, nor a colour profile; and it is clean
    is_clean: bool  # nothing in it of which libjpeg warns: bytes between segments, an unknown version or transform
    may_turn: bool  # by EXIF or XMP
    is_multiscan: bool  # coefficients of the whole picture are kept until the last scan has come
    scan: int  # where the first scan's marker lies

    @property
    def foreign(self) -> str | None:
        """In words what keeps it from being read, "a lossless JPEG"; None for an ordinary one."""
        if self.process not in PROCESSES:
            name = _OTHERS[self.process]
            return f"{'an' if name[0] == 'a' else 'a'} {name} JPEG"
        return None if self.precision == 8 else f"a JPEG of {self.precision} bits"

    @property
    def is_sound(self) -> bool:
        """Whether the decoder knows such a frame at every scale: 8 bits, 1, 3 or 4 components, no side 0."""
        return (
            self.process in PROCESSES
            and self.precision == 8
            and self.components in (1, 3, 4)
            and self.width > 0 < self.height
            and all(1 <= factor <= 4 for factor in self.sampling)
        )


def frame(data: bytes) -> Frame | None:
    """None where there is not exactly one frame before the first scan, or the walk comes to no scan at all.

    Raises DataError where what comes before it is more than any program writes.
    """
    found = None
    place, turn, profile, clean, junk, exif, adobe = 2, False, False, True, 0, 0, 0
    try:
        for _ in range(SEGMENTS):
            first, marker, length = _segment(data, place)
            if first != 0xFF or marker in (0x00, 0xFF):
                following = _marker(data, place)
                if following is None:
                    return None
                junk += following.start() - place
                clean = clean and data[place : following.start()].strip(b"\xff") == b""  # fill bytes are allowed
                place = following.start()
                if junk > JUNK:
                    raise _too_large(f"{JUNK:,} bytes between its segments")
                first, marker, length = _segment(data, place)
            if marker in _ALONE:
                place += 2
                continue
            if marker == 0xDA:
                if found is None:
                    return None
                clean = clean and adobe in (0, 1 if found.components == 3 else 2)
                return found._replace(
                    is_simple=clean and not turn and not profile,
                    is_clean=clean,
                    may_turn=turn,
                    is_multiscan=found.process == 2 or data[place + 4] < found.components,
                    scan=place,
                )
            if marker not in _KNOWN or length < 2:  # the end of the picture among them
                return None
            if marker in _FRAMES:
                if found is not None:
                    return None
                found = _read(data, marker - 0xC0, place + 4, length - 2)
            elif marker == 0xE0:
                clean = clean and not (data.startswith(b"JFIF\0", place + 4) and data[place + 9] != 1)
            elif marker == 0xEE and length >= 14 and data.startswith(b"Adobe", place + 4):
                adobe = data[place + 15]
            elif marker == 0xE1:
                exif += data.startswith(b"Exif\0\0", place + 4)
                if exif > EXIF:
                    raise _too_large(f"{EXIF} segments of EXIF")
                turn = turn or exif > 0 or _has_turn(data, place + 4, place + 2 + length)
            elif marker == 0xE2:
                profile = profile or data.startswith(b"ICC_PROFILE\0", place + 4)
            place += 2 + length
    except (struct.error, IndexError):  # it ends too early, or the segment is shorter than it has to be
        return None
    raise _too_large(f"{SEGMENTS:,} segments")


def _read(data: bytes, process: int, place: int, length: int) -> Frame:
    precision, height, width, components = _frame(data, place)
    if length != 6 + 3 * components or place + length > len(data):
        raise struct.error
    factors = [data[at] for at in range(place + 7, place + length, 3)]
    sampling = tuple(half for each in factors for half in (each >> 4, each & 15))
    return Frame(process, precision, width, height, components, sampling, False, False, False, False, 0)


def _has_turn(data: bytes, start: int, end: int) -> bool:
    """Whether an APP1 says in XMP how the camera was held."""
    return data.startswith(_XMP, start) and data.find(b"tiff:Orientation", start, end) >= 0


def _too_large(what: str) -> DataError:
    return DataError(f"too large: a JPEG with more than {what} before its first scan", fix="save it anew")


def scans(data: bytes, found: Frame, most: int) -> int:
    """Scans of the picture, `most` + 1 where there are more."""
    if not found.is_multiscan:
        return 1
    if (marks := data.count(b"\xff\xda", found.scan)) <= most:
        return marks  # one in a picture behind this one, or in a text, is counted too
    place, count = found.scan, 0
    while count <= most and (mark := _behind_scan(data, place)):
        place, marker = mark.start(), data[mark.start() + 1]
        if marker == 0xD9 or place + 4 > len(data):
            break
        count += marker == 0xDA
        place += 2 if marker in _ALONE else 2 + max(2, _segment(data, place)[2])
    return count
