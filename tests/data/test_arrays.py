"""Arrays and data sets -> pictures on disk that are the same pictures, under the same labels."""

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from ursa.core.decoding.image import read
from ursa.data.sources.arrays import from_arrays
from ursa.data.sources.constructors import Catalog
from ursa.data.sources.folder_source import from_folder
from ursa.errors import DataError

X = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3)).astype(np.uint8)
GRAY = X[..., 0]


def pixels(catalog: Catalog, split: str = "train") -> np.ndarray:
    """[N, H, W, 3] the pictures of a split as every part of Ursa reads them, in the order of their numbers."""
    files = sorted(catalog.of_split(split).files(), key=lambda file: file.name)
    return np.stack([read(file.read_bytes()).pixels for file in files])


def labels(catalog: Catalog, split: str = "train") -> list:
    rows = catalog.of_split(split).rows.sort(catalog.of_split(split).rows["path"].str.split("/").list.last())
    return rows["label"].to_list()


def state(folder) -> dict:
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_single_classes_become_an_ordinary_picture_folder(tmp_path):
    catalog = from_arrays((X, [0, 1, 1, 0]), (X[:2], [1, 0]), to=tmp_path, names=["cat", "dog"])
    assert catalog.rows.equals(from_folder(tmp_path).rows)
    assert labels(catalog) == ["cat", "dog", "dog", "cat"] and labels(catalog, "valid") == ["dog", "cat"]
    assert np.array_equal(pixels(catalog), X) and np.array_equal(pixels(catalog, "valid"), X[:2])


def test_three_parts_and_text_for_classes(tmp_path):
    catalog = from_arrays((GRAY, ["b", "a", None, "a"]), (GRAY, None), test=(GRAY, list("abab")), to=tmp_path)
    assert labels(catalog) == ["b", "a", None, "a"] and labels(catalog, "valid") == [None] * 4
    assert labels(catalog, "test") == list("abab")
    assert np.array_equal(pixels(catalog, "test"), np.repeat(GRAY[..., None], 3, 3))


@pytest.mark.parametrize(
    ("y", "names", "task", "expected"),
    [
        ([[0, 2], [], [1], None], ["a", "b", "c"], "multi-label", [["a", "c"], [], ["b"], None]),
        (np.array([[1, 0], [1, 1], [0, 0], [0, 1]]), ["a", "b"], "multi-label", [["a"], ["a", "b"], [], ["b"]]),
        (np.array([[1, 0], [1, 1], [0, 0], [0, 1]]), None, "multi-label", [["0"], ["0", "1"], [], ["1"]]),
        ([["x", "y"], ["x"], [], []], None, "multi-label", [["x", "y"], ["x"], [], []]),
        (np.array([0.5, 1, np.nan, 2]), None, "regression", [0.5, 1.0, None, 2.0]),
        ([1, 2.5, 3, 4], None, "regression", [1.0, 2.5, 3.0, 4.0]),
        (np.array([[0.5, 1], [0, 1], [2, 3], [4, 5]]), None, "regression", [[0.5, 1], [0, 1], [2, 3], [4, 5]]),
        (np.array([[0.5], [1], [2], [3]]), None, "regression", [0.5, 1.0, 2.0, 3.0]),
        (np.array([[0], [1], [1], [0]]), ["a", "b"], "single-label", ["a", "b", "b", "a"]),
        (np.array([True, False, True, True]), ["no", "yes"], "single-label", ["yes", "no", "yes", "yes"]),
        (np.array([0.0, 1.0, 1.0, 0.0]), ["a", "b"], "single-label", ["a", "b", "b", "a"]),
        (["A", "a", "b/c", ""], None, "single-label", ["A", "a", "b/c", None]),
        (np.array(["..", "con", "x ", "y"]), None, "single-label", ["..", "con", "x ", "y"]),
    ],
)
def test_labels_of_every_kind_come_back(tmp_path, y, names, task, expected):
    catalog = from_arrays((X, y), to=tmp_path / "out", names=names)
    assert (catalog.task, labels(catalog)) == (task, expected)
    assert np.array_equal(pixels(catalog), X)
    assert {path.parent for path in (tmp_path / "out").rglob("*")} <= {
        tmp_path / "out",
        tmp_path / "out/train",
        *(tmp_path / "out/train" / str(label) for label in expected if isinstance(label, str)),
    }


def test_every_layout_is_the_same_picture(tmp_path):
    torch = pytest.importorskip("torch")
    forms = {
        "last": X,
        "fractions": X / 255,
        "small fractions": (X / 255).astype(np.float16),
        "255 in fractions": X.astype(np.float64),
        "whole": X.astype(np.int64),
        "first": np.moveaxis(X, 3, 1),
        "tensor": torch.tensor(X).permute(0, 3, 1, 2),
        "tensor of fractions": (torch.tensor(X).permute(0, 3, 1, 2) / 255).requires_grad_(),
        "tensor with colours last": torch.tensor(X),
        "lists": X.tolist(),
    }
    for name, x in forms.items():
        assert np.array_equal(pixels(from_arrays((x, [0] * 4), to=tmp_path / name)), X), name
    both = torch.tensor(X[:, :, :3]).permute(0, 3, 1, 2)  # [4, 3, 6, 3]: for a tensor the first are the colours
    assert np.array_equal(pixels(from_arrays((both, None), to=tmp_path / "both")), X[:, :, :3])
    assert pixels(from_arrays((both.numpy(), None), to=tmp_path / "other")).shape == (4, 3, 6, 3)
    gray = {"flat": GRAY, "one last": GRAY[..., None], "one first": torch.tensor(GRAY)[:, None], "bool": GRAY > 99}
    for name, x in gray.items():
        wanted = (GRAY > 99) * np.uint8(255) if name == "bool" else GRAY
        assert np.array_equal(pixels(from_arrays((x, [0] * 4), to=tmp_path / name))[..., 1], wanted), name


def test_the_parts_decide_together_what_is_white(tmp_path):
    dark = from_arrays((X.astype(float), None), (np.full((1, 6, 5, 3), 1.0), None), to=tmp_path)
    assert pixels(dark, "valid").max() == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    x=arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 5)] * 3, st.sampled_from([1, 3]))),
    draw=st.randoms(use_true_random=False),
)
def test_no_picture_and_no_label_is_lost_or_changed(tmp_path_factory, x, draw):
    x[0, 0, 0] = 255  # so that it is not all 0 and 1
    y = [draw.randrange(3) for _ in x]
    catalog = from_arrays((x, y), to=tmp_path_factory.mktemp("out"))
    assert labels(catalog) == [str(label) for label in y]
    assert np.array_equal(pixels(catalog), np.broadcast_to(x, (*x.shape[:3], 3)))


# --- again -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("y", [[0, 1, 0, 1], [0.5, 1.5, 2.5, 3.5]])
def test_the_same_data_again_write_nothing_and_what_is_missing_is_put_back(tmp_path, y):
    first = from_arrays((X, y), to=tmp_path)
    before = state(tmp_path)
    assert from_arrays((X, y), to=tmp_path).rows.equals(first.rows) and state(tmp_path) == before
    first.files()[2].unlink()
    again = from_arrays((X, y), to=tmp_path)
    changed = {path for path, time in state(tmp_path).items() if before[path] != time}
    assert again.ids == first.ids and [path.as_posix() for path in changed] == [first.ids[2]]


def test_a_picture_packed_otherwise_is_the_same_picture(tmp_path):
    catalog = from_arrays((X, [0] * 4), to=tmp_path)
    Image.fromarray(X[0]).save(catalog.files()[0], compress_level=9)
    before = state(tmp_path)
    from_arrays((X, [0] * 4), to=tmp_path)
    assert state(tmp_path) == before


def test_a_workspace_and_what_an_interrupted_call_left_are_no_foreign_files(tmp_path):
    for name in (".ursa/catalog.parquet", "train/0/.000001.png.part", "Thumbs.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert len(from_arrays((X, [0] * 4), to=tmp_path)) == 4


@pytest.mark.parametrize("y", [[0, 0, 0, 0], [0.5, 1.5, 2.5, 3.5]])
def test_other_data_or_files_are_never_overwritten_nor_mixed_in(tmp_path, y):
    from_arrays((X, y), to=tmp_path)
    before = state(tmp_path)
    for other in ((255 - X, y), (X[:3], y[:3]), (X, [number + 1 for number in y])):
        with pytest.raises(DataError, match="holds other files"):
            from_arrays(other, to=tmp_path)
        assert before.items() <= state(tmp_path).items()
    foreign = tmp_path / "new" / "holiday.jpg"
    foreign.parent.mkdir()
    foreign.touch()
    with pytest.raises(DataError, match="holds other files") as error:
        from_arrays((X, y), to=foreign.parent)
    assert error.value.found == "holiday.jpg" and list(foreign.parent.iterdir()) == [foreign]


# --- refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "options", "what", "said"),
    [
        (X, {}, "not a pair", "(x, y)"),
        ((X, [0, 1]), {}, "differ in number", "4 pictures and 2 labels"),
        ((X, [0, 1, 2, 3]), {"names": ["a", "b", "c"]}, "label 3 has no name", "3 names: a, b, c"),
        ((X, [0, 1, -1, 0]), {"names": ["a", "b"]}, "label -1 has no name", "None where"),
        ((X, ["a", "b", "c", "a"]), {"names": ["a", "b"]}, "'c' is not in names", "known: a, b"),
        ((X, [0] * 4), {"names": ["a", "a"]}, "same name", "'a'"),
        ((X, [0, "a", 1.5, 0]), {}, "different kinds", "float, str"),
        ((X, np.zeros((4, 2, 2))), {}, "single value", "shape"),
        ((X, np.array([[0, 1, 1]] * 4)), {"names": ["a", "b"]}, "differ in number", "3 values and 2 names"),
        ((X, [object()] * 4), {}, "no kind that is known", "builtins.object"),
        ((X.reshape(4, -1)[:, :64], [0] * 4), {}, "have to be [N, H, W]", "x.reshape(-1, 8, 8)"),
        ((np.concatenate([X, X[..., :1]], 3), [0] * 4), {}, "have to be [N, H, W]", "on white"),
        ((X[:0], []), {}, "have to be [N, H, W]", "shape [0, 6, 5, 3]"),
        (([X[0], X[1, :3]], [0, 1]), {}, "not one array", "from_dataset"),
        ((X / 127.5 - 1, [0] * 4), {}, "0 to 1 or 0 to 255", "from -1 to 1"),
        ((X.astype(np.uint16) * 257, [0] * 4), {}, "0 to 255", "to 65535"),
        ((np.where(X > 9, X, np.nan), [0] * 4), {}, "0 to 1 or 0 to 255", "nan"),
        ((X // 200, [0] * 4), {}, "0 to 255", "multiply"),
        ((X.astype("U3"), [0] * 4), {}, "no numbers", "<U3"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path, part, options, what, said):
    with pytest.raises(DataError) as error:
        from_arrays(part, to=tmp_path / "out", **options)
    assert what in error.value.what and said in str(error.value)
    assert not (tmp_path / "out").exists()


def test_parts_of_different_kinds_are_refused(tmp_path):
    with pytest.raises(DataError, match="different kinds"):
        from_arrays((X, None), (X / 255, None), to=tmp_path)


def test_a_full_disk_is_one_readable_error(disk):
    with pytest.raises(DataError, match="cannot write"):
        from_arrays((np.random.default_rng(1).integers(0, 256, (40, 64, 64, 3)).astype(np.uint8), None), to=disk("64k"))


def test_the_front_door_leads_here(tmp_path):
    assert Catalog.from_arrays((X, [0] * 4), to=tmp_path).ids == from_folder(tmp_path).ids
    buffer = io.BytesIO()
    Catalog.from_folder(tmp_path).rows.drop("thumbnail", "phash").write_csv(buffer)
    (tmp_path / "t.csv").write_bytes(buffer.getvalue())
    assert Catalog.from_table(tmp_path / "t.csv", file="path", time="").ids == from_folder(tmp_path).ids


# --- values that are none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_picture_with_a_number_that_is_none_is_named(tmp_path, value):
    x = np.zeros((9, 4, 4), np.float32)
    x[6, 1, 2] = x[8, 0, 0] = value
    with pytest.raises(DataError, match="pixels have to be") as error:
        from_arrays((np.zeros((3, 4, 4), np.float32), [0] * 3), (x, [0] * 9), to=tmp_path / "out")
    assert "in picture 6 of valid" in error.value.found and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "label", [object(), "a\udcff", b"\xff", {1, "a"}, pytest.param(10**5000, id="huge"), [[[object()]]]]
)
def test_a_label_that_is_none_is_named_by_its_number(tmp_path, label):
    with pytest.raises(DataError, match="label 1 of train") as error:
        from_arrays((np.zeros((2, 4, 4), np.uint8), [0, label]), to=tmp_path / "out")
    assert error.value.fix


def test_labels_that_are_not_one_for_each_picture_are_refused(tmp_path):
    with pytest.raises(DataError, match="one for each picture"):
        from_arrays((np.zeros((2, 4, 4), np.uint8), 5), to=tmp_path / "out")


@pytest.mark.parametrize("dtype", [object, "U3", "M8[s]", np.complex64, "V8"])
def test_arrays_of_other_things_than_numbers_are_refused(tmp_path, dtype):
    with pytest.raises(DataError, match="no numbers"):
        from_arrays((np.zeros((2, 4, 4), dtype), [0, 1]), to=tmp_path / "out")
