"""Words for splits; templates and regular expressions on the names of files."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.data.sources.name_patterns import Pattern, split_of
from ursa.errors import DataError


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("{label}.{}.jpg", "cat.12.jpg", {"label": "cat"}),
        ("{label}.{}.jpg", "deep/er/cat.12.jpg", {"label": "cat"}),
        ("{label}_*.jpg", "great_pyrenees_12.jpg", {"label": "great_pyrenees"}),
        ("{label}_*_*.jpg", "cat_12_crop.jpg", {"label": "cat"}),
        ("{label}_*.jpg", "cat_12.png", None),
        ("{label}_*.jpg", "cat_.jpg", {"label": "cat"}),
        ("{label}_{}.jpg", "cat_.jpg", None),
        ("{label}_*.jpg", "_1.jpg", None),
        ("{label}_*.jpg", "cat_1.jpg.bak", None),
        ("{label}/*.jpg", "a/b/cat/1.jpg", {"label": "cat"}),
        ("{label}/*.jpg", "1.jpg", None),
        ("{label}/{label}_*.jpg", "cat/cat_1.jpg", {"label": "cat"}),
        ("{label}/{label}_*.jpg", "cat/dog_1.jpg", None),
        ("{split}/{group}_{label}_*", "val/p1_cat_3.png", {"label": "cat", "split": "val", "group": "p1"}),
        ("img_{label}.jpg", "my_img_cat.jpg", None),
        ("a+b({label}).jpg", "a+b(cat).jpg", {"label": "cat"}),
        (r"^(.*)_\d+.jpg$", "deep/great_pyrenees_173.jpg", {"label": "great_pyrenees"}),
        (r"/([^/]+)_\d+.jpg$", "great_pyrenees_173.jpg", {"label": "great_pyrenees"}),
        (r"(?P<split>train|test)/(?P<label>\w+?)\d", "x/test/cat7.jpg", {"label": "cat", "split": "test"}),
        (r"(?P<label>cat)?\d{2}", "77.jpg", {"label": None}),
        (re.compile("(CAT)", re.IGNORECASE), "a_cat.jpg", {"label": "cat"}),
    ],
)
def test_what_is_found(pattern, path, found):
    assert Pattern.of(pattern).read(path) == found


WORD = st.text(st.characters(categories=["L", "N"], include_characters=" -.+("), min_size=1, max_size=8)


@given(WORD, st.integers(0, 999), st.sampled_from(["", "a/", "a/b c/"]))
def test_template_and_regular_expression_agree(label, number, folder):
    path = f"{folder}{label}_{number}.jpg"
    template, regex = Pattern.of("{label}_{}.jpg"), Pattern.of(r"^(.+)_.+\.jpg\Z")
    assert template.read(path) == regex.read(path) == {"label": label}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{lable}_*.jpg", "did you mean 'label'"),
        ("(?P<klass>.*)_", "known: group, label, split"),
        ("*_1.jpg", "{label}"),
        (r"\d+", "{label}"),
        (r"(\d)(\d)", "{label}"),
        ("(", "{label}"),
    ],
)
def test_a_pattern_that_can_find_nothing_is_refused_with_how_to_write_one(pattern, said):
    with pytest.raises(DataError) as error:
        Pattern.of(pattern)
    assert pattern in error.value.what and said in error.value.fix


def test_a_word_that_is_no_split_is_refused():
    with pytest.raises(DataError, match="split that is not known") as error:
        Pattern.of("{split}_{label}").read_all(["train_a", "holdout_a"])
    assert error.value.found == "'holdout'"


@pytest.mark.parametrize(
    ("word", "split"),
    [("Train-Dev", "train-dev"), ("train dev", "train-dev"), ("DEV", "valid"), ("val", "valid"), ("trains", None)],
)
def test_words_for_splits(word, split):
    assert split_of(word) == split
