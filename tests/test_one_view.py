"""A law: what a model sees of a file is the same whoever asks: scan, training, `Learner`, figures, server."""

import numpy as np
import polars as pl
import pytest
from PIL import Image

from ursa import plots, sandbox
from ursa.core.bundles.bundle import Bundle
from ursa.core.labels import Labels
from ursa.core.prepare import Preparation, resize
from ursa.data.pixel_cache import PixelCache
from ursa.data.scan import read_file
from ursa.data.scanning import scanned
from ursa.data.sources.folder_source import from_folder
from ursa.embed import pipeline
from ursa.embed import resize as fast_resize
from ursa.errors import DataError
from ursa.learner.picture_data import PictureInputs
from ursa.plots.reading import file_tile, sample
from ursa.recipe import Recipe
from ursa.serve.predictor import Predictor
from ursa.training.batches.picture_batches import Views
from ursa.workflow.show import show

PREPARATIONS = [Preparation(64), Preparation(96, "crop"), Preparation(80, "squash")]
SIZES = [(900, 600), (333, 517), (64, 64), (40, 30), (1200, 90)]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory, photo):
    """Larger and smaller than the views, JPEGs that are decoded to a part of their size, and an EXIF orientation."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, size in enumerate(SIZES):
        (folder / "abc"[number % 3]).mkdir(exist_ok=True)
        exif = Image.Exif()
        exif[0x0112] = 6 if number == 0 else 1
        ending = "png" if number == 1 else "jpg"
        Image.fromarray(photo(number, *size, noise=60)).save(
            folder / "abc"[number % 3] / f"{number}.{ending}", exif=exif
        )
    return scanned(from_folder(folder))


def predictor(preparation: Preparation) -> Predictor:
    """What it needs to see a picture: nothing of a network."""
    made = Predictor.__new__(Predictor)
    made.bundle = Bundle(Labels(("a", "b", "c")), preparation, 1.0, {}, {})
    return made


def embedded(files, preparation):
    seen = []
    forward = lambda views: seen.extend(views.copy()) or np.zeros((len(views), 1), np.float32)  # noqa: E731
    assert len([*pipeline.ahead(files, preparation, forward, lambda _: False, batch=2)])
    return seen


@pytest.mark.parametrize("preparation", PREPARATIONS, ids=str)
def test_all_see_the_same(catalog, preparation):
    files, fast = catalog.files(), fast_resize.fastest()
    datas = [file.read_bytes() for file in files]
    slow = np.stack([read_file(file, preparation)[1] for file in files])
    ways = {
        "views of bytes": [found.pixels for found in sandbox.views(datas, preparation)],
        "views of files": [found.pixels for found in sandbox.views(files, preparation)],
        "view": [sandbox.view(file, preparation) for file in files],
        "predictor, files": [predictor(preparation).view(file) for file in files],
        "predictor, bytes": [predictor(preparation).view(data) for data in datas],
        "tiles of files": [file_tile(file, preparation).pixels for file in files],
        "tiles of a catalog": [tile.pixels for tile in sample(catalog, len(files), preparation=preparation)],
    }
    order = [catalog.ids.index(tile.id) for tile in sample(catalog, len(files), preparation=preparation)]
    for way, views in ways.items():
        assert np.array_equal(np.stack(views), slow[order] if way == "tiles of a catalog" else slow), way
    quick = np.stack([read_file(file, preparation, fast)[1] for file in files])
    ways = {
        "embedding": embedded(files, preparation),
        "training": [*Views(catalog, preparation)],
        "learner": PictureInputs(preparation).read(files)[0].numpy(),
        "learner, one at a time": [PictureInputs(preparation).read(str(file))[0][0].numpy() for file in files],
    }
    for way, views in ways.items():
        assert np.array_equal(np.stack(views), quick), way
    assert np.abs(quick.astype(int) - slow).max() <= 2  # the two kernels of the resize


def test_the_cache_changes_nothing_of_a_view(catalog, tmp_path):
    preparation = Preparation(64)
    with PixelCache(tmp_path, 1 << 24) as cache:
        first, second = ([*Views(catalog, preparation, cache)] for _ in range(2))
    plain = [*Views(catalog, preparation)]
    assert np.array_equal(first, plain) and np.array_equal(second, plain)


def test_a_figure_of_files_shows_what_the_model_sees(catalog):
    """It decoded them in full before it resized them, up to 19 gray levels away from what a model gets."""
    preparation = Preparation(64)
    figure = plots.show_batch(catalog.files()[:1], preparation=preparation)
    shown = [image.get_array() for axes in figure.axes for image in axes.images]
    assert np.array_equal(np.asarray(shown[0])[..., :3], sandbox.view(catalog.files()[0], preparation))
    full = preparation.view(sandbox.read(catalog.files()[0].read_bytes()).pixels)
    assert np.abs(full.astype(int) - shown[0][..., :3]).max() > 2  # so the test would tell


def test_pixels_are_seen_as_they_are_by_all(photo):
    pixels, preparation = photo(3, 200, 100), Preparation(64)
    seen = preparation.view(pixels)
    assert np.array_equal(sandbox.view(pixels, preparation), seen)
    assert np.array_equal(predictor(preparation).view(pixels), seen)
    assert np.abs(PictureInputs(preparation).read([pixels, pixels])[0].numpy().astype(int) - seen).max() <= 2
    for wrong in (pixels[..., 0], pixels.astype(np.float32), pixels[:0]):
        with pytest.raises(DataError, match="of uint8"):
            PictureInputs(preparation).read(wrong)


def test_refusals_come_in_their_places_and_fill_nothing(catalog, tmp_path):
    """Also several at the beginning, at the end, and in a row."""
    preparation, good = Preparation(32), catalog.files()[0]
    (tmp_path / "text.jpg").write_text("no picture")
    gone, text = tmp_path / "gone.jpg", tmp_path / "text.jpg"
    for sources in ([gone, good, text, gone, gone, good], [good, gone], [gone], [text, gone], []):
        into = preparation.blank(len(sources))
        before = into.copy()
        found = [*sandbox.views(sources, preparation, by=resize, into=into)]
        assert len(found) == len(sources)
        for source, one, view, blank in zip(sources, found, into, before, strict=True):
            assert isinstance(one, DataError) == (source is not good)
            assert np.array_equal(view, sandbox.view(good, preparation) if source is good else blank)
            if source is gone:
                assert one.what.startswith("cannot be opened")


@pytest.mark.parametrize("what", ["as_model", "recipe"])
def test_show_shows_what_the_model_gets(catalog, what):
    """With a recipe: as the first epoch shows it, where nothing is drawn."""
    still = Recipe.of(min_scale=1.0, aspect_ratio=1.0, hflip=0.0)
    preparation, options = Preparation(64), {"as_model": True} if what == "as_model" else {"recipe": still}
    shown = show(catalog.root, count=len(catalog), preparation=preparation, **options)
    views = dict(zip(catalog.ids, Views(catalog, preparation), strict=True))
    for tile in shown.tiles:
        if catalog.rows.row(by_predicate=pl.col("id") == tile.id, named=True)["width"] < 64:
            continue  # enlarged without antialiasing while it learns
        assert np.abs(tile.pixels.astype(int) - views[tile.id]).max() <= 2, tile.id
    one = show(catalog.files()[0], as_model=True, preparation=preparation)
    assert np.array_equal(one.tiles[0].pixels, sandbox.view(catalog.files()[0], preparation))
