"""Pages are one file each, hold what was found, and let nothing of a file's name through as markup."""

import base64
import dataclasses
import hashlib
import html
import json
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ursa.core import statistics
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.diagnose.abstain import thresholds_for
from ursa.diagnose.calibration import reliability
from ursa.diagnose.gaps import gaps
from ursa.diagnose.more_data.more_pictures import MorePictures, more_pictures
from ursa.diagnose.report import MistakeMaps, ReportInfo, check_page, evaluation_page, train_page
from ursa.diagnose.report.finding_groups import GROUPS

NASTY = "<script>alert(1)</script>&\"'"
EPOCHS = [
    {"epoch": 0, "accuracy": 0.5, "valid_loss": 1.0},
    {"epoch": 1, "accuracy": 0.6, "valid_loss": 0.9, "train_loss": 0.8},
    {"epoch": 2, "accuracy": 0.7, "valid_loss": 0.8, "train_loss": 0.7},
]
KEPT = Finding("fine-tuning-kept", (), 0.9, "It won.", "Use it.")
INFO = ReportInfo("ursa check pets", ("pets",), "pixels", "pets.ursa", datetime(2026, 11, 28, 9, 5))


@pytest.fixture(scope="module")
def pages(page_of, judged, embeddings):
    """One of each kind, with everything on it."""
    finding = Finding("near-duplicate", ("cat/cat_000.jpg", "cat/cat_002.jpg"), 0.5, "Alike.", "Keep one.")
    about = {"embeddings": embeddings, "info": INFO}
    return {
        "check": page_of([finding], judged=judged, **about),
        "train": train_page(EPOCHS, KEPT, judged, [finding], finding, **about),
        "evaluation": evaluation_page(judged, judged.accuracy, [], {"x.jpg": "truncated"}, INFO, "ursa error-analysis"),
    }


@pytest.mark.parametrize("kind", ["check", "train", "evaluation"])
def test_a_page_asks_for_nothing_is_well_formed_and_its_links_lead_somewhere(pages, parsed, kind):
    page = parsed(pages[kind])
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert all(link.startswith("#") for link in page.links)
    assert all(image["src"].startswith("data:image/") for image in page.images if "src" in image)
    assert not re.search(r"(?:src|href)=\"?(?!data:|#)[^\" >]", pages[kind].partition("<script")[0])
    assert "url(" not in re.sub(r'url\("data:[^"]*"\)', "", pages[kind])


@pytest.mark.parametrize("kind", ["check", "train", "evaluation"])
def test_its_policy_lets_its_own_script_run_and_nothing_else(pages, kind):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', pages[kind])[1]
    scripts = re.findall(r"<script>(.*?)</script>", pages[kind], re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert len(scripts) == 1 and f"script-src 'sha256-{digest}'" in policy and policy.startswith("default-src 'none'")
    assert pages[kind].count("<script") == 2  # and the data that it reads


def test_the_first_screen_says_verdict_accuracy_what_next_and_where_it_comes_from(pages, parsed):
    text = parsed(pages["check"]).text
    head = text[: text.index("Recall:")]
    assert "79 % accuracy, between 52 and 92 %" in head
    assert "What to do next" in head and "ursa train pets" in head
    for fact in ("pets", "14", "pixels", "28 November 2026, 09:05", "ursa check pets"):
        assert fact in head
    assert "can reach" not in text  # which is not what a probe measures


def test_names_are_escaped_everywhere(page_of, judged):
    finding = Finding(NASTY, (NASTY,), 0.5, NASTY, NASTY)
    labels = Labels((NASTY, "dog"))
    nasty = dataclasses.replace(
        judged,
        labels=labels,
        catalog=judged.catalog.with_columns(
            label=pl.when(pl.col("label") == "cat").then(pl.lit(NASTY)).otherwise("label")
        ),
    )
    page = page_of([finding], labels=labels, judged=nasty, info=dataclasses.replace(INFO, command=NASTY))
    assert page.count("<script") == 2 and "alert(1)" in page
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert NASTY in {row[1] for row in data["sheet"]["rows"]}  # the sheet is of the labels as they are


def test_what_is_invisible_or_turns_a_line_around_is_seen_as_its_code(page_of):
    name = "a\x1b[2J\x9b\u202e\ud800\n"
    page = page_of([Finding(name, (name,), 0.5, name, name)], labels=Labels((name, "dog")))
    page.encode()  # a lone surrogate could not be written
    assert not {"\x1b", "\x9b", "\u202e"} & set(page)
    assert "a\\x1b[2J\\x9b\\u202e\\ud800\\x0a" in page


def test_mistakes_come_by_their_loss_with_what_is_given_and_what_is_predicted(pages, parsed):
    for kind in ("check", "train", "evaluation"):
        text = parsed(pages[kind]).text
        part = text[text.index("Mistakes of") :]
        places = [part.index(f"label cat predicted dog {sure}") for sure in ("95", "60")]
        assert places == sorted(places) and "label dog predicted cat 70" in part


def test_a_training_page_says_what_is_kept_and_draws_both_curves(pages, parsed):
    assert (
        "The fine-tuned model is kept: it gets about 79 of 100 held-out pictures right." in parsed(pages["train"]).text
    )
    assert pages["train"].count('<polyline class="line0"') == 2
    assert parsed(pages["train"]).text.count("held-out pictures") <= 3


def test_a_fault_of_the_training_leads_the_page(judged, parsed):
    fault = Finding("poor-split", (), 0.9, "The learning rate is too high.", "Use --lr 0.0001.")
    text = parsed(train_page(EPOCHS, KEPT, judged, training=fault, gaps=gaps((4, 500), (60, 200)))).text
    assert text.index("The learning rate is too high.") < text.index("What to do next") < text.index("Use --lr 0.0001")
    assert (
        "Where the error comes from" in text
        and "Reduce variance: more pictures" in text
        and "ursa download LIST.txt --to FOLDER" in text
    )


def test_a_picture_that_has_gone_does_not_break_the_page(tmp_path, picture_folder, page_of, copies):
    from ursa.data.sources.folder_source import from_folder

    catalog = from_folder(picture_folder(tmp_path, {"cat": 3, "dog": 2}))
    (catalog.root / "cat/cat_000.jpg").unlink()
    page = page_of([copies], catalog=catalog)
    assert "no longer readable" in page and page.count("data:image/webp") == 1


@pytest.mark.parametrize(
    ("kind", "pictures", "names"), [("near-duplicate", 2, 2), ("truncated", 0, 2), ("imbalance", 0, 0)]
)
def test_pictures_are_shown_files_named_and_of_the_data_as_a_whole_neither(page_of, kind, pictures, names):
    page = page_of([Finding(kind, ("cat/cat_000.jpg", "cat/cat_002.jpg"), 0.5, "Evidence.", "Advice.")])
    part = page[page.index(f'id="finding-{kind}"') :].partition("</section>")[0]
    named = part.count("<code") - part.count('class="command"')
    assert (part.count("data:image/webp"), named) == (pictures, names)
    assert "Evidence." in part and "Advice." in part
    assert ("ursa review" in part) == (kind != "imbalance")  # on which page to decide about them


def test_findings_of_a_kind_are_one_group_and_each_sentence_stands_once(page_of, parsed):
    many = [
        Finding("exact-duplicate", (f"cat/cat_00{n % 8}.{'jpg' if n % 2 == 0 else 'png'}",), 0.5, "Twice.", "Keep one.")
        for n in range(GROUPS + 3)
    ]
    text = parsed(page_of([*many, Finding("leak", (), 0.9, "In both.", "Keep it in one.")])).text
    assert text.index("Pictures in two splits 1") < text.index(f"Exact duplicates {GROUPS + 3}")
    assert text.count("Twice.") == 1 and text.count("Keep one.") == 1 and f"Twice. {GROUPS + 3} times" in text
    assert "3 more" in text


def test_unreadable_files_are_counted_apart(catalog, page_of, parsed):
    rows = catalog.rows.with_columns(problem=pl.when(pl.col("id") == "cat/cat_000.jpg").then(pl.lit("truncated: x")))
    text = parsed(page_of(catalog=dataclasses.replace(catalog, rows=rows))).text
    assert "13, 1 file left out: cannot be read" in text


def test_top_losses_show_where_the_model_looks_and_say_what_that_is(judged, parsed):
    surest = judged.catalog.ids[2]
    maps = MistakeMaps({surest: np.full((64, 64, 3), 200, np.uint8)}, "Warm where the <model> sees it.")
    page = parsed(train_page(EPOCHS, KEPT, judged, maps=maps))
    (seen,) = [image for image in page.images if image.get("class") == "seen"]
    assert seen["alt"] == f"where the model sees dog in {surest}" and seen["src"].startswith("data:image/webp;base64,")
    assert "Warm where the <model> sees it." in page.text
    assert not [image for image in parsed(train_page(EPOCHS, KEPT, judged)).images if image.get("class") == "seen"]


def test_contradictions_are_to_be_mended_before_any_figure_is_believed(page_of, parsed):
    finding = Finding(
        "same-picture-two-classes", ("cat/cat_000.jpg", "dog/dog_000.jpg"), 1.0, "Both.", "Keep that file."
    )
    text = parsed(page_of([finding])).text
    assert "Mend the data first: 1 picture under two classes" in text
    assert text.index("Mend 1 picture under two classes") < text.index("Train a model")


def test_without_labels_there_is_no_figure_and_without_findings_that_is_said(catalog, parsed):
    accuracy = statistics.Estimate(float("nan"), 0.0, 1.0, "not probed: the pictures have no labels", share=True)
    rows = catalog.rows.with_columns(label=pl.lit(None, pl.String))
    bare = dataclasses.replace(catalog, rows=rows)
    text = parsed(check_page(bare, Labels(()), [], accuracy, np.zeros((0, 0), np.int64))).text
    assert "Not probed: the pictures have no labels." in text and "nan" not in text.lower().split()
    assert "Nothing was found" in text and "Recall:" not in text


def test_a_check_page_says_what_more_pictures_bring_and_when_to_answer(page_of, curve_of, parsed):
    curve = curve_of(lambda n: 0.02 + 3 * n**-0.5)
    more = more_pictures(curve, Labels((NASTY, "dog")), curve.right[-1, 0])
    probabilities = np.tile([[0.9, 0.1]], (400, 1)).astype(np.float32)
    given = np.zeros(400, np.int64)
    page = page_of(
        more.findings(),
        more_pictures=more,
        calibration=reliability(probabilities, given),
        thresholds=thresholds_for(probabilities, given),
    )
    text = parsed(page).text
    assert html.escape(str(more)) in page and "With twice the pictures the probe would reach about 9" in text
    assert "off by 10.0 % on average, more than chance alone explains" in text
    assert "100 % of pictures are answered and 0.0 % of those wrongly" in text
    chart = page[page.index('id="more-pictures"') :]
    assert ">800<" in chart and ">1,600<" in chart and ">3,200<" in chart  # learned from, and the forecasts'


def test_without_a_curve_a_check_page_says_why(page_of):
    page = page_of(more_pictures=MorePictures.refuse("there are 5"))
    assert "No forecast for more pictures: there are 5." in page
    assert "<polyline" not in page and 'id="when-to-answer"' not in page


def test_a_model_that_learned_from_all_pictures_has_no_figure(judged, parsed):
    nothing = statistics.proportion(0, 0, "the model learned from all of these pictures")
    none = judged.catalog.where(pl.lit(False))
    text = parsed(evaluation_page(dataclasses.replace(judged, catalog=none, after=judged.after[:0]), nothing)).text
    assert (
        "Evaluate on other pictures" in text
        and "nothing is known about new ones" in text
        and "nan" not in text.lower().split()
    )


def test_files_are_linked_from_where_the_page_lies(catalog, page_of, copies, tmp_path):
    info = dataclasses.replace(INFO, page=catalog.root / ".ursa" / "report.html")
    assert 'data-file="../cat/cat_000.jpg"' in page_of([copies], info=info)
    assert ReportInfo(page=Path("a/r.html")).link(Path('a/x "<y>.jpg')) == "x%20%22%3Cy%3E.jpg"
