"""Findings -> items: whose pictures can be decided on, in which order, with which suggestion."""

from ursa.clean.kept_findings import KeptFindings, findings_path, read_findings
from ursa.core.finding import Finding
from ursa.review_page.review_items import review_items
from ursa.review_page.review_session import item_json
from ursa.workspace import Workspace


def kinds(items):
    return list(dict.fromkeys(item.kind for item in items))


def test_suspects_come_first_then_what_spoils_results_then_doubts_then_the_rest(reviewed):
    assert kinds(reviewed.session.items) == [
        "wrong-label",
        "same-picture-two-classes",
        "doubtful-label",
        "not-a-picture",
        "exact-duplicate",
        "tiny",
    ]


def test_a_picture_is_an_item_and_copies_are_one(reviewed):
    by_kind = {}
    for item in reviewed.session.items:
        by_kind.setdefault(item.kind, []).append(item)
    assert [len(item.pictures) for item in by_kind["tiny"]] == [1, 1]  # one finding of two pictures
    (copies,) = by_kind["exact-duplicate"]
    assert len(copies.pictures) == 3 and copies.keep == reviewed.row("black/black_002.jpg")
    assert by_kind["same-picture-two-classes"][0].keep is None  # which label is right nobody said
    assert by_kind["wrong-label"][0].likely == "brown"
    assert by_kind["doubtful-label"][0].nearest["likely"] and "imbalance" not in by_kind


def test_of_a_leak_the_held_out_copy_is_to_be_kept(reviewed):
    reviewed.table.columns["split"][:2] = "train", "test"
    leak = Finding("near-leak", tuple(reviewed.table.columns["id"][:2]), 0.8, "Two splits.", "Keep one.")
    (item,) = [one for one in review_items(reviewed.table, KeptFindings((leak,))) if one.kind == "near-leak"]
    assert item.keep == 1


def test_pictures_without_a_label_are_items_that_get_one(reviewed):
    reviewed.table.columns["label"][0] = None
    items = review_items(reviewed.table, KeptFindings())
    assert [(item.kind, item.pictures) for item in items] == [("unlabeled", (0,))]


def test_what_a_check_kept_comes_back_and_only_to_who_kept_it(reviewed, monkeypatch, tmp_path):
    kept = read_findings(reviewed.space)
    assert len(kept.findings) == 7 and len(kept.doubtful) == 3
    assert kept.judged.margins.shape == (len(kept.judged.ids),) and kept.judged.likely
    findings_path(reviewed.space).write_text('{"format": 1, "findings": []}')
    assert read_findings(reviewed.space) is None  # without the seal of this user
    assert read_findings(Workspace(tmp_path / "nowhere")) is None


def test_neighbors_of_an_outlier_are_a_list_and_shown_as_they_are(reviewed):
    ids = reviewed.table.columns["id"]
    finding = Finding("outlier", (ids[0],), 0.9, "Unlike the others.", "Look at it.", {"nearest": [ids[1], "gone.jpg"]})
    reviewed.session.items[:1] = review_items(reviewed.table, KeptFindings((finding,)))[:1]
    shown = item_json(reviewed.session, 0)
    assert [each["id"] for each in shown["nearest"]["all"]] == [ids[1]]
    assert shown["nearest"]["given"] == shown["nearest"]["likely"] == []
