"""From a flat folder to a trained classifier, by the session that a page drives and by commands."""

import json
import shutil

import numpy as np
import pytest

from ursa.data.samples import BEARS, bears
from ursa.errors import DataError
from ursa.workflow.check import check
from ursa.workflow.deciding.apply import apply
from ursa.workflow.deciding.decide import decide, decisions
from ursa.workflow.labeling.labeling import Labeling
from ursa.workflow.train import train


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """54 bears of three colors in one folder, the color in the name."""
    place = tmp_path_factory.mktemp("flat")
    bears(place / "drawn", each=18)
    (place / "flat").mkdir()
    for picture in sorted((place / "drawn" / "bears").rglob("*.jpg")):
        shutil.copy(picture, place / "flat")
    return place / "flat"


@pytest.fixture
def folder(flat, tmp_path):
    return shutil.copytree(flat, tmp_path / "flat")


def color(id):
    return id.split("_")[0]


def answered(session, row):
    """A person: the color of most, and the others taken out."""
    colors = [color(id) for id in row.ids]
    most = max(sorted(set(colors)), key=colors.count)
    return session.label(row, most, removed=[id for id in row.ids if color(id) != most])


def test_from_a_flat_folder_to_a_trained_classifier(folder):
    session, shown, clicks = Labeling.open(folder, backbone="pixels", progress=False), set(), 0
    while rows := session.next_rows():
        assert len({id for row in rows for id in row.ids}) == sum(len(row.ids) for row in rows)
        for row in rows:
            shown.add(row.purpose)
            session = answered(session, row)
            colors = [color(id) for id in row.ids]
            clicks += 1 + len(colors) - max(map(colors.count, colors))
    assert shown >= {"alike", "teach"}
    assert clicks < 54
    known = session.progress()
    assert known.left == 0 and known.classes == dict.fromkeys(BEARS, 18) and known.expected.judges == 54
    assert "54 pictures labeled, 0 to go. A classifier would be right in about" in known.sentence
    assert json.loads(json.dumps(known.to_json()))["labeled"] == 54

    applied = apply(folder, progress=False)
    assert applied.new_classes == tuple(sorted(BEARS)) and applied.effect == "there were no labels before"
    checked = check(folder, backbone="pixels", progress=False)
    assert checked.catalog.counts() == dict.fromkeys(sorted(BEARS), 18)
    assert checked.accuracy.value == known.expected.now.value  # once all are labeled, both are one
    trained = train(folder, backbone="pixels", epochs=0, out=folder.parent / "flat.ursa", progress=False)
    assert sum(trained.pictures.values()) == 54 and trained.bundle.exists()


def test_a_session_goes_on_where_the_journal_ends_and_shows_nothing_twice(folder):
    session = Labeling.open(folder, backbone="pixels", progress=False)
    first = session.next_rows(3)
    session = answered(session, first[0])
    session.not_sure(first[1].ids)
    decide(folder, first[2].ids[0], "delete")
    done = {*first[1].ids, first[2].ids[0], *(one.id for one in decisions(folder).decisions)}
    again = Labeling.open(folder, backbone="pixels", progress=False)
    assert not done & {id for row in again.next_rows(8) for id in row.ids}
    assert again.progress().labeled == sum(one.label is not None for one in decisions(folder).decisions)
    assert "can be told from 20" in again.progress().sentence


def test_after_some_labels_it_asks_where_it_is_unsure_and_some_by_chance(folder):
    session = Labeling.open(folder, backbone="pixels", progress=False)
    order = session.catalog.rows.sort("sha256")["id"].to_list()
    for name in BEARS:
        session = session.label([id for id in order[27:] if color(id) == name], name)
    rows = session.next_rows()
    assert rows[0].purpose == "judge" and rows[0].ids == (order[0],)  # of all, the first in the order of hashes
    teach = [row for row in rows if row.purpose == "teach"]
    assert teach and all(row.likely in BEARS and len(row.ids) == 1 for row in teach)
    assert {row.purpose for row in rows} == {"judge", "teach"}
    rows = session.next_rows(finish=True)
    confirm = [row for row in rows if row.purpose == "confirm"]
    assert confirm and all(row.probability >= 0.9 for row in confirm)
    assert np.mean([color(id) == row.likely for row in confirm for id in row.ids]) > 0.8
    assert len({id for row in rows for id in row.ids}) == sum(len(row.ids) for row in rows)


def test_a_session_and_a_check_learn_from_what_has_no_label(folder):
    session = Labeling.open(folder, backbone="pixels", progress=False)
    for name in BEARS:
        session = session.label([id for id in session.catalog.ids if color(id) == name][:8], name)
    apply(folder, progress=False)
    checked = check(folder, backbone="pixels", progress=False)
    assert checked.catalog.counts() == dict.fromkeys(sorted(BEARS), 8)
    assert "also of 30 pictures without labels" in checked.accuracy.method
    assert session._now().fit().unlabeled == 30


def test_begun_classes_are_learned_from_and_mistakes_are_refused(folder):
    (folder / "black").mkdir()
    (folder / "white").mkdir()
    for number in range(8):
        for name in ("black", "white"):
            shutil.move(folder / f"{name}_{number:03}.jpg", folder / name)
    session = Labeling.open(folder, backbone="pixels", progress=False)
    assert session.progress().labeled == 16 and session.progress().classes == {"black": 8, "white": 8}
    row = session.next_rows()[0]
    assert all("/" not in id for id in row.ids)
    with pytest.raises(DataError, match="taken out"):
        session.label(row, "black", removed=["black/black_000.jpg"])
    with pytest.raises(DataError, match="name"):
        session.label(row, " ")
    with pytest.raises(DataError, match="no such picture"):
        session.label("gone.jpg", "black")


def test_a_table_of_labels_begins_classes_where_that_is_said(folder, tmp_path):
    ids = sorted(path.name for path in folder.glob("*.jpg"))
    table = tmp_path / "labels.csv"
    table.write_text("picture,label\n" + "".join(f"{id},{color(id)}\n" for id in ids))
    with pytest.raises(DataError, match="no class") as refused:
        decide(folder, from_file=table)
    assert "no classes yet" in str(refused.value)
    assert len(decide(folder, from_file=table, new_class=True).decisions) == 54
    assert sorted(apply(folder, progress=False).new_classes) == sorted(BEARS)
