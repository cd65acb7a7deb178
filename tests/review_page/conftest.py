"""A workspace with findings of every kind that the page tells apart: pictures, a scan, findings; no probe."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from starlette.testclient import TestClient

from ursa.clean.decisions.journal import read_journal
from ursa.clean.kept_findings import read_findings, write_findings
from ursa.clean.wrong_labels.label_audit import DoubtfulLabel, JudgedLabels, LabelAudit
from ursa.core.finding import Finding
from ursa.core.prepare import Preparation
from ursa.core.prepare import resize as by
from ursa.data import scan
from ursa.data.sources.folder_source import from_folder
from ursa.review_page.picture_table import PictureTable
from ursa.review_page.review_app import ReviewActions, review_app
from ursa.review_page.review_pictures import ReviewPictures
from ursa.review_page.review_session import ReviewSession
from ursa.review_page.thumbnail_pack import ThumbnailPack
from ursa.workspace import Workspace

TOKEN = "token-of-these-tests"
PORT = 8765


def scanned(folder):
    """The folder's catalog as a check leaves it in the workspace."""
    catalog = from_folder(folder)
    facts = [scan.read_file(file, Preparation(32), by)[0] for file in catalog.files()]
    space = Workspace.open(folder)
    catalog = scan.with_facts(catalog, facts)
    scan.keep(catalog, space.catalog)
    return catalog, space


def wrong_label(id, given, likely, probability=0.9):
    numbers = {"given": given, "likely": likely, "nearest": {"given": [], "likely": []}}
    return Finding("wrong-label", (id,), probability, f"Labelled {given}.", "Look at it.", numbers)


def audit_of(catalog, doubtful=()):
    """An audit in which these rows are doubtful, and the others sure."""
    rows = list(catalog.usable().rows.select("id", "label").iter_rows())
    wrong = dict(doubtful)
    margins = np.array([1.0 if id in wrong else -4.0 for id, _ in rows])
    likely = tuple(wrong.get(id, next(name for name in catalog.labels.names if name != label)) for id, label in rows)
    labels = dict(rows)
    said = tuple(DoubtfulLabel(id, labels[id], other, 0.7, 0.3, 1.0) for id, other in wrong.items())
    near = tuple({"given": [rows[0][0]], "likely": [rows[-1][0]]} for _ in said)
    return LabelAudit(said, (), near, JudgedLabels(tuple(id for id, _ in rows), margins, likely))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory, picture_folder):
    """What `reviewed` copies for each test."""
    place = tmp_path_factory.mktemp("drawn") / "bears"
    return reviewed_folder(place, picture_folder)


@pytest.fixture
def reviewed(tmp_path, drawn):
    """Everything that a test asks for."""
    folder, _, table = drawn
    folder = shutil.copytree(folder, tmp_path / "bears")
    columns = {name: list(values) for name, values in table.columns.items()}
    rows_of = {key: list(rows) for key, rows in table.rows_of.items()}
    return of(folder, Workspace.of(folder), replace(table, root=folder, columns=columns, rows_of=rows_of))


def reviewed_folder(place, picture_folder):
    """Twelve pictures: two under two classes, three copies of one, a broken one, two suspected, three doubtful."""
    folder = picture_folder(place, {"black": 6, "brown": 6})
    (folder / "brown/copy.jpg").write_bytes((folder / "black/black_000.jpg").read_bytes())
    for name in ("again.jpg", "and_again.jpg"):
        (folder / "black" / name).write_bytes((folder / "black/black_002.jpg").read_bytes())
    (folder / "black/broken.jpg").write_bytes(b"GIF89a, but no more of it")
    catalog, space = scanned(folder)
    copies = ("black/again.jpg", "black/and_again.jpg", "black/black_002.jpg")
    findings = [
        Finding("exact-duplicate", copies, 0.5, "Three identical files.", "Keep one.", {"keep": "black/black_002.jpg"}),
        Finding("same-picture-two-classes", ("black/black_000.jpg", "brown/copy.jpg"), 1.0, "Two labels.", "Look."),
        Finding("not-a-picture", ("black/broken.jpg",), 1.0, "It is no picture.", "Remove it."),
        Finding("imbalance", ("black/black_001.png",), 0.3, "About the data.", "No picture to decide on."),
        Finding("tiny", ("brown/brown_001.png", "brown/brown_002.jpg"), 0.4, "Tiny.", "Look at them."),
        wrong_label("black/black_001.png", "black", "brown"),
        wrong_label("brown/brown_003.png", "brown", "black"),
    ]
    doubtful = [(f"brown/brown_{number:03}.{kind}", "black") for number, kind in ((0, "jpg"), (4, "jpg"), (5, "png"))]
    write_findings(space, findings, audit_of(catalog, doubtful))
    return folder, space, PictureTable.of(catalog)


def of(folder, space, table, **options):
    """Everything that a test asks for, as after a restart of the server."""
    session = ReviewSession(space, table, read_findings(space))
    pictures = ReviewPictures(table, ThumbnailPack(space.root / "review_thumbnails.bin"))
    actions = ReviewActions(lambda dry_run, move: {"dry_run": dry_run, "move": move}, dict)
    app = review_app(session, pictures, actions, TOKEN, about={"folder": folder.name, "path": str(folder)}, **options)
    client = TestClient(app, base_url=f"http://127.0.0.1:{PORT}")
    row = table.row_of.__getitem__

    def decide(*wishes):
        return client.post(f"/{TOKEN}/api/decide", json={"decisions": list(wishes)})

    def view(words=""):
        runs = client.get(f"/{TOKEN}/api/view?{words}").json()["runs"]
        return [number for first, count in runs for number in range(first, first + count)]

    def again(**options):
        return of(folder, space, PictureTable.of(scanned(folder)[0]), **options)

    return SimpleNamespace(
        folder=folder,
        space=space,
        table=table,
        session=session,
        pictures=pictures,
        app=app,
        client=client,
        row=row,
        decide=decide,
        again=again,
        view=view,
        get=lambda path, **more: client.get(f"/{TOKEN}/{path}", **more),
        post=lambda path, **more: client.post(f"/{TOKEN}/{path}", **more),
        journal=lambda: read_journal(space).entries,
    )
