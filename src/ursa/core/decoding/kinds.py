"""First bytes -> what kind of file it is: the name of a decoder, or words for what it is instead."""

from collections.abc import Callable
from typing import Any

from ursa.core.decoding import headers

# Decoders that a file may reach, and no others: each one is attack surface. HEIC needs the extra `heic`.
DECODERS = ("AVIF", "BMP", "GIF", "HEIC", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

# Pictures of kinds that are not read, because nearly nobody has them or they have to be developed first.
FOREIGN = (
    "a camera's raw file",
    "a JPEG XL picture",
    "a TGA picture",
    "an SGI picture",
    "a PCX picture",
    "a DDS texture",
    "an ICNS icon",
    "a cursor",
    "a DICOM file",
    "an OpenEXR picture",
    "a Radiance HDR picture",
    "a FITS picture",
)

# Files that hold other files: to be unpacked by whoever sent them.
HEAD = 512  # bytes that `sniff` looks at

ARCHIVES = ("a zip archive", "gzip-compressed", "an archive")


def sniff(data: bytes, tail: bytes = b"") -> str:
    """One of DECODERS, one of FOREIGN, or words for what it is instead: "an HTML page".

    data: the file, or its first 512 bytes; tail: then its last 18, by which a TGA of version 2 is known. From so little
    a camera's raw file whose directory lies further behind is called the TIFF that it looks like.
    """
    head = data[:HEAD]
    for kind, matches in _KINDS:
        if matches(head):
            return "a camera's raw file" if kind == "TIFF" and headers.is_raw(data) else kind
    if not data:
        return "an empty file"
    if not data.strip(b"\0"):
        return "nothing but zeros"
    text = _words(head)
    if text:
        return text
    if (tail or data)[-18:-2] == b"TRUEVISION-XFILE" or _is_tga(data):
        return "a TGA picture"
    return "unknown bytes"


def _words(head: bytes) -> str | None:
    """What kind of text it is; None where it is none."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<") and any(tag in text for tag in (b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    if b"<svg" in text:
        return "an SVG drawing"
    if text.startswith(b"<?xml"):
        return "an XML file"
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer instead of the file (git lfs pull)"
    if text.startswith(b"data:image/"):
        return "a data: address, not the picture itself"
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in head):
        return "a text file"
    return None


def _is_tga(data: bytes) -> bool:
    """TGA before version 2 has no mark: a header in which all fields make sense."""
    if len(data) < 18:
        return False
    palette, kind, depth, sides = data[1], data[2], data[16], data[12:16]
    sensible = kind in (1, 2, 3, 9, 10, 11) and palette == (kind in (1, 9)) and depth in (8, 15, 16, 24, 32)
    return sensible and any(sides[:2]) and any(sides[2:]) and data[17] & 0xC0 == 0


def _starts(*prefixes: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(prefixes)


def _at(place: int, *marks: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[place:].startswith(marks)


def _riff(kind: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:4] == b"RIFF" and head[8:12] == kind


def _brand(*brands: bytes) -> Callable[[bytes], bool]:
    """The brands of an ISO base media file: the major one, then the compatible ones."""

    def matches(head: bytes) -> bool:
        names = head[8 : max(12, int.from_bytes(head[:4], "big"))]
        return head[4:8] == b"ftyp" and any(names[at : at + 4] in brands for at in range(0, len(names), 4))

    return matches


_BITMAP_HEADERS = tuple(length.to_bytes(4, "little") for length in (12, 16, 40, 52, 56, 64, 108, 124))

_KINDS: tuple[tuple[str, Callable[[bytes], Any]], ...] = (
    ("JPEG", _starts(b"\xff\xd8\xff")),
    ("PNG", _starts(b"\x89PNG\r\n\x1a\n")),
    ("GIF", _starts(b"GIF87a", b"GIF89a")),
    ("WEBP", _riff(b"WEBP")),
    ("TIFF", _starts(b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")),
    ("AVIF", _brand(b"avif", b"avis")),
    ("HEIC", _brand(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")),
    ("a camera's raw file", _brand(b"crx ")),
    (
        "a video",
        _starts(b"\x1aE\xdf\xa3", b"FLV\x01", b"0&\xb2u\x8ef\xcf\x11", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3"),
    ),
    ("a video", _riff(b"AVI ")),
    ("a video", _at(4, b"ftyp", b"moov", b"mdat", b"wide")),
    ("sound", _riff(b"WAVE")),
    ("sound", _starts(b"ID3", b"OggS", b"fLaC")),
    ("JPEG2000", _starts(b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")),
    ("a JPEG XL picture", _starts(b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")),
    ("ICO", _starts(b"\x00\x00\x01\x00")),
    ("a cursor", _starts(b"\x00\x00\x02\x00")),
    ("a cursor", _riff(b"ACON")),
    ("PPM", lambda head: head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace()),
    (
        "a camera's raw file",
        _starts(
            b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\x00", b"FOVb", b"II\x1a\x00\x00\x00HEAP", b"\0MRM"
        ),
    ),
    ("BMP", lambda head: head[:2] == b"BM" and head[14:18] in _BITMAP_HEADERS),
    ("a PDF document", _starts(b"%PDF")),
    ("a PostScript document", _starts(b"%!PS", b"\xc5\xd0\xd3\xc6")),
    ("a Photoshop document", _starts(b"8BPS")),
    ("a GIMP document", _starts(b"gimp xcf")),
    ("a Windows metafile, a drawing", _starts(b"\xd7\xcd\xc6\x9a", b"\x01\x00\x09\x00\x00\x03")),
    ("a Windows metafile, a drawing", _at(40, b" EMF")),
    ("a DICOM file", _at(128, b"DICM")),
    ("an SGI picture", _starts(b"\x01\xda\x00", b"\x01\xda\x01")),
    ("a DDS texture", _starts(b"DDS ")),
    ("an ICNS icon", _starts(b"icns")),
    ("an OpenEXR picture", _starts(b"v/1\x01")),
    ("a Radiance HDR picture", _starts(b"#?RADIANCE", b"#?RGBE")),
    ("a FITS picture", _starts(b"SIMPLE  =")),
    (
        "a PCX picture",
        _starts(*(bytes((10, version, 1, bits)) for version in (0, 2, 3, 4, 5) for bits in (1, 2, 4, 8))),
    ),
    ("a zip archive", _starts(b"PK\x03\x04", b"PK\x05\x06")),
    ("gzip-compressed", _starts(b"\x1f\x8b")),
    ("an archive", _starts(b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"BZh", b"\xfd7zXZ\x00", b"(\xb5/\xfd")),
    ("an archive", _at(257, b"ustar")),
    ("a NumPy array", _starts(b"\x93NUMPY")),
    ("an HDF5 file", _starts(b"\x89HDF\r\n\x1a\n")),
    ("a database", _starts(b"SQLite format 3\x00")),
    ("a program", _starts(b"MZ", b"\x7fELF")),
    ("notes of macOS on another file", _starts(b"\x00\x05\x16\x07")),
)
