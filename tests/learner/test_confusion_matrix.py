"""Which class is taken for which: counts as scikit-learn's, and what people read of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from ursa.learner.confusion_matrix import WIDEST, ConfusionMatrix

pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40)


def of(predicted, true, names="abcd"):
    return ConfusionMatrix.of(np.array(predicted, np.int64), np.array(true, np.int64), list(names))


@given(pairs)
def test_counts_are_those_of_sklearn_true_classes_down(pairs_):
    predicted, true = [p for p, _ in pairs_], [t for _, t in pairs_]
    found = of(predicted, true)
    expected = confusion_matrix(true, predicted, labels=range(4)) if pairs_ else np.zeros((4, 4))
    assert np.array_equal(found.counts, expected)
    assert found.names == ("a", "b", "c", "d")


@given(pairs)
def test_most_confused_lists_every_mistake_once_the_most_frequent_first(pairs_):
    found = of([p for p, _ in pairs_], [t for _, t in pairs_])
    listed = found.most_confused(100)
    assert [count for *_, count in listed] == sorted((count for *_, count in listed), reverse=True)
    wrong = {("abcd"[t], "abcd"[p]) for p, t in pairs_ if p != t}
    assert {(t, p) for t, p, _ in listed} == wrong
    assert sum(count for *_, count in listed) == sum(p != t for p, t in pairs_)
    assert found.most_confused(2) == listed[:2]


def test_the_order_of_a_pair_is_true_class_then_predicted_one():
    assert of([1, 1, 0], [0, 0, 2]).most_confused() == [("a", "b", 2), ("c", "a", 1)]


def test_a_text_has_a_row_for_each_true_class_in_columns_that_line_up():
    long = "a very long name of a class"
    found = ConfusionMatrix(np.array([[1234, 5], [0, 67]]), (long, "b"))
    title, head, *rows = str(found).splitlines()
    assert "true class below" in title
    assert head.split() == [*long[:WIDEST].split(), "b"]
    assert [row.split()[-2:] for row in rows] == [["1234", "5"], ["0", "67"]]
    assert {len(line) for line in (head, *rows)} == {len(head)}
    assert long not in str(found)


def test_short_texts_count_what_is_wrong_and_pages_are_escaped():
    found = ConfusionMatrix(np.array([[1000, 234], [1, 5]]), ("<b>", "c"))
    assert repr(found) == "ConfusionMatrix(2 classes; 235 of 1,240 examples wrong)"
    page = found._repr_html_()
    assert page.count("&lt;b&gt;") == 2 and "<b>" not in page
    assert "<tr><th>c</th><td>1</td><td>5</td></tr>" in page
    nothing = ConfusionMatrix(np.zeros((0, 0), np.int64), ())
    assert repr(nothing) == "ConfusionMatrix(0 classes; 0 of 0 examples wrong)" and str(nothing)
