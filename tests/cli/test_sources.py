"""Tables, piles and names with labels in them, from the command line."""

import json
import shutil

import pytest

from ursa.data.sources.folder_source import from_folder

PIXELS = ("--backbone", "pixels", "--precision", "fp32")


@pytest.fixture(scope="module")
def home(tmp_path_factory, picture_folder):
    """pets/ with labels.csv beside it, and pile/ with the same pictures as cat.0.jpg and so on."""
    place = tmp_path_factory.mktemp("sources")
    picture_folder(place / "pets", {"cat": 10, "dog": 10})
    rows = from_folder(place / "pets").rows
    text = "".join(
        f"pets/{path},{label},{label}s of ours\n" for path, label in rows.select("path", "label").iter_rows()
    )
    (place / "labels.csv").write_text(f"picture,breed,remark\n{text}")
    (place / "pile").mkdir()
    for number, file in enumerate(sorted((place / "pets").rglob("*_*"))):
        shutil.copy(file, place / "pile" / f"{file.parent.name}.{number}{file.suffix}")
    shutil.copytree(place / "pile", place / "unnamed")
    return place


def test_a_table_is_checked(home, ursa):
    done = ursa("check", "labels.csv", "--table", "label=breed", *PIXELS, "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["classes"] == {"cat": 10, "dog": 10}
    assert document["accuracy"]["value"] > 0.9
    assert document["report"] == ".ursa/report.html"


def test_a_pile_is_checked_and_its_accuracy_is_null(home, ursa):
    done = ursa("check", "pile", *PIXELS, "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["pictures"], document["classes"]) == (20, {})
    assert document["accuracy"]["value"] is None
    assert document["accuracy"]["method"] == "not probed: the pictures have no labels"
    people = ursa("check", "pile", *PIXELS, cwd=home)
    assert people.returncode == 0
    assert "20 pictures\n" in people.stdout
    assert "Not probed: the pictures have no labels." in people.stdout
    assert "nan" not in people.stdout
    assert "ursa train" not in people.stdout  # it would be refused
    assert "Next:    ursa review pile" in people.stdout
    assert "ursa review pile, then ursa apply" in ursa("train", "pile", *PIXELS, cwd=home).stderr


def test_labels_in_names_are_found_and_the_next_command_finds_them_too(home, ursa):
    done = ursa("check", "pile", "--pattern", "{label}.*", *PIXELS, cwd=home)
    assert done.returncode == 0, done.stderr
    assert "20 pictures in 2 classes" in done.stdout
    assert following(done) == "ursa train pile"
    again = ursa("check", "pile", cwd=home)
    assert "As last time for these pictures: --backbone pixels --pattern '{label}.*'" in again.stderr
    assert "20 pictures in 2 classes" in again.stdout
    other = ursa("check", "pile", "--pattern", "{label}.{}", cwd=home)
    assert "--pattern {label}.{} instead of {label}.*, which was used last" in other.stderr


def test_the_next_command_reads_the_table_in_the_same_way_and_works(home, ursa):
    import shlex

    table = ("--table", "file=picture", "--table", "label=breed", "--table", "split=")
    done = ursa("check", "labels.csv", *table, *PIXELS, cwd=home)
    assert done.returncode == 0, done.stderr
    command = following(done)
    assert command == "ursa train labels.csv"  # the workspace remembers the rest
    trained = ursa(*shlex.split(command)[1:], "--set", "epochs=1", "--json", cwd=home)
    assert trained.returncode == 0, trained.stderr
    document = json.loads(trained.stdout)
    assert document["bundle"] == "labels.ursa"
    assert sum(document["pictures"].values()) == 20


def following(done):
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("Next:")]
    return line.removeprefix("Next:").strip()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "labels.csv", "--table", "nonsense"), "KEY=VALUE"),
        (("check", "labels.csv", "--table", "lable=breed"), "did you mean 'label'?"),
        (("check", "labels.csv", "--table", "label=bred"), "did you mean 'breed'?"),
        (("check", "pets/cat/cat_000.jpg"), "is a single picture"),
        (("check", "pile", "--pattern", "{label}_*"), "matches none of 20 files"),
        (("check", "pile", "--pattern", "*.jpg"), "finds no label"),
        (("train", "unnamed"), "no classes in unnamed"),
    ],
)
def test_misuse_exits_2_with_one_readable_block(home, ursa, arguments, said):
    done = ursa(*arguments, *PIXELS, cwd=home)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("fix:") == 1
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
