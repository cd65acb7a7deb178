"""Targets in the shape of the outputs, and classes that no output is for."""

import pytest
import torch

from ursa.errors import TrainingError
from ursa.training.tasks.target_scaling import InTargetUnits, TargetScaling
from ursa.training.tasks.target_shapes import check_range, shaped


@pytest.mark.parametrize(
    ("targets", "outputs", "shape"),
    [
        (torch.zeros(4), torch.zeros(4, 1), (4, 1)),
        (torch.zeros(4), torch.zeros(2, 1), (4, 1)),  # outputs are those of a few examples
        (torch.zeros(4), torch.zeros(4, 3), (4,)),
        (torch.zeros(4), torch.zeros(4), (4,)),
        (torch.zeros(4, 1), torch.zeros(4, 1), (4, 1)),
        (torch.zeros(4, 2), torch.zeros(4, 1), (4, 2)),
        (torch.zeros(4), torch.zeros(4, 1, 1), (4,)),
    ],
)
def test_only_a_list_for_a_network_of_one_output_becomes_a_column(targets, outputs, shape):
    assert shaped(targets, outputs).shape == shape


def test_several_targets_are_each_shaped_by_their_output():
    targets = {"age": torch.arange(3.0), "kind": torch.arange(3), "none": torch.arange(3)}
    found = shaped(targets, {"age": torch.zeros(3, 1), "kind": torch.zeros(3, 5)})
    assert {name: tuple(y.shape) for name, y in found.items()} == {"age": (3, 1), "kind": (3,), "none": (3,)}
    assert found["age"][:, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("highest", "outputs", "fits"),
    [(2, 3, True), (3, 3, False), (1, 1, True), (2, 1, False), (1, 2, True), (2, 2, False)],
)
def test_a_class_needs_an_output_and_one_output_tells_two_classes_apart(highest, outputs, fits):
    targets, given = torch.tensor([0, highest]), torch.zeros(2, outputs)
    if fits:
        check_range(targets, given)
        return
    with pytest.raises(TrainingError, match="a label is out of range") as told:
        check_range(targets, given)
    assert f"class {highest}, but the network has {outputs} outputs" in told.value.found
    assert f"a network with {highest + 1} outputs" in told.value.fix
    assert ("astype('float32')" in told.value.fix) == (outputs == 1)  # perhaps it is a regression


@pytest.mark.parametrize(
    ("targets", "outputs"),
    [
        (torch.tensor([9.0]), torch.zeros(1, 2)),  # numbers
        (torch.zeros(0, dtype=torch.int64), torch.zeros(0, 2)),
        (torch.full((2, 2), 9), torch.zeros(2, 2)),
        (torch.tensor([9]), torch.zeros(1, 2, 4)),
        (torch.tensor([-1, 1]), torch.zeros(2, 2)),
        (torch.tensor([9]), (torch.zeros(1, 2),)),
    ],
)
def test_what_is_not_one_class_an_example_is_left_to_the_loss(targets, outputs):
    check_range(targets, outputs)


def test_a_class_of_one_of_several_outputs_is_named():
    with pytest.raises(TrainingError, match="kind: a label is out of range"):
        check_range(
            {"age": torch.rand(2), "kind": torch.tensor([0, 7])}, {"age": torch.zeros(2), "kind": torch.zeros(2, 3)}
        )
    check_range({"kind": torch.tensor([7])}, {"other": torch.zeros(1, 2)})


def test_an_exported_regression_speaks_in_the_targets_units():
    network = InTargetUnits(torch.nn.Identity(), TargetScaling((10.0,), (2.0,)))
    assert network(torch.tensor([0.0, 3.0])).tolist() == [10, 16]

    class Both(torch.nn.Module):
        def forward(self, x):
            return {"age": x, "kind": x}

    found = InTargetUnits(Both(), {"age": TargetScaling((10.0,), (2.0,))})(torch.ones(1))
    assert (found["age"].tolist(), found["kind"].tolist()) == ([12], [1])
