"""A law: no decoder is reached but through a worker; one call of `image.read`, one room that knows the decoders."""

import ast
from pathlib import Path

import pytest

import ursa

SOURCE = Path(ursa.__file__).parent
# Where a decoder may be named: the reading itself.
READING = {f"core/decoding/{name}.py" for name in ("image", "jpeg", "netpbm", "headers")}

# Who may ask a worker for pixels that are no view of a model, and why.
WHOLE_PICTURES = {
    "cli/results_text.py",  # shows one digit as text
    "data/download/downloader.py",  # asks only whether it can be read
    "data/sources/write_folder.py",  # compares what is there, pixel by pixel
    "plots/reading.py",  # shows a file in full
    "review_page/review_pictures.py",  # likewise
}
LARGER_THAN_VIEWS = {
    "sandbox/model_views.py",
    "training/batches/picture_reader.py",  # augmentation needs more than the view; what is cached
}
VIEWS = {
    "core/prepare.py",
    "sandbox/model_views.py",
    "sandbox/worker.py",
    "training/batches/picture_batches.py",  # of pixels that come from the cache
}


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
        ("sandbox.read", WHOLE_PICTURES),
        ("sandbox.reading", LARGER_THAN_VIEWS),
        ("pool.reading", LARGER_THAN_VIEWS),
        ("pool.view", {"sandbox/model_views.py"}),
    ],
)
def test_decoders_are_called_in_workers_only(call, allowed):
    callers = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if call in calls(path)}
    assert callers <= allowed


def test_the_one_call_is_there():
    assert "image.read" in calls(SOURCE / "sandbox" / "worker.py")


def test_views_are_made_by_one_function():
    """`preparation.view(...)`, whatever the preparation is called and wherever it hangs."""

    def makes_views(path: Path) -> bool:
        attributes = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        named = [
            ast.unparse(func.value) for func in attributes if isinstance(func, ast.Attribute) and func.attr == "view"
        ]
        return any("prepar" in name.lower() for name in named)

    assert {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if makes_views(path)} <= VIEWS


@pytest.mark.parametrize("names", [READING, WHOLE_PICTURES, LARGER_THAN_VIEWS, VIEWS])
def test_the_lists_of_the_allowed_name_files_that_are_there(names):
    assert [name for name in sorted(names) if not (SOURCE / name).is_file()] == []


def test_nobody_imports_the_reading_functions_by_name():
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "ursa.core.decoding.image":
                assert "read" not in {alias.name for alias in node.names}, path
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ursa.sandbox"):
                inside = path.is_relative_to(SOURCE / "sandbox")
                assert inside or not {"read", "reading", "view", "views"} & {alias.name for alias in node.names}, path
