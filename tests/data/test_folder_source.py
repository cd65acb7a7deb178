"""Folder -> Catalog: every form of picture folder is understood without options."""

import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from ursa.data.catalog import Catalog
from ursa.data.sources.folder_source import from_folder, needs_labels
from ursa.errors import DataError

PNG = b"\x89PNG\r\n\x1a\n"  # enough to be taken for a picture: sources decode nothing


def tree(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PNG)
    return root


def table(catalog: Catalog) -> dict[str, tuple[str | None, str | None]]:
    """id -> label, split."""
    return {id: (label, split) for id, label, split in catalog.rows.select("id", "label", "split").iter_rows()}


def test_class_folders(tmp_path):
    catalog = from_folder(tree(tmp_path, "dog/2.jpg", "cat/1.jpg", "cat/10.jpg"))
    assert table(catalog) == {"cat/1.jpg": ("cat", None), "cat/10.jpg": ("cat", None), "dog/2.jpg": ("dog", None)}
    assert catalog.labels.names == ("cat", "dog")
    assert catalog.files() == [tmp_path / id for id in catalog.ids]


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("valid", "valid"),
        ("val", "valid"),
        ("Validation", "valid"),
        ("VAL", "valid"),
        ("test", "test"),
        ("Test", "test"),
        ("training", "train"),
        ("dev", "valid"),
        ("train-dev", "train-dev"),
        ("Train_Dev", "train-dev"),
        ("traindev", "train-dev"),
    ],
)
@pytest.mark.parametrize("train", ["train", "Train", "TRAINING"])
def test_split_folders_of_any_case(tmp_path, train, folder, split):
    catalog = from_folder(tree(tmp_path, f"{train}/cat/1.jpg", f"{folder}/cat/2.jpg"))
    assert table(catalog) == {f"{train}/cat/1.jpg": ("cat", "train"), f"{folder}/cat/2.jpg": ("cat", split)}


def test_a_class_in_one_split_only_is_in_the_one_shared_sorted_list(tmp_path):
    tree(tmp_path, "train/cat/1.jpg", "train/ape/1.jpg", "valid/cat/2.jpg", "valid/bee/2.jpg", "test/dog/3.jpg")
    catalog = from_folder(tmp_path)
    assert catalog.labels.names == ("ape", "bee", "cat", "dog")
    for split in ("train", "valid", "test"):
        assert catalog.of_split(split).targets(catalog.labels).max() <= 3


def test_folders_below_a_class_belong_to_it(tmp_path):
    catalog = from_folder(tree(tmp_path, "cat/a/b/c/1.jpg", "cat/train/2.jpg", "cat/dog/3.jpg", "dog/4.jpg"))
    assert [label for label, _ in table(catalog).values()] == ["cat", "cat", "cat", "dog"]
    split = from_folder(tree(tmp_path / "s", "train/cat/a/b/1.jpg", "train/dog/x/valid/2.jpg"))
    assert table(split) == {"train/cat/a/b/1.jpg": ("cat", "train"), "train/dog/x/valid/2.jpg": ("dog", "train")}


def test_without_a_training_folder_valid_and_test_are_classes_like_any_other(tmp_path):
    assert from_folder(tree(tmp_path, "valid/1.jpg", "test/2.jpg")).labels.names == ("test", "valid")


def test_hidden_files_and_litter_are_skipped_at_every_depth(tmp_path):
    litter = ("Thumbs.db", "thumbs.db", ".DS_Store", "desktop.ini", ".hidden.jpg", "__MACOSX/1.jpg", ".git/1.jpg")
    for place in ("", "cat/", "cat/deep/"):
        tree(tmp_path, *(f"{place}{name}" for name in litter))
    catalog = from_folder(tree(tmp_path, "cat/1.jpg", "dog/2.jpg", ".ursa/embeddings/3.jpg"))
    assert catalog.ids == ["cat/1.jpg", "dog/2.jpg"]


def test_every_other_file_below_a_class_is_a_row_whatever_it_is(tmp_path):
    tree(tmp_path, "cat/1.jpg")
    (tmp_path / "cat" / "notes.txt").write_text("a text")
    (tmp_path / "cat" / "empty").touch()
    assert from_folder(tmp_path).ids == ["cat/1.jpg", "cat/empty", "cat/notes.txt"]


def test_pictures_outside_any_class_have_no_label_and_other_files_there_are_nobodys_concern(tmp_path):
    tree(tmp_path, "train/cat/1.jpg", "train/loose", "loose.png")
    (tmp_path / "README.md").write_text("about these pictures")
    (tmp_path / "train" / "labels.csv").write_text("file,label")
    assert table(from_folder(tmp_path)) == {
        "loose.png": (None, None),
        "train/cat/1.jpg": ("cat", "train"),
        "train/loose": (None, "train"),
    }


def test_ids_are_sorted_and_the_same_each_time_wherever_the_folder_lies(tmp_path):
    names = ["b/2.jpg", "b/1.jpg", "a/z/1.jpg", "a/b.jpg", "a b/1.jpg", "Z/1.jpg", "loose.jpg"]
    one, other = tree(tmp_path / "one", *names), tree(tmp_path / "other", *reversed(names))
    assert from_folder(one).ids == from_folder(other).ids == sorted(names)
    assert from_folder(str(one)).ids == sorted(names)


@pytest.mark.parametrize(
    "name", ["a b?c=d&e.jpg", "bär.jpg", "熊.png", "🐻", "a;b'c\"d.jpg", "new\nline.jpg", "-rf", "%20"]
)
def test_odd_names_are_kept_as_they_are(tmp_path, name):
    catalog = from_folder(tree(tmp_path, f"cat/{name}", f"{name}-class/1.jpg"))
    assert set(catalog.ids) == {f"cat/{name}", f"{name}-class/1.jpg"}
    assert f"{name}-class" in catalog.labels.names
    assert all(file.is_file() for file in catalog.files())


def test_size_and_time_of_each_file_are_kept(tmp_path):
    tree(tmp_path, "cat/1.jpg", "dog/1.jpg")
    os.utime(tmp_path / "cat/1.jpg", ns=(5, 1_700_000_000_123_456_700))
    row = from_folder(tmp_path).rows.row(0, named=True)
    assert (row["bytes"], row["modified"]) == (len(PNG), 1_700_000_000_123_456_700)


def test_folders_that_are_no_classes_give_no_labels(tmp_path):
    tree(tmp_path, "2019/a.jpg", "2020/b/c.jpg", "d.jpg")
    assert set(from_folder(tmp_path, labeled=False).rows["label"]) == {None}
    assert from_folder(tmp_path, labeled=False).ids == from_folder(tmp_path).ids


# --- patterns (more in test_names.py) ------------------------------------------------------------------------------


def test_a_pattern_gives_labels_and_what_does_not_match_has_none(tmp_path):
    tree(tmp_path, "cat.1.jpg", "dog.2.jpg", "train.jpg", "deep/cat.3.jpg", "deep/notes.txt")
    labels = {id: label for id, (label, _) in table(from_folder(tmp_path, pattern="{label}.{}.jpg")).items()}
    assert labels == {
        "cat.1.jpg": "cat",
        "deep/cat.3.jpg": "cat",
        "deep/notes.txt": None,
        "dog.2.jpg": "dog",
        "train.jpg": None,
    }


def test_what_a_pattern_does_not_name_comes_from_the_folders(tmp_path):
    tree(tmp_path, "train/cat/p1_a.jpg", "train/cat/p2_a.jpg", "val/dog/p3_a.jpg")
    catalog = from_folder(tmp_path, pattern="{group}_*.jpg")
    assert catalog.rows["group"].to_list() == ["p1", "p2", "p3"]
    assert [label for label, _ in table(catalog).values()] == ["cat", "cat", "dog"]
    split = from_folder(tmp_path, pattern="{label}_*.jpg")
    assert list(table(split).values()) == [("p1", "train"), ("p2", "train"), ("p3", "valid")]


def test_a_pattern_may_name_the_splits_and_the_folders_are_then_just_folders(tmp_path):
    tree(tmp_path, "train/p1_cat_0.png", "Val/p2_dog_0.png", "more/readme.txt")
    catalog = from_folder(tmp_path, pattern="{split}/{group}_{label}_*.png")
    assert catalog.rows.select("label", "split", "group").rows() == [
        ("dog", "valid", "p2"),
        (None, None, None),
        ("cat", "train", "p1"),
    ]


def test_a_pattern_that_matches_nothing_is_shown_with_three_names(tmp_path):
    tree(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    with pytest.raises(DataError, match="matches none of 4 files") as error:
        from_folder(tmp_path, pattern="{label}_*.jpg")
    assert "{label}_*.jpg" in error.value.what and error.value.found == "'a.jpg', 'b.jpg', 'c.jpg'"


# --- links ---------------------------------------------------------------------------------------------------------


def test_links_to_files_and_folders_elsewhere_are_followed(tmp_path):
    elsewhere = tree(tmp_path / "elsewhere", "1.jpg", "2.jpg")
    root = tree(tmp_path / "root", "cat/0.jpg")
    (root / "dog").symlink_to(elsewhere)
    (root / "cat" / "linked.jpg").symlink_to(elsewhere / "1.jpg")
    assert from_folder(root).ids == ["cat/0.jpg", "cat/linked.jpg", "dog/1.jpg", "dog/2.jpg"]


@pytest.mark.parametrize("target", [".", "..", "../..", "../../train"])
def test_a_link_back_to_a_folder_above_adds_nothing(tmp_path, target):
    """Least of all the pictures of other classes under this one's name."""
    tree(tmp_path, "train/cat/1.jpg", "train/dog/2.jpg")
    (tmp_path / "train" / "cat" / "loop").symlink_to(target)
    assert table(from_folder(tmp_path)) == {"train/cat/1.jpg": ("cat", "train"), "train/dog/2.jpg": ("dog", "train")}


def test_links_that_lead_nowhere_or_to_themselves_are_skipped(tmp_path):
    tree(tmp_path, "cat/1.jpg")
    for place in (tmp_path, tmp_path / "cat"):
        (place / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
        (place / "itself").symlink_to("itself")
        (place / "there").symlink_to("back")
        (place / "back").symlink_to("there")
    assert from_folder(tmp_path).ids == ["cat/1.jpg"]


def test_pipes_and_sockets_are_skipped(tmp_path):
    tree(tmp_path, "cat/1.jpg")
    os.mkfifo(tmp_path / "cat" / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert from_folder(tmp_path).ids == ["cat/1.jpg"]


# --- refused -------------------------------------------------------------------------------------------------------


def test_an_empty_folder_is_refused_with_an_example(tmp_path):
    with pytest.raises(DataError, match="no pictures") as error:
        from_folder(tmp_path)
    assert "cat/1.jpg" in error.value.fix


def test_class_folders_without_files_are_refused(tmp_path):
    (tmp_path / "cat").mkdir()
    with pytest.raises(DataError, match="no pictures"):
        from_folder(tmp_path)


def test_pictures_without_classes_are_unlabeled_and_refused_where_labels_are_needed(tmp_path):
    loose, split = tree(tmp_path / "l", "1.jpg", "2.jpg"), tree(tmp_path / "s", "train/1.jpg")
    assert table(from_folder(loose)) == {"1.jpg": (None, None), "2.jpg": (None, None)}
    assert table(from_folder(split)) == {"train/1.jpg": (None, "train")}
    with pytest.raises(DataError, match="no classes") as error:
        needs_labels(from_folder(loose))
    assert "2 pictures" in error.value.found and "one folder a class" in error.value.fix
    one = from_folder(tree(loose, "cat/1.jpg"))
    assert needs_labels(one) is one


def test_a_file_is_not_a_folder(tmp_path):
    with pytest.raises(DataError, match="is not a folder"):
        from_folder(tree(tmp_path, "1.jpg") / "1.jpg")


def test_a_missing_folder_is_refused_with_what_is_there_instead(tmp_path):
    tree(tmp_path, "bears/cat/1.jpg", ".hidden/1.jpg")
    with pytest.raises(DataError, match="there is no folder") as error:
        from_folder(tmp_path / "baers")
    assert error.value.found.endswith("holds bears")
    with pytest.raises(DataError, match="there is no folder"):
        from_folder(tmp_path / "deep" / "deeper" / "baers")


def test_splits_beside_other_folders_are_refused_naming_both(tmp_path):
    with pytest.raises(DataError, match="side by side") as error:
        from_folder(tree(tmp_path, "train/cat/1.jpg", "valid/cat/1.jpg", "more/1.jpg"))
    assert error.value.found == "train, valid beside more"


def test_a_loose_file_that_may_not_be_read_is_no_concern_but_one_in_a_class_is_a_row(public_path, as_another_user):
    root = tree(public_path / "root", "cat/1.jpg", "cat/secret.jpg", "secret.jpg")
    for file in (root / "secret.jpg", root / "cat" / "secret.jpg"):
        file.chmod(0)
    with as_another_user():
        assert from_folder(root).ids == ["cat/1.jpg", "cat/secret.jpg"]


# --- what cannot be looked at is named, and the rest goes on -------------------------------------------------------


def problems(catalog: Catalog) -> dict[str, str]:
    """id -> problem; none of these is a class or counts as a picture."""
    rows = catalog.rows.filter(catalog.rows["problem"].is_not_null())
    return dict(rows.select("id", "problem").iter_rows())


def raw(path: Path, name: bytes, *, folder: bool = False) -> None:
    """A file or a folder whose name is these bytes."""
    whole = os.fsencode(path) + b"/" + name
    try:
        if folder:
            Path(os.fsdecode(whole)).mkdir()
        else:
            with open(whole, "wb") as file:
                file.write(PNG)
    except OSError:
        pytest.skip("this file system takes Unicode names only")


def test_names_that_are_not_unicode_are_named_with_ids_that_can_be_kept_and_shown(tmp_path):
    tree(tmp_path / "root", "cat/1.jpg", "dog/2.jpg", "cat/\\udcff.jpg")  # a file that is really called so
    for name in (b"\xff.jpg", b"\xe4\xff"):
        raw(tmp_path / "root" / "cat", name)
    raw(tmp_path / "root", b"b\xe4r", folder=True)
    tree(Path(os.fsdecode(os.fsencode(tmp_path / "root") + b"/b\xe4r")), "3.jpg")
    catalog = from_folder(tmp_path / "root")
    assert problems(catalog) == {
        "cat/\\udcff.jpg#2": "cannot be opened: its name is not Unicode, rename it",
        "cat/\\udce4\\udcff": "cannot be opened: its name is not Unicode, rename it",
        "b\\udce4r": "unreadable folder: its name is not Unicode, rename it",
    }
    assert catalog.counts() == {"cat": 2, "dog": 1}
    assert all(id.isprintable() for id in catalog.ids)
    catalog.write(tmp_path / "catalog.parquet")
    assert Catalog.read(tmp_path / "catalog.parquet", catalog.root).rows.equals(catalog.rows)


@pytest.mark.parametrize("place", ["dog", "cat/deep", "train"])
def test_a_folder_that_may_not_be_looked_into_is_named_and_the_rest_goes_on(public_path, as_another_user, place):
    root = tree(public_path / "root", f"{place}/2.jpg", "valid/cat/1.jpg" if place == "train" else "cat/1.jpg")
    (root / place).chmod(0)
    try:
        with as_another_user():
            catalog = from_folder(root)
    finally:
        (root / place).chmod(0o755)
    assert problems(catalog) == {place: "unreadable folder: Permission denied"}
    assert catalog.counts() == {"cat": 1}


def test_a_folder_of_which_only_the_names_may_be_read_gives_a_row_a_file(public_path, as_another_user):
    root = tree(public_path / "root", "cat/1.jpg", "dog/2.jpg")
    (root / "dog").chmod(0o444)
    try:
        with as_another_user():
            catalog = from_folder(root)
    finally:
        (root / "dog").chmod(0o755)
    assert problems(catalog) == {"dog/2.jpg": "cannot be opened: Permission denied"}


def test_a_root_that_may_not_be_looked_into_is_refused_and_one_without_anything_else_says_why(
    public_path, as_another_user
):
    root = tree(public_path / "root", "cat/1.jpg")
    for place, what, found in (
        (root, "cannot look into", "Permission denied"),
        (root / "cat", "no pictures", "cat: u"),
    ):
        place.chmod(0)
        try:
            with as_another_user(), pytest.raises(DataError, match=what) as error:
                from_folder(root)
        finally:
            place.chmod(0o755)
        assert error.value.found.startswith(found)


def test_an_empty_class_folder_is_named_and_is_no_class(tmp_path):
    tree(tmp_path, "cat/1.jpg", "dog/.hidden.jpg", "emu/Thumbs.db")
    (tmp_path / "fox" / "deep" / "deeper").mkdir(parents=True)
    catalog = from_folder(tmp_path)
    assert problems(catalog) == dict.fromkeys(("dog", "emu", "fox"), "empty class: a folder without pictures")
    assert catalog.labels.names == ("cat",) and len(catalog.readable()) == 1
    assert not problems(from_folder(tmp_path, labeled=False))
    assert not problems(from_folder(tmp_path, pattern="{label}.jpg"))


def test_a_class_that_is_empty_in_one_split_only_is_another_finding(tmp_path):
    tree(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "valid/cat/2.jpg")
    for name in ("dog", "emu"):
        (tmp_path / "valid" / name).mkdir()
    assert problems(from_folder(tmp_path)) == {"valid/emu": "empty class: a folder without pictures"}


def test_the_year_of_a_file_may_be_any(tmp_path):
    tree(tmp_path, "cat/1.jpg", "cat/2.jpg")
    for name, second in (("1.jpg", 13_000_000_000), ("2.jpg", -2_000_000_000)):  # the years 2381 and 1906
        os.utime(tmp_path / "cat" / name, (second, second))
    assert from_folder(tmp_path).rows["modified"].null_count() == 0


@pytest.mark.parametrize("name", ["pictures.zip", "pictures.tar", "pictures.tar.gz"])
def test_an_archive_is_told_to_be_unpacked(tmp_path, name):
    picture = tree(tmp_path, "cat/1.jpg") / "cat" / "1.jpg"
    if name.endswith("zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.write(picture)
    else:
        with tarfile.open(tmp_path / name, "w:gz" if name.endswith("gz") else "w") as archive:
            archive.add(picture)
    with pytest.raises(DataError, match="is not a folder") as error:
        from_folder(tmp_path / name)
    assert "unpack it" in error.value.fix


def test_a_pipe_given_as_the_folder_is_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is not a folder") as error:
        from_folder(tmp_path / "pipe")
    assert error.value.found == "a named pipe"
