"""Walking below a picture folder: rings of links, depth, and paths that are too long end nothing."""

import os
from pathlib import Path

import pytest

from ursa.data.sources import walk
from ursa.data.sources.folder_source import from_folder

PNG = b"\x89PNG\r\n\x1a\n"


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PNG)
    return root


def chain(root: Path, names: list[str]) -> None:
    """Folders inside each other, made from within: the whole path may be longer than a system call takes."""
    here = os.open(root, os.O_RDONLY)
    for name in names:
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("deep.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def unchain(root: Path, name: str, levels: int) -> None:
    """Take such a chain away again; pytest's own clearing up goes by recursion."""
    here, opened = os.open(root, os.O_RDONLY), []
    for _ in range(levels):
        opened.append(here)
        here = os.open(name, os.O_RDONLY, dir_fd=here)
    os.unlink("deep.jpg", dir_fd=here)
    os.close(here)
    for above in reversed(opened):
        os.rmdir(name, dir_fd=above)
        os.close(above)


def ring(root: Path, count: int) -> None:
    """Folders of which each links to all others."""
    for one in range(count):
        put(root, f"{one}/{one}.jpg")
        for other in range(count):
            if other != one:
                (root / str(one) / f"to-{other}").symlink_to(root / str(other))


def problems(catalog) -> list[str]:
    return catalog.rows["problem"].drop_nulls().to_list()


@pytest.mark.parametrize("below", ["", "cat"])
def test_folders_that_all_link_to_each_other_are_each_listed_once(tmp_path, below):
    """Twelve of them have 12! ways through: this would never end."""
    ring(tmp_path / below, 12)
    catalog = from_folder(tmp_path)
    prefix = f"{below}/" if below else ""
    assert sorted(catalog.ids) == sorted(f"{prefix}{n}/{n}.jpg" for n in range(12))  # where they really lie
    assert catalog.counts() == ({"cat": 12} if below else {str(n): 1 for n in range(12)})


def test_a_ring_elsewhere_that_two_classes_link_to_is_in_both_of_them_once(tmp_path):
    """Which of the two is right is for the findings to say: the pictures are the same under two classes."""
    ring(tmp_path / "elsewhere", 8)
    root = put(tmp_path / "root", "cat/a.jpg", "dog/b.jpg")
    for name in ("cat", "dog"):
        (root / name / "more").symlink_to(tmp_path / "elsewhere" / "0")
    assert from_folder(root).counts() == {"cat": 9, "dog": 9}


def test_a_class_folder_may_be_a_link_and_two_of_them_may_lead_to_the_same(tmp_path):
    """A link in the place of a class is meant: training and validation on the same pictures is a leak to be found."""
    store = put(tmp_path / "store", "cats/1.jpg", "cats/young/2.jpg", "dogs/3.jpg")
    root = tmp_path / "root"
    for split in ("train", "valid"):
        (root / split).mkdir(parents=True)
        (root / split / "cat").symlink_to(store / "cats")
    (root / "train" / "dog").symlink_to(store / "dogs")
    assert from_folder(root).ids == [
        "train/cat/1.jpg",
        "train/cat/young/2.jpg",
        "train/dog/3.jpg",
        "valid/cat/1.jpg",
        "valid/cat/young/2.jpg",
    ]


def test_split_folders_may_be_links(tmp_path):
    store = put(tmp_path / "store", "a/cat/1.jpg", "b/cat/2.jpg")
    root = tmp_path / "root"
    root.mkdir()
    (root / "train").symlink_to(store / "a")
    (root / "valid").symlink_to(store / "b")
    assert from_folder(root).ids == ["train/cat/1.jpg", "valid/cat/2.jpg"]


@pytest.mark.parametrize("levels", [1, 3])
def test_a_link_to_what_the_picture_folder_lies_in_adds_nothing(tmp_path, levels):
    """Else all of the disk would be listed, as pictures of a class."""
    root = put(tmp_path / "a" / "b" / "root", "cat/1.jpg")
    put(tmp_path, "a/b/other/2.jpg", "a/3.jpg")
    (root / "cat" / "up").symlink_to(Path(*[".."] * (levels + 1)))
    (root / "up").symlink_to(Path(*[".."] * levels))
    assert from_folder(root).ids == ["cat/1.jpg"]


def test_a_link_into_another_class_adds_nothing_and_takes_nothing_away(tmp_path):
    root = put(tmp_path, "a/1.jpg", "b/2.jpg")
    (root / "a" / "link").symlink_to(root / "b")
    assert from_folder(root).ids == ["a/1.jpg", "b/2.jpg"]


def test_1500_levels_are_named_at_the_limit_and_the_rest_goes_on(tmp_path):
    put(tmp_path, "cat/1.jpg")
    chain(tmp_path / "cat", ["d"] * 1500)
    try:
        catalog = from_folder(tmp_path)
    finally:
        unchain(tmp_path / "cat", "d", 1500)
    assert problems(catalog) == [f"unreadable folder: more than {walk.DEPTH} folders inside each other"]
    assert catalog.ids == ["cat/1.jpg", "cat" + "/d" * walk.DEPTH]


def test_as_many_levels_as_the_limit_are_read(tmp_path):
    chain(put(tmp_path, "cat/1.jpg") / "cat", ["d"] * (walk.DEPTH - 1))
    catalog = from_folder(tmp_path)
    assert not problems(catalog) and len(catalog) == 2


def test_a_path_that_is_too_long_for_the_system_is_named(tmp_path):
    name = "d" * 250
    put(tmp_path, "cat/1.jpg")
    chain(tmp_path / "cat", [name] * 20)
    try:
        catalog = from_folder(tmp_path)
    finally:
        unchain(tmp_path / "cat", name, 20)
    (said,) = problems(catalog)
    assert said.endswith("File name too long") and catalog.counts() == {"cat": 1}


def test_folders_reached_through_links_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(walk, "LINKED", 5)
    for number in range(8):
        put(tmp_path, f"elsewhere/{number}/x.jpg")
    root = put(tmp_path / "root", "cat/1.jpg")
    for number in range(8):
        (root / "cat" / str(number)).symlink_to(tmp_path / "elsewhere" / str(number))
    catalog = from_folder(root)
    assert problems(catalog) == ["unreadable folder: more than 5 folders are reached through links"] * 3
    assert catalog.counts() == {"cat": 6}


def test_hints_for_a_folder_that_is_not_there_need_no_permission(public_path, as_another_user):
    (public_path / "secret").mkdir(mode=0)
    with as_another_user():
        assert walk.names_in(public_path / "secret") == []
