"""Data sets of torch and Hugging Face: every item once, as it is, or one error that names it."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from ursa.core.decoding.image import ORIENTATION, read
from ursa.data.sources.datasets import from_dataset
from ursa.errors import DataError

X = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3)).astype(np.uint8)


def pixels(catalog) -> np.ndarray:
    return np.stack([read(file.read_bytes()).pixels for file in sorted(catalog.files(), key=lambda file: file.name)])


def labels(catalog) -> list:
    return catalog.rows.sort(catalog.rows["path"].str.split("/").list.last())["label"].to_list()


class Items:
    """A data set in the form of torch's, as torch itself asks no more of one."""

    def __init__(self, pictures, answers, classes=None):
        self.pictures, self.answers = pictures, answers
        if classes is not None:
            self.classes = classes

    def __len__(self):
        return len(self.answers)

    def __getitem__(self, number):
        return self.pictures[number], self.answers[number]


def test_items_with_the_names_of_the_data_set(tmp_path):
    catalog = from_dataset(Items(X, [0, 1, 1, 0], ["cat", "dog"]), to=tmp_path)
    assert labels(catalog) == ["cat", "dog", "dog", "cat"] and np.array_equal(pixels(catalog), X)
    assert catalog.ids[0] == "train/cat/000000.png" and set(catalog.rows["split"]) == {"train"}


def test_parts_each_with_their_own_names(tmp_path):
    """ImageFolder numbers the classes of each part anew."""
    train, valid = Items(X, [0, 1, 2, 0], ["a", "b", "c"]), Items(X, [0, 1, 1, 0], ["b", "c"])
    catalog = from_dataset(train, valid=valid, test=Items(X, [2, 2, 2, 2]), to=tmp_path)
    assert labels(catalog.of_split("valid")) == ["b", "c", "c", "b"] and labels(catalog.of_split("test")) == ["c"] * 4
    again = from_dataset({"train": train, "Validation": valid}, to=tmp_path / "again")
    assert set(again.rows["split"]) == {"train", "valid"}


@pytest.mark.parametrize(
    ("answers", "names", "task", "expected"),
    [
        ([3, 1, 2, 1], None, "single-label", ["3", "1", "2", "1"]),
        (["x", "y", "x", "X"], None, "single-label", ["x", "y", "x", "X"]),
        ([0.5, 1.5, 2.0, float("nan")], None, "regression", [0.5, 1.5, 2.0, None]),
        (np.array([[0, 1], [1, 1], [0, 0], [1, 0]]), ["a", "b"], "multi-label", [["b"], ["a", "b"], [], ["a"]]),
        ([["a"], [], ["b", "a"], []], None, "multi-label", [["a"], [], ["b", "a"], []]),
        ([None, 0, 1, 0], ["a", "b"], "single-label", [None, "a", "b", "a"]),
        ([0, 1, 1, 0], [("tench", "Tinca"), ("goldfish",)], "single-label", ["tench", "goldfish", "goldfish", "tench"]),
    ],
)
def test_labels_of_every_kind(tmp_path, answers, names, task, expected):
    catalog = from_dataset(Items(X, answers), to=tmp_path, names=names)
    assert (catalog.task, labels(catalog)) == (task, expected)


def test_pictures_of_every_form_are_the_same(tmp_path):
    torch = pytest.importorskip("torch")
    forms = [
        Image.fromarray(X[0]),
        X[0],
        np.moveaxis(X[0], 2, 0),
        X[0] / 255,
        torch.tensor(X[0]).permute(2, 0, 1),
        torch.tensor(X[0]).permute(2, 0, 1) / 255,
    ]
    catalog = from_dataset(Items(forms, [0] * len(forms)), to=tmp_path)
    assert (pixels(catalog) == X[0]).all()


def test_a_pillow_image_comes_upright_and_on_white(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    buffer = io.BytesIO()
    Image.fromarray(X[0]).save(buffer, "PNG", exif=exif)
    clear = Image.fromarray(np.dstack([X[0], np.zeros(X.shape[1:3], np.uint8)]))
    turned = from_dataset(Items([Image.open(buffer)], [0]), to=tmp_path / "turned")
    assert np.array_equal(pixels(turned)[0], np.rot90(X[0], -1)) and np.array_equal(
        pixels(turned)[0], read(buffer.getvalue()).pixels
    )
    assert (pixels(from_dataset(Items([clear], [0]), to=tmp_path / "clear")) == 255).all()


def test_torch_subsets_and_iterables_and_a_set_of_torchvision(tmp_path):
    torch, torchvision = pytest.importorskip("torch"), pytest.importorskip("torchvision")
    base = Items(X, [0, 1, 1, 0], ["cat", "dog"])
    subset = torch.utils.data.Subset(base, [1, 2])
    assert labels(from_dataset(subset, to=tmp_path / "a")) == ["dog", "dog"]
    both = torch.utils.data.ConcatDataset([subset, base])
    assert labels(from_dataset(both, to=tmp_path / "b")) == ["dog", "dog", "cat", "dog", "dog", "cat"]

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            yield from zip(X, [5, 6, 5, 6], strict=True)

    assert labels(from_dataset(Stream(), to=tmp_path / "c")) == ["5", "6", "5", "6"]
    fake = torchvision.datasets.FakeData(5, (3, 8, 8), 3, torchvision.transforms.ToTensor())
    catalog = from_dataset(fake, to=tmp_path / "d")
    assert labels(catalog) == [str(int(label)) for _, label in fake]
    assert np.array_equal(pixels(catalog), np.stack([(x.permute(1, 2, 0).numpy() * 255).round() for x, _ in fake]))


def test_an_item_that_cannot_be_read_is_named_and_the_next_call_goes_on(tmp_path):
    class Faulty(Items):
        broken = True

        def __getitem__(self, number):
            if number == 2 and self.broken:
                raise OSError("disk gone")
            return super().__getitem__(number)

    data = Faulty(X, [0, 1, 1, 0])
    with pytest.raises(DataError, match="item 2 of train cannot be read: OSError: disk gone") as error:
        from_dataset(data, to=tmp_path)
    assert isinstance(error.value.__cause__, OSError)
    data.broken = False
    assert np.array_equal(pixels(from_dataset(data, to=tmp_path)), X)


@pytest.mark.parametrize(
    ("pictures", "answers", "what", "said"),
    [
        ([X[0], X[1] / 127.5 - 1], [0, 1], "picture 1 of train: pixels have to be", "normalization"),
        ([X[0], X[1].astype(np.int64)], [0, 1], "picture 1 of train: pixels have to be", "int64 from"),
        ([X[0], "x.jpg"], [0, 1], "picture 1 of train: this is no picture", "str"),
        ([X[0], X], [0, 1], "picture 1 of train: this is no picture", "shape [4, 6, 5, 3]"),
        (X, [0, 1, "a", 0], "item 2 of train cannot be read: the label 'a' is not in names", "known: n, y"),
        (X, [0, 1, 0.5, 0], "item 2 of train has a label of another kind", "float after str"),
        (X, [0, 1, 7, 0], "item 2 of train cannot be read: the label 7", "2 names"),
        ([], [], "has no items", "loaded"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, pictures, answers, what, said):
    with pytest.raises(DataError) as error:
        from_dataset(Items(pictures, answers, ["n", "y"]), to=tmp_path)
    assert what in error.value.what and said in str(error.value)


def test_what_is_no_data_set_or_no_split_is_refused(tmp_path):
    with pytest.raises(DataError, match="no data set"):
        from_dataset(5, to=tmp_path)
    with pytest.raises(DataError, match="split that is not known"):
        from_dataset({"train": Items(X, [0] * 4), "extra": Items(X, [0] * 4)}, to=tmp_path)
    with pytest.raises(DataError, match="valid twice"):
        from_dataset({"val": Items(X, [0] * 4), "dev": Items(X, [0] * 4)}, to=tmp_path)
    with pytest.raises(DataError, match=r"an item of 3 things"):
        from_dataset([(X[0], 1, 2)], to=tmp_path)


# --- Hugging Face --------------------------------------------------------------------------------------------------


@pytest.fixture
def hugging(monkeypatch):
    """The library, without its bars and its cache."""
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    datasets.disable_progress_bars()
    return datasets


def packed(datasets, **columns):
    """A data set of four JPEG files kept as bytes, with these columns: name = (feature, values)."""
    files = []
    for x in X:
        buffer = io.BytesIO()
        Image.fromarray(x).save(buffer, "JPEG")
        files.append({"bytes": buffer.getvalue(), "path": None})
    features = {"image": datasets.Image(), **{name: feature for name, (feature, _) in columns.items()}}
    values = {"image": files, **{name: value for name, (_, value) in columns.items()}}
    return datasets.Dataset.from_dict(values, features=datasets.Features(features)), [file["bytes"] for file in files]


def test_packed_files_are_written_as_they_are(tmp_path, hugging):
    data, files = packed(hugging, label=(hugging.ClassLabel(names=["no", "yes"]), [0, 1, -1, 1]))
    for number, each in enumerate((data, data.to_iterable_dataset(), data.with_format("numpy"))):
        catalog = from_dataset(each, to=tmp_path / str(number))
        assert labels(catalog) == ["no", "yes", None, "yes"]
        assert [file.read_bytes() for file in sorted(catalog.files(), key=lambda f: f.name)] == files
        assert {file.suffix for file in catalog.files()} == {".jpg"}


def test_all_parts_of_a_dictionary(tmp_path, hugging):
    data, _ = packed(hugging, label=(hugging.ClassLabel(names=["a/b", "c"]), [0, 1, 0, 1]))
    catalog = from_dataset(hugging.DatasetDict(train=data, validation=data), to=tmp_path)
    assert labels(catalog.of_split("valid")) == ["a/b", "c", "a/b", "c"] and len(catalog) == 8


def test_other_labels_of_hugging_face(tmp_path, hugging):
    several = hugging.List(hugging.ClassLabel(names=["u", "v"]))
    data, _ = packed(
        hugging,
        tags=(several, [[0, 1], [], [1], [0]]),
        age=(hugging.Value("float64"), [1.5, 2.0, None, 4.0]),
        word=(hugging.Value("string"), ["x", "y", "x", ""]),
    )
    assert labels(from_dataset(data, to=tmp_path / "t")) == [["u", "v"], [], ["v"], ["u"]]
    assert labels(from_dataset(data, to=tmp_path / "a", label="age")) == [1.5, 2.0, None, 4.0]
    catalog = from_dataset(data, to=tmp_path / "w", label="word")
    assert labels(catalog) == ["x", "y", "x", None] and "train/x/000000.jpg" in catalog.ids
    assert labels(from_dataset(data, to=tmp_path / "n", label="")) == [None] * 4


def test_columns_that_cannot_be_told_apart_are_listed(tmp_path, hugging):
    kind = hugging.ClassLabel(names=["a", "b"])
    data, _ = packed(hugging, fine=(kind, [0] * 4), coarse=(kind, [1] * 4))
    with pytest.raises(DataError, match="several columns could be the label") as error:
        from_dataset(data, to=tmp_path)
    assert "fine (ClassLabel)" in error.value.found and 'label="coarse"' in error.value.fix
    with pytest.raises(DataError, match="no column 'fein'") as error:
        from_dataset(data, to=tmp_path, label="fein")
    assert "did you mean 'fine'?" in error.value.fix
    with pytest.raises(DataError, match="no column could be the picture"):
        from_dataset(data.remove_columns("image"), to=tmp_path)


def test_a_row_without_a_picture_is_named(tmp_path, hugging):
    data, _ = packed(hugging, label=(hugging.ClassLabel(names=["a"]), [0] * 4))
    rows = [*data.cast_column("image", hugging.Image(decode=False)), {"image": None, "label": 0}]
    with pytest.raises(DataError, match="item 4 of train cannot be read: ValueError: there is no picture in it"):
        from_dataset(hugging.Dataset.from_list(rows, features=data.features), to=tmp_path)


# --- items that mean harm -------------------------------------------------------------------------------------------


class Lazy:
    """A picture that is decoded, and breaks, only when it is looked at; as Pillow's do."""

    shape = (8, 8, 3)

    def __init__(self, problem: Exception) -> None:
        self.problem = problem

    def __array__(self, *_, **__):
        raise self.problem


@pytest.mark.parametrize(
    "problem", [OSError("image file is truncated\nand more"), ValueError("x"), MemoryError(), RecursionError("deep")]
)
def test_a_picture_that_breaks_when_it_is_looked_at_is_named(tmp_path, problem):
    items = [(np.zeros((8, 8), np.uint8), 0), (np.zeros((8, 8), np.uint8), 1), (Lazy(problem), 0)]
    with pytest.raises(DataError, match=f"picture 2 of train: {type(problem).__name__}") as error:
        from_dataset(items, to=tmp_path / "out", names=["a", "b"])
    assert "\n" not in error.value.what and error.value.fix


@pytest.mark.parametrize(
    ("picture", "found"),
    [
        (np.full((8, 8), np.nan, np.float32), "from nan to nan"),
        (np.full((8, 8), np.inf, np.float32), "from inf to inf"),
        (np.zeros((8, 8, 2), np.uint8), "shape [8, 8, 2]"),
        (np.zeros((0, 8), np.uint8), "shape [0, 8]"),
        (np.zeros((2, 2, 2, 3), np.uint8), "shape [2, 2, 2, 3]"),
        (np.zeros((8, 8), object), "shape [8, 8]"),
        (np.zeros((8, 8), np.complex64), "shape [8, 8]"),
        (np.array([["a"]]), "shape [1, 1]"),
        ("a.jpg", "str"),
        (None, "NoneType"),
    ],
)
def test_a_picture_of_a_wrong_shape_or_type_is_named_by_its_number(tmp_path, picture, found):
    with pytest.raises(DataError, match="picture 1 of train") as error:
        from_dataset([(np.zeros((8, 8), np.uint8), 0), (picture, 0)], to=tmp_path / "out", names=["a"])
    assert found in str(error.value.found)


class Packed(list):
    """Rows as Hugging Face keeps them, packed: {"image": {"bytes": ..., "path": ...}}."""

    def __init__(self, rows, feature) -> None:
        super().__init__(rows)
        self.features = {"image": feature}

    def cast_column(self, *_):
        return self

    def select_columns(self, *_):
        return self


class Image_:  # noqa: N801  called Image, as the feature of Hugging Face is
    def __init__(self, decode: bool = True) -> None:
        self.decode = decode


Image_.__name__ = "Image"


def test_a_data_set_cannot_have_other_files_of_this_machine_copied(tmp_path):
    """It may have come from anywhere, and its rows name any path."""
    secret = tmp_path / "id_test"
    secret.write_text("-----BEGIN OPENSSH PRIVATE KEY-----")
    os.mkfifo(tmp_path / "pipe")
    for path, said in ((secret, "is no picture but a text file"), (tmp_path / "pipe", "is not a file")):
        with pytest.raises(DataError, match="item 0 of train cannot be read") as error:
            from_dataset(Packed([{"image": {"bytes": None, "path": str(path)}}], Image_()), to=tmp_path / "out")
        assert said in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("label", ["a\udcff", "\ud800"])
def test_a_label_that_is_not_unicode_is_named(tmp_path, label):
    with pytest.raises(DataError, match=r"item 0 of train.*not Unicode"):
        from_dataset([(np.zeros((8, 8), np.uint8), label)], to=tmp_path / "out")


def test_a_class_whose_name_is_too_long_for_a_folder_goes_into_the_table(tmp_path):
    names = ["a" * 300, "b"]
    catalog = from_dataset([(np.zeros((8, 8), np.uint8), n) for n in (0, 1)], to=tmp_path / "out", names=names)
    assert catalog.rows["label"].to_list() == names


def test_a_pipe_under_the_name_of_one_of_its_files_is_refused_and_not_waited_for(tmp_path):
    items = [(np.zeros((8, 8), np.uint8), 0)]
    catalog = from_dataset(items, to=tmp_path / "out", names=["a"])
    catalog.files()[0].unlink()
    os.mkfifo(catalog.files()[0])
    with pytest.raises(DataError, match="other files"):
        from_dataset(items, to=tmp_path / "out", names=["a"])


def test_a_folder_with_deep_folders_in_it_is_somebody_elses(tmp_path):
    (tmp_path / "out" / "/".join("abcdefgh")).mkdir(parents=True)
    with pytest.raises(DataError, match="other files"):
        from_dataset([(np.zeros((8, 8), np.uint8), 0)], to=tmp_path / "out", names=["a"])
