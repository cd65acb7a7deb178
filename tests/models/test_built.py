"""How a network was built is enough to build it again; sizes that make none are refused by their name."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa import models
from ursa.errors import TrainingError
from ursa.models import built
from ursa.models.saving import BUILDERS, _build

SIZES = st.integers(1, 6)
LEAVES = st.one_of(
    st.builds(models.linear, st.just(4), SIZES, seed=st.integers(0, 9)),
    st.builds(models.mlp, st.just(4), SIZES, hidden=st.lists(SIZES, max_size=2), dropout=st.sampled_from([0.0, 0.3])),
    st.builds(models.small_cnn, SIZES, SIZES, widths=st.lists(SIZES, min_size=1, max_size=2)),
)
NETWORKS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(models.Residual, inner),
        st.builds(models.siamese, inner),
        st.builds(models.multi_output, inner, st.dictionaries(st.text(max_size=5), inner, min_size=1, max_size=2)),
    ),
    max_leaves=3,
)


@settings(max_examples=40, deadline=None)
@given(NETWORKS)
def test_its_document_builds_the_same_network_with_the_same_weights(network):
    document = json.loads(json.dumps(built.built_of(network).to_json()))
    again = _build(document, BUILDERS)
    assert repr(again) == repr(network)
    state = network.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in again.state_dict().items())


def test_a_part_of_ones_own_or_a_shared_part_cannot_be_built_again():
    part = models.linear(4, 4)
    assert built.built_of(models.Residual(nn.Linear(4, 4))) is None
    assert built.built_of(models.siamese(part, part)) is None  # its weights are shared, and would not be again
    assert built.built_of(models.siamese(part, models.linear(4, 1))) is not None
    assert built.built_of(nn.Linear(4, 4)) is None


@given(st.one_of(st.booleans(), st.floats(), st.text(), st.none(), st.integers(max_value=0)))
def test_a_count_is_a_whole_number_above_0(value):
    with pytest.raises(TrainingError, match="classes has to be a whole number, at least 1"):
        built.count("classes", value)


@given(st.integers(1, 10**9))
def test_numbers_of_numpy_and_torch_are_counts_too(value):
    import numpy as np

    assert (
        built.count("n", value) == built.count("n", np.int64(value)) == built.count("n", torch.tensor(value)) == value
    )
    assert built.counts("n", value) == built.counts("n", [value]) == (value,)


@given(st.floats(allow_nan=True))
def test_a_share_is_from_0_to_below_1(value):
    if 0 <= value < 1:
        assert built.share("dropout", value) == value
        return
    with pytest.raises(TrainingError, match="dropout has to be a number from 0 to below 1"):
        built.share("dropout", value)


@pytest.mark.parametrize("value", [0, 1, None, "yes"])
def test_a_switch_is_true_or_false(value):
    assert built.switch("norm", True) is True
    with pytest.raises(TrainingError, match="norm has to be True or False"):
        built.switch("norm", value)
