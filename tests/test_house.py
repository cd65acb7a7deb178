"""The house keeps its form: names that occur once, small files, rooms that can be taken in at a glance."""

import ast
import collections
from pathlib import Path

import pytest

import ursa

SOURCE = Path(ursa.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
ROOMS = sorted({file.parent for file in FILES})
MOST_FILES, MOST_LINES, LONGEST = 16, 350, 60  # of a room; of a file; of a function's body


def parsed(file):
    return ast.parse(file.read_text())


def repeated(places):
    return {name: where for name, where in places.items() if len(where) > 1}


def test_no_two_files_have_one_name():
    places = collections.defaultdict(list)
    for file in FILES:
        if file.name != "__init__.py":
            places[file.stem].append(str(file.relative_to(SOURCE)))
    assert repeated(places) == {}


def test_no_two_public_classes_have_one_name():
    places = collections.defaultdict(list)
    for file in FILES:
        for node in parsed(file).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(file.relative_to(SOURCE)))
    assert repeated(places) == {}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(SOURCE)))
def test_a_room_is_opened_by_what_flows_through_it_and_is_not_too_full(room):
    assert ast.get_docstring(parsed(room / "__init__.py"))
    assert len([file for file in room.glob("*.py") if file.name != "__init__.py"]) <= MOST_FILES


def test_files_and_functions_are_short_and_files_say_what_flows_through():
    long = []
    for file in FILES:
        tree, lines = parsed(file), len(file.read_text().splitlines())
        if lines > MOST_LINES or ast.get_docstring(tree) is None:
            long.append(f"{file.relative_to(SOURCE)}: {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                statements = node.body[1:] if ast.get_docstring(node) is not None else node.body
                body = node.end_lineno - statements[0].lineno + 1 if statements else 0
                if body > LONGEST:
                    long.append(f"{file.relative_to(SOURCE)}: {node.name} has {body} lines")
    assert long == []
