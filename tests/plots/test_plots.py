"""Figures: what they show is what they were given, whatever form it came in; text is readable; nothing stays open."""

import io
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from ursa import plots
from ursa.core.prepare import Preparation
from ursa.data.catalog import Catalog
from ursa.data.scan import read_file
from ursa.data.sources.folder_source import from_folder
from ursa.errors import DataError
from ursa.plots.as_pictures import as_picture, as_pictures
from ursa.plots.figure import READABLE, Figure, contrast, fit, ink_on, rgb, tints_on, width_of
from ursa.plots.reading import opened, sample, scanned

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
COLORS = st.tuples(*[st.integers(0, 255)] * 3)


@pytest.fixture(scope="module")
def bears(tmp_path_factory, picture_folder):
    """Nine black, six brown and three white bears; one of the brown ones is a text file."""
    root = picture_folder(tmp_path_factory.mktemp("plots") / "bears", {"black": 9, "brown": 5, "white": 3})
    (root / "brown/note.jpg").write_text("not a picture")
    return from_folder(root)


def drawn(figure):
    """The arrays of a figure's pictures."""
    return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]


def words(figure):
    """All text of a figure."""
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return [text.get_text() for text in texts]


def bars(figure):
    """[(kind, width)] of the bars of a figure of counts."""
    return [(patch.get_label(), patch.get_width()) for patch in figure.axes[-1].patches]


# What people have -> pixels


def some(dtype=np.uint8):
    return (np.random.default_rng(0).random((4, 6, 5, 3)) * (255 if dtype == np.uint8 else 1)).astype(dtype)


def test_all_forms_of_the_same_pictures_give_the_same_pixels():
    torch = pytest.importorskip("torch")
    pixels = some()
    unit = pixels.astype(np.float32) / 255
    first = unit.transpose(0, 3, 1, 2)
    normalized = (first - np.array(MEAN).reshape(3, 1, 1)) / np.array(DEVIATION).reshape(3, 1, 1)
    forms = [unit, unit * 255, pixels.astype(np.int64), first, torch.from_numpy(first), torch.from_numpy(pixels)]
    forms += [list(pixels), list(first), [Image.fromarray(one) for one in pixels], pixels.astype(np.uint16)]
    for form in forms:
        np.testing.assert_array_equal(as_pictures(form), pixels)
    np.testing.assert_array_equal(as_pictures(torch.from_numpy(normalized), MEAN, DEVIATION), pixels)
    half = as_pictures(torch.from_numpy(first).bfloat16())
    assert np.abs(np.array(half, int) - pixels).max() <= 1
    wide = torch.from_numpy(first).requires_grad_()
    np.testing.assert_array_equal(as_pictures(wide), pixels)


def test_gray_transparent_deep_and_black_and_white():
    gray = some()[..., 0]
    np.testing.assert_array_equal(as_pictures(gray), np.repeat(gray[..., None], 3, axis=3))
    np.testing.assert_array_equal(as_pictures(gray[:, None]), as_pictures(gray[..., None]))
    np.testing.assert_array_equal(as_picture(gray[0]), as_pictures(gray)[0])
    glass = np.zeros((1, 2, 2, 4), np.uint8)
    assert (as_pictures(glass)[0] == 255).all()  # nothing, on white
    assert as_picture(np.full((2, 2), 65535, np.uint16)).max() == 255
    assert as_picture(np.full((2, 2), True)).min() == 255


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (np.array([[[[0.5, np.nan, 0.1]]]]), "1 of 3 are NaN or infinite"),
        (np.array([[[[-1.8, 0.0, 2.1]]]]), "mean="),
        (np.full((1, 2, 2, 3), 300), "0 to 255"),
        (np.zeros((2, 5, 5, 7)), "1, 3 or 4 channels"),
        (np.zeros((2, 0, 5, 3)), "without pixels"),
        (np.zeros((5, 5)), "into a list"),
        (np.array(["a", "b"]), "no pictures"),
        ([[1, 2], [3]], "[H, W, 3]"),
        (np.zeros((0, 4, 4, 3)), "no pictures to show"),
        ([], "no pictures to show"),
        (object(), "no pictures"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(source, said):
    with pytest.raises(DataError) as problem:
        plots.show_batch(source)
    assert said in str(problem.value)


def test_a_normalization_of_the_wrong_kind_is_refused():
    with pytest.raises(DataError, match="mean and a deviation"):
        plots.show_batch(some(np.float32), mean=(0.5, 0.5), std=(0.5, 0.5))
    with pytest.raises(DataError, match="mean and a deviation"):
        plots.show_batch(some(np.float32), mean=MEAN)


@settings(deadline=None, max_examples=30)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.float32, np.bool_, np.uint16]),
        st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 4])),
        elements={"min_value": 0, "max_value": 1},
        fill=st.nothing(),
    )
)
def test_every_shape_is_drawn(pixels):
    figure = plots.show_batch(pixels)
    assert len(drawn(figure)) == len(pixels)
    assert figure.png().startswith(b"\x89PNG")


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 3000), (3000, 1), (2, 500)])
def test_extreme_shapes_are_drawn_and_stay_visible(height, width):
    pixels = np.zeros((height, width, 3), np.uint8)
    for figure in (plots.show(pixels), plots.with_probabilities(pixels, {"a": 1.0}), plots.patch(pixels, 0, 0)):
        shown = np.asarray(Image.open(io.BytesIO(figure.png())).convert("L"))
        assert (shown == 0).any()


# A batch


def test_a_batch_shows_the_pixels_it_was_given_under_their_titles():
    pixels = some()
    figure = plots.show_batch(pixels, ["a", "b", "c", "d"], columns=2)
    for shown, given_ in zip(drawn(figure), pixels, strict=True):
        np.testing.assert_array_equal(shown, given_)
    assert words(figure) == ["a", "b", "c", "d"]
    lefts = [round(axes.get_position().x0, 6) for axes in figure.axes]
    assert lefts[0] == lefts[2] < lefts[1] == lefts[3]


def test_titles_must_match_and_columns_be_possible():
    with pytest.raises(DataError, match="needs a title"):
        plots.show_batch(some(), ["a"])
    with pytest.raises(DataError, match="columns"):
        plots.show_batch(some(), columns=0)
    plots.show_batch(some(), columns=20)


@dataclass
class Batch:
    pictures: Any
    targets: Any = None
    ids: Any = None


@pytest.mark.parametrize(
    ("targets", "names", "said"),
    [
        ([0, 1, 1, 0], ("cat", "dog"), ["cat", "dog", "dog", "cat"]),
        ([0, 1, 1, 0], None, ["class 0", "class 1", "class 1", "class 0"]),
        ([[1.0, 0], [0.3, 0.7], [1, 1], [0, 0]], ("a", "b"), ["a", "b 70 %, a 30 %", "a, b", "none of the classes"]),
        ([[0.25, 3.0]] * 4, None, ["0.25, 3"] * 4),
    ],
)
def test_a_batch_of_training_shows_its_targets(targets, names, said):
    torch = pytest.importorskip("torch")
    batch = Batch(torch.from_numpy(some()), torch.tensor(targets), ["w", "x", "y", "z"])
    assert words(plots.show_batch(batch, names=names)) == said
    assert words(plots.show_batch(Batch(batch.pictures, None, batch.ids))) == batch.ids


def test_a_real_batch_of_training(bears):
    pytest.importorskip("torch")
    from ursa.training.batches.picture_batches import PictureBatches as Batches

    part = scanned(bears).usable()
    batch = next(Batches(part, part.targets(), Preparation(32), batch_size=4).epoch(0))
    figure = plots.show_batch(batch, names=part.labels)
    np.testing.assert_array_equal(drawn(figure), batch.pictures.numpy())
    assert set(words(figure)) <= {"black", "brown", "white"}


def test_a_catalog_is_sampled_evenly_by_the_seed_and_a_broken_file_says_so(bears):
    tiles = sample(bears, 9)
    assert [tile.title for tile in tiles] == ["black"] * 3 + ["brown"] * 3 + ["white"] * 3
    assert [tile.id for tile in tiles] == [tile.id for tile in sample(bears, 9)]
    assert any([tile.id for tile in sample(bears, 9, seed)] != [tile.id for tile in tiles] for seed in (1, 2, 3))
    every = plots.show_batch(bears, count=64)
    assert len(every.axes) == len(bears) == len(drawn(every)) + 1
    assert "not a\npicture: a\ntext file" in words(every) or any("not a" in text for text in words(every))


def test_a_catalog_as_a_model_sees_it(bears):
    for tile in sample(bears, 3, preparation=Preparation(40)):
        np.testing.assert_array_equal(tile.pixels, Preparation(40).view(opened(bears.root / tile.id).pixels))


def test_more_classes_than_pictures():
    many = Catalog.of(
        "x", {"id": [str(n) for n in range(50)], "path": ["no"] * 50, "label": [f"c{n}" for n in range(50)]}
    )
    assert len({tile.title for tile in sample(many, 5)}) == 5


# One picture


def test_a_file_is_shown_upright_with_its_facts(tmp_path, photo):
    pixels = photo(1, 60, 40)
    turned = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "a.png", exif=exif)
    figure = plots.show(tmp_path / "a.png")
    np.testing.assert_array_equal(drawn(figure)[0], np.rot90(pixels, -1))
    name, facts = words(figure)
    assert name == "a.png"
    assert facts.startswith("PNG · 40 × 60 px · turned by 90° clockwise (EXIF) · ")


def test_a_file_that_is_no_picture_is_shown_as_the_reason(tmp_path):
    (tmp_path / "a.jpg").write_text("<html>")
    assert any("HTML" in text for text in words(plots.show(tmp_path / "a.jpg")))
    with pytest.raises(DataError, match="cannot open"):
        plots.show(tmp_path / "none.jpg")
    with pytest.raises(DataError, match="HTML"):
        plots.patch(tmp_path / "a.jpg", 0, 0)


def test_probabilities_are_bars_in_order_and_the_right_class_is_marked():
    shares = {"a": 0.1, "b": 0.6, "c": 0.2, "d": 0.05, "e": 0.03, "f": 0.02}
    figure = plots.with_probabilities(some()[0], shares, truth="f")
    lengths = [p.get_width() for p in figure.axes[1].patches]
    full, shown = lengths[::2], lengths[1::2]
    np.testing.assert_allclose(np.divide(shown, full), [0.6, 0.2, 0.1, 0.05, 0.02])
    assert [text for text in words(figure) if "%" not in text] == ["✗ b", "c", "a", "d", "✓ f"]
    right = plots.show(some()[0], {"a": 0.9, "b": 0.1}, truth="a")
    assert [text for text in words(right) if "%" not in text] == ["✓ a", "b"]
    array = plots.with_probabilities(some()[0], np.array([0.2, 0.8]), ["x", "y"])
    assert words(array)[::2] == ["y", "x"]


@pytest.mark.parametrize("wrong", [[0.5, np.nan], [-0.1, 1.1], [2.0, 3.0], [], [[0.5, 0.5]], [0.5, 0.3, 0.2]])
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(DataError, match="probabilities are"):
        plots.with_probabilities(some()[0], wrong, ["a", "b"])


def test_the_right_class_must_be_one_of_the_classes():
    with pytest.raises(DataError, match="not one of the classes"):
        plots.with_probabilities(some()[0], {"a": 1.0}, truth="b")


def test_a_patch_writes_the_numbers_of_its_pixels():
    pixels = some()[0]
    figure = plots.patch(pixels, 2, 1, 3)
    np.testing.assert_array_equal(drawn(figure)[1], pixels[2:5, 1:4])
    assert [int(text.get_text()) for text in figure.axes[1].texts] == pixels[2:5, 1:4].ravel().tolist()
    gray = plots.patch(pixels[..., 0], 4, 3, 8)  # reaches over the edge: what there is
    assert [int(text.get_text()) for text in gray.axes[1].texts] == pixels[4:, 3:, 0].ravel().tolist()
    for top, left, size in [(6, 0, 3), (0, 5, 3), (-1, 0, 3), (0, 0, 0), (0, 0, 17)]:
        with pytest.raises(DataError, match="inside its picture"):
            plots.patch(pixels, top, left, size)


@given(COLORS)
def test_numbers_can_be_read_on_every_color(color):
    assert contrast(color, rgb(ink_on(color))) >= READABLE
    assert min(contrast(color, rgb(tint)) for tint in tints_on(color)) >= READABLE


def test_contrast_is_that_of_wcag():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((255, 0, 0), (255, 255, 255)) == pytest.approx(3.998, abs=1e-3)


# Catalogs


def test_bars_are_as_long_as_the_counts(bears):
    figure = plots.class_counts(bears)
    assert bars(figure) == [("", 9), ("", 5), ("cannot be read", 1), ("", 3)]
    assert words(figure)[-6:] == ["black", "9", "brown", "5", "white", "3"]  # one more of brown cannot be read
    assert "17 pictures, 3 classes" in words(figure)
    assert "cannot be read (1)" in words(figure)


def test_counts_by_split_several_labels_and_none():
    rows = {"id": list("abcde"), "path": list("abcde"), "sha256": ["s"] * 5}
    split = Catalog.of(
        "x", rows | {"label": ["k", "k", "k", "l", None], "split": ["train", "valid", "train", "test", None]}
    )
    assert bars(plots.class_counts(split)) == [("train", 2), ("valid", 1), ("test", 1), ("", 1)]
    assert "no label" in words(plots.class_counts(split))
    several = Catalog.of("x", rows | {"label": [["k"], ["k", "l"], ["l"], ["m", "k"], []]})
    assert [length for _, length in bars(plots.class_counts(several))] == [3, 2, 1, 1]
    assert "none of the classes" in words(plots.class_counts(several))
    assert "5 pictures, 3 classes" in words(plots.class_counts(several))
    with pytest.raises(DataError, match="no classes to count"):
        plots.class_counts(Catalog.of("x", rows | {"label": [1.0, 2.0, 3.0, 4.0, 5.0]}))


def test_hundreds_of_classes_with_long_names_stay_legible():
    names = [f"$class_{n}^ a name that goes on and on and on {n} 犬\n\x07" for n in range(100) for _ in range(n + 1)]
    ids = [str(n) for n in range(len(names))]
    catalog = Catalog.of("x", {"id": ids, "path": ids, "label": names, "sha256": ["s"] * len(ids)})
    figure = plots.class_counts(catalog)
    assert len(figure.axes[-1].patches) == 30
    assert "and 70 more with 1 to 70 pictures each" in words(figure)
    figure.png()
    box = figure.axes[-1].get_window_extent()
    renderer = figure.canvas.get_renderer()
    for text in figure.axes[-1].texts:
        extent = text.get_window_extent(renderer)
        assert extent.x0 >= 0
        assert extent.x1 <= figure.bbox.x1
        assert extent.height < box.height / 30


def test_sizes_show_every_picture_and_the_model(bears):
    figure = plots.sizes(bears, size=50)
    known = scanned(bears).usable().rows
    points = {(round(10**0 * x), round(y)) for x, y in figure.axes[0].collections[0].get_offsets()}
    assert points == set(known.select("width", "height").iter_rows())
    assert sum(patch.get_height() for patch in figure.axes[1].patches) == len(known) == 17
    small = sum(max(size) < 50 for size in known.select("width", "height").iter_rows())
    assert f"{small} are smaller than the model's view of 50 px, and enlarged" in words(figure)


@pytest.mark.parametrize(("width", "height"), [([1], [1]), ([10000, 1], [1, 10000]), ([640] * 3, [480] * 3)])
def test_sizes_of_any_kind_can_be_drawn(width, height):
    ids = [str(n) for n in range(len(width))]
    rows = {"id": ids, "path": ids, "label": ["a"] * len(ids), "sha256": ids, "width": width, "height": height}
    assert plots.sizes(Catalog.of("x", rows)).png()


def test_mean_pictures_are_the_means_of_the_views(bears):
    view = Preparation(24)
    figure = plots.mean_pictures(bears, preparation=view)
    assert words(figure) == ["black (9)", "brown (5)", "white (3)"]
    sound = scanned(bears).usable()
    for shown, label in zip(drawn(figure), ("black", "brown", "white"), strict=True):
        files = sound.where(pl.col("label") == label).files()
        expected = np.mean([read_file(file, view)[1] for file in files], axis=0)
        assert np.abs(shown - expected).max() <= 0.5
    everything = plots.mean_pictures(bears, per_class=False, preparation=view)
    assert words(everything) == ["all pictures (17)"]


def test_statistics_normalize_the_training_part_and_nothing_else(bears):
    view = Preparation(24)
    names = pl.Series(["valid" if n % 3 == 0 else "train" if n % 3 == 1 else None for n in range(len(bears))])
    split = bears.with_columns(split=names)
    mean, std = plots.statistics(split, view)
    part = scanned(split).usable().where(pl.col("split").fill_null("train") == "train")
    seen = np.stack([read_file(file, view)[1] for file in part.files()]) / 255
    np.testing.assert_allclose(mean, seen.mean((0, 1, 2)), atol=1e-9)
    np.testing.assert_allclose(std, seen.std((0, 1, 2)), atol=1e-9)
    assert not np.allclose(mean, plots.statistics(bears, view)[0], atol=1e-4)
    with pytest.raises(DataError, match="training part"):
        plots.statistics(bears.with_columns(split=pl.lit("test")), view)


@pytest.mark.parametrize("draw", [plots.class_counts, plots.sizes, plots.mean_pictures, plots.show_batch])
def test_an_empty_catalog_says_so(draw, tmp_path):
    with pytest.raises(DataError, match="no pictures to show") as problem:
        draw(Catalog.of(tmp_path, {"id": []}))
    assert "empty catalog" in str(problem.value)


def test_a_scan_keeps_the_order_and_what_is_known(bears):
    once = scanned(bears)
    assert once.ids == bears.ids
    half = once.with_columns(sha256=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.col("sha256")))
    assert scanned(half).rows.equals(once.rows)
    assert scanned(once) is once


# Figures


def test_a_figure_shows_itself_and_is_written_whole(tmp_path):
    figure = plots.show_batch(some())
    assert figure._repr_png_() == figure.png() == plots.show_batch(some()).png()
    for ending in ("png", "svg", "pdf", "jpg", "webp"):
        assert figure.save(tmp_path / f"a.{ending}").stat().st_size > 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "a.pdf", "a.png", "a.svg", "a.webp"]
    with pytest.raises(DataError, match="did you mean 'png'"):
        figure.save(tmp_path / "a.pngg")
    with pytest.raises(DataError, match="without an ending"):
        figure.save(tmp_path / "a")


@given(st.text(max_size=60), st.floats(0.1, 3))
def test_text_is_shortened_until_it_fits(text, inches):
    shown = fit(text, inches)
    assert width_of(shown) <= inches or shown == "…"
    assert shown == "…" or len(shown) <= len(text)
    if len(shown) > 4 and "…" in shown and "…" not in text:
        assert fit(text, 1e9).startswith(shown.split("…")[0])
        assert fit(text, 1e9).endswith(shown.split("…")[1])


def test_the_width_of_text_is_that_which_is_drawn():
    figure = Figure()
    for text in ("Ursus arctos", "IMG_2024.jpg", "illicit"):
        box = figure.text(0, 0, text, fontsize=9, family="DejaVu Sans").get_window_extent()
        assert width_of(text) == pytest.approx(box.width / figure.dpi, rel=0.05)


def test_figures_leave_matplotlibs_state_alone_and_nothing_open():
    code = (
        "import numpy as np, sys, matplotlib\n"
        "before = matplotlib.rcParams.copy()\n"
        "import ursa\n"
        "ursa.show_batch(np.zeros((2, 4, 4, 3), np.uint8), ['a', '$b']).png()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)


def test_figures_can_be_made_in_threads():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: plots.show_batch(some(), list("abcd")).png(), range(8)))
    assert len(set(made)) == 1


def test_importing_plots_imports_no_matplotlib():
    code = "import sys, ursa.plots, ursa.plots.means, ursa.plots.reading; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_shared_bears_can_be_looked_at(shared):
    bears = from_folder(shared / "data/bears_messy")
    assert len(drawn(plots.show_batch(bears))) == 12
    assert "180 pictures, 3 classes" in words(plots.class_counts(bears))


def test_pictures_without_labels_can_be_looked_at(tmp_path, photo, encode):
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encode(photo(number, 30, 20)))
    loose = from_folder(tmp_path)
    assert words(plots.show_batch(loose)) == ["no label"] * 3
    assert "3 pictures, 0 classes" in words(plots.class_counts(loose))
    assert words(plots.mean_pictures(loose)) == ["all pictures (3)"]
