"""Bytes of a GIF -> its parts, from block to block (GIF89a, appendix A). Nothing is unpacked, and every walk ends."""

from collections.abc import Iterator

BLOCKS = 1 << 20  # in which frames are counted: 256 MB as programs write them


def frames(data: bytes, most: int) -> int:
    """Frames that begin in this GIF, the last one whole or not, `most` at most."""
    found = 0
    for introducer, _ in _parts(data, BLOCKS):
        found += introducer == 0x2C
        if found == most:
            break
    return found


def blocks_before_frame(data: bytes, most: int) -> int:
    """Blocks of a GIF that come before its first frame, `most` or somewhat more where there are more."""
    blocks = 0
    for introducer, so_far in _parts(data, most):
        if introducer == 0x2C:
            break
        blocks = so_far
    return blocks


def _parts(data: bytes, most: int) -> Iterator[tuple[int, int]]:
    """(0x2C for a frame or 0x21 for an extension, blocks so far) of each, up to `most` blocks (GIF89a, appendix A)."""
    place, blocks = 13 + _colors(data, 10), 0
    while place < len(data) and blocks < most:
        introducer = data[place]
        if introducer == 0x2C:  # a frame: position, size, colours, width of its codes
            yield introducer, blocks
            place += 11 + _colors(data, place + 9)
        elif introducer == 0x21:  # an extension
            place += 2
        else:  # the end, or nonsense
            return
        blocks += 1
        while place < len(data) and data[place] and blocks < most:
            place += data[place] + 1
            blocks += 1
        place += 1
        if introducer == 0x21:
            yield introducer, blocks


def _colors(data: bytes, place: int) -> int:
    """Bytes of the colour table that the flags at this place announce."""
    flags = data[place] if place < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
