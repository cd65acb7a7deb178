"""What npm packed, or a folder of it -> the two files of onnxruntime-web that a page needs, checked by their hashes.

onnxruntime-web is on npm alone. Nothing is downloaded here: whoever exports fetches it once with npm, and files other
than those that were tried with this version of Ursa are refused.
"""

import gzip
import hashlib
import tarfile
import zlib
from pathlib import Path

from ursa.core.text import escaped
from ursa.errors import DataError

VERSION = "1.30.0"
PACKED = f"onnxruntime-web-{VERSION}.tgz"
COMMAND = f"npm pack onnxruntime-web@{VERSION}"

# The build for processors alone: 14 MB instead of 27 with WebGPU, which is no faster for such small networks.
SHA256 = {
    "ort.wasm.bundle.min.mjs": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
LARGEST = 32 << 20  # bytes of one of them: the real ones have 0.1 and 14 MB
PLACES = ("", "dist", "package/dist", "node_modules/onnxruntime-web/dist")  # in a folder that was named

LICENSE = b"""onnxruntime-web, https://onnxruntime.ai

MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def runtime_files(place: str | Path | None) -> dict[str, bytes]:
    """{path in the page: bytes}: script, WebAssembly (gzip) and license.

    place: the file that `npm pack` writes, or a folder that holds the package. Raises DataError without one, and for
    files of another version.
    """
    fix = f"{COMMAND}, then --runtime {PACKED}"
    if place is None:
        raise DataError("the page needs onnxruntime-web, which npm has", found="no --runtime", fix=fix)
    place = Path(place)
    if not place.exists():
        raise DataError(f"there is no {escaped(place)}", fix=fix)
    found = _of_folder(place) if place.is_dir() else _of_archive(place)
    for name, wanted in SHA256.items():
        if name not in found:
            raise DataError(f"{escaped(place)} is not onnxruntime-web {VERSION}", found=f"no {name} in it", fix=fix)
        if hashlib.sha256(found[name]).hexdigest() != wanted:
            what = f"{escaped(place)} holds another onnxruntime-web than {VERSION}"
            raise DataError(what, found=f"{name} has another SHA-256", fix=fix)
    script, wasm = (found[name] for name in SHA256)
    # Unpacked in the browser, so that hosts that compress nothing send 4 MB instead of 14.
    return {
        "runtime/ort.js": script,
        "runtime/ort-wasm.bin": gzip.compress(wasm, 9, mtime=0),
        "runtime/LICENSE.txt": LICENSE,
    }


def _of_folder(place: Path) -> dict[str, bytes]:
    found = {}
    for name in SHA256:
        file = next((file for inside in PLACES if (file := place / inside / name).is_file()), None)
        if file is not None and file.stat().st_size <= LARGEST:
            found[name] = file.read_bytes()
    return found


def _of_archive(place: Path) -> dict[str, bytes]:
    """Read, never unpacked to a disk. It may be anything."""
    wanted = {f"package/dist/{name}": name for name in SHA256}
    found = {}
    try:
        with tarfile.open(place, "r:gz") as archive:
            for member in archive:
                name = wanted.get(member.name)
                if name is None or not member.isreg() or member.size > LARGEST:
                    continue
                if (opened := archive.extractfile(member)) is not None:
                    found[name] = opened.read()
                if len(found) == len(wanted):
                    break
    except (tarfile.TarError, OSError, EOFError, zlib.error) as problem:
        raise DataError(f"{escaped(place)} is not what npm packs", found=problem, fix=COMMAND) from problem
    return found
