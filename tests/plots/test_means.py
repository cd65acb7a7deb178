"""Means and deviations of a catalog's views: exact, of the training part alone, whatever the order and the number."""

import numpy as np
import polars as pl
import pytest
from PIL import Image

from ursa import plots
from ursa.core.prepare import Preparation
from ursa.data.catalog import Catalog
from ursa.data.sources.folder_source import from_folder
from ursa.errors import DataError
from ursa.plots.means import means, training_part

SQUASH = Preparation(8, "squash")


@pytest.fixture
def folder(tmp_path):
    """folder({"a/x": (r, g, b), ...}) -> a catalog of pictures of one color each; None is a file that is no picture."""

    def write(colors):
        for name, color in colors.items():
            path = tmp_path / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            if color is None:
                path.write_text("no picture")
            else:
                Image.new("RGB", (20, 20), color).save(path)
        return from_folder(tmp_path)

    return write


def test_golden_mean_and_deviation_by_channel(folder):
    catalog = folder({"a/1": (0, 10, 255), "a/2": (255, 10, 255), "b/3": (0, 10, 255), "b/4": (255, 10, 255)})
    mean, std = plots.statistics(catalog, SQUASH)
    assert mean.tolist() == pytest.approx([0.5, 10 / 255, 1.0])
    assert std.tolist() == pytest.approx([0.5, 0, 0], abs=1e-9)


def test_one_flat_picture_has_no_deviation_and_never_a_negative_one(folder):
    mean, std = plots.statistics(folder({"a/1": (77, 78, 79)}), SQUASH)
    assert mean.tolist() == pytest.approx([77 / 255, 78 / 255, 79 / 255])
    assert np.isfinite(std).all() and std.max() < 1e-7


def test_bars_of_a_padded_view_count(folder, tmp_path):
    catalog = folder({"a/1": (255, 255, 255)})
    Image.new("RGB", (20, 10), "white").save(tmp_path / "a/1.png")
    mean, _ = plots.statistics(catalog, Preparation(8, "pad"))
    seen = Preparation(8, "pad").view(np.full((10, 20, 3), 255, np.uint8)) / 255
    assert mean.tolist() == pytest.approx(seen.mean((0, 1)).tolist()) and mean[0] < 1


def test_valid_test_unlabelled_and_broken_pictures_have_no_part_in_it(folder):
    catalog = folder({"a/1": (10, 10, 10), "a/2": (200, 0, 0), "b/3": (0, 200, 0), "b/4": None, "b/5": (30, 30, 30)})
    order = [catalog.ids.index(f"{name}.png") for name in ("a/1", "a/2", "b/3", "b/4", "b/5")]
    splits = {order[0]: None, order[1]: "valid", order[2]: "test", order[3]: "train", order[4]: "train"}
    catalog = catalog.with_columns(split=pl.Series([splits[n] for n in range(5)], dtype=pl.String))
    assert plots.statistics(catalog, SQUASH)[0].tolist() == pytest.approx([20 / 255] * 3)
    assert len(training_part(catalog)) == 3
    known = catalog.with_columns(problem=pl.when(pl.col("id") == "b/4.png").then(pl.lit("not a picture")))
    assert len(training_part(known)) == 2  # a problem that a scan knows of is not tried again
    loose = catalog.with_columns(label=pl.when(pl.col("id") == "a/1.png").then(None).otherwise("label"))
    assert plots.statistics(loose, SQUASH)[0].tolist() == pytest.approx([30 / 255] * 3)


def test_the_order_of_the_files_plays_no_part(bears_rows):
    one, other = (plots.statistics(catalog, SQUASH) for catalog in bears_rows)
    np.testing.assert_array_equal(one, other)


@pytest.fixture
def bears_rows(tmp_path, picture_folder):
    catalog = from_folder(picture_folder(tmp_path / "bears", {"black": 5, "brown": 4}))
    return catalog, Catalog(catalog.root, catalog.rows.reverse())


def test_what_is_learned_from_has_a_mean_of_0_and_a_deviation_of_1_afterwards(bears_rows):
    catalog, _ = bears_rows
    mean, std = plots.statistics(catalog, SQUASH)
    from ursa.data.scan import read_file

    seen = np.stack([read_file(file, SQUASH)[1] for file in catalog.files()]) / 255
    normalized = (seen - mean) / std
    assert np.abs(normalized.mean((0, 1, 2))).max() < 1e-9
    assert normalized.std((0, 1, 2)).tolist() == pytest.approx([1, 1, 1])


def test_means_sum_no_more_than_their_own_class_and_leave_out_what_cannot_be_read(folder):
    catalog = folder({"a/1": (10, 0, 0), "a/2": (30, 0, 0), "b/3": None, "c/4": (0, 0, 250)})
    files = [catalog.root / f"{name}.png" for name in ("a/1", "b/3", "c/4", "a/2")]
    views, counts = means(files, [0, 1, 3, 0], 4, SQUASH)
    assert counts.tolist() == [2, 0, 0, 1] and views.shape == (4, 8, 8, 3)
    assert views[:, 0, 0].tolist() == [[20, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 250]]


def test_many_bright_pictures_do_not_overflow(folder):
    catalog = folder({"a/1": (255, 255, 255)})
    views, counts = means(catalog.files() * 300, [0] * 300, 1, Preparation(4))
    assert counts.tolist() == [300] and (views == 255).all()


def test_progress_ends_at_the_number_of_files(folder):
    told = []
    means(folder({"a/1": (1, 1, 1), "a/2": None}).files(), [0, 0], 1, SQUASH, lambda *one: told.append(one))
    assert told[-1] == ("Reading pictures", 2, 2)
    done = [one[1] for one in told]
    assert done == sorted(done)


def test_nothing_to_learn_from_is_said_with_the_number_of_files(folder):
    with pytest.raises(DataError) as problem:
        plots.statistics(folder({"a/1": None, "a/2": None}), SQUASH)
    assert problem.value.found == "2 files in it" and "ursa check" in problem.value.fix
