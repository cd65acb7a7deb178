"""Figures of a whole catalog: bars as long as the counts in their order, sizes where they are, means of classes."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from PIL import Image

from ursa import plots
from ursa.core.prepare import Preparation
from ursa.data.catalog import Catalog
from ursa.data.sources.folder_source import from_folder
from ursa.errors import DataError
from ursa.plots.figure import BLUE, GRAY, GREEN, MUTED, ORANGE, PURPLE, SKY, WIDTH, Figure, place, width_of
from ursa.plots.grid import MARGIN
from ursa.plots.overview import (
    ASPECTS,
    _apart,
    _aspects,
    _histogram,
    _key_lines,
    _range,
    _round_numbers,
    counted,
    mean_tiles,
    readable,
)


def catalog(labels, **columns):
    """A catalog that a scan has seen already."""
    ids = [str(n) for n in range(len(labels))]
    return Catalog.of("x", {"id": ids, "path": ids, "sha256": ids, "label": labels, **columns})


def of_sizes(sizes):
    return catalog(["a"] * len(sizes), width=[w for w, _ in sizes], height=[h for _, h in sizes])


def bars(figure):
    """[(row, kind, from, to, color)] of the bars of a figure of counts, in the order of the rows."""
    found = [
        (int(p.get_y()), p.get_label(), p.get_x(), p.get_x() + p.get_width(), to_hex(p.get_facecolor()))
        for p in figure.axes[-1].patches
    ]
    return sorted(found)


def words(figure):
    return [text.get_text() for text in (*figure.texts, *(t for axes in figure.axes for t in axes.texts))]


# --- counts --------------------------------------------------------------------------------------------------------

LABELS = st.lists(st.sampled_from(["bear", "cat", "dog", None]), min_size=1, max_size=30)
SPLITS = st.sampled_from(["train", "train-dev", "valid", "test", None])
PROBLEMS = st.sampled_from([None, None, "truncated"])


@given(LABELS, st.data())
def test_every_picture_is_counted_once_under_its_class_and_its_split(labels, data):
    splits = data.draw(st.lists(SPLITS, min_size=len(labels), max_size=len(labels)))
    problems = data.draw(st.lists(PROBLEMS, min_size=len(labels), max_size=len(labels)))
    table = counted(catalog(labels, split=splits, problem=problems))
    assert sum(count for row in table.values() for count in row.values()) == len(labels)
    for name, row in table.items():
        mine = [n for n, label in enumerate(labels) if (label or "no label") == name]
        assert row.get("cannot be read", 0) == sum(problems[n] is not None for n in mine)
        for split in ("train", "train-dev", "valid", "test", None):
            sound = sum(splits[n] == split and problems[n] is None for n in mine)
            assert row.get(split or "", 0) == sound
        assert readable(row) == sum(problems[n] is None for n in mine)


@given(LABELS, st.randoms())
def test_the_order_of_the_files_plays_no_part_in_the_bars(labels, random):
    mixed = labels[:]
    random.shuffle(mixed)
    one, other = counted(catalog(labels)), counted(catalog(mixed))
    assert one == other and list(one) == list(other)


def test_classes_go_from_the_most_pictures_to_the_fewest_then_by_name_and_what_has_no_class_is_last():
    labels = ["b"] * 2 + ["a"] * 2 + ["c"] * 3 + [None] * 9
    assert list(counted(catalog(labels))) == ["c", "a", "b", "no label"]
    several = [["b"], ["a", "b"], [], [], []]
    assert list(counted(catalog(several))) == ["b", "a", "none of the classes"]


def test_a_class_called_as_a_split_is_told_from_it():
    table = counted(catalog(["train", "cannot be read"], split=["valid", None]))
    assert table == {"cannot be read": {"": 1}, "train": {"valid": 1}}


def test_bars_of_splits_lie_end_to_end_in_their_order_and_colors(legible):
    labels, splits = ["k"] * 6 + ["l"], ["test", "valid", "train", "train", "train-dev", None, "valid"]
    figure = plots.class_counts(catalog(labels, split=splits, problem=[None] * 6 + ["truncated"]))
    wanted = [("train", 0, 2, BLUE), ("train-dev", 2, 3, SKY), ("valid", 3, 4, ORANGE), ("test", 4, 5, GREEN)]
    wanted += [("", 5, 6, PURPLE)]
    assert bars(figure) == [(0, *one) for one in sorted(wanted, key=lambda one: one[0])] + [
        (1, "cannot be read", 0, 1, GRAY)
    ]
    assert figure.axes[-1].get_xlim() == (0, 6)
    said = legible(figure)
    assert {"train (2)", "train-dev (1)", "valid (1)", "test (1)", "no split given (1)", "cannot be read (1)"} <= set(
        said
    )
    assert said[0] == "6 pictures, 2 classes"


def test_without_splits_a_bar_is_blue_and_needs_no_key(legible):
    figure = plots.class_counts(catalog(["a", "a", "b"]))
    assert bars(figure) == [(0, "", 0, 2, BLUE), (1, "", 0, 1, BLUE)]
    assert set(legible(figure)[1:]) == {"a", "b", "1", "2"}
    assert len(figure.axes) == 1


def test_the_colors_of_the_key_are_those_of_the_bars():
    figure = plots.class_counts(catalog(["a"] * 3, split=["train", "test", None]))
    *swatches, chart = figure.axes
    key = [to_hex(axes.patches[0].get_facecolor()) for axes in swatches]
    assert key == [BLUE, GREEN, PURPLE] == [to_hex(p.get_facecolor()) for p in chart.patches]
    for swatch, text in zip(swatches, figure.texts[1:], strict=True):  # each to the left of its words, on their line
        box, label = swatch.get_window_extent(), text.get_window_extent()
        assert box.x1 < label.x0 < box.x1 + 30 and label.y0 < (box.y0 + box.y1) / 2 < label.y1


@given(st.lists(st.text("abc ", min_size=1, max_size=40), min_size=1, max_size=9))
def test_a_key_keeps_its_order_and_no_line_is_wider_than_the_page(names):
    entries = [(name, BLUE) for name in names]
    lines = _key_lines(entries)
    assert [entry for line in lines for entry in line] == entries
    for line in lines:
        assert line and (len(line) == 1 or sum(0.36 + width_of(name, 8.5) for name, _ in line) <= WIDTH - 2 * MARGIN)


@pytest.mark.parametrize("classes", [1, 2, 30, 31, 32, 100])
def test_any_number_of_classes_is_legible_and_the_rest_is_summed_up(classes, legible):
    labels = [f"class {n:03}" for n in range(classes) for _ in range(classes - n)]
    figure = plots.class_counts(catalog(labels))
    said = legible(figure)
    shown = min(classes, 30)
    assert len(bars(figure)) == shown
    assert [word for word in said if word.startswith("class ")] == [f"class {n:03}" for n in range(shown)]
    rest = {31: "and 1 more with 1 picture", 32: "and 2 more with 1 to 2 pictures each"}
    rest[100] = "and 70 more with 1 to 70 pictures each"
    assert said[-1] == rest.get(classes, said[-1]) and ("more with" in said[-1]) == (classes > 30)


def test_one_picture_of_one_class_is_said_in_the_singular():
    assert words(plots.class_counts(catalog(["a"])))[0] == "1 picture, 1 class"
    assert words(plots.class_counts(catalog([None])))[0] == "1 picture, 0 classes"
    assert (_range(1, 1), _range(2, 2), _range(1, 2)) == ("1 picture", "2 pictures", "1 to 2 pictures")
    assert _range(1000, 2000) == "1,000 to 2,000 pictures"


def test_pictures_without_a_class_are_written_quietly():
    figure = plots.class_counts(catalog(["a", None]))
    colors = {text.get_text(): text.get_color() for text in figure.axes[-1].texts}
    assert colors["no label"] == MUTED != colors["a"]


def test_the_number_stands_right_of_its_bar_and_counts_what_can_be_read():
    figure = plots.class_counts(catalog(["a"] * 3 + ["b"], problem=["truncated", None, None, None]))
    chart = figure.axes[-1]
    names, numbers = chart.texts[::2], chart.texts[1::2]
    assert [text.get_text() for text in numbers] == ["2", "1"]
    assert all(text.get_position()[0] > end for text, end in zip(numbers, (3, 1), strict=True))
    assert all(text.get_position()[0] < 0 and text.get_ha() == "right" for text in names)


# --- sizes ---------------------------------------------------------------------------------------------------------


def test_pictures_of_one_size_are_one_dot_whose_area_grows_with_their_number():
    figure = plots.sizes(of_sizes([(640, 480)] * 100 + [(300, 400)] * 4))
    dots = figure.axes[0].collections[0]
    assert dots.get_offsets().tolist() == [[300, 400], [640, 480]]
    assert dots.get_sizes().tolist() == [6 * math.sqrt(4), 6 * math.sqrt(100)]
    assert plots.sizes(of_sizes([(9, 9)] * 10_000)).axes[0].collections[0].get_sizes().tolist() == [160]


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([(224, 10)], "None is smaller than the model's view of 224 px"),
        ([(223, 10), (224, 224)], "1 is smaller than the model's view of 224 px, and enlarged"),
        ([(10, 10), (20, 223), (500, 1)], "2 are smaller than the model's view of 224 px, and enlarged"),
    ],
)
def test_smaller_than_the_view_is_what_is_smaller_on_both_sides(sizes, said):
    figure = plots.sizes(of_sizes(sizes))
    assert words(figure)[1] == said
    assert words(figure)[0] == f"Sizes of {len(sizes)} picture{'s' * (len(sizes) > 1)}"


@pytest.mark.parametrize(
    ("sizes", "size"),
    [
        ([(640, 480), (4000, 3000), (500, 500)], 224),
        ([(640, 480), (4000, 3000), (500, 500)], 640),
        ([(10000, 1), (1, 10000), (30, 40)], 224),
        ([(28, 28)] * 3, 224),
        ([(224, 224)], 32),
        ([(100, 100), (20_000, 20_000)], 32),
        ([(1, 1)], 640),
    ],
)
def test_nothing_of_a_figure_of_sizes_overlaps_whatever_the_range(sizes, size, legible):
    figure = plots.sizes(of_sizes(sizes), size=size)
    said = legible(figure, 3)
    assert "1:1" in said and f"model, {size} px" in said
    scatter, histogram = figure.axes
    (left, right), (low, high) = scatter.get_xlim(), scatter.get_ylim()
    assert (left, right) == (low, high)  # a square stays one
    assert all(left < w < right and left < h < right for w, h in [*sizes, (size, size)])
    least, most = histogram.get_xlim()
    assert all(least < w * h / 1e6 < most for w, h in sizes)


def test_the_view_of_the_model_is_framed_up_to_its_size():
    scatter = plots.sizes(of_sizes([(640, 480)]), size=300).axes[0]
    (area,) = scatter.patches
    low = scatter.get_xlim()[0]
    assert (area.get_x() + area.get_width(), area.get_y() + area.get_height()) == (300, 300)
    assert (area.get_x(), area.get_y()) == (low, low)
    frame = next(line for line in scatter.lines if line.get_linestyle() == "--")
    assert frame.get_xydata().tolist() == [[low, 300], [300, 300], [300, low]]


def test_a_line_of_a_shape_holds_the_sizes_of_that_shape_and_is_named_there():
    scatter = plots.sizes(of_sizes([(640, 480), (480, 640)])).axes[0]
    drawn = [line for line in scatter.lines if line.get_linestyle() == "-"]
    ratios = [x / y for line in drawn for x, y in line.get_xydata()[:1]]
    assert ratios == pytest.approx([w / h for w, h in ASPECTS])
    named = {text.get_text(): text.get_position() for text in scatter.texts if ":" in text.get_text()}
    for name, (x, y) in named.items():
        across, down = map(int, name.split(":"))
        assert x / y == pytest.approx(across / down, rel=0.04)


@pytest.mark.parametrize(("inches", "named"), [(5, 5), (3.1, 5), (3.0, 3), (1.6, 3), (1.4, 1), (0.5, 1)])
def test_shapes_whose_lines_run_into_each_other_are_left_out_the_nearest_first(inches, named):
    assert len(_aspects(inches)) == named and (1, 1) in _aspects(inches)
    assert set(_aspects(inches)) <= set(ASPECTS)


@settings(max_examples=10)
@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=40))
def test_every_picture_is_in_the_histogram_and_every_bar_in_its_limits(mega):
    axes = place(Figure(), 1, 1, 3, 1)
    _histogram(axes, np.array(mega), "megapixels")
    assert sum(bar.get_height() for bar in axes.patches) == len(mega)
    assert axes.get_ylim()[1] > max(bar.get_height() for bar in axes.patches)
    edges = [bar.get_x() for bar in axes.patches] + [axes.patches[-1].get_x() + axes.patches[-1].get_width()]
    assert edges[0] <= min(mega) and edges[-1] >= max(mega)
    assert np.ptp(np.diff(np.log(edges))) < 1e-6  # equally wide on a logarithmic axis


@given(st.floats(1e-6, 1e6), st.floats(1, 1e8))
def test_limits_are_at_least_a_factor_of_4_apart_and_hold_what_they_held(low, factor):
    a, b = _apart(low, low * factor)
    assert a <= low and b >= low * factor and b / a >= 4 * (1 - 1e-9)
    ticks = _round_numbers(a, b)
    assert 1 <= len(ticks) <= 15 and ticks == sorted(ticks)
    assert all(a <= tick <= b and f"{tick:.0e}"[0] in "125" for tick in ticks)


def test_round_numbers_by_hand():
    assert _round_numbers(180, 4500) == pytest.approx([200, 500, 1000, 2000])
    assert _round_numbers(0.9, 20_000) == pytest.approx([1, 10, 100, 1000, 10_000])
    assert _round_numbers(20, 5000)[-1] == 2000  # 5,000 would stand at the edge of the page


def test_pictures_that_cannot_be_read_have_no_size():
    rows = {"width": [640, None, 100], "height": [480, None, 100], "problem": [None, "truncated", "truncated"]}
    figure = plots.sizes(catalog(["a"] * 3, **rows))
    assert figure.axes[0].collections[0].get_offsets().tolist() == [[640, 480]]
    with pytest.raises(DataError, match="no picture can be read") as problem:
        plots.sizes(catalog(["a"], problem=["truncated"]))
    assert problem.value.found == "1 files" and "ursa check" in problem.value.fix


# --- means ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """Two classes of pictures of one color each: 10 and 20 gray levels, 200; one more is a text file."""
    root = tmp_path_factory.mktemp("flat")
    for name, value in [("dark/a", 10), ("dark/b", 20), ("light/c", 200)]:
        (root / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((30, 40, 3), value, np.uint8)).save(root / f"{name}.png")
    (root / "broken").mkdir()
    (root / "broken/d.png").write_text("no picture")
    return from_folder(root)


def test_a_class_is_its_mean_and_one_without_a_readable_picture_says_so(flat):
    tiles, note = mean_tiles(flat, preparation=Preparation(8, "squash"))
    assert [(tile.title, tile.id) for tile in tiles] == [
        ("broken", "broken"),
        ("dark (2)", "dark"),
        ("light (1)", "light"),
    ]
    assert tiles[0].pixels is None and tiles[0].problem == "cannot be read"
    assert (tiles[1].pixels == 15).all() and (tiles[2].pixels == 200).all()
    assert note == ""


def test_the_mean_of_all_is_weighted_by_pictures_not_by_classes(flat):
    (tile,), _ = mean_tiles(flat, per_class=False, preparation=Preparation(8, "squash"))
    assert tile.title == "all pictures (3)" and (tile.pixels == round((10 + 20 + 200) / 3)).all()


def test_the_order_of_the_files_plays_no_part_in_a_mean(flat):
    back = Catalog(flat.root, flat.rows.reverse())
    for one, other in zip(mean_tiles(flat)[0], mean_tiles(back)[0], strict=True):
        assert one.title == other.title
        assert one.pixels is other.pixels is None or np.array_equal(one.pixels, other.pixels)


def test_a_picture_of_several_classes_is_in_the_mean_of_each(flat):
    labels = {"dark/a.png": ["x", "y"], "dark/b.png": ["y"], "light/c.png": [], "broken/d.png": ["x"]}
    several = flat.with_columns(label=pl.Series([labels[id_] for id_ in flat.ids]))
    tiles, _ = mean_tiles(several, preparation=Preparation(8, "squash"))
    assert {tile.title: int(tile.pixels[0, 0, 0]) for tile in tiles} == {
        "none of the classes (1)": 200,
        "x (1)": 10,
        "y (2)": 15,
    }


def test_numbers_have_no_classes_so_all_pictures_are_averaged(flat):
    tiles, _ = mean_tiles(flat.with_columns(label=pl.Series([1.0, 2.0, 3.0, 4.0])))
    assert [tile.title for tile in tiles] == ["all pictures (3)"]


@pytest.mark.parametrize(("classes", "note"), [(30, ""), (31, "and 1 more class"), (33, "and 3 more classes")])
def test_the_30_largest_classes_are_shown_and_the_rest_is_said(flat, classes, note):
    rows = flat.where(pl.col("id") == "dark/a.png").rows
    many = pl.concat(
        [rows.with_columns(id=pl.lit(f"{n}"), label=pl.lit(f"c{n % classes:02}")) for n in range(classes + 5)]
    )
    tiles, said = mean_tiles(Catalog(flat.root, many), preparation=Preparation(8))
    assert len(tiles) == 30 and said == note
    assert [tile.title for tile in tiles[:6]] == [f"c{n:02} ({2 if n < 5 else 1})" for n in range(6)]


def test_means_of_nothing_are_refused(flat):
    with pytest.raises(DataError, match="no picture can be read"):
        mean_tiles(flat.where(pl.col("label") == "broken"))
