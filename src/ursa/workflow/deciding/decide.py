"""`ursa decide`: pictures, a decision -> the journal; and the decisions that stand so far."""

import getpass
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ursa.clean.decisions.applied import read_applied
from ursa.clean.decisions.corrections import text_of
from ursa.clean.decisions.decision import KINDS, LABELS, MOST_COPIES, MOST_PICTURES, Decision, now
from ursa.clean.decisions.decision_table import WantedDecision, decision_table, kind_word
from ursa.clean.decisions.journal import append, read_journal
from ursa.clean.decisions.standing import latest_of, open_decisions, standing
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
    drawn_from: int = 0,
    workspace: str | Path | None = None,
    pattern: str | None = None,
    table: Mapping[str, str] | None = None,
) -> Decided:
    """Write down what was decided of some pictures. Labels change with `ursa.apply`, files by nothing here.

    pictures: ids in the catalog ("black/7.jpg"), or paths of files. decision: "delete", "label" (to the class `label`),
    "keep" (its label is right), "not-sure", or "undo", which takes back the latest decision of a picture. new_class:
    labels may begin classes. from_file: a CSV file instead, with columns picture, decision, label, why. who: you, by
    default. drawn_from: for a picture that was drawn at random to look at, from how many (see
    `ursa.clean.stopping.when_to_stop`). The others: as of `ursa.check`.

    Decisions are bound to the content of a picture, wherever its file goes. A label holds for all copies of a picture;
    a delete for the file that was named, while other copies of it stay. All is written, or nothing. Raises DataError
    for a picture that is not there, a class that is not there, and where it cannot be written.
    """
    asked = _asked(pictures, decision, label, new_class, why, from_file)
    asked = _drawn(asked, drawn_from, from_file)
    catalog = catalog_of(data, Setup.of(workspace=workspace, pattern=pattern, table=table))
    space = Workspace.open(catalog.root, None if workspace is None else Path(workspace))
    stands = standing(read_journal(space).entries)
    catalog = scan.load_scan(catalog, space.catalog)
    rows = _Rows.of(_hashed(catalog, _ids(catalog, asked, stands)), stands)
    made = rows.decisions(asked, _who(who))
    append(space, made.decisions)
    now_open = open_decisions(standing(read_journal(space).believed()), read_applied(space).decisions)
    return replace(made, open=now_open, journal=space.root / "decisions.jsonl")


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
    pictures: str | Path | Sequence[str | Path],
    decision: str | None,
    label: str | None,
    new_class: bool,
    why: str | None,
    from_file: str | Path | None,
) -> list[WantedDecision]:
    named = [str(one) for one in ([pictures] if isinstance(pictures, str | Path) else pictures)]
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


@dataclass(frozen=True)
class _Rows:
    """What is known of the pictures: hash, label, copies."""

    ids: Mapping[str, str]  # as they were named -> id
    about: Mapping[str, tuple[str | None, Any]]  # id -> hash, label
    same: Mapping[str, list[str]]  # hash -> ids
    classes: frozenset[str]
    task: str
    stands: Sequence[Decision]

    @classmethod
    def of(cls, hashed: tuple[Catalog, Mapping[str, str]], stands: Sequence[Decision]) -> "_Rows":
        catalog, ids = hashed
        chosen = catalog.where(pl.col("id").is_in(list(ids.values())))
        about = {id: (key, label) for id, key, label in chosen.rows.select("id", "sha256", "label").iter_rows()}
        keys = [key for key, _ in about.values() if key is not None]
        same: dict[str, list[str]] = {}
        for id, key in catalog.where(pl.col("sha256").is_in(keys)).rows.select("id", "sha256").iter_rows():
            same.setdefault(key, []).append(id)
        begun = {decided.label for decided in stands if decided.kind == "new-label" and decided.label}
        return cls(ids, about, same, frozenset({*catalog.labels.names, *begun}), catalog.task, stands)

    def decisions(self, asked: Sequence[WantedDecision], who: str) -> Decided:
        """The decisions that are asked for. Raises DataError where one cannot be made, or two contradict each other."""
        when = now()
        made: dict[tuple[str, str], Decision] = {}
        deleted = {self.ids[one.picture] for one in asked if one.kind == "delete"}
        deleted |= {decided.id for decided in self.stands if decided.kind == "delete" and decided.mine}
        begun = {one.label for one in asked if one.kind == "new-label"}
        for wanted in asked:
            decided = replace(self._decided(wanted, deleted, begun), who=who, when=when, why=wanted.why)
            decided = replace(decided, drawn_from=0 if wanted.kind == "undo" else wanted.drawn_from)
            before = made.setdefault(decided.about, decided)
            if (before.kind, before.label) != (decided.kind, decided.label):
                fix = "decide once; identical files have one label" if before.id != decided.id else "decide once"
                raise DataError("two decisions of one picture", found=f"{before.id} and {decided.id}", fix=fix)
        also = {
            decided.id: tuple(id for id in self.same.get(decided.sha256, ()) if id != decided.id)
            for decided in made.values()
        }
        return Decided(tuple(made.values()), {id: others for id, others in also.items() if others})

    def _decided(self, wanted: WantedDecision, deleted: set[str], begun: set[str | None]) -> Decision:
        id = self.ids[wanted.picture]
        at = f"{wanted.where}: " if wanted.where else ""
        key, label = self.about.get(id, (None, None))
        if wanted.kind == "undo":
            return self._undone(id, key, at)
        if key is None:
            raise DataError(f"{at}this file cannot be read", found=id, fix="check who may read it")
        if wanted.kind in LABELS and self.task != "single-label":
            raise DataError(f"{at}a label is set where each picture has one class", found=self.task)
        if wanted.kind == "label" and wanted.label not in self.classes | begun:
            known = self.classes | {name for name in begun if name}
            hint = did_you_mean(wanted.label or "", known) if known else "the pictures have no classes yet"
            raise DataError(f"{at}there is no class {wanted.label!r}", found=hint, fix="to begin it: --new-class")
        stays = wanted.kind == "delete" and not deleted.issuperset(self.same[key])
        others = sorted(other for other in self.same[key] if other != id) if stays else []  # deleted ones may come back
        if len(others) > MOST_COPIES:
            raise DataError(f"{at}too many copies to keep all but this one", found=f"{len(others):,} of {id}")
        return Decision(key, wanted.kind, id, wanted.label, text_of(label), tuple(others))

    def _undone(self, id: str, key: str | None, at: str) -> Decision:
        of_content = [one for one in self.stands if one.sha256 == key or (key is None and one.id == id)]
        latest = latest_of(of_content, of_content[0].sha256, id) if of_content else None
        if latest is None:
            raise DataError(f"{at}nothing is decided of this picture", found=id, fix="ursa decide FOLDER --list")
        return Decision(latest.sha256, "undo", id, undoes=latest.key)


def _who(given: str | None) -> str:
    """The name of whoever decides."""
    if given is not None:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container without users
        return ""
