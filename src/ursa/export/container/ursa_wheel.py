"""The Ursa that is installed here -> a wheel of it, so that a recipe needs no release of it anywhere."""

import base64
import hashlib
import io
import zipfile
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path


def ursa_wheel() -> tuple[str, bytes]:
    """(file name, bytes) of a wheel of exactly the code that runs here, editable installation or not."""
    installed = distribution("ursa-learn")
    stem = f"ursa_learn-{installed.version}"
    about = f"{stem}.dist-info"
    contents = {
        **_package(Path(str(files("ursa")))),
        f"{about}/METADATA": (installed.read_text("METADATA") or "").encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: ursa export\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": b"[console_scripts]\nursa = ursa.cli:main\n",
        **{f"{about}/licenses/LICENSE": text.encode() for text in [installed.read_text("licenses/LICENSE")] if text},
    }
    lines = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in contents.items()]
    contents[f"{about}/RECORD"] = "\n".join([*lines, f"{about}/RECORD,,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name)  # of 1980, so that the same Ursa gives the same bytes
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return f"{stem}-py3-none-any.whl", buffer.getvalue()


def _package(root: Path) -> dict[str, bytes]:
    """Without what Python compiled, and without what editors leave."""
    found = {path.relative_to(root): path for path in sorted(root.rglob("*")) if path.is_file()}
    return {
        f"ursa/{name.as_posix()}": path.read_bytes()
        for name, path in found.items()
        if not any(part.startswith((".", "__pycache__")) or part.endswith("~") for part in name.parts)
    }


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
