"""Architecture and weights in one file: what is loaded computes what was saved; what is none of ours is refused."""

import json
import sys
import types

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from ursa import models
from ursa.errors import DataError, TrainingError


def refused(path, **how) -> TrainingError:
    with pytest.raises(TrainingError) as error:
        models.load(path, **how)
    return error.value


def test_every_builder_comes_back_with_the_same_outputs(tmp_path):
    picture, row = torch.rand(2, 3, 32, 32), torch.rand(2, 6)
    body = models.mlp(6, None, hidden=(5, 4), norm=True, dropout=0.2, activation="tanh")
    wide = models.mlp(6, 4, hidden=())
    for number, (net, inputs) in enumerate(
        [
            (models.linear(6, 3), (row,)),
            (models.small_cnn(3, 4, widths=(4, 6), dropout=0.1), (picture,)),
            (models.pooled_head(6, 3, hidden=8), (row,)),
            (models.siamese(body, models.linear(4, 1)), (row, row.flip(0))),
            (models.multi_output(wide, {"builder": models.linear(4, 1), "arguments": models.mlp(4, 2)}), (row,)),
            (models.Residual(models.mlp(6, 6), models.linear(6, 6)), (row,)),
            (models.create("resnet10t", 3), (picture,)),
            (models.create("torchvision:regnet_x_400mf", 3), (picture,)),
        ]
    ):
        net.train()(*inputs)  # so that norms know more than they did at first
        with torch.no_grad():
            for parameter in net.parameters():
                parameter += 0.01
        models.save(net, tmp_path / f"{number}.safetensors")
        again = models.load(tmp_path / f"{number}.safetensors")
        wanted, found = net.eval()(*inputs), again(*inputs)
        pairs = [(wanted[key], found[key]) for key in wanted] if isinstance(wanted, dict) else [(wanted, found)]
        assert all(torch.equal(one, other) for one, other in pairs) and not again.training
        assert again.built == net.built


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.lists(st.integers(1, 6), max_size=3), st.booleans(), st.integers(0, 9))
def test_any_mlp_comes_back_with_the_same_outputs(tmp_path_factory, features, classes, hidden, norm, seed):
    path = tmp_path_factory.mktemp("net") / "net.safetensors"
    net = models.mlp(features, classes, hidden=hidden, norm=norm, seed=seed, activation="gelu")
    models.save(net, path, seed=seed)
    rows = torch.rand(3, features)
    assert torch.equal(models.load(path)(rows), net.eval()(rows)) and models.describe(path).extra == {"seed": seed}


def test_loading_draws_nothing_and_keeps_the_precision(tmp_path):
    models.save(models.mlp(3, 2).to(torch.bfloat16), tmp_path / "a")
    torch.manual_seed(0)
    wanted = torch.rand(2)
    torch.manual_seed(0)
    net = models.load(tmp_path / "a")
    assert torch.equal(torch.rand(2), wanted) and {p.dtype for p in net.parameters()} == {torch.bfloat16}


class Own(nn.Module):
    """A network of a user's own, with a weight that two layers share."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(width, width), nn.Linear(width, width)
        self.two.weight = self.one.weight

    def forward(self, inputs):
        return self.two(self.one(inputs).relu())


def test_ones_own_network_is_given_or_named_on_loading_and_never_imported_by_the_file(tmp_path, monkeypatch):
    net, rows = Own(), torch.rand(3, 4)
    models.save(net, tmp_path / "own", classes=["a", "b"])
    error = refused(tmp_path / "own")
    assert "Own" in error.found and "allow=" in error.fix
    given = models.load(tmp_path / "own", model=Own())
    assert torch.equal(given(rows), net(rows)) and given.two.weight is given.one.weight
    monkeypatch.setitem(sys.modules, "my_nets", types.SimpleNamespace(Own=Own, Sum=sum, Wide=lambda: Own(5)))
    assert torch.equal(models.load(tmp_path / "own", allow="my_nets:Own")(rows), net(rows))
    for place in ("my_nets:Gone", "gone_nets:Own", "my_nets:Sum", "my_nets", "", ":", "os:getcwd"):
        assert place in refused(tmp_path / "own", allow=place).what
    told = refused(tmp_path / "own", allow="my_nets:Wide")
    assert told.found.startswith("shapes: one.weight [4, 4] instead of [5, 5]; ") and told.found.count(";") == 2


def test_a_network_that_was_changed_since_it_was_built_is_ones_own(tmp_path):
    for number, change in enumerate((lambda net: net.__setitem__(2, nn.Tanh()), lambda net: net.append(nn.ReLU()))):
        net = models.mlp(3, 2)
        change(net)
        models.save(net, tmp_path / f"{number}")
        assert models.describe(tmp_path / f"{number}").recipe is None and refused(tmp_path / f"{number}")
    head = models.linear(4, 4)
    shared = models.multi_output(models.mlp(3, 4), {"a": head, "b": head})
    assert shared.built is None and models.siamese(nn.Linear(3, 3)).built is None


def test_the_wrong_network_is_refused_naming_the_first_three_of_each_kind(tmp_path):
    models.save(models.mlp(3, 2, hidden=(4, 4, 4)), tmp_path / "deep")
    error = refused(tmp_path / "deep", model=models.mlp(3, 2, hidden=(5,)))
    assert "not in the network: 5.bias, 5.weight, 7.bias and 1 more" in error.found
    assert "shapes: 1.weight [4, 3] instead of [5, 3]" in error.found
    models.save(models.linear(3, 2), tmp_path / "flat")
    assert "missing in the file: 3.weight" in refused(tmp_path / "flat", model=models.mlp(3, 2)).found


def test_what_cannot_be_saved_is_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "net"
    models.save(models.linear(3, 2), path)
    before = path.read_bytes()
    with pytest.raises(TrainingError, match="JSON"):
        models.save(models.linear(3, 2), path, when=object())
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        models.save(models.linear(3, 2), tmp_path / "file" / "net")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_file_with_a_changed_byte_is_refused_or_means_the_same(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("net") / "net"
    net, rows = models.mlp(3, 2, hidden=2), torch.rand(2, 3)
    models.save(net, path)
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    try:
        again = models.load(path)
    except TrainingError as error:
        assert str(path) in str(error)
    else:
        assert torch.equal(again(rows), net.eval()(rows))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200) | st.integers(0, 700))
def test_a_file_that_is_cut_off_or_something_else_is_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("net") / "net"
    models.save(models.linear(3, 2), path)
    path.write_bytes(path.read_bytes()[:-1][:content] if isinstance(content, int) else content)
    assert refused(path).what


def forged(path, recipe, state=None, **document) -> None:
    """A file with a right hash around a wrong recipe, as its author can make it."""
    from ursa.models.saving import _digest

    state = {"1.weight": torch.zeros(2, 3), "1.bias": torch.zeros(2)} if state is None else state
    text = json.dumps({"format": 1, "class": "x", "extra": {}, "recipe": recipe, **document})
    save_file(state, path, metadata={"ursa": text, "sha256": _digest(text, state)})


GOOD = {"builder": "linear", "arguments": {"features": 3, "classes": 2}}


@pytest.mark.parametrize(
    "recipe",
    [
        {"builder": "os.system", "arguments": {"command": "true"}},
        {"builder": "linear", "arguments": {"features": 3}},
        {"builder": "linear", "arguments": {"features": 3, "classes": 2, "evil": 1}},
        {"builder": "linear", "arguments": {"features": 10**12, "classes": 10**6}},
        {"builder": "linear", "arguments": {"features": 10**40, "classes": 2}},
        {"builder": "linear", "arguments": {"features": "3", "classes": 2}},
        {"builder": "mlp", "arguments": {"features": 3, "classes": 2, "hidden": [[1]]}},
        {"builder": "mlp", "arguments": {"features": 3, "classes": 2, "activation": ["relu"]}},
        {"builder": "create", "arguments": {"name": "hf-hub:someone/net", "classes": 2}},
        {"builder": "create", "arguments": {"name": "local-dir:/tmp", "classes": 2}},
        {"builder": "create", "arguments": {"name": "vit_7b_patch16_dinov3", "classes": 2}},
        {"builder": "create", "arguments": {"name": ["resnet18"], "classes": 2}},
        {"builder": "siamese", "arguments": {"body": "linear"}},
        {"builder": "multi_output", "arguments": {"body": GOOD, "heads": {"a": 3}}},
        {"builder": 3, "arguments": {}},
        {},
        "linear",
    ],
    ids=lambda recipe: json.dumps(recipe)[:60],
)
def test_a_forged_recipe_is_refused(tmp_path, recipe):
    forged(tmp_path / "net", recipe)
    assert refused(tmp_path / "net").what


def test_forged_documents_are_refused_and_the_forgery_itself_works(tmp_path):
    forged(tmp_path / "good", GOOD)
    assert models.load(tmp_path / "good")(torch.rand(1, 3)).shape == (1, 2)
    nested = GOOD
    for _ in range(200):
        nested = {"builder": "residual", "arguments": {"body": nested}}
    forged(tmp_path / "deep", nested)
    assert "recipe" in refused(tmp_path / "deep").what
    forged(tmp_path / "newer", GOOD, format=99)
    assert "newer" in refused(tmp_path / "newer").what
    for number, document in enumerate(({"format": "1"}, {"extra": []}, {"class": 3})):
        forged(tmp_path / f"{number}", GOOD, **document)
        assert "damaged" in refused(tmp_path / f"{number}").what
    save_file({"a": torch.zeros(2)}, tmp_path / "plain")
    assert "does not say" in refused(tmp_path / "plain").what
    assert "no file" in refused(tmp_path / "gone").what


def test_the_file_is_plain_safetensors(tmp_path):
    models.save(models.linear(3, 2), tmp_path / "net")
    with safe_open(tmp_path / "net", framework="numpy") as file:
        assert sorted(file.keys()) == ["1.bias", "1.weight"]
        assert json.loads(file.metadata()["ursa"])["recipe"]["builder"] == "linear"
    assert models.describe(tmp_path / "net").shapes == {"1.bias": (2,), "1.weight": (2, 3)}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_every_precision_comes_back_bit_for_bit_with_integers_beside_it(tmp_path, dtype):
    net = models.mlp(4, 2, hidden=3, norm=True).to(dtype).train()
    net(torch.rand(5, 4, dtype=dtype))
    models.save(net, tmp_path / "net")
    again = models.load(tmp_path / "net").state_dict()
    assert int(again["2.num_batches_tracked"]) == 1 and again["2.num_batches_tracked"].dtype == torch.int64
    assert all(
        torch.equal(again[key], value) and again[key].dtype == value.dtype for key, value in net.state_dict().items()
    )


def test_the_same_network_has_the_same_hash_and_a_loaded_one_is_saved_as_it_was(tmp_path):
    net = models.small_cnn(1, 2, widths=3)
    for name in ("a", "b"):
        models.save(net, tmp_path / name, note="n")
    models.save(models.load(tmp_path / "a"), tmp_path / "c", note="n")
    told = []
    for name in "abc":
        with safe_open(tmp_path / name, framework="pt") as file:
            told.append(file.metadata())
    assert told[0] == told[1] == told[2] and len(told[0]["sha256"]) == 64


@pytest.mark.parametrize("extra", [{}, {"classes": ["Bär", "犬", "<a>"]}, {"nested": {"a": [1, 2.5, None, True]}}])
def test_what_is_saved_beside_a_network_is_read_without_building_it(tmp_path, extra):
    models.save(models.linear(3, 2), tmp_path / "net", **extra)
    told = models.describe(tmp_path / "net")
    assert told.extra == extra and told.kind == "torch.nn.modules.container:Sequential"
    assert told.recipe["arguments"]["features"] == 3


def test_weights_on_other_layouts_are_saved_by_their_values(tmp_path):
    net = models.small_cnn(3, 2, widths=4).to(memory_format=torch.channels_last)
    models.save(net, tmp_path / "net")
    pictures = torch.rand(2, 3, 9, 9)
    assert torch.allclose(models.load(tmp_path / "net")(pictures), net.eval()(pictures), atol=1e-6)


def test_a_network_given_is_filled_in_place_in_the_files_precision_and_put_into_evaluation(tmp_path):
    models.save(models.mlp(3, 2).double(), tmp_path / "net")
    mine = models.mlp(3, 2, seed=5).train()
    weight = mine[1].weight
    assert models.load(tmp_path / "net", model=mine) is mine and not mine.training
    assert mine[1].weight is weight and weight.dtype == torch.float64


def test_a_builder_of_ones_own_is_used_where_it_is_given_and_nowhere_else(tmp_path):
    from ursa.models.built import remembered

    def cube(side):
        return remembered(nn.Sequential(nn.Linear(side, side)), "cube", side=side)

    builders = {"cube": cube}
    models.save(cube(3), tmp_path / "net", builders=builders)
    assert models.load(tmp_path / "net", builders=builders)[0].in_features == 3
    assert "no builder is called 'cube'" in refused(tmp_path / "net").what


def test_hooks_that_put_no_tensors_into_the_state_are_refused_by_name(tmp_path):
    class Odd(nn.Linear):
        def get_extra_state(self):
            return {"a": 1}

    with pytest.raises(TrainingError, match="_extra_state is not a tensor"):
        models.save(Odd(2, 2), tmp_path / "net")
    assert not (tmp_path / "net").exists()
