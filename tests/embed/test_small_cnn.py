"""`small_cnn`: a network whose weights are random but always the same, and which learns."""

import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from ursa.core.prepare import Preparation
from ursa.embed.backbone import Backbone
from ursa.embed.engine import NATIVE_BF16, fast_precision
from ursa.embed.pretrained.relatives import relatives
from ursa.errors import TrainingError
from ursa.models.groups import parameter_groups
from ursa.training.batches.batch import Batch
from ursa.training.classifier import Classifier
from ursa.training.loop import State
from ursa.training.optim.data_parallel import data_parallel_cpu, size_for
from ursa.training.tasks.losses import cross_entropy
from ursa.workspace import Workspace

# Of its weights, rounded to what every machine's rounding agrees on: embeddings that are stored stand on them.
WEIGHTS = "4a55891da4009720"


@pytest.fixture(scope="module")
def views(photo):
    return torch.from_numpy(np.stack([Preparation(64).view(photo(seed, 40, 56)) for seed in range(6)]))


def digest(extractor):
    rounded = [(1e4 * value.double()).round().to(torch.int32).numpy() for value in extractor.state_dict().values()]
    return hashlib.sha256(b"".join(value.tobytes() for value in rounded)).hexdigest()[:16]


def test_weights_are_the_same_each_time_whatever_the_seed_of_torch_and_draw_nothing_from_it():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one = Backbone("small_cnn").load(pretrained=False)
    assert torch.equal(torch.get_rng_state(), before)
    assert digest(one) == WEIGHTS


def test_its_fingerprint_is_its_own_and_the_same_in_another_workspace(tmp_path):
    fingerprints = []
    for place, name in (("a", "small_cnn"), ("b", "small_cnn"), ("b", "pixels")):
        (tmp_path / place).mkdir(exist_ok=True)
        fingerprints.append(Backbone(name).describe(Workspace.open(tmp_path / place)).fingerprint)
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_its_random_features_tell_pictures_apart(views):
    features = Backbone("small_cnn").load()(views)
    assert features.shape == (6, 2 * 128)  # means and maxima
    assert features.isfinite().all()
    assert (features.std(0) > 0).float().mean() > 0.8  # few channels are dead
    assert torch.cdist(features, features).add(torch.eye(6)).min() > 1e-2


def test_the_signal_neither_dies_nor_explodes_on_its_way_through_the_layers(views):
    """He et al. 2015: each layer leaves the mean square about as it was, so that every one of them can learn."""
    extractor = Backbone("small_cnn").load()
    maps = extractor.normalized(views)
    for layer in extractor.body:
        before, maps = maps.square().mean(), layer(maps)
        assert 0.2 < maps.square().mean() / before < 5


def test_a_picture_counts_by_itself_so_parts_of_a_batch_give_the_same_gradient(views):
    """No norm over the batch: what a part of 2 gives is what the whole batch gives."""
    model = Classifier(Backbone("small_cnn").load(), 256, 3).requires_grad_(True).train()
    assert not any(isinstance(module, nn.modules.batchnorm._NormBase) for module in model.modules())
    targets = torch.arange(6) % 3
    found = []
    for size in (2, 6):
        state = State(model, torch.optim.SGD(model.parameters(), lr=0.1))
        with data_parallel_cpu(size=size) as gradient:
            gradient(state, Batch((views,), targets, list("abcdef")), cross_entropy)
        found.append([p.grad.clone() for p in model.parameters()])
    for part, whole in zip(*found, strict=True):
        torch.testing.assert_close(part, whole, atol=1e-5, rtol=1e-3)


def test_every_layer_learns(views):
    model = Classifier(Backbone("small_cnn").load(), 256, 3).requires_grad_(True).train()
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    cross_entropy(model(views), torch.arange(6) % 3).backward()
    optimizer.step()
    assert all(not torch.equal(value, before[name]) for name, value in model.named_parameters())


def test_its_layers_come_in_groups_the_first_convolutions_first_and_the_head_last():
    model = Classifier(Backbone("small_cnn").load(), 256, 3)
    groups = parameter_groups(model)
    assert [len(group) for group in groups] == [4, 4, 4, 2]
    assert groups[0][0] is model.extractor.body[0][0].weight
    assert groups[-1][0] is model.head.weight


def test_small_pictures_are_computed_more_at_a_time_and_large_ones_are_not():
    model = Classifier(Backbone("small_cnn").load(), 256, 3)
    batches = [Batch((torch.zeros(9, side, side, 3, dtype=torch.uint8),), torch.zeros(9), []) for side in (64, 224)]
    assert [size_for(model, batch) for batch in batches] == [8, 4]
    assert size_for(model, Batch((torch.zeros(9, 30),), torch.zeros(9), [])) == 4  # rows of numbers have no side


def test_it_has_no_weights_to_load_no_relatives_and_stays_exact(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"any")
    with pytest.raises(TrainingError, match="`small_cnn` has no weights to load"):
        Backbone("small_cnn", tmp_path / "w.safetensors").load()
    assert relatives("small_cnn") == []
    assert fast_precision("small_cnn", NATIVE_BF16) == "fp32"


def test_a_name_that_is_nearly_its_own_is_told():
    with pytest.raises(TrainingError) as problem:
        Backbone("smal_cnn").load()
    assert problem.value.fix == "did you mean 'small_cnn'?"
