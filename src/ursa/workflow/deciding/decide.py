"""`ursa decide`: pictures, a decision -> the journal; and the decisions that stand so far."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from ursa.clean.decisions.applied import read_applied
from ursa.clean.decisions.decision import KINDS, LABELS, MOST_PICTURES, Decision
from ursa.clean.decisions.decision_table import WantedDecision, decision_table, kind_word
from ursa.clean.decisions.duplicate_decisions import wanted_of_duplicates
from ursa.clean.decisions.journal import append, read_journal
from ursa.clean.decisions.known_pictures import KnownPictures, user_name
from ursa.clean.decisions.standing import open_decisions, standing
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.errors import DataError, did_you_mean
from ursa.prepared.last_setup import workspace_of
from ursa.prepared.setup import Setup, catalog_of
from ursa.workflow.results.decided import Decided, DecisionList
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.prepared.setup import Data

SEARCHED = 2_000  # ids among which a mistyped one is looked for


def decide(
    data: "Data",
    pictures: str | Path | Sequence[str | Path] = (),
    decision: str | None = None,
    *,
    label: str | None = None,
    new_class: bool = False,
    why: str | None = None,
    who: str | None = None,
    from_file: str | Path | None = None,
    duplicates: bool = False,
    drawn_from: int = 0,
    workspace: str | Path | None = None,
    pattern: str | None = None,
    table: Mapping[str, str] | None = None,
) -> Decided:
    """Write down what was decided of some pictures. Labels change with `ursa.apply`, files by nothing here.

    pictures: ids in the catalog ("black/7.jpg"), or paths of files. decision: "delete", "label" (to the class `label`),
    "keep" (its label is right), "not-sure", or "undo", which takes back the latest decision of a picture. new_class:
    labels may begin classes. from_file: a CSV file instead, with columns picture, decision, label, why. duplicates:
    instead delete all but one of each group of identical files; groups with different labels are left to you. who:
    you, by default. drawn_from: for a picture that was drawn at random to look at, from how many (see
    `ursa.clean.stopping.when_to_stop`). The others: as of `ursa.check`.

    Decisions are bound to the content of a picture, wherever its file goes. A label holds for all copies of a picture;
    a delete for the file that was named, while other copies of it stay. All is written, or nothing. Raises DataError
    for a picture that is not there, a class that is not there, and where it cannot be written.
    """
    named = [str(one) for one in ([pictures] if isinstance(pictures, str | Path) else pictures)]
    if duplicates and (named or decision or label or new_class or from_file is not None or drawn_from):
        raise DataError("duplicates are decided alone", found="more beside it", fix="leave out the rest")
    asked = (
        [] if duplicates else _drawn(_asked(named, decision, label, new_class, why, from_file), drawn_from, from_file)
    )
    catalog = catalog_of(data, Setup.of(workspace=workspace, pattern=pattern, table=table))
    space = Workspace.open(catalog.root, None if workspace is None else Path(workspace))
    stands = standing(read_journal(space).entries)
    catalog = scan.load_scan(catalog, space.catalog)
    if duplicates:
        catalog = scan.hashed(catalog)
        asked = wanted_of_duplicates(catalog, stands, why)
    catalog, ids = _hashed(catalog, _ids(catalog, asked, stands))
    known = _known(catalog, ids, stands)
    made = known.decisions(asked, user_name(who))
    append(space, made)
    now_open = open_decisions(standing(read_journal(space).believed()), read_applied(space).decisions)
    return Decided(tuple(made), _copies(made, known.same), now_open, space.root / "decisions.jsonl")


def decisions(data: str | Path | Catalog, *, workspace: str | Path | None = None) -> DecisionList:
    """The decisions that stand for these pictures, whoever made them, and which of them were applied. Reads only."""
    place = data.root if isinstance(data, Catalog) else data
    if not isinstance(data, Catalog) and not Path(data).exists():
        raise DataError(f"there is no folder {data}", fix="name the folder of pictures")
    space = workspace_of(place, None if workspace is None else Path(workspace))
    journal, applied = read_journal(space), read_applied(space)
    own = standing(journal.believed())
    still_open = open_decisions(own, applied.decisions)
    return DecisionList(standing(journal.entries), applied.decisions, still_open, journal.others, journal.damaged)


def _asked(
    named: Sequence[str],
    decision: str | None,
    label: str | None,
    new_class: bool,
    why: str | None,
    from_file: str | Path | None,
) -> list[WantedDecision]:
    if from_file is not None:
        if named or decision or label or why:
            raise DataError("a file of decisions says all of it", found="more beside it", fix="name one or the other")
        table = decision_table(from_file)
        return [replace(one, kind="new-label") if new_class and one.kind == "label" else one for one in table]
    kind = kind_word(decision) if decision is not None else "label" if label is not None else ""
    if not kind:
        raise DataError("nothing is decided", fix=f"one of {', '.join(KINDS)}")
    if not named:
        raise DataError("no picture is named", fix="name the pictures that this is decided of")
    if kind == "new-label" or new_class:
        kind, new_class = ("new-label" if kind in LABELS else kind), True
    if (kind in LABELS) != (label is not None) or (new_class and kind not in LABELS):
        what = f"{kind} and a label do not go together" if label else f"{kind} needs a label"
        raise DataError(what, fix="name the class with a label, and with nothing else")
    if label is not None and (not label.strip() or "\0" in label):
        raise DataError("a class needs a name", found=repr(label), fix="name one")
    return [WantedDecision(name, kind, label, why) for name in named]


def _drawn(asked: list[WantedDecision], drawn_from: int, from_file: str | Path | None) -> list[WantedDecision]:
    """The same, marked as drawn at random where it was."""
    if drawn_from and (from_file is not None or len(asked) > 1 or not 0 < drawn_from <= MOST_PICTURES):
        raise DataError(
            "one picture at a time is drawn at random", found=f"drawn_from={drawn_from!r}", fix="leave it out"
        )
    return [replace(one, drawn_from=drawn_from) for one in asked]


def _ids(catalog: Catalog, asked: Sequence[WantedDecision], stands: Sequence[Decision]) -> dict[str, str]:
    """The id of each picture that is asked for. Raises DataError for one that is none of the catalog."""
    ids, root = set(catalog.ids), Path(os.path.abspath(catalog.root))  # noqa: PTH100  # links stay what they are
    by_path = dict(catalog.rows.select("path", "id").iter_rows())
    gone = {decided.id for decided in stands}
    found = {}
    for wanted in asked:
        name = wanted.picture
        below = os.path.relpath(os.path.abspath(name), root).replace(os.sep, "/") if "\0" not in name else name  # noqa: PTH100
        id = name if name in ids else by_path.get(below)
        if id is None and wanted.kind == "undo":
            id = next((each for each in (name, below) if each in gone), None)
        if id is None:
            at = f"{wanted.where}: " if wanted.where else ""
            fix = "name it as `ursa check` does, from the folder: class/picture.jpg"
            raise DataError(f"{at}no such picture in {catalog.root}", found=name, fix=_near(name, ids) or fix)
        found[name] = id
    return found


def _near(name: str, ids: set[str]) -> str | None:
    same = [id for id in ids if id.rpartition("/")[2] == Path(name).name][:1]
    hint = f"did you mean {same[0]!r}?" if same else did_you_mean(name, ids) if len(ids) <= SEARCHED else ""
    return hint if hint.startswith("did") else None


def _hashed(catalog: Catalog, ids: Mapping[str, str]) -> tuple[Catalog, Mapping[str, str]]:
    """The catalog with the hashes of these pictures, and of what may be copies of them: files of the same size."""
    chosen = catalog.where(pl.col("id").is_in(list(ids.values())))
    maybe = pl.col("bytes").is_null() | pl.col("bytes").is_in(chosen.rows["bytes"].to_list())
    unknown = catalog.where(pl.col("sha256").is_null() & maybe)
    hashes = dict(scan.hashed(unknown).rows.select("id", "sha256").iter_rows())
    if hashes:
        found = pl.col("id").replace_strict(hashes, default=None, return_dtype=pl.String)
        catalog = catalog.with_columns(sha256=pl.coalesce("sha256", found))
    return catalog, ids


def _known(catalog: Catalog, ids: Mapping[str, str], stands: Sequence[Decision]) -> KnownPictures:
    """ids: as they were named -> id."""
    chosen = catalog.where(pl.col("id").is_in(list(ids.values())))
    about = {id: (key, label) for id, key, label in chosen.rows.select("id", "sha256", "label").iter_rows()}
    keys = [key for key, _ in about.values() if key is not None]
    same: dict[str, list[str]] = {}
    for id, key in catalog.where(pl.col("sha256").is_in(keys)).rows.select("id", "sha256").iter_rows():
        same.setdefault(key, []).append(id)
    begun = {decided.label for decided in stands if decided.kind == "new-label" and decided.label}
    return KnownPictures(ids, about, same, frozenset({*catalog.labels.names, *begun}), catalog.task, stands)


def _copies(made: Sequence[Decision], same: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    """Of the pictures that were decided on, the other files with these bytes."""
    also = {one.id: tuple(id for id in same.get(one.sha256, ()) if id != one.id) for one in made}
    return {id: others for id, others in also.items() if others}
