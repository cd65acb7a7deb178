"""A law: no module of Ursa imports itself by way of others, inside functions and under TYPE_CHECKING neither."""

import ast
from pathlib import Path

import ursa

SOURCE = Path(ursa.__file__).parent


def modules(source: Path) -> dict[str, Path]:
    """Every module below a folder by its full name; a package by its own."""
    found = {}
    for path in source.rglob("*.py"):
        parts = [source.name, *path.relative_to(source).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: set[str]) -> set[str]:
    """The modules that a file imports, wherever in it that is written; `from package import module` is the module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in inside}
    return found & known


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that reach each other (Tarjan 1972), as sorted names."""
    number, low, stack, found = {}, {}, [], []

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in graph[name]:
            if other not in number:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == number[name]:
            at = stack.index(name)
            group, stack[at:] = stack[at:], []
            if len(group) > 1 or name in graph[name]:
                found.append(sorted(group))

    for name in graph:
        if name not in number:
            visit(name)
    return sorted(found)


def test_a_cycle_is_found_wherever_its_imports_stand(tmp_path):
    place = tmp_path / "house"
    place.mkdir()
    (place / "__init__.py").write_text("")
    (place / "one.py").write_text("def f():\n    from house.two import x\n")
    (place / "two.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house import three\n")
    (place / "three.py").write_text("import house.one\n")
    (place / "four.py").write_text("from house import one\n")
    known = modules(place)
    graph = {name: imports(path, set(known)) for name, path in known.items()}
    assert cycles(graph) == [["house.one", "house.three", "house.two"]]


def test_ursa_has_no_import_cycle():
    known = modules(SOURCE)
    assert len(known) > 100
    assert cycles({name: imports(path, set(known)) for name, path in known.items()}) == []
