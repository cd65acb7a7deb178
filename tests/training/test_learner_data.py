"""What a learner is given: every form of data is read as it is meant, or refused with one readable error."""

import numpy as np
import pytest
import torch
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from torch.utils.data import TensorDataset

from ursa.errors import DataError
from ursa.training.batches.inputs import InputScaling, WithScaledInputs, to_tensors
from ursa.training.batches.learner_data import read_data
from ursa.training.tasks.targets import Targets

RNG = np.random.default_rng(0)
X, Y = RNG.normal(3, 2, (40, 5)), np.arange(40) % 4


def test_features_are_standardized_by_the_training_part_alone():
    x_valid = RNG.normal(100, 1, (10, 5))
    found = read_data(((X, Y), (x_valid, Y[:10])))
    x = found.train.inputs[0]
    assert torch.allclose(x.mean(0), torch.zeros(5), atol=1e-5)
    assert torch.allclose(x.std(0, correction=0), torch.ones(5), atol=1e-5)
    expected = (x_valid - X.mean(0)) / X.std(0)
    np.testing.assert_allclose(found.valid.inputs[0].numpy(), expected, rtol=1e-4)


def test_standardizing_can_be_left_out():
    found = read_data(((X, Y), (X, Y)), standardize=False)
    np.testing.assert_array_equal(found.train.inputs[0].numpy(), X.astype(np.float32))


def test_a_feature_that_never_changes_becomes_0_and_nothing_else():
    x = X.copy()
    x[:, 2] = 7
    assert not read_data(((x, Y), (x, Y))).train.inputs[0][:, 2].any()


def test_gray_pictures_get_a_channel_and_one_mean():
    x = RNG.integers(0, 256, (20, 6, 4), dtype=np.uint8)
    found = read_data(((x, Y[:20]), (x, Y[:20])))
    assert found.train.inputs[0].shape == (20, 1, 6, 4)
    np.testing.assert_allclose(found.train.inputs[0].numpy()[:, 0], (x - x.mean()) / x.std(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("last", [True, False])
def test_colors_come_first_wherever_they_were(last):
    x = RNG.integers(0, 256, (20, 6, 4, 3), dtype=np.uint8)
    x[..., 0] //= 2  # channels differ, so that a mix-up shows
    shown = x if last else x.transpose(0, 3, 1, 2)
    found = read_data(((shown, Y[:20]), (shown, Y[:20]))).train.inputs[0].numpy()
    expected = (x - x.mean((0, 1, 2))) / x.std((0, 1, 2))
    np.testing.assert_allclose(found, expected.transpose(0, 3, 1, 2), rtol=1e-4, atol=1e-4)


def test_pixels_in_a_row_share_one_deviation():
    """Otherwise a pixel that is set once in the training part would be a hundred deviations away in another."""
    x = np.zeros((20, 9), np.uint8)
    x[0, 0], x[:, 4] = 1, RNG.integers(0, 256, 20)
    assert read_data(((x, Y[:20]), (x, Y[:20]))).train.inputs[0][0, 0].abs() < 1


def test_whole_numbers_stay_for_embeddings():
    x = RNG.integers(0, 1000, (20, 3))
    found = read_data(((x, Y[:20]), (x, Y[:20]))).train.inputs[0]
    assert found.dtype == torch.int64
    assert found.tolist() == x.tolist()


@settings(deadline=None)
@over(st.sampled_from([(7,), (6, 4), (6, 4, 3), (3, 6, 4), (1, 6, 4)]), st.sampled_from([np.uint8, np.float32]))
def test_the_exported_scaling_is_the_scaling_and_can_be_undone(shape, dtype):
    x = to_tensors((np.random.default_rng(1).random((8, *shape)) * 255).astype(dtype))
    inputs = InputScaling.from_json(InputScaling.measured(x).to_json())
    ready = inputs.of(x)
    assert torch.equal(WithScaledInputs(torch.nn.Identity(), inputs)(*x), ready[0])
    (back,) = inputs.undo(ready)
    torch.testing.assert_close(back.float(), x[0].float(), atol=1e-3, rtol=1e-4)
    assert back.shape == x[0].shape


@settings(deadline=None)
@over(st.integers(2, 5), st.integers(5, 60), st.floats(0.05, 0.6), st.integers(0, 3))
def test_each_class_gives_its_share_to_validation(classes, each, share, seed):
    y = np.repeat(np.arange(classes), each)
    found = read_data((np.arange(len(y))[:, None], y), valid=share, seed=seed)
    assert len(found.train) + len(found.valid) == len(y)
    seen = torch.cat([found.train.inputs[0], found.valid.inputs[0]]).ravel().tolist()
    assert sorted(seen) == list(range(len(y)))
    counts = np.bincount(found.valid.targets.numpy(), minlength=classes)
    assert abs(counts - each * share).max() <= 1.5


def test_the_same_seed_puts_the_same_examples_aside():
    first, again, other = (read_data((X, Y), seed=seed).valid.inputs[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("y", "task", "names"),
    [
        (Y, "single-label", ("0", "1", "2", "3")),
        (Y[:, None], "single-label", ("0", "1", "2", "3")),
        (Y > 1, "single-label", ("0", "1")),
        (np.array(["cat", "dog"] * 20), "single-label", ("cat", "dog")),
        (["cat", "dog"] * 20, "single-label", ("cat", "dog")),
        (np.eye(4)[Y], "multi-label", ("0", "1", "2", "3")),
        ([["sea"], ["sea", "sky"], [], ["sky"]] * 10, "multi-label", ("sea", "sky")),
        (X[:, 0], "regression", ()),
        (X[:, :2], "regression", ()),
        (RNG.integers(0, 9, (40, 6)), "own", ()),
    ],
)
def test_what_is_learned_is_told_by_the_targets(y, task, names):
    targets = Targets.measured(y)
    assert (targets.task, targets.names) == (task, names)
    assert Targets.from_json(targets.to_json()) == targets
    assert len(targets.of(y, "the training part")) == 40


def test_text_and_lists_of_text_become_the_right_numbers():
    assert Targets.measured(["b", "a", "b"]).of(["b", "a", "b"], "x").tolist() == [1, 0, 1]
    several = [["sky"], ["sea", "sky"], []]
    assert Targets.measured(several).of(several, "x").tolist() == [[0, 1], [1, 1], [0, 0]]


def test_several_targets_may_lack_some():
    y = {"kind": np.array([0, -1, 2]), "age": np.array([1.5, np.nan, 3]), "word": ["a", None, "b"]}
    targets = Targets.measured(y)
    assert {name: (part.task, part.missing) for name, part in targets.parts.items()} == {
        "kind": ("single-label", True),
        "age": ("regression", True),
        "word": ("single-label", True),
    }
    found = targets.of(y, "x")
    assert found["kind"].tolist() == [0, -1, 2]
    assert found["word"].tolist() == [0, -1, 1]
    assert found["age"].isnan().tolist() == [False, True, False]


def test_several_inputs_are_a_tuple():
    found = read_data(((X, X[:, :2]), Y))
    assert [x.shape[1] for x in found.train.inputs] == [5, 2]


def test_data_sets_keep_what_they_give():
    whole = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    both, one = read_data((whole, whole)), read_data(whole, valid=0.25)
    assert (len(both.train), len(both.valid), len(one.train), len(one.valid)) == (40, 40, 30, 10)
    assert both.targets.task == "single-label"
    (batch,) = both.valid.in_order(64)
    assert torch.equal(batch.inputs[0], torch.from_numpy(X))


def test_other_data_are_read_as_the_training_part_was():
    found = read_data(((X, ["a", "b"] * 20), (X, ["a", "b"] * 20)))
    part = found.inputs.split((X[:3] + 1, ["b", "b", "a"]), found.targets, "cpu")
    np.testing.assert_allclose(part.inputs[0].numpy(), (X[:3] + 1 - X.mean(0)) / X.std(0), rtol=1e-4, atol=1e-5)
    assert part.targets.tolist() == [1, 1, 0]


WRONG = {
    "differ in number": ((X, Y[:-1]), (X, Y)),
    "validation part differ in number": ((X, Y), (X[:3], Y[:4])),
    "the training part is empty": ((X[:0], Y[:0]), (X, Y)),
    "the validation part is empty": ((X, Y), (X[:0], Y[:0])),
    "NaN or infinite": ((np.where(X > 5, np.nan, X), Y), (X, Y)),
    "not numbers": ((np.array([["a"]] * 40), Y), (X, Y)),
    "another shape": ((X, Y), (X[:, :3], Y)),
    "the training part lacks": ((X, np.minimum(Y, 2)), (X, Y)),
    "some targets are missing": ((X, np.where(Y > 2, np.nan, X[:, 0])), (X, X[:, 0])),
    "a class has to be 0 or more": ((X, Y - 3), (X, Y)),
    "not one array": (([[1.0], [1.0, 2.0]] * 20, Y), (X, Y)),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_fit_is_told_in_one_readable_error(what):
    with pytest.raises(DataError, match=what) as told:
        read_data(WRONG[what])
    assert "\n" not in told.value.what
    assert told.value.found or told.value.fix


@pytest.mark.parametrize("data", [X, [X, Y], (X, Y, X), (X,), {"x": X}, 3])
def test_what_is_no_pair_is_refused(data):
    with pytest.raises(DataError, match="pairs of inputs and targets"):
        read_data(data)


def test_a_single_example_cannot_be_split():
    with pytest.raises(DataError, match="one example"):
        read_data((X[:1], Y[:1]))


def test_names_and_classes_have_to_agree():
    assert read_data((X, Y), names="abcde").targets.names == tuple("abcde")
    with pytest.raises(DataError, match="names"):
        read_data((X, Y), names="abc")
