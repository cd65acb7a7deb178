"""`ursa review`: pictures -> the page on which people look at what the check found, and decide. No torch, unless the
check has still to be made."""

import contextlib
import gc
import shlex
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ursa import sandbox
from ursa.clean.decisions.applied import read_applied
from ursa.clean.kept_findings import KeptFindings
from ursa.core.progress import Progress
from ursa.core.progress_display import shown
from ursa.core.text import counted
from ursa.data.catalog import Catalog
from ursa.errors import DataError
from ursa.prepared import last_setup
from ursa.prepared.setup import Setup, catalog_of
from ursa.review_page.access import Ticket, new_token
from ursa.review_page.picture_table import PictureTable
from ursa.review_page.review_app import LabelRows, ReviewActions, review_app
from ursa.review_page.review_pictures import ReviewPictures
from ursa.review_page.review_server import ReviewServer, local_socket
from ursa.review_page.review_session import ReviewSession
from ursa.review_page.thumbnail_pack import ThumbnailPack
from ursa.workflow.deciding.apply import apply, revert
from ursa.workflow.deciding.decide import decisions
from ursa.workflow.deciding.last_check import last_check
from ursa.workflow.deciding.notebook_frame import frame_hosts, in_notebook, notebook_proxy, show_frame
from ursa.workflow.results.applied_decisions import estimate_left
from ursa.workflow.results.decided import DecisionList
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.prepared.setup import Data
    from ursa.workflow.labeling.labeling import Labeling


class Review:
    """The page, being served. In a notebook its last value is shown as a frame, with a link beneath."""

    def __init__(
        self, data: "Data", session: ReviewSession, server: ReviewServer, at: Path | None, proxy: str | None = None
    ) -> None:
        self.data, self.at = data, at
        self._session, self._server, self._proxy = session, server, proxy
        self.url = server.url  # for a browser on this machine

    @property
    def saved(self) -> int:
        """Decisions that came from the page so far."""
        return self._session.saved

    def decisions(self) -> DecisionList:
        """Those that stand, whoever made them."""
        return decisions(self.data, workspace=self.at)

    def wait(self) -> None:
        """Until `stop`, or Ctrl-C."""
        self._server.wait()

    def stop(self) -> None:
        """Ends the server; what was saved stays saved."""
        self._server.stop()

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa review --json`."""
        state = self._session.progress()
        applied = read_applied(self._session.space).decisions
        return {
            "address": self.url,
            "decisions": self.saved,
            "applied": len(applied),
            "reverted": 0,
            "estimate_left": estimate_left(self._session.advice() if self._session.judges else None),
            "items": state["items"],
            "decided": state["decided"],
        }

    def _ipython_display_(self) -> None:
        """IPython: the frame."""
        show_frame(self.url, self._server.port, self._proxy)


def review(
    data: "Data",
    *,
    port: int = 0,
    browser: bool = False,
    workspace: str | Path | None = None,
    backbone: str | None = None,
    weights: str | Path | None = None,
    pattern: str | None = None,
    table: Mapping[str, str] | None = None,
    proxy: str | None = None,
    progress: Progress | bool | None = None,
) -> Review:
    """Serve the page on which what `ursa.check` found is looked at and decided, to this machine alone.

    Where these pictures were not checked yet, that is done first. port 0 takes any free one. browser: open one;
    a notebook shows the page itself. proxy: where the notebook's server shows ports of the kernel's machine, for a
    browser on another one: "/user/NAME/proxy" with jupyter-server-proxy; JupyterHub's is found. The others: as of
    `ursa.check`, for the check.

    Decisions are saved as they are made, and nothing changes before they are applied. Raises DataError as `ursa.check`,
    and for a port that is taken.
    """
    at = None if workspace is None else Path(workspace)
    proxy = notebook_proxy(proxy)
    listener = local_socket(port)  # a port that is taken is told before a check that takes minutes
    try:
        options = {"backbone": backbone, "weights": weights, "pattern": pattern, "table": table}
        space, pictures, kept = _checked(data, at, progress, **options)
        with _uncollected():
            session = ReviewSession(space, pictures, kept)
        ticket = Ticket()
        server = _served(data, session, {"workspace": at, "pattern": pattern, "table": table}, listener, ticket, proxy)
    except BaseException:
        listener.close()
        raise
    if browser:
        threading.Thread(target=webbrowser.open, args=(server.once(ticket.path),), daemon=True).start()
    return Review(data, session, server, at, proxy)


def _served(
    data: "Data",
    session: ReviewSession,
    read: Mapping[str, Any],
    listener: socket.socket,
    ticket: Ticket,
    proxy: str | None,
) -> ReviewServer:
    """read: how the pictures are read, and their workspace."""
    thumbnails = ThumbnailPack(session.space.root / "review_thumbnails.bin")
    token, place = new_token(), session.table.root.resolve()
    named = {"folder": place.name or str(place), "path": str(place), "user": session.user}
    application = review_app(
        session,
        ReviewPictures(session.table, thumbnails),
        _actions(data, read),
        token,
        about={**named, **_commands(data, read["workspace"]), "notebook": in_notebook()},
        framed=in_notebook(),
        allowed_hosts=frame_hosts(proxy),
        ticket=ticket,
    )
    threading.Thread(target=sandbox.prepare, daemon=True).start()  # the first picture need not wait for it
    threading.Thread(target=_compare, args=(data, read, session), daemon=True).start()
    return ReviewServer(application, token, listener)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Inside no garbage is looked for: that takes longer than to read 50,000 findings (0.9 s against 0.3)."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _checked(
    data: "Data", at: Path | None, progress: Progress | bool | None, **options: Any
) -> tuple[Workspace, PictureTable, KeptFindings]:
    """What the last check found of these pictures; checks them, as the last time, where there is none."""
    place = data.root if isinstance(data, Catalog) else Path(data)
    if not place.exists():
        raise DataError(f"there is no folder {place}", fix="name the folder of pictures")
    known = {} if isinstance(data, Catalog) else last_setup.recall(data, at)
    given = {name: value for name, value in options.items() if value is not None}
    as_before = bool(known) and all(str(known.get(name)) == str(value) for name, value in given.items())
    if given.keys() & {"backbone", "weights"}:  # weights are those of one backbone
        known = {name: value for name, value in known.items() if name not in ("backbone", "weights")}
    asked = {**known, **given}
    root = place if place.is_dir() else catalog_of(data, Setup.of(table=asked.get("table"))).root
    found = _stored(root, at) if as_before else None
    if found is None:
        with shown(progress) as bar:
            from ursa.workflow.check import check

            check(data, workspace=at, progress=bar, **asked)
        found = _stored(root, at)
    if found is None:
        raise DataError("what the check found cannot be read again", fix="name another place with --workspace DIR")
    return found


def _stored(root: Path, at: Path | None) -> tuple[Workspace, PictureTable, KeptFindings] | None:
    space = Workspace.open(root, at)
    with _uncollected():
        found = last_check(space, root)
    return None if found is None else (space, *found)


def _compare(data: "Data", read: Mapping[str, Any], session: ReviewSession) -> None:
    """Has pages say so where there are other pictures by now than those that were checked."""
    try:
        now = set(catalog_of(data, Setup.of(**_as_read(data, read))).ids)
    except DataError:  # the folder has gone, as pages say of each of its pictures
        return
    before = set(session.table.row_of)
    added, gone = len(now - before), len(before - now)
    words = [f"{counted(added, 'picture')} added"] * bool(added) + [f"{counted(gone, 'picture')} gone"] * bool(gone)
    if words:
        again = _commands(data, read.get("workspace"))["check_command"]
        session.notice = f"Since the check: {', '.join(words)}. {again} looks again."


def _as_read(data: "Data", read: Mapping[str, Any]) -> dict[str, Any]:
    """How the pictures were read last, unless it is said otherwise now."""
    known = {name: value for name, value in read.items() if value is not None}
    if isinstance(data, Catalog):
        return known
    remembered = last_setup.recall(data, known.get("workspace"))
    return {name: remembered[name] for name in ("pattern", "table") if name in remembered} | known


def _actions(data: "Data", read: Mapping[str, Any]) -> ReviewActions:
    """What the page's buttons do. One at a time: `apply` has a lock of its own."""
    known = _as_read(data, read)

    def carry_out(dry_run: bool, move: bool) -> Mapping[str, Any]:
        result = apply(data, dry_run=dry_run, move=move, progress=False, **known)
        effect = result.effect if isinstance(result.effect, str) else result.effect.sentence
        return {**result.to_json(), "effect_words": effect}

    def take_back() -> Mapping[str, Any]:
        return revert(data, workspace=known.get("workspace"), progress=False).to_json()

    return ReviewActions(carry_out, take_back, _rows(data, read))


def _rows(data: "Data", read: Mapping[str, Any]) -> Callable[[Sequence[tuple[int, int]], bool], LabelRows]:
    """What to label next. The session is opened when the first row is asked for: its embeddings are in the store."""
    lock = threading.Lock()
    opened: list[Labeling] = []

    def next_rows(outcomes: Sequence[tuple[int, int]], finish: bool = False) -> LabelRows:
        from ursa.workflow.labeling.labeling import Labeling

        with lock:
            if not opened:
                known = {} if isinstance(data, Catalog) else last_setup.recall(data, read.get("workspace"))
                set_up = {name: known[name] for name in ("backbone", "weights") if name in known}
                opened.append(Labeling.open(data, progress=False, **set_up, **_as_read(data, read)))
            session = replace(opened[0], outcomes=tuple(outcomes))
            rows = [(row.ids, row.purpose, row.likely) for row in session.next_rows(finish=finish)]
            return LabelRows(rows, session.progress().sentence)

    return next_rows


def _commands(data: "Data", at: Path | None) -> dict[str, str]:
    """What to type next, as the page names it."""
    place = str(data.root if isinstance(data, Catalog) else data)
    more = [] if at is None else ["--workspace", str(at)]
    named = {"command": "review", "check_command": "check", "train_command": "train"}
    return {name: shlex.join(["ursa", command, place, *more]) for name, command in named.items()}
