"""`ursa.models` and `ursa.plots` offer their functions by name, in code and on Tab, and nothing else."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOMS = ("ursa.models", "ursa.plots")
NAMES = [(room, name) for room in ROOMS for name in importlib.import_module(room).__all__]


@pytest.mark.parametrize(("room", "name"), NAMES)
def test_every_name_is_there_callable_and_documented(room, name):
    value = getattr(importlib.import_module(room), name)
    assert callable(value) and value.__doc__


@pytest.mark.parametrize("room", ROOMS)
def test_tab_offers_the_names_and_nothing_else(room):
    module = importlib.import_module(room)
    assert dir(module) == sorted(module.__all__) == sorted(set(module.__all__))


@pytest.mark.parametrize("room", ROOMS)
def test_names_for_type_checkers_are_those_of_python(room):
    module = importlib.import_module(room)
    branch = next(node for node in ast.parse(Path(module.__file__).read_text()).body if isinstance(node, ast.If))
    typed = {alias.name: node.module for node in branch.body for alias in node.names}
    assert typed == {name: f"{room}.{home}" for name, home in module._HOME.items()}


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_takes_the_place_of_a_function(room):
    """Importing `room.name` anywhere would set the attribute `name` of the room to the module."""
    module = importlib.import_module(room)
    assert not {found.name for found in pkgutil.iter_modules(module.__path__)} & set(module.__all__)


@pytest.mark.parametrize("room", ROOMS)
def test_an_unknown_name_is_an_attribute_error(room):
    with pytest.raises(AttributeError, match=f"module '{room}' has no attribute 'nothing'"):
        importlib.import_module(room).nothing  # noqa: B018


def test_names_of_the_last_version_say_what_they_are_called_now():
    from ursa import models

    for old, new in (("named", "create"), ("initialise", "initialize")):
        with pytest.raises(AttributeError, match=rf"ursa\.models\.{old} is now ursa\.models\.{new}"):
            getattr(models, old)


def test_importing_the_rooms_imports_neither_torch_nor_matplotlib(tmp_path):
    code = "import sys, ursa.models, ursa.plots; assert not {'torch', 'matplotlib', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
