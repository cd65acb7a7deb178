"""What a file is, from its bytes: each kind by its name, whether it can be read or not."""

import numpy as np
import pytest
from PIL import Image

from ursa.core.decoding import image
from ursa.core.decoding.kinds import DECODERS, FOREIGN, sniff
from ursa.errors import DataError


def box(brand: bytes, *others: bytes) -> bytes:
    """The beginning of an ISO base media file."""
    body = b"ftyp" + brand + bytes(4) + b"".join(others)
    return (len(body) + 4).to_bytes(4, "big") + body + bytes(40)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "an empty file"),
        (bytes(1000), "nothing but zeros"),
        (b"<!DOCTYPE html><html><body>not found</body></html>", "an HTML page"),
        (b"\xef\xbb\xbf  \r\n<HTML>", "an HTML page"),
        (b"<!-- cached --><html>", "an HTML page"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b"<svg/>", "an SVG drawing"),
        (b'<?xml version="1.0"?><rss/>', "an XML file"),
        (b'{"error": "forbidden"}', "a text file"),
        (b"BMW M3, red, 2 doors", "a text file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer instead of the file"),
        (b"data:image/png;base64,iVBORw0KGgo=", "a data: address"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"PK\x03\x04....", "a zip archive"),
        (b"\x1f\x8b\x08\x00", "gzip-compressed"),
        (b"8BPS\x00\x01", "a Photoshop document"),
        (b"\xd7\xcd\xc6\x9a\x00\x00", "a Windows metafile"),
        (b"\x01\x00\x00\x00" + bytes(36) + b" EMF", "a Windows metafile"),
        (b"RIFF\x00\x00\x00\x00AVI ", "a video"),
        (box(b"isom", b"mp42"), "a video"),
        (box(b"qt  "), "a video"),
        (b"\x1aE\xdf\xa3\x01", "a video"),
        (b"\x00\x01\x02\x03", "unknown bytes"),
    ],
)
def test_what_is_not_a_picture_is_named(data, named):
    with pytest.raises(DataError, match=f"^not a picture: {named}") as error:
        image.read(data)
    assert error.value.fix


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"\xff\x0a\x00", "a JPEG XL picture"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"DDS |\x00\x00\x00", "a DDS texture"),
        (b"icns\x00\x00", "an ICNS icon"),
        (b"\x01\xda\x01\x01\x00\x03", "an SGI picture"),
        (b"\n\x05\x01\x08" + bytes(124), "a PCX picture"),
        (bytes(128) + b"DICM", "a DICOM file"),
        (b"FUJIFILMCCD-RAW 0201", "a camera's raw file"),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", "a camera's raw file"),
        (box(b"crx ", b"isom"), "a camera's raw file"),
    ],
)
def test_pictures_of_kinds_that_are_not_read_are_named(data, named):
    with pytest.raises(DataError, match=f"^needs a decoder: {named}") as error:
        image.read(data)
    assert named in FOREIGN and error.value.fix


@pytest.mark.parametrize("format", ["TGA", "SGI", "PCX", "ICNS", "DDS"])
def test_pillows_own_files_of_kinds_that_are_not_read_are_named_too(encode, photo, format):
    assert sniff(encode(photo(1, 64, 64), format)) in FOREIGN
    if format == "TGA":  # without the footer of version 2
        assert sniff(encode(photo(1, 64, 64), format, rle=True)[:-26]) == "a TGA picture"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (box(b"mif1", b"avif"), "AVIF"),
        (box(b"avis"), "AVIF"),
        (box(b"mif1", b"heic"), "HEIC"),
        (box(b"heic", b"mif1"), "HEIC"),
        (box(b"isom", b"xheic"), "a video"),  # letters that only look like a brand
    ],
)
def test_brands_are_read_four_letters_at_a_time(data, kind):
    assert sniff(data) == kind


def test_a_tiff_whose_first_picture_is_a_preview_is_a_raw_file_and_not_taken_for_the_photo(encode):
    """As NEF, ARW and DNG have it: the preview first, the photo in a directory of its own."""
    picture = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    assert sniff(encode(picture, "TIFF")) == "TIFF"
    for tags in ({254: 1}, {50706: b"\x01\x04\x00\x00"}):
        assert sniff(encode(picture, "TIFF", tiffinfo=tags)) == "a camera's raw file"


def test_every_decoder_of_pillow_is_known_by_its_first_bytes(encode, photo):
    formats = set(DECODERS) - {"HEIC"}
    for format in formats:
        data = encode(photo(1, 32, 24), format)
        assert sniff(data) == sniff(data[:512]) == format


def test_the_first_512_bytes_and_the_last_18_are_enough(shared):
    """So that a file of terabytes is judged without being read; only a raw file may look like the TIFF that it is."""
    assert sniff(b"\x00\x01\x02\x03" + bytes(508), b"TRUEVISION-XFILE.\0") == "a TGA picture"
    seen = 0
    for file in sorted((shared / "data" / "torture").rglob("*")):
        if file.is_file():
            data = file.read_bytes()
            whole, little = sniff(data), sniff(data[:512], data[-18:])
            assert little == whole or (whole == "a camera's raw file" and little == "TIFF"), file.name
            seen += 1
    assert seen > 150


def test_a_little_of_a_text_or_of_nothing_is_named_as_the_whole():
    for data in (b"a,b,c\n" * 1000, bytes(100_000), b"<html>" + b" " * 5000, b"\x1aE\xdf\xa3" + bytes(5000)):
        assert sniff(data[:512], data[-18:]) == sniff(data)
