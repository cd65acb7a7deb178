"""Names of Ursa 0.1: each raises an error that says where it is now, and it is there."""

import importlib

import pytest

import ursa
from ursa import renamed


@pytest.mark.parametrize("before", sorted(renamed.MODULES))
def test_a_module_that_moved_says_where_it_is_and_it_is_there(before):
    now = f"ursa.{renamed.MODULES[before]}"
    assert importlib.import_module(now).__name__ == now
    try:
        importlib.import_module(f"ursa.{before}")
    except ModuleNotFoundError as problem:
        assert str(problem) == f"ursa.{before} is now {now} (Ursa 0.2)"
    else:  # a package has taken the name; what the module held is asked of it
        with pytest.raises(AttributeError, match=now.replace(".", r"\.")):
            _ = importlib.import_module(f"ursa.{before}").anything_of_it


@pytest.mark.parametrize("name", [name for name in renamed.NAMES if "." not in name])
def test_a_name_of_the_front_door_says_what_it_is_called_now(name):
    with pytest.raises(AttributeError) as problem:
        getattr(ursa, name)
    assert renamed.NAMES[name] in str(problem.value)


def test_a_module_that_there_never_was_is_an_ordinary_error():
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'ursa\.nothing'"):
        importlib.import_module("ursa.nothing")
