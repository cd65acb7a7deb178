"""Trees of tensors: mapped in place, listed in order, anything else left alone."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from ursa.training.tensor_tree import tree_leaves, tree_map

trees = st.recursive(
    st.integers(0, 99).map(torch.tensor),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    ),
    max_leaves=8,
)


def form(tree):
    """Everything of a tree but its numbers."""
    if isinstance(tree, dict):
        return {name: form(part) for name, part in tree.items()}
    return type(tree)(map(form, tree)) if isinstance(tree, list | tuple) else type(tree)


@given(trees)
def test_mapping_keeps_the_form_and_changes_every_leaf_in_order(tree):
    changed = tree_map(tree, lambda t: t + 100)
    assert form(changed) == form(tree)
    assert [int(t) for t in tree_leaves(changed)] == [int(t) + 100 for t in tree_leaves(tree)]


@given(trees)
def test_leaves_are_the_very_tensors(tree):
    seen = []
    tree_map(tree, lambda t: seen.append(t) or t)
    assert [id(t) for t in tree_leaves(tree)] == [id(t) for t in seen]


def test_what_is_no_tensor_stays_and_is_no_leaf():
    tree = {"a": None, "b": ("text", 3, [torch.ones(1)])}
    assert tree_map(tree, lambda t: t * 2) == {"a": None, "b": ("text", 3, [torch.tensor([2.0])])}
    assert tree_leaves(tree) == [torch.ones(1)]
    assert tree_leaves("text") == []  # whose parts are text again, without end
