"""Networks of networks: they compute what their parts do, and a wrong part is named."""

import pytest
import torch
from torch import nn

from ursa import models
from ursa.errors import TrainingError
from ursa.models.built import built_of


def test_a_residual_block_whose_body_gives_zero_is_its_skip():
    body = nn.Linear(3, 3)
    nn.init.zeros_(body.weight)
    nn.init.zeros_(body.bias)
    inputs = torch.rand(4, 3)
    assert torch.equal(models.Residual(body)(inputs), inputs)
    assert torch.equal(models.Residual(body, nn.Tanh())(inputs), inputs.tanh())


def test_the_gradient_of_a_residual_block_goes_both_ways():
    inputs, body = torch.rand(2, 3, requires_grad=True), nn.Linear(3, 3)
    models.Residual(body)(inputs).sum().backward()
    assert torch.allclose(inputs.grad, 1 + body.weight.sum(0).expand(2, 3))


@pytest.mark.parametrize(
    ("body", "skip", "found"),
    [
        (nn.Linear(4, 2), None, "body [3, 2], skip [3, 4]"),
        (nn.Identity(), nn.Linear(4, 1), "body [3, 4], skip [3, 1]"),
        (nn.Flatten(0), None, "body [12], skip [3, 4]"),
    ],
)
def test_ways_of_different_shapes_are_never_broadcast(body, skip, found):
    with pytest.raises(TrainingError) as problem:
        models.Residual(body, skip)(torch.rand(3, 4))
    assert problem.value.found == found and "1 x 1 convolution" in problem.value.fix


def test_a_siamese_distance_is_a_distance():
    net = models.siamese(nn.Linear(5, 3)).double()
    a, b, c = torch.rand(3, 40, 5, dtype=torch.float64)
    with torch.no_grad():
        assert (net(a, b) >= 0).all() and torch.allclose(net(a, b), net(b, a), atol=1e-5)
        assert (net(a, c) <= net(a, b) + net(b, c) + 1e-5).all()


def test_a_siamese_head_sees_the_size_of_the_difference_alone():
    net = models.siamese(nn.Linear(5, 3), nn.Linear(3, 2))
    one, other = torch.rand(4, 5), torch.rand(4, 5)
    assert torch.allclose(net(one, other), net(other, one))
    assert torch.allclose(net(one, one), net.head.bias.expand(4, 2))
    assert torch.allclose(net(one, other), net.head((net.body(one) - net.body(other)).abs()))


def test_maps_of_pictures_are_flattened_before_their_distance():
    body = nn.Conv2d(1, 2, 3)
    one, other = torch.rand(2, 3, 1, 6, 6)
    wanted = (body(one) - body(other)).flatten(1).norm(dim=1)
    assert torch.allclose(models.siamese(body)(one, other), wanted, atol=1e-4)


def test_every_head_sees_what_the_body_made_once():
    seen = []

    class Body(nn.Module):
        def forward(self, one, other):
            seen.append(1)
            return one + other

    net = models.multi_output(Body(), {"sum": nn.Identity(), "twice": nn.Linear(3, 3)})
    outputs = net(torch.ones(2, 3), torch.ones(2, 3))
    assert list(outputs) == ["sum", "twice"] and len(seen) == 1  # in the order in which they were given
    assert torch.equal(outputs["sum"], torch.full((2, 3), 2.0))
    assert torch.equal(outputs["twice"], net.heads[1](outputs["sum"]))


@pytest.mark.parametrize("name", ["", "a.b", "train", "body", "ä 犬", "forward"])
def test_any_text_is_the_name_of_a_head(name):
    net = models.multi_output(nn.Identity(), {name: nn.Linear(2, 1)})
    assert list(net(torch.rand(1, 2))) == [name] and "heads.0.weight" in net.state_dict()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: models.Residual("body"), "body has to be a network"),
        (lambda: models.Residual(nn.Identity(), 3), "skip has to be a network"),
        (lambda: models.siamese(nn.Linear), "body has to be a network"),
        (lambda: models.siamese(nn.Identity(), torch.relu), "head has to be a network"),
        (lambda: models.multi_output(nn.Identity(), {"age": 3}), "the head 'age' has to be a network"),
        (lambda: models.multi_output(nn.Identity(), {3: nn.Identity()}), "a head each"),
        (lambda: models.multi_output(nn.Identity(), [nn.Identity()]), "a head each"),
    ],
)
def test_a_part_that_is_no_network_is_refused_by_its_name(make, words):
    with pytest.raises(TrainingError, match=words) as problem:
        make()
    assert problem.value.found


def test_how_the_whole_was_built_holds_how_its_parts_were():
    net = models.multi_output(models.mlp(3, None, hidden=2), {"a": models.linear(2, 1), "b": models.linear(2, 4)})
    document = built_of(net).to_json()
    assert document["builder"] == "multi_output" and document["arguments"]["body"]["builder"] == "mlp"
    assert {name: head["arguments"]["classes"] for name, head in document["arguments"]["heads"].items()} == {
        "a": 1,
        "b": 4,
    }
