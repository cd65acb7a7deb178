"""Optimisers: torch's own numbers, decay that is decoupled and spares biases and norms, groups without gaps."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa.errors import TrainingError
from ursa.training.optim import optimizers
from ursa.training.optim.optimizers import Group, make, set_momentum

REFERENCE = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, foreach=False, fused=False),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, foreach=False, fused=False),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.05, momentum=0.9, alpha=0.99, eps=1e-5, foreach=False),
    "adam": lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.9, 0.99), eps=1e-5, foreach=False, fused=False),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05, eps=1e-5, foreach=False),
}


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 2))


def descend(model, optimizer, steps=5):
    torch.manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 3)).square().sum().backward()
        optimizer.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def ours(name, model, **options):
    if name == "nesterov":
        name, options = "sgd", {**options, "nesterov": True}
    return make(name, [Group([model], 0.05)], **options)


@pytest.mark.parametrize("name", REFERENCE)
def test_without_decay_the_weights_are_those_of_torch(name):
    one, other = net(), net()
    assert torch.allclose(
        descend(one, ours(name, one, weight_decay=0)), descend(other, REFERENCE[name](other.parameters())), atol=1e-6
    )


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_coupled_decay_is_that_of_torch_on_the_weights(name):
    one, other = net(), net()
    optimizer = REFERENCE[name](
        [
            {"params": [p for p in other.parameters() if p.ndim > 1], "weight_decay": 0.1},
            {"params": [p for p in other.parameters() if p.ndim < 2]},
        ]
    )
    assert torch.allclose(
        descend(one, ours(name, one, weight_decay=0.1, decoupled=False)), descend(other, optimizer), atol=1e-6
    )


@pytest.mark.parametrize("name", optimizers.NAMES)
def test_decoupled_decay_shrinks_weights_by_rate_times_decay_where_the_gradient_is_0(name):
    model = net()
    before = copy.deepcopy(model)
    optimizer = make(name, [Group([model], 0.5)], weight_decay=0.1)
    for _ in range(3):  # momentum has nothing to remember: decay stays out of it
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
    for was, now in zip(before.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(now, was * (1 - 0.5 * 0.1) ** 3 if now.ndim > 1 else was)


@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop", "adagrad"])
def test_a_copied_optimizer_goes_on_as_the_original_does(name):
    model = net()
    optimizer = make(name, [Group([model], 0.05)], weight_decay=0.1)
    descend(model, optimizer, 2)
    twin, its_optimizer = copy.deepcopy((model, optimizer))
    assert torch.equal(descend(model, optimizer, 3), descend(twin, its_optimizer, 3))


@pytest.mark.parametrize("name", optimizers.NAMES)
def test_a_saved_optimizer_goes_on_as_if_it_had_not_stopped(name):
    model = net()
    optimizer = make(name, [Group([model], 0.05)], weight_decay=0.1)
    descend(model, optimizer, 2)
    twin = copy.deepcopy(model)
    its_optimizer = make(name, [Group([twin], 0.05)], weight_decay=0.1)
    its_optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert torch.equal(descend(model, optimizer, 3), descend(twin, its_optimizer, 3))


LAYERS = (
    lambda: nn.Linear(3, 4),
    lambda: nn.Conv2d(2, 3, 3),
    lambda: nn.BatchNorm2d(3),
    lambda: nn.LayerNorm((4, 3)),  # a norm whose weight has two axes
    lambda: nn.GroupNorm(1, 4),
    lambda: nn.Embedding(5, 2),
    lambda: nn.ReLU(),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(range(len(LAYERS))), max_size=3), min_size=1, max_size=4), st.data())
def test_every_trainable_parameter_is_in_exactly_one_group_in_order_and_norms_and_biases_do_not_decay(parts, data):
    bodies = [nn.Sequential(*(LAYERS[i]() for i in part)) for part in parts]
    model = nn.Sequential(*bodies, nn.Linear(2, 2))
    for parameter in [p for body in bodies for p in body.parameters()]:
        parameter.requires_grad_(data.draw(st.booleans()))
    groups = [Group([body], 0.1 + i) for i, body in enumerate([*bodies, model[-1]])]
    made = make("adamw", groups, model=model, weight_decay=0.1).param_groups
    grouped = [p for group in made for p in group["params"]]
    assert sorted(map(id, grouped)) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    norms = {id(p) for m in model.modules() if isinstance(m, optimizers.NORMS) for p in m.parameters()}
    for group in made:
        assert group["lr"] == group["max_lr"]
        for parameter in group["params"]:
            assert (group["weight_decay"] > 0) == (parameter.ndim > 1 and id(parameter) not in norms)
            assert any(parameter is p for p in groups[round(group["max_lr"] - 0.1)].members[0].parameters())
    assert [group["max_lr"] for group in made] == sorted(group["max_lr"] for group in made)
    again = make("adamw", groups, model=model, weight_decay=0.1).param_groups
    assert [[id(p) for p in group["params"]] for group in again] == [[id(p) for p in g["params"]] for g in made]


def test_norms_are_found_among_bare_parameters_too_where_the_model_is_given():
    model = nn.LayerNorm((4, 3))
    (group,) = make("adamw", [Group(list(model.parameters()), 0.1)], model=model).param_groups
    assert group["weight_decay"] == 0 and len(group["params"]) == 2


def test_layers_shared_within_a_group_are_there_once():
    shared = nn.Linear(2, 2)
    groups = make("sgd", [Group([shared, nn.Sequential(shared)], 0.1)]).param_groups
    assert sum(len(group["params"]) for group in groups) == 2


def test_without_decay_each_group_stays_one():
    assert len(make("adamw", [Group([net()], 0.1)], weight_decay=0).param_groups) == 1
    assert len(make("adamw", [Group([net()], 0.1)], weight_decay=0.1).param_groups) == 2


@pytest.mark.parametrize("name", optimizers.NAMES)
def test_momentum_can_follow_a_schedule(name):
    optimizer = make(name, [Group([net()], 0.1)])
    set_momentum(optimizer, 0.7)
    for group in optimizer.param_groups:
        if name in ("adam", "adamw"):
            assert group["betas"] == (0.7, 0.99)
        else:
            assert group.get("momentum", 0.7) == 0.7


def _frozen():
    return net().requires_grad_(False)


def _tied():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    return model


def _shared_between_groups():
    model = _tied()
    make("sgd", [Group([model[0]], 0.1), Group([model[1]], 0.2)], model=model)


def _left_out():
    model = net()
    make("sgd", [Group([model[0]], 0.1)], model=model)


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda: make("adamv", [Group([net()], 0.1)]), "did you mean"),
        (lambda: make("sgd", [Group([net()], 0)]), "above 0"),
        (lambda: make("sgd", [Group([net()], -0.1)]), "-0.1 for group 0"),
        (lambda: make("sgd", [Group([net()], 0.1), Group([net()], math.nan)]), "nan for group 1"),
        (lambda: make("sgd", [Group([net()], math.inf)]), "inf for group 0"),
        (lambda: make("sgd", [Group([net()], 0.1)], weight_decay=-1), "weight decay"),
        (lambda: make("sgd", [Group([net()], 0.1)], momentum=1), "from 0 to below 1"),
        (lambda: make("adam", [Group([net()], 0.1)], eps=0), "eps"),
        (lambda: make("adam", [Group([net()], 0.1)], averaging=math.nan), "averaging"),
        (lambda: make("adam", [Group([net()], 0.1)], nesterov=True), "Nesterov"),
        (lambda: make("sgd", [Group([net()], 0.1)], nesterov=True, momentum=0), "Nesterov"),
        (lambda: make("adamw", [Group([net()], 0.1)], decoupled=False), 'use "adam"'),
        (lambda: make("sgd", [Group([_frozen()], 0.1)]), "nothing to train"),
        (lambda: make("sgd", []), "nothing to train"),
        (_shared_between_groups, "0.weight in groups 0 and 1"),
        (_left_out, "1.weight, 1.bias, 3.weight, 3.bias"),
    ],
)
def test_what_cannot_be_optimized_says_what_to_do(attempt, said):
    with pytest.raises(TrainingError) as problem:
        attempt()
    assert said in str(problem.value)
