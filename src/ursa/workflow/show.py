"""`ursa show`: a folder or a picture -> what there is to see. Reads; computes no embeddings, keeps nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ursa import sandbox
from ursa.core.prepare import Preparation
from ursa.core.progress import Progress
from ursa.core.progress_display import shown
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.data.sources.folder_source import from_folder
from ursa.errors import DataError, TrainingError, did_you_mean
from ursa.plots.reading import Tile, opened, sample, scanned
from ursa.recipe import PLACES, Recipe, recipe_from
from ursa.workspace import NAME, Workspace

if TYPE_CHECKING:
    from ursa.plots.figure import Figure

SUBJECTS = ("batch", "classes", "sizes", "means")
PATCH = 8  # pixels, the side of a patch
UNREAD = [name for name in PLACES if name != "seed" and not name.startswith("augment.")]
UNREAD += ["augment.tta", "augment.progressive_resizing"]  # of predictions, and of the first epochs' sizes


@dataclass(frozen=True)
class Shown:
    """What there is to see, as a document, as pictures, and as a figure that is drawn when it is asked for."""

    what: str  # one of SUBJECTS, "picture" or "patch"
    facts: dict[str, Any]  # of the pictures: what `to_json` says
    tiles: tuple[Tile, ...]  # the pictures themselves, where it shows some
    figure: Callable[[], "Figure"]  # imports matplotlib
    files: frozenset[Path]  # whose pictures these are: nothing may be written over them

    @property
    def problem(self) -> str | None:
        """Why the one picture that was asked for cannot be seen."""
        return self.facts.get("problem")

    def save(self, path: str | Path) -> Path:
        """Write the figure; its format is the ending of the name. Raises DataError, and never overwrites a picture."""
        path = Path(path)
        if path.resolve() in self.files:
            raise DataError(f"{path} is one of the pictures", fix="name another file to write to")
        try:
            return self.figure().save(path)
        except DataError as problem:
            if not isinstance(problem.__cause__, OSError):
                raise
            fix = f"name another file to write to: --out DIR/{path.name}"
            raise DataError(problem.what, found=problem.found, fix=fix) from problem

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa show --json`."""
        return {"what": self.what, **self.facts}


def show(
    path: str | Path,
    what: str | None = None,
    *,
    patch: tuple[int, int] | None = None,
    as_model: bool = False,
    count: int = 12,
    seed: int | None = None,
    workspace: str | Path | None = None,
    preparation: Preparation | None = None,
    recipe: Recipe | Mapping[str, Any] | None = None,
    progress: Progress | bool | None = None,
) -> Shown:
    """A picture with its facts, or the `patch` (top, left) of it; or of a folder one of SUBJECTS, "batch" if not said.

    as_model: pictures as a model sees them (`preparation`, 224 px padded); recipe: as it sees them while it learns, a
    whole one or some settings. What a scan of the workspace already knows is not read again; nothing is written. Raises
    DataError when there is nothing to show, TrainingError for settings that have no meaning here.
    """
    path, preparation = Path(path), preparation or Preparation()
    learned = None if recipe is None else recipe_from(recipe, seed=seed)
    if learned is not None:
        learned.refuse(UNREAD, "where nothing is trained", "give it to ursa.train; those of augment are shown")
        if path.is_file() or what not in (None, "batch"):
            fix = f"ursa show {path.parent if path.is_file() else path}"
            raise TrainingError("settings are shown by a batch of a folder", found=what or str(path), fix=fix)
    number = recipe_from(None, seed=seed).seed if learned is None else learned.seed
    if path.is_file():
        if what is not None:
            raise DataError(f"--what {what} is for folders", found=f"{path} is a file", fix=f"ursa show {path}")
        return _patch(path, *patch) if patch is not None else _picture(path, preparation if as_model else None)
    if patch is not None:
        raise DataError("a patch is cut from one picture", found=f"{path} is no file", fix="name a picture")
    what = what or "batch"
    if what not in SUBJECTS:
        raise DataError(f"there is no {what!r} to show", found=what, fix=did_you_mean(what, SUBJECTS))
    if not 1 <= count <= 64:
        raise DataError("a figure holds 1 to 64 pictures", found=count, fix="--count 12")
    catalog = _known(from_folder(path), path, None if workspace is None else Path(workspace))
    files = frozenset(file.resolve() for file in catalog.files())
    if what == "batch":
        return _batch(catalog, files, count, number, preparation if as_model or learned else None, learned)
    with shown(progress) as bar:
        if what == "means":
            return _means(catalog, files, bar)
        catalog = scanned(catalog, bar)
    return _classes(catalog, files) if what == "classes" else _sizes(catalog, files, preparation.size)


def _picture(file: Path, preparation: Preparation | None) -> Shown:
    found = opened(file)
    pixels, words, facts = found.pixels, found.words(), dict(found.facts)
    if preparation is not None and pixels is not None:
        pixels = sandbox.view(file, preparation)
        facts["view"] = preparation.to_json()
        words = f"as a model sees it: {preparation.size} × {preparation.size} px, {preparation.fit}"
    tile = Tile(pixels, file.name, found.facts["problem"], str(file))

    def figure() -> "Figure":
        from ursa.plots.grid import grid

        return grid([tile], 1, "" if pixels is None else words)

    return Shown("picture", facts, (tile,), figure, frozenset([file.resolve()]))


def _patch(file: Path, top: int, left: int) -> Shown:
    from ursa.plots import batch_grid

    found = opened(file)
    if found.pixels is None:
        return _picture(file, None)
    pixels = found.pixels
    values = batch_grid.part_of(pixels, top, left, PATCH)
    facts = {"picture": str(file), "top": top, "left": left, "values": values.tolist(), "problem": None}
    return Shown(
        "patch",
        facts,
        (Tile(values, file.name, None, str(file)),),
        lambda: batch_grid.patch(pixels, top, left, PATCH),
        frozenset([file.resolve()]),
    )


def _batch(
    catalog: Catalog,
    files: frozenset[Path],
    count: int,
    seed: int,
    preparation: Preparation | None,
    recipe: Recipe | None,
) -> Shown:
    tiles = sample(catalog, count, seed, None if recipe else preparation)
    if recipe and preparation:
        tiles = _learned_from(catalog, tiles, preparation, recipe)
    labels = dict(zip(catalog.ids, catalog.rows["label"].to_list(), strict=True))
    listed = [{"picture": tile.id, "label": labels[tile.id or ""], "problem": tile.problem} for tile in tiles]
    facts: dict[str, Any] = {"pictures": len(catalog), "seed": seed, "shown": listed}
    if preparation is not None:
        facts["view"] = preparation.to_json()
    if recipe is not None:
        facts["recipe"] = recipe.to_json()

    def figure() -> "Figure":
        from ursa.plots.grid import grid

        return grid(tiles, None, f"{len(tiles)} of {len(catalog):,} pictures" if len(tiles) < len(catalog) else "")

    return Shown("batch", facts, tuple(tiles), figure, files)


def _learned_from(catalog: Catalog, tiles: list[Tile], preparation: Preparation, recipe: Recipe) -> list[Tile]:
    """The same pictures as a batch of training shows them in its first epoch."""
    import torch

    from ursa.training.augment.mixing import mixed
    from ursa.training.augment.views import augmented, draws
    from ursa.training.batches.picture_batches import in_squares, side_for
    from ursa.training.batches.picture_reader import Pictures

    sound = [tile for tile in tiles if tile.pixels is not None and tile.id is not None]
    if not sound:
        return tiles
    side = side_for(preparation, recipe.augment.min_scale)
    files = [catalog.file(str(tile.id)) for tile in sound]
    source = Pictures(files, [None] * len(files), side, preparation.fit)
    squares, sizes = in_squares([source[row] for row in range(len(files))], side)
    views = augmented(
        torch.from_numpy(squares), sizes, preparation, recipe.augment, draws(recipe.seed, 0, np.arange(len(sound)))
    )
    if recipe.augment.mixup or recipe.augment.cutmix:
        views, _ = mixed(views, torch.zeros(len(views), dtype=torch.long), 1, recipe.augment, recipe.seed, 0, 0)
    shown = {tile.id: replace(tile, pixels=view) for tile, view in zip(sound, views.byte().numpy(), strict=True)}
    return [shown.get(tile.id, tile) for tile in tiles]


def _classes(catalog: Catalog, files: frozenset[Path]) -> Shown:
    from ursa.plots import overview

    sound = len(catalog.readable())
    facts = {"pictures": sound, "unreadable": len(catalog) - sound, "classes": overview.counted(catalog)}
    return Shown("classes", facts, (), lambda: overview.class_counts(catalog), files)


def _sizes(catalog: Catalog, files: frozenset[Path], size: int) -> Shown:
    from ursa.plots import overview

    rows = overview.sound(catalog)
    width, height = (rows[name].to_numpy() for name in ("width", "height"))
    facts = {
        "pictures": len(rows),
        "width": _spread(width),
        "height": _spread(height),
        "megapixels": _spread(width * height / 1e6),
        "model": size,
        "smaller_than_model": int((np.maximum(width, height) < size).sum()),
    }
    return Shown("sizes", facts, (), lambda: overview.sizes(catalog, size=size), files)


def _means(catalog: Catalog, files: frozenset[Path], progress: Progress) -> Shown:
    from ursa.plots import overview

    tiles, note = overview.mean_tiles(catalog, progress=progress)

    def figure() -> "Figure":
        from ursa.plots.grid import grid

        return grid(tiles, None, note)

    colors = {
        tile.id or "": None if tile.pixels is None else (tile.pixels.mean((0, 1)) / 255).round(4).tolist()
        for tile in tiles
    }
    return Shown("means", {"pictures": len(catalog), "means": colors}, tuple(tiles), figure, files)


def _spread(values: Any) -> dict[str, float]:
    low, middle, high = np.quantile(values, (0, 0.5, 1))
    return {"least": float(low), "median": float(middle), "most": float(high)}


def _known(catalog: Catalog, folder: Path, at: Path | None) -> Catalog:
    """The catalog with what the last `ursa check` found, where there was one."""
    return scan.load_scan(catalog, Workspace(at if at is not None else folder / NAME).catalog)
