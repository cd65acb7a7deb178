"""A law: no decoder is reached but through a worker; one call of `image.read`, one room that knows the decoders."""

import ast
from pathlib import Path

import pytest

import ursa

SOURCE = Path(ursa.__file__).parent
# Where a decoder may be named: the reading itself.
READING = {f"core/decoding/{name}.py" for name in ("image", "jpeg", "netpbm", "headers")}


def calls(path: Path) -> set[str]:
    """`module.function` of every call, as far as it is written so."""
    tree = ast.parse(path.read_text())
    found = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {
        f"{func.value.id}.{func.attr}"
        for func in found
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)
    }


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        ("image.read", {"sandbox/worker.py"}),
        ("Image.open", set()),
        ("simplejpeg.decode_jpeg", READING),
        ("simplejpeg.decode_jpeg_header", READING),
        ("ImageFile.Parser", set()),
    ],
)
def test_decoders_are_called_in_workers_only(call, allowed):
    callers = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if call in calls(path)}
    assert callers <= allowed


def test_the_one_call_is_there():
    assert "image.read" in calls(SOURCE / "sandbox" / "worker.py")


def test_nobody_imports_the_reading_function_by_name():
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "ursa.core.decoding.image":
                assert "read" not in {alias.name for alias in node.names}, path
