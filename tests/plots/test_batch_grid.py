"""Batches, single pictures with probabilities, patches: what stands in the figure is what was given, and no more."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.patches import Ellipse, Rectangle
from PIL import Image

from ursa import plots
from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.data.sources.folder_source import from_folder
from ursa.errors import DataError
from ursa.plots.batch_grid import MOST, RING, _ranked, part_of
from ursa.plots.figure import BLUE, DPI, GREEN, READABLE, RED, RULE, contrast, rgb


@dataclass
class Targets:
    """As numbers of a tensor are read: `.tolist()`."""

    values: list[Any]

    def tolist(self):
        return self.values


@dataclass
class Batch:
    pictures: Any
    targets: Any = None
    ids: Any = None


def some(count=4, height=6, width=5):
    return np.random.default_rng(0).integers(0, 255, (count, height, width, 3), dtype=np.uint8)


def words(figure):
    return [text.get_text() for text in (*figure.texts, *(t for axes in figure.axes for t in axes.texts))]


def pictures(figure):
    return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture_folder):
    return picture_folder(tmp_path_factory.mktemp("batch"), {"red": 3, "green": 3})


# --- how many ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("there", "count", "shown"), [(4, None, 4), (4, 3, 3), (4, 9, 4), (66, 99, MOST)])
def test_as_many_pictures_as_asked_and_no_more_than_a_figure_holds(there, count, shown):
    figure = plots.show_batch(some(there, 2, 2), count=count)
    np.testing.assert_array_equal(np.stack(pictures(figure)), some(there, 2, 2)[:shown])
    assert (f"{shown} of {there} pictures" in words(figure)) == (shown < there)


@pytest.mark.parametrize("count", [0, -1, -100])
def test_no_picture_at_all_cannot_be_asked_for(folder, count):
    """-1 would otherwise leave out the last one, as a slice does."""
    for source in (some(), from_folder(folder), sorted(folder.rglob("*.png"))):
        with pytest.raises(DataError) as problem:
            plots.show_batch(source, count=count)
        assert problem.value.found == f"count={count}"


def test_files_are_shown_by_their_names_and_no_more_of_them_are_read_than_are_shown(folder):
    files = sorted(folder.rglob("*_00*"))
    figure = plots.show_batch(files)
    assert words(figure) == [file.name for file in files]
    many = [*files[:2], *["no such file"] * 98]
    figure = plots.show_batch(many, count=2)
    assert words(figure) == [files[0].name, files[1].name, "2 of 100 pictures"]
    with pytest.raises(DataError, match="no such file"):
        plots.show_batch(many)


def test_titles_are_those_of_the_pictures_shown(folder):
    files = [str(file) for file in sorted(folder.rglob("*_00*"))]
    titles = [f"title {n}" for n in range(6)]
    assert words(plots.show_batch(files, titles, count=2)) == ["title 0", "title 1", "2 of 6 pictures"]
    assert words(plots.show_batch(files, titles[:2], count=2)) == ["title 0", "title 1", "2 of 6 pictures"]
    assert words(plots.show_batch(some(2), [7, None])) == ["7", "None"]
    with pytest.raises(DataError) as problem:
        plots.show_batch(files, titles[:3], count=2)
    assert problem.value.found == "3 titles for 6 pictures"


def test_pixels_are_shown_as_a_model_sees_them_if_asked():
    view = Preparation(12, "squash")
    figure = plots.show_batch(some(2, 40, 30), preparation=view)
    for shown, pixels in zip(pictures(figure), some(2, 40, 30), strict=True):
        np.testing.assert_array_equal(shown, view.view(pixels))


# --- settings are read or refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "source"),
    [
        ({"names": ["a", "b"]}, "array"),
        ({"names": ["a", "b"]}, "files"),
        ({"names": ["a", "b"]}, "catalog"),
        ({"mean": (0.5,) * 3, "std": (0.5,) * 3}, "files"),
        ({"mean": (0.5,) * 3, "std": (0.5,) * 3}, "catalog"),
        ({"preparation": Preparation(8)}, "batch"),
    ],
)
def test_a_setting_without_a_meaning_is_refused(folder, setting, source):
    of = {
        "array": some(),
        "files": sorted(folder.rglob("*.png")),
        "catalog": from_folder(folder),
        "batch": Batch(some()),
    }
    with pytest.raises(DataError) as problem:
        plots.show_batch(of[source], **setting)
    assert problem.value.fix
    plots.show_batch(of[source])


def test_a_truth_is_of_a_prediction_and_names_are_of_numbers():
    with pytest.raises(DataError, match="compared with a prediction"):
        plots.show(some()[0], truth="bear")
    with pytest.raises(DataError, match="names already"):
        plots.with_probabilities(some()[0], {"a": 1.0}, ["a"])


# --- a batch of training -------------------------------------------------------------------------------------------


def test_targets_are_named_by_labels_or_any_list():
    batch = Batch(some(), Targets([0, 1, 1, 0]))
    for names in (Labels(("cat", "dog")), ("cat", "dog"), ["cat", "dog"]):
        assert words(plots.show_batch(batch, names=names)) == ["cat", "dog", "dog", "cat"]


@pytest.mark.parametrize("target", [2, -1, 99])
def test_a_target_without_a_name_is_refused_not_counted_from_the_end(target):
    with pytest.raises(DataError) as problem:
        plots.show_batch(Batch(some(1), Targets([target])), names=["cat", "dog"])
    assert problem.value.found == f"class {target}, 2 names"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ([0.7, 0.3, 0.0], "a 70 %, b 30 %"),
        ([0.3, 0.7, 0.0], "b 70 %, a 30 %"),  # the larger share first
        ([0.996, 0.004, 0.0], "a"),  # what rounds to nothing is not said
        ([1.0, 0.0, 1.0], "a, c"),
        ([0.0, 0.0, 0.0], "none of the classes"),
        ([0.2, 0.3, 0.5], "c 50 %, b 30 %, a 20 %"),
        (0.25, "0.25"),
    ],
)
def test_mixed_several_and_numeric_targets_have_words(target, said):
    assert words(plots.show_batch(Batch(some(1, 60, 60), Targets([target])), names=["a", "b", "c"]))[0] == said


def test_numbers_that_are_as_many_as_no_names_stay_numbers():
    assert words(plots.show_batch(Batch(some(1), Targets([[0.5, 0.25]])), names=["a", "b", "c"])) == ["0.5, 0.25"]


def test_a_batch_without_targets_and_ids_has_no_titles():
    assert words(plots.show_batch(Batch(some()))) == []


# --- probabilities -------------------------------------------------------------------------------------------------


def shares_of(figure):
    """[(words, share of the full length, color)] of the bars."""
    chart = figure.axes[1]
    names = [text.get_text() for text in chart.texts[::2]]
    full, shown = chart.patches[::2], chart.patches[1::2]
    assert {to_hex(bar.get_facecolor()) for bar in full} == {RULE}
    lengths = [bar.get_width() / whole.get_width() for bar, whole in zip(shown, full, strict=True)]
    return list(zip(names, lengths, [to_hex(bar.get_facecolor()) for bar in shown], strict=True))


def test_colors_and_marks_say_what_was_right():
    pixels, shares = some()[0], {"a": 0.5, "b": 0.3, "c": 0.2}
    assert [color for *_, color in shares_of(plots.with_probabilities(pixels, shares))] == [BLUE] * 3
    right = shares_of(plots.with_probabilities(pixels, shares, truth="a"))
    assert right[0][::2] == ("✓ a", GREEN)
    assert RED not in {color for *_, color in right}
    wrong = {name: color for name, _, color in shares_of(plots.with_probabilities(pixels, shares, truth="b"))}
    assert wrong["✗ a"] == RED and wrong["✓ b"] == GREEN and wrong["c"] not in (RED, GREEN, BLUE)


@settings(max_examples=8)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.data())
def test_bars_are_the_largest_shares_in_order_and_the_truth_among_them(values, data):
    names = [f"class {n}" for n in range(len(values))]
    truth = data.draw(st.none() | st.sampled_from(names))
    found = shares_of(plots.with_probabilities(some()[0], values, names, truth=truth))
    assert len(found) == min(5, len(values))
    order = sorted(values, reverse=True)
    lengths = [length for _, length, _ in found]
    assert lengths[: len(found) - 1] == pytest.approx(order[: len(found) - 1])
    marked = [name for name, *_ in found if name.startswith("✓")]
    assert marked == ([f"✓ {truth}"] if truth else [])


@pytest.mark.parametrize("classes", [1, 2, 5, 100])
def test_any_number_of_classes_with_any_names_is_legible(classes, legible):
    names = [f"a class with a name that goes on and on, number {n}" for n in range(classes)]
    shares = np.full(classes, 1 / classes)
    figure = plots.with_probabilities(some(1, 40, 50)[0], shares, names, truth=names[-1], title="IMG_2024.jpg" * 9)
    said = legible(figure)
    assert sum("%" in word for word in said) == min(5, classes)
    assert f"{100 / classes:.1f} %" in said
    if classes > 5:  # of equals the first ones stand, and the right one
        assert [name for name, _ in _ranked(shares, names)][:5] == names[:5]


def test_bars_stand_beside_the_picture_and_the_most_probable_is_bold():
    figure = plots.with_probabilities(some()[0], {"a": 0.2, "b": 0.8})
    picture, chart = (axes.get_window_extent() for axes in figure.axes)
    assert picture.x1 < chart.x0 and chart.x1 <= figure.bbox.x1
    weights = [text.get_weight() for text in figure.axes[1].texts[::2]]
    assert weights == ["bold", "normal"]


@pytest.mark.parametrize(
    ("shares", "names", "found"),
    [
        ([0.5, 0.5], ["a"], "1 classes, 2 numbers: 0.5, 0.5"),
        ([1.5, 0.1], ["a", "b"], "2 classes, 2 numbers: 1.5, 0.1"),
        ({"a": -0.2}, None, "1 classes, 1 numbers: -0.2"),
        ([], None, "0 classes, 0 numbers"),
    ],
)
def test_what_is_no_probability_is_said_with_its_numbers(shares, names, found):
    with pytest.raises(DataError) as problem:
        plots.with_probabilities(some()[0], shares, names)
    assert found in problem.value.found and "softmax" in problem.value.fix


def test_two_classes_of_one_name_are_refused_and_classes_without_names_are_numbered():
    with pytest.raises(DataError, match="two classes have one name"):
        plots.with_probabilities(some()[0], [0.6, 0.4], ["bear", "bear"])
    assert _ranked([0.2, 0.8], None) == [("class 1", 0.8), ("class 0", 0.2)]
    assert _ranked(np.array([0.2, 0.8], np.float32), Labels(("a", "b")))[0][0] == "b"


def test_a_prediction_of_a_file_is_shown_under_its_name(folder):
    file = min(folder.rglob("*.png"))

    @dataclass
    class Prediction:
        probabilities: dict[str, float]

    figure = plots.show(file, Prediction({"green": 0.9, "red": 0.1}), truth="green")
    assert words(figure)[0] == file.name and "✓ green" in words(figure)
    assert words(plots.show(file, {"a": 1.0}, title="mine"))[0] == "mine"
    np.testing.assert_array_equal(pictures(figure)[0], np.asarray(Image.open(file)))
    (folder / "text.jpg").write_text("<html>")
    with pytest.raises(DataError, match="cannot be shown with a prediction"):
        plots.show(folder / "text.jpg", {"a": 1.0})


def test_pixels_are_shown_with_their_size():
    assert words(plots.show(some()[0])) == ["5 × 6 px"]
    assert words(plots.show(some()[0], title="bear")) == ["bear", "5 × 6 px"]


# --- patches -------------------------------------------------------------------------------------------------------


def frames(figure):
    return [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]


@pytest.mark.parametrize(("top", "left", "size"), [(0, 0, 3), (10, 20, 10), (28, 37, 10)])
def test_the_frame_is_around_the_pixels_whose_numbers_are_written(top, left, size):
    pixels = some(1, 30, 40)[0]
    figure = plots.patch(pixels, top, left, size)
    part = pixels[top : top + size, left : left + size]
    np.testing.assert_array_equal(part_of(pixels, top, left, size), part)
    np.testing.assert_array_equal(pictures(figure)[1], part)
    for frame in frames(figure):
        assert (frame.get_x(), frame.get_y()) == (left, top)
        assert (frame.get_width(), frame.get_height()) == part.shape[1::-1]
    (x0, x1), (y1, y0) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert (x0, x1, y0, y1) == (0, 40, 0, 30)  # a pixel is one unit, the first row above
    rows, columns = part.shape[:2]
    said = f"rows {top} to {top + rows - 1}, columns {left} to {left + columns - 1}: red, green, blue, each 0 to 255"
    assert said in words(figure)


@pytest.mark.parametrize(("width", "ringed"), [(40, False), (100, False), (400, True), (3000, True)])
def test_a_patch_that_is_too_small_to_be_seen_is_ringed(width, ringed):
    pixels = np.zeros((width * 3 // 4, width, 3), np.uint8)
    figure = plots.patch(pixels, 20, 30, 10)
    rings = [p for p in figure.axes[0].patches if isinstance(p, Ellipse)]
    assert bool(rings) == ringed
    for ring in rings:
        assert ring.get_center() == (35, 25)
        extent = ring.get_window_extent()
        assert extent.width / DPI == pytest.approx(RING, rel=0.05)  # a circle, whatever the picture's shape
        assert extent.height / DPI == pytest.approx(RING, rel=0.05)


@pytest.mark.parametrize(("size", "gray"), [(1, True), (3, False), (16, True), (8, False)])
def test_every_number_lies_in_its_pixel_and_can_be_read(size, gray, legible):
    pixels = some(1, 16, 16)[0]
    pixels = np.repeat(pixels[..., :1], 3, axis=2) if gray else pixels
    figure = plots.patch(pixels, 0, 0, size)
    if size < 4:
        legible(figure)
    figure.draw_without_rendering()
    axes = figure.axes[1]
    assert len(axes.texts) == size * size * (1 if gray else 3)
    for number, text in enumerate(axes.texts):
        row, column = divmod(number // (1 if gray else 3), size)
        corners = axes.transData.transform([(column - 0.5, row + 0.5), (column + 0.5, row - 0.5)])
        box = text.get_window_extent()
        assert corners[0][0] <= box.x0 and box.x1 <= corners[1][0]
        assert corners[0][1] <= box.y0 + 1 and box.y1 - 1 <= corners[1][1]
        if not gray:  # red above green above blue
            middle = axes.transData.transform((column, row))[1] - (box.y0 + box.y1) / 2
            assert np.sign(round(middle / 4)) == number % 3 - 1
        assert contrast(pixels[row, column].tolist(), rgb(to_hex(text.get_color()))) >= READABLE


def test_gray_means_that_every_pixel_of_the_patch_is():
    pixels = np.full((8, 8, 3), 90, np.uint8)
    pixels[7, 7] = (90, 90, 91)
    assert len(plots.patch(pixels, 0, 0, 4).axes[1].texts) == 16
    assert "0 black, 255 white" in " ".join(words(plots.patch(pixels, 0, 0, 4)))
    assert len(plots.patch(pixels, 4, 4, 4).axes[1].texts) == 48


def test_a_patch_outside_is_told_where_the_picture_is():
    with pytest.raises(DataError) as problem:
        plots.patch(some()[0], 6, 0, 3)
    assert problem.value.found == "top 6, left 0, size 3, in 5 x 6 pixels"
    assert problem.value.fix == "top: 0 to 5, left: 0 to 4"
