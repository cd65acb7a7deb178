"""The card of a bundle: figures with their intervals, and names from outside that are text whatever they hold."""

import html
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.core.text import escaped
from ursa.export.card import card, plain

markdown_it = pytest.importorskip("markdown_it", reason="Markdown is read by the parser that Rich brings along")


def document(*, classes=("a", "b"), parity=None, method="5 folds", backbone="pixels", value=0.9):
    return {
        "classes": list(classes),
        "metrics": {
            "accuracy": {"value": value, "low": value - 0.05, "high": min(1.0, value + 0.05), "method": method}
        },
        "training": {"backbone": backbone, "kept": "probe", "pictures": dict.fromkeys(classes, 7)},
        "preparation": {"size": 64},
        "parity": parity or {"pictures": 64, "difference": 3.2e-7},
        "created": "2026-01-01",
        "versions": {"ursa": "0.2.0"},
    }


def tokens(text):
    """All tokens of a Markdown text, those within lines too."""
    found = markdown_it.MarkdownIt("commonmark").enable("table").parse(text)
    return [*found, *(inner for token in found for inner in token.children or ())]


def shown(text):
    """The text that a reader sees."""
    return "".join(token.content for token in tokens(text) if token.type in ("text", "text_special", "code_inline"))


NAMES = st.text("ab1 *_`[]()<>#+!|~:@.-\\&;\"'$%/\n\x1b\u202eé犬", min_size=1, max_size=12)


@settings(max_examples=100)
@given(NAMES)
def test_any_name_is_shown_as_it_is_and_does_nothing(name):
    line = f"x {plain(name)} y"
    assert {token.type for token in tokens(line)} <= {
        "paragraph_open",
        "paragraph_close",
        "inline",
        "text",
        "text_special",
    }
    assert shown(line) == f"x {escaped(name)} y"


@settings(max_examples=40)
@given(st.lists(NAMES, min_size=1, max_size=4, unique=True))
def test_classes_of_any_names_are_a_row_each_with_their_number(names):
    found = tokens(card(document(classes=names)))
    assert sum(token.type == "tr_open" for token in found) == len(names) + 1
    cells = [after for before, after in itertools.pairwise(found) if before.type == "td_open"]
    said = ["".join(inner.content for inner in cell.children) for cell in cells]
    assert said == [word for name in names for word in (escaped(name).strip(), "7")]
    assert not any(token.type in ("link_open", "image", "html_inline", "html_block") for token in found)
    assert sum(token.type == "heading_open" for token in found) == 5  # the title and four sections, whatever the names


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.9, "Accuracy 90.0 %** (95 % interval 85.0 to 95.0 %)"),
        (0.98765, "Accuracy 98.8 %** (95 % interval 93.8 to 100.0 %)"),
    ],
)
def test_accuracy_stands_with_its_interval_and_method(value, said):
    text = card(document(value=value, method="cross-validated | <b>"))
    assert said in text and "<b>" not in text
    assert "cross-validated | <b>" in html.unescape(shown(text))


@pytest.mark.parametrize(
    ("parity", "said"),
    [
        ({"pictures": 64, "difference": 3.2e-7}, "within 3e-07 in every probability, for 64 pictures."),
        ({"thumbnails": 32, "difference": 0.0}, "within 0 in every probability, for 32 pictures made of thumbnails."),
    ],
)
def test_what_was_compared_is_said(parity, said):
    assert said in card(document(parity=parity))


def test_it_says_what_it_does_not_know_and_how_to_measure_again():
    text = card(document(backbone="timm:resnet_18"))
    assert text.startswith("# A classifier of 2 classes\n")
    assert "It knows no others" in text and "`ursa evaluate BUNDLE FOLDER`" in text
    assert "timm:resnet_18, probe" in shown(text) and "64 x 64" in text
