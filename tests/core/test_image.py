"""bytes -> RGB: every kind of file that is a picture comes out upright, in the right colours, or is refused by name."""

import base64
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ursa.core.decoding import image
from ursa.core.prepare import Preparation
from ursa.errors import DataError

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)


def flat(mode: str, color, size=(8, 6)) -> Image.Image:
    return Image.new(mode, size, color)


def middle(data: bytes) -> list[int]:
    """The colour in the middle of the picture."""
    pixels = image.read(data).pixels
    return pixels[pixels.shape[0] // 2, pixels.shape[1] // 2].tolist()


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


# --- upright -------------------------------------------------------------------------------------------------------

# How a camera stores an upright picture that it tags with 1 to 8 (EXIF 2.32, 4.6.4 A): the inverse of what a reader
# has to do, written down independently of it.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p.transpose(1, 0, 2)[::-1],
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: p.transpose(1, 0, 2)[:, ::-1],
}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_turn_is_applied(encode, format, orientation):
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24], upright[:16, 24:], upright[16:, :24], upright[16:, 24:] = RED, GREEN, BLUE, YELLOW
    exif = Image.Exif()
    exif[image.ORIENTATION] = orientation
    lossy = {"quality": 95, "subsampling": 0}
    options = {"JPEG": lossy, "AVIF": {"quality": 95, "subsampling": "4:4:4"}, "WEBP": {"lossless": True}}.get(
        format, {}
    )
    picture = image.read(encode(np.ascontiguousarray(STORED[orientation](upright)), format, exif=exif, **options))
    assert (picture.width, picture.height) == (48, 32)
    assert picture.pixels.shape == upright.shape
    corners = [picture.pixels[y, x] for y, x in ((4, 4), (4, -5), (-5, 4), (-5, -5))]
    assert difference(np.array(corners), np.array([RED, GREEN, BLUE, YELLOW])) < 3


# Stored with orientation 5: turned (irot) and mirrored (imir) by the container, and EXIF says so too.
TURNED_HEIC = (
    r"c-muNV30{GsVvAy%}izhg51nBLl8SRGck>UfpK+iYDppk1Sn>t<P<^K3<a6VB@Af5Br_);Y>0~k0}}%yh{bpwLIc4^pcoJ^9e|6d"
    r"0I@}8W?mYY2a**9a#F#{fNC<zk_{P<1Q|g}Tq`oc%J~X1OL7^YDj8m778Df#>64iS$@xIK0;t!Skr^a30jx;w1H+%cKYlPU@G~a>"
    r"bx1fc@-Y7Y4^qGkQo#&Da=Vxu5`mK1PK=CbG7A(MTc^G9)LfUxB*nu45;_4QI2@9I>e*cw4;F1uasXN*oSdIil$V@S0TkwCU~2#h"
    r"iDVWRq(VImQj!3~0tJ~BnIHjX4i2Dc44j!o`6bL?Ms8*i$U~Bu1-Y<rXJlYxYh+?(X>9{?q%w<A)1VT3$tlIj;E)DtVU*2HNd!g7"
    r"TMfqboDY=E7TN#*eX;iczdOel{@c1`%l!Xqo8{|Q>d5~;p{@T*{QtkA!254X#Q$p?X*GGzXxGPl)z~<!Z-Uj=o7?w(zQiZxJ5y!<"
    r"*}$(2#`(%~m;KaxW?_47dhvXZtejrgpvOs1*zWG#Q#U(&%gY~c4KGg(?z3#z^*e0${&!2it@|V|c&Ty6qPDn*1wT}|bNAbvQm|4g"
    r"ns(yU$zQTp8*2V2Cp{79+y6YS_Qp)t8Mha^xvbmOx<Pl}PL&f`b<&S-BwBcIwau{7e(P&={CVCz-`5VIixb^q+OI?l%5F4T+&IZe"
    r"C$^2L;gk8f>u<AtfF5RpqzPYN1}z|ugMpDz2o!C=Kw*W1696)Z&|U"
)


def test_a_heic_is_turned_once_though_container_and_exif_both_say_how():
    pytest.importorskip("pi_heif", reason="the extra `heic` (pi-heif) is not installed")
    picture = image.read(zlib.decompress(base64.b85decode(TURNED_HEIC)))
    assert (picture.format, picture.width, picture.height, picture.frames) == ("HEIC", 96, 64, 1)
    corners = [picture.pixels[y, x] for y, x in ((4, 4), (4, -5), (-5, 4), (-5, -5))]
    assert difference(np.array(corners), np.array([RED, GREEN, BLUE, YELLOW])) < 3


def test_a_heic_that_ends_too_early_is_called_truncated():
    pytest.importorskip("pi_heif", reason="the extra `heic` (pi-heif) is not installed")
    data = zlib.decompress(base64.b85decode(TURNED_HEIC))
    for end in range(100, len(data), 20):
        with pytest.raises(DataError, match=r"^truncated: the HEIC"):
            image.read(data[:end])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turn_that_only_xmp_tells_is_applied(encode, photo, orientation):
    """Some programs write the turn of a PNG nowhere else."""
    upright = photo(1, 48, 32)
    said = PngImagePlugin.PngInfo()
    said.add_itxt("XML:com.adobe.xmp", f'<rdf:Description tiff:Orientation="{orientation}"/>')
    data = encode(np.ascontiguousarray(STORED[orientation](upright)), "PNG", pnginfo=said)
    assert np.array_equal(image.read(data).pixels, upright)


@pytest.mark.parametrize("value", [0, 9, 77, 65535])
def test_an_impossible_turn_is_no_turn(encode, photo, value):
    exif = Image.Exif()
    exif[image.ORIENTATION] = value
    pixels = photo(1, 40, 30)
    assert np.array_equal(image.read(encode(pixels, "PNG", exif=exif)).pixels, pixels)


def test_broken_exif_does_not_make_a_picture_unreadable(encode, photo):
    pixels = photo(1, 40, 30)
    whole = image.read(encode(pixels, "JPEG")).pixels
    for broken in (b"", b"MM\x00*\x00\x00\xff\xff", b"II*\x00\x08\x00\x00\x00\xff\xff", b"nonsense"):
        data = encode(pixels, "JPEG", exif=b"Exif\x00\x00" + broken)
        assert np.array_equal(image.read(data).pixels, whole)


# --- colours -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "color", "format", "expected"),
    [
        ("RGB", (200, 100, 50), "PNG", [200, 100, 50]),
        ("RGB", (200, 100, 50), "BMP", [200, 100, 50]),
        ("RGB", (200, 100, 50), "PPM", [200, 100, 50]),
        ("RGB", (200, 100, 50), "JPEG2000", [200, 100, 50]),
        ("L", 77, "PNG", [77, 77, 77]),
        ("L", 77, "JPEG", [77, 77, 77]),
        ("1", 1, "PNG", [255, 255, 255]),
        ("1", 0, "PNG", [0, 0, 0]),
        ("RGBA", (255, 0, 0, 0), "PNG", [255, 255, 255]),  # nothing there: the white below
        ("RGBA", (255, 0, 0, 51), "PNG", [255, 204, 204]),  # a fifth of red on white
        ("RGBA", (255, 0, 0, 255), "PNG", [255, 0, 0]),
        ("LA", (0, 51), "PNG", [204, 204, 204]),
        ("LA", (0, 0), "PNG", [255, 255, 255]),
        ("CMYK", (255, 0, 0, 0), "TIFF", [0, 255, 255]),
        ("CMYK", (0, 0, 0, 255), "TIFF", [0, 0, 0]),
        ("CMYK", (0, 255, 255, 0), "JPEG", [255, 0, 0]),
        ("LAB", (255, 128, 128), "TIFF", [255, 255, 255]),  # L* 100, a* = b* = 0
        ("LAB", (0, 128, 128), "TIFF", [0, 0, 0]),
        ("LAB", (138, 209, 198), "TIFF", [251, 5, 4]),  # sRGB red under D50, as far as 8 bits go
        ("I;16", 65535, "PNG", [255, 255, 255]),
        ("I;16", 32768, "PNG", [128, 128, 128]),  # cut off instead of scaled, it would be white
    ],
)
def test_every_color_mode_becomes_rgb(encode, mode, color, format, expected):
    picture = flat(mode, color, (48, 32))
    assert difference(np.array(middle(encode(picture, format))), np.array(expected)) <= 2


def test_a_palette_is_looked_up(encode):
    picture = flat("P", 1)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    assert middle(encode(picture, "PNG")) == [200, 100, 50]
    assert middle(encode(picture, "GIF")) == [200, 100, 50]


@pytest.mark.parametrize(("mode", "color", "clear"), [("P", 1, 1), ("L", 9, 9), ("RGB", (9, 8, 7), (9, 8, 7))])
def test_a_color_that_is_declared_transparent_becomes_white(encode, mode, color, clear):
    picture = flat(mode, color)
    if mode == "P":
        picture.putpalette([10, 20, 30, 200, 100, 50])
    assert middle(encode(picture, "PNG", transparency=clear)) == [255, 255, 255]


def test_a_palette_with_an_alpha_for_each_color_is_laid_on_white(encode):
    picture = flat("P", 1)
    picture.putpalette([10, 20, 30, 0, 0, 0])
    assert middle(encode(picture, "PNG", transparency=bytes([255, 51]))) == [204, 204, 204]


def test_sixteen_bits_are_scaled_by_the_full_range(encode):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    pixels = image.read(encode(Image.fromarray(ramp))).pixels
    assert difference(pixels[0, :, 0], np.arange(256)) <= 1


@pytest.mark.parametrize("low", [-7.5, 0.0, 1e6])
def test_floats_are_scaled_by_their_own_range(encode, low):
    ramp = np.linspace(low, low + 10, 256, dtype=np.float32)[None].repeat(4, 0)
    pixels = image.read(encode(Image.fromarray(ramp), "TIFF")).pixels
    assert difference(pixels[0, :, 0], np.arange(256)) <= 1


def test_floats_that_are_not_numbers_do_no_harm(encode):
    values = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    values[0, :3] = np.nan, np.inf, -np.inf
    pixels = image.read(encode(Image.fromarray(values), "TIFF")).pixels
    assert pixels[7, 7].tolist() == [255, 255, 255]


def test_a_constant_deep_picture_does_not_divide_by_zero(encode):
    assert middle(encode(flat("F", 3.5), "TIFF")) == [0, 0, 0]
    assert middle(encode(flat("I", -5), "TIFF")) == [0, 0, 0]


def test_32_bit_integers_are_scaled_by_their_own_range(encode):
    ramp = np.linspace(-1_000_000, 1_000_000, 256).astype(np.int32)[None].repeat(4, 0)
    pixels = image.read(encode(Image.fromarray(ramp), "TIFF")).pixels
    assert difference(pixels[0, :, 0], np.arange(256)) <= 1


def test_an_animation_is_its_first_frame(encode, photo):
    first, second = photo(1, 40, 30), photo(2, 40, 30)
    for format, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})):
        frames = [Image.fromarray(second)]
        data = encode(first, format, save_all=True, append_images=frames, **options)
        alone = image.read(encode(first, format, **options)).pixels
        assert np.array_equal(image.read(data).pixels, alone), format


def test_channels_and_rows_have_the_order_that_numpy_expects(photo, encode):
    """Golden numbers, so that nothing can be swapped without being seen: red, green, blue, from the top left."""
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    read = image.read(encode(pixels)).pixels
    assert read[0, 0].tolist() == [0, 1, 2]
    assert read[0, 4].tolist() == [12, 13, 14]
    assert read[3, 0].tolist() == [45, 46, 47]
    jpeg = image.read(encode(photo(7, 64, 48), "JPEG", quality=95, subsampling=0)).pixels
    golden = [[102, 178, 131], [62, 174, 149], [120, 170, 97]]
    assert np.abs(jpeg[[3, 3, 40], [5, 60, 20]].astype(int) - golden).max() <= 2  # decoders may round differently


# --- JPEG ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"subsampling": 2}, {"optimize": True}, {"restart_marker_rows": 1}]
)
def test_every_kind_of_jpeg_is_read(encode, photo, options):
    pixels = photo(3, 120, 90, noise=0)
    assert difference(image.read(encode(pixels, "JPEG", quality=95, **options)).pixels, pixels) < 2


@pytest.mark.parametrize("at_least", [32, 64, 100, 224, 320])
@pytest.mark.parametrize("size", [(1600, 1200), (700, 2100)])
def test_a_jpeg_read_small_is_never_under_twice_what_was_asked_and_looks_the_same(encode, photo, size, at_least):
    """Measured on photos with noise: 0.06 to 0.14 grey levels on average, 0.32 where 700 x 2100 become 11 x 32."""
    data = encode(photo(4, *size), "JPEG", quality=85)
    whole, small = image.read(data), image.read(data, at_least=at_least)
    assert (small.width, small.height) == (whole.width, whole.height) == size
    assert min(small.pixels.shape[:2]) >= min(2 * at_least, *size)
    view = Preparation(at_least).view
    assert difference(view(small.pixels), view(whole.pixels)) < 0.5


def test_reading_small_does_read_a_large_jpeg_small(encode, photo):
    data = encode(photo(4, 1600, 1200), "JPEG")
    assert image.read(data, at_least=64).pixels.shape == (150, 200, 3)  # an eighth


def test_a_small_jpeg_is_not_enlarged_by_reading_it_small(encode, photo):
    pixels = image.read(encode(photo(4, 90, 60), "JPEG"), at_least=224).pixels
    assert pixels.shape == (60, 90, 3)


def test_a_turned_jpeg_can_be_read_small_too(encode, photo):
    exif = Image.Exif()
    exif[image.ORIENTATION] = 6
    upright = photo(4, 1200, 1600, noise=0)
    data = encode(np.ascontiguousarray(STORED[6](upright)), "JPEG", exif=exif)
    picture = image.read(data, at_least=100)
    assert (picture.width, picture.height) == (1200, 1600)
    view = Preparation(100).view
    assert difference(view(picture.pixels), view(upright)) < 2


def test_the_several_pictures_of_a_phones_jpeg_are_its_first_and_it_can_be_read_small(encode, photo):
    first, second = photo(1, 1200, 900, noise=0), photo(2, 1200, 900, noise=0)
    data = encode(first, "MPO", save_all=True, append_images=[Image.fromarray(second)])
    picture = image.read(data, at_least=50)
    assert picture.format == "JPEG"
    assert picture.pixels.shape[:2] == (113, 150)
    view = Preparation(50).view
    assert difference(view(picture.pixels), view(first)) < 2


# --- refused -------------------------------------------------------------------------------------------------------

FORMATS = {
    "JPEG": {},
    "progressive JPEG": {"progressive": True},
    "PNG": {},
    "GIF": {},
    "WEBP": {},
    "BMP": {},
    "TIFF": {},
    "PPM": {},
    "AVIF": {},
    "ICO": {},
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_beginning_of_a_file_is_refused_or_is_the_whole_picture_and_nothing_between(encode, photo, name):
    """Nothing is filled up with grey. (The last bytes of some formats carry no pixels.)"""
    data = encode(photo(1, 48, 40), name.split()[-1], **FORMATS[name])
    whole = image.read(data).pixels
    refused = 0
    for end in np.linspace(0, len(data) - 1, 150).astype(int):
        try:
            pixels = image.read(data[:end], at_least=4 if end % 2 else None).pixels
        except DataError as error:
            refused += 1
            assert error.what
        else:
            assert end % 2 or np.array_equal(pixels, whole), f"the first {end} of {len(data)} bytes"
    assert refused > 100


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000"])
@pytest.mark.parametrize("at_least", [None, 16])
def test_a_file_that_ends_half_way_is_called_truncated(encode, photo, format, at_least):
    data = encode(photo(1, 200, 160), format)
    with pytest.raises(DataError, match=r"^truncated") as error:
        image.read(data[: len(data) // 2], at_least)
    assert format in error.value.what


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


SIDES = {order: struct.pack(order, 60000, 60000) for order in (">HH", "<HH", ">II", "<ii")}
BOMBS = {
    "PNG": b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", SIDES[">II"] + b"\x08\x02\x00\x00\x00")
    + chunk(b"IDAT", zlib.compress(bytes(1000)))
    + chunk(b"IEND", b""),
    "JPEG": b"\xff\xd8\xff\xc0\x00\x11\x08" + SIDES[">HH"] + b"\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00\xff\xd9",
    "GIF": b"GIF89a" + SIDES["<HH"] + b"\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0" + SIDES["<HH"] + b"\0\x02\x02L\x01\0;",
    "BMP": b"BM"
    + struct.pack("<IHHI", 60, 0, 0, 54)
    + struct.pack("<I", 40)
    + SIDES["<ii"]
    + b"\1\0\x18\0"
    + bytes(24),
    "PPM": b"P6 60000 60000 255\n" + bytes(100),
    "WEBP": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\x5f\xea\0" * 2,
    "AVIF": b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + b"\0\0\0\x14ispe\0\0\0\0" + SIDES[">II"],
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + b"\0\0\0\x14ispe\0\0\0\0" + SIDES[">II"],
}
BOMBS["ICO"] = b"\0\0\1\0\1\0" + struct.pack("<4B2H2I", 16, 16, 0, 0, 1, 32, len(BOMBS["PNG"]), 22) + BOMBS["PNG"]
BOMBS["ICO with a bitmap"] = BOMBS["ICO"][:22] + struct.pack("<IiiHH", 40, 60000, 60000, 1, 32) + bytes(24)


READ_AND_MEASURE = """
import resource, sys
from pathlib import Path
import simplejpeg
from PIL import Image
from ursa.core.decoding import image
from ursa.errors import DataError

Image.init()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    image.read(Path(sys.argv[1]).read_bytes(), at_least=224)
except DataError as error:
    print(error.what)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("format", BOMBS)
def test_a_bomb_is_refused_from_its_header_without_unpacking_it(tmp_path, format):
    file = tmp_path / "bomb"
    file.write_bytes(BOMBS[format])
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-c", READ_AND_MEASURE, file], capture_output=True, text=True, check=True, timeout=60
    )
    said, megabytes = done.stdout.splitlines()
    assert said.startswith("too large")
    assert int(megabytes) < 30


def test_a_tiff_of_one_pixel_in_a_huge_tile_is_refused_before_the_tile_is_unpacked():
    packed = zlib.compress(bytes(100))
    tags = {256: 1, 257: 1, 258: 8, 259: 8, 262: 1, 277: 1, 322: 60000, 323: 60000, 324: 8, 325: len(packed)}
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, n) for tag, n in tags.items())
    data = b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + directory + bytes(4)
    with pytest.raises(DataError, match=r"^too large: 60000 x 60000"):
        image.read(data)


def test_the_limit_is_on_pixels_and_a_picture_just_under_it_is_read(encode):
    side = 8944  # 79,995,136 pixels of one bit: small as a file
    assert image.read(encode(flat("1", 1, (side, side)))).width == side
    with pytest.raises(DataError, match="too large: 8950 x 8944 pixels, the limit is 80 million"):
        image.read(encode(flat("1", 1, (8950, side))))


# --- warnings ------------------------------------------------------------------------------------------------------


def test_the_verdict_does_not_depend_on_the_filters_of_warnings_and_they_stay_as_they_were(encode, photo):
    pixels = photo(1, 40, 30)
    png = encode(pixels)
    # An animation of no frames, which Pillow warns of and then reads as the plain picture that it is.
    odd = png[:33] + chunk(b"acTL", struct.pack(">II", 0, 0)) + png[33:]
    for filter in ("error", "default", "ignore"):
        with warnings.catch_warnings(record=filter != "error") as said:
            warnings.simplefilter(filter)
            filters = list(warnings.filters)
            assert np.array_equal(image.read(odd).pixels, pixels)
            assert warnings.filters == filters
            assert not said


def test_many_threads_read_odd_files_in_silence_and_leave_the_filters_alone(encode, photo):
    png = encode(photo(1, 40, 30))
    odd = png[:33] + chunk(b"acTL", struct.pack(">II", 0, 0)) + png[33:]
    filters, failures = list(warnings.filters), []

    def work():
        for _ in range(50):
            try:
                image.read(odd)
            except DataError as error:
                failures.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert warnings.filters == filters


def test_the_name_of_a_file_plays_no_part(tmp_path: Path, encode, photo):
    from ursa.data.scan import read_file

    data = encode(photo(1, 40, 30), "WEBP")
    for name in ("a.jpg", "b", "c.txt", "d.jpg?w=1024"):
        (tmp_path / name).write_bytes(data)
        facts, _ = read_file(tmp_path / name, Preparation(32))
        assert (facts.format, facts.width, facts.height, facts.problem) == ("WEBP", 40, 30, None)
