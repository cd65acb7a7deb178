"""Pictures to start from, made here with Pillow, so that what comes of them may be kept: (name, bytes)."""

import io
import struct
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

from PIL import Image, features

WIDTH, HEIGHT = 40, 30


@cache
def pictures() -> tuple[tuple[str, bytes], ...]:
    """Small ones of every kind that Ursa reads, in many variants. The same for the same Pillow."""
    return (*_jpegs(), *_pngs(), *_tiffs(), *_webps(), *_others(), *_by_hand())


def _photo(mode: str = "RGB", seed: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """Soft shapes and some noise."""
    rng = Random(seed)
    bands = []
    for _ in range(4):
        soft = Image.frombytes("L", (5, 4), rng.randbytes(20)).resize(size, Image.Resampling.BICUBIC)
        noise = Image.frombytes("L", size, bytes(value >> 3 for value in rng.randbytes(size[0] * size[1])))
        bands.append(Image.blend(soft, noise, 0.2))
    if mode in ("RGBA", "CMYK"):
        return Image.merge(mode, bands)
    if mode == "LA":
        return Image.merge(mode, bands[:2])
    whole = Image.merge("RGB", bands[:3])
    if mode == "I;16":
        return Image.frombytes("I;16", size, rng.randbytes(2 * size[0] * size[1]))
    return whole if mode == "RGB" else whole.convert(mode)


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _exif(orientation: int = 6) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera"
    return exif.tobytes()


def _jpegs() -> Iterator[tuple[str, bytes]]:
    photo = _photo()
    for sampling in ("4:4:4", "4:2:2", "4:2:0"):
        yield f"jpeg {sampling}", _saved(photo, "JPEG", quality=80, subsampling=sampling)
    yield "jpeg large", _saved(_photo(size=(300, 200)), "JPEG", quality=60)
    yield "jpeg progressive", _saved(photo, "JPEG", progressive=True)
    yield "jpeg large progressive", _saved(_photo(size=(160, 240)), "JPEG", progressive=True, quality=50)
    yield "jpeg grey", _saved(_photo("L"), "JPEG")
    yield "jpeg cmyk", _saved(_photo("CMYK"), "JPEG")
    yield "jpeg cmyk progressive", _saved(_photo("CMYK"), "JPEG", progressive=True)
    yield "jpeg rgb", _saved(photo, "JPEG", keep_rgb=True)
    yield "jpeg restarts", _saved(photo, "JPEG", restart_marker_rows=1, optimize=True)
    yield "jpeg exif icc", _saved(photo, "JPEG", exif=_exif(), icc_profile=_profile(), comment=b"made here")
    yield "mpo", _saved(photo, "MPO", save_all=True, append_images=[_photo(seed=1)])


def _pngs() -> Iterator[tuple[str, bytes]]:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        yield f"png {mode}", _saved(_photo(mode), "PNG")
    for bits in (1, 2, 4):
        yield f"png palette {bits}", _saved(_photo().quantize(1 << bits), "PNG", bits=bits)
    yield "png palette tRNS", _saved(_photo("P"), "PNG", transparency=bytes(range(0, 256, 2)))
    yield "png RGB tRNS", _saved(_photo(), "PNG", transparency=(1, 2, 3))
    yield "png L tRNS", _saved(_photo("L"), "PNG", transparency=7)
    yield "png icc exif", _saved(_photo(), "PNG", icc_profile=_profile(), exif=_exif(3))
    yield "apng", _saved(_photo(), "PNG", save_all=True, append_images=[_photo(seed=1)], duration=40)


def _tiffs() -> Iterator[tuple[str, bytes]]:
    photo = _photo()
    for packing in (
        "raw",
        "tiff_lzw",
        "tiff_adobe_deflate",
        "tiff_deflate",
        "packbits",
        "jpeg",
        "lzma",
        "zstd",
        "webp",
    ):
        try:
            yield f"tiff {packing}", _saved(photo, "TIFF", compression=packing)
        except (OSError, ValueError, KeyError, RuntimeError):  # this libtiff was built without it
            continue
    for packing in ("group3", "group4", "tiff_ccitt"):
        yield f"tiff {packing}", _saved(_photo("1"), "TIFF", compression=packing)
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F", "I", "YCbCr", "LAB"):
        image = _photo("RGB") if mode in ("YCbCr", "LAB") else _photo(mode)
        if mode == "YCbCr":
            image = image.convert(mode)
        elif mode == "LAB":
            image = Image.merge("LAB", image.split())
        yield f"tiff {mode}", _saved(image, "TIFF")
    yield "tiff turned icc", _saved(photo, "TIFF", tiffinfo={274: 6}, icc_profile=_profile())
    yield "tiff strips", _saved(photo, "TIFF", compression="tiff_lzw", tiffinfo={278: 4, 317: 2})
    yield "tiff pages", _saved(photo, "TIFF", save_all=True, append_images=[_photo(seed=n) for n in (1, 2)])
    yield "bigtiff", _saved(photo, "TIFF", big_tiff=True)


def _webps() -> Iterator[tuple[str, bytes]]:
    if not features.check("webp"):
        return
    yield "webp lossy", _saved(_photo(), "WEBP")
    yield "webp lossless", _saved(_photo(), "WEBP", lossless=True)
    yield "webp alpha", _saved(_photo("RGBA"), "WEBP", exif=_exif(), icc_profile=_profile())
    yield "webp lossless alpha", _saved(_photo("RGBA"), "WEBP", lossless=True)
    yield "webp animated", _saved(_photo("RGBA"), "WEBP", save_all=True, append_images=[_photo("RGBA", 1)])


def _others() -> Iterator[tuple[str, bytes]]:
    photo, palette = _photo(), _photo("P")
    yield "gif", _saved(palette, "GIF")
    yield "gif transparent", _saved(palette, "GIF", transparency=3)
    frames = [_photo(seed=n).quantize(16) for n in (1, 2, 3)]
    yield "gif animated", _saved(palette, "GIF", save_all=True, append_images=frames, disposal=2, loop=0)
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"bmp {mode}", _saved(_photo(mode), "BMP")
    yield "ico png", _saved(_photo("RGBA", size=(32, 32)), "ICO", sizes=[(16, 16), (32, 32)])
    yield "ico bmp", _saved(_photo("RGBA", size=(32, 32)), "ICO", sizes=[(16, 16), (32, 32)], bitmap_format="bmp")
    for mode in ("1", "L", "RGB", "I;16"):
        yield f"ppm {mode}", _saved(_photo(mode), "PPM")
    if features.check("jpg_2000"):
        for mode in ("L", "LA", "RGB", "RGBA"):
            yield f"jp2 {mode}", _saved(_photo(mode), "JPEG2000")
        yield "j2k", _saved(photo, "JPEG2000", no_jp2=True, irreversible=True, tile_size=(16, 16))
    if features.check("avif"):
        yield "avif", _saved(photo, "AVIF", speed=10)
        yield "avif alpha turned", _saved(_photo("RGBA"), "AVIF", speed=10, exif=_exif(), icc_profile=_profile())
        yield "avif animated", _saved(photo, "AVIF", speed=10, save_all=True, append_images=[_photo(seed=1)])


def _by_hand() -> Iterator[tuple[str, bytes]]:
    """What Pillow does not write: plain-text PPM, packed BMP, interlaced PNG, tiled TIFF."""
    numbers = Random(5).randbytes(64 * 3)
    yield "P1", b"P1\n8 8\n" + b" ".join(b"%d" % (value & 1) for value in numbers[:64])
    yield "P2", b"P2\n# a remark\n8 8\n255\n" + b" ".join(b"%d" % value for value in numbers[:64])
    yield "P3", b"P3 8 8 255\n" + b" ".join(b"%d" % value for value in numbers)
    yield "P6 deep", b"P6 8 4 65535\n" + numbers
    yield "P5 odd maxval", b"P5 8 8 254\n" + numbers[:64]
    yield "bmp rle8", packed_bmp(1, bytes((8, 1, 0, 3, 1, 2, 3, 0, 0, 0)) * 8 + b"\0\1")
    yield "bmp rle4", packed_bmp(2, bytes((8, 0x12, 0, 0, 0, 2, 1, 1, 4, 0x34, 0, 0)) * 4 + b"\0\1")
    yield "png interlaced", interlaced_png()
    yield "tiff tiled", tiled_tiff()


def packed_bmp(packing: int, rows: bytes) -> bytes:
    """11 x 8 pixels, run lengths of 8 (packing 1) or 4 bits (2)."""
    bits, colors = (8, 256) if packing == 1 else (4, 16)
    palette = b"".join(bytes((n % 256, n * 5 % 256, 255 - n % 256, 0)) for n in range(colors))
    start = 54 + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, 11, 8, 1, bits, packing, len(rows), 0, 0, colors, 0)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + info + palette + rows


def interlaced_png() -> bytes:
    """8 x 8 pixels RGB in Adam7's seven passes."""
    import zlib

    from fuzz.formats import png

    rng, rows = Random(6), b""
    for width, height in ((1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)):
        rows += b"".join(b"\0" + rng.randbytes(3 * width) for _ in range(height))
    head = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 1)
    return png.build([(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")])


def tiled_tiff() -> bytes:
    """32 x 16 pixels RGB in two tiles of 16 x 16, not packed."""
    tile = 16 * 16 * 3
    tags = [(256, 32), (257, 16), (259, 1), (262, 2), (277, 3), (322, 16), (323, 16)]
    count = len(tags) + 3
    behind = 8 + 2 + 12 * count + 4
    entries: list[bytes] = [struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags]
    entries += [
        struct.pack("<HHII", 258, 3, 3, behind),
        struct.pack("<HHII", 324, 4, 2, behind + 6),
        struct.pack("<HHII", 325, 4, 2, behind + 14),
    ]
    start = behind + 22
    arrays = struct.pack("<HHH", 8, 8, 8) + struct.pack("<IIII", start, start + tile, tile, tile)
    entries.sort(key=_tag)
    directory = struct.pack("<H", count) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + directory + arrays + Random(7).randbytes(2 * tile)


def _tag(entry: bytes) -> int:
    return int.from_bytes(entry[:2], "little")
