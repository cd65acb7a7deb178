"""Laws of the learner: a seed is a run, every form of data is learned, what does not fit is told early."""

import functools
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import ursa
from ursa import models
from ursa.errors import BundleError, DataError, TrainingError
from ursa.training.checkpoints.checkpoint_folder import Checkpoints
from ursa.training.fit import Observer
from ursa.training.tasks import losses

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4)).astype(np.float32)
CLASSES = (X[:, 0] + X[:, 1] > 0).astype(np.int64) + (X[:, 2] > 0.5)
NUMBERS = X @ np.array([1.0, -2, 0.5, 0], np.float32)
DATA = ((X[:90], CLASSES[:90]), (X[90:], CLASSES[90:]))


def learner(data=DATA, model=None, **settings):
    return ursa.Learner(data, model or models.mlp(4, 3, hidden=16), **settings)


def weights(of):
    return torch.cat([p.detach().flatten() for p in of.model.parameters()])


def without_times(history):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in history.epochs]


def test_the_same_seed_gives_the_same_run_and_leaves_the_users_streams_alone():
    def run(seed):
        one = learner(model=models.mlp(4, 3, hidden=16, dropout=0.3), recipe={"seed": seed, "batch_size": 16})
        one.fit_one_cycle(2)
        one.fit(2, 1e-3)
        return one

    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = run(0)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    torch.rand(3)
    again, other = run(0), run(1)
    assert first.history.steps == again.history.steps
    assert without_times(first.history) == without_times(again.history)
    assert torch.equal(weights(first), weights(again))
    assert first.history.steps != other.history.steps


def test_a_second_fit_goes_on_counting_and_draws_other_orders():
    seen = []

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x):
            if self.training:
                seen.append(x[:, 0].tolist())
            return self.layer(x)

    one = learner(model=Watched(), recipe={"batch_size": 30})
    one.fit(1)
    one.fit(1)
    assert sorted(itertools.chain(*seen[:3])) == sorted(itertools.chain(*seen[3:]))
    assert seen[:3] != seen[3:]
    assert [step["step"] for step in one.history.steps] == [1, 2, 3, 4, 5, 6]
    assert [step["epoch"] for step in one.history.steps] == [0, 0, 0, 1, 1, 1]
    assert [record["epoch"] for record in one.history.epochs] == [0, 1, 2]


def test_full_batch_is_gradient_descent_by_the_formula():
    lr, steps = 0.1, 7
    x, y = X[:90].astype(np.float64), NUMBERS[:90].astype(np.float64)
    model = models.linear(4, 1)
    w, b = (p.detach().double().numpy().copy() for p in model.parameters())
    one = learner(
        ((X[:90], NUMBERS[:90]), (X[90:], NUMBERS[90:])),
        model,
        optimizer=functools.partial(torch.optim.SGD, momentum=0),
        recipe={"batch_size": 90},
        standardize=False,
    )
    one.fit(steps, lr, keep="last")
    for _ in range(steps):
        error = x @ w[0] + b - y
        w, b = w - lr * 2 * (error @ x)[None] / 90, b - lr * 2 * error.mean()
    np.testing.assert_allclose(model[1].weight.detach().numpy(), w, atol=1e-5)
    np.testing.assert_allclose(model[1].bias.detach().numpy(), b, atol=1e-5)
    assert len(one.history.steps) == steps


@pytest.mark.parametrize(("batch", "steps"), [(1, 90), (90, 1), (1000, 1), (60, 2)])
def test_stochastic_mini_batch_and_full_batch_by_batch_size(batch, steps):
    one = learner(recipe={"batch_size": batch})
    one.fit(1)
    assert len(one.history.steps) == steps


def test_batch_norm_never_gets_a_single_example():
    one = learner(((X[:65], CLASSES[:65]), DATA[1]), models.mlp(4, 3, hidden=8, norm=True), recipe={"batch_size": 64})
    one.fit(1)
    assert len(one.history.steps) == 2


def test_classes_are_learned_from_text_and_told_as_text():
    names = np.array(["left", "middle", "right"])[CLASSES]
    one = learner(((X, names), (X, names)))
    one.fit_one_cycle(20, 0.03)
    said = one.predict(X)
    assert (said.labels == names).mean() > 0.8
    np.testing.assert_allclose(said.probabilities.sum(1), 1, atol=1e-5)
    found = one.evaluate()["accuracy"]
    assert found.value == (said.labels == names).mean()
    assert found.low < found.value <= found.high


def test_several_labels_numbers_and_binary_are_learned():
    one_hot = np.stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 2] > 1], axis=1)
    several = learner(((X, one_hot), (X, one_hot)), models.linear(4, 3))
    several.fit_one_cycle(40, 0.1)
    assert several.evaluate()["f1"].value > 0.8
    assert set(several.predict(X[:1]).labels[0]) <= {0, 1, 2}

    numbers = learner(((X, NUMBERS), (X, NUMBERS)), models.linear(4, 1))
    numbers.fit_one_cycle(80, 0.1)
    assert numbers.evaluate()["r2"].value > 0.99
    np.testing.assert_allclose(numbers.predict(X).numbers, NUMBERS, atol=0.3)

    data = (X, CLASSES > 0), (X, CLASSES > 0)
    binary = learner(data, models.linear(4, 1), loss=losses.binary_cross_entropy)
    binary.fit_one_cycle(20, 0.1)
    said = binary.predict(X)
    assert (said.labels == (CLASSES > 0)).mean() > 0.85
    assert said.probabilities.shape == (120, 2)


def test_two_inputs_and_several_outputs_with_missing_targets_are_learned():
    pairs = X, np.roll(X, 1, axis=0)
    same = (pairs[0][:, 0] * pairs[1][:, 0] > 0).astype(np.int64)
    body = models.mlp(4, None, hidden=8)
    two = learner(((pairs, same), (pairs, same)), models.siamese(body, models.linear(8, 2)))
    two.fit(2)
    assert len(two.predict(pairs)) == 120

    targets = {"kind": np.where(X[:, 3] > 1, -1, CLASSES), "size": np.where(X[:, 3] < -1, np.nan, NUMBERS)}
    heads = {"kind": models.linear(16, 3), "size": models.linear(16, 1)}
    one = learner(((X, targets), (X, targets)), models.multi_output(models.mlp(4, None, hidden=16), heads))
    before = one.evaluate()["loss"].value
    one.fit_one_cycle(15, 0.03)
    found = one.evaluate()
    assert found["loss"].value < before / 2
    assert set(found) == {"loss", "kind_accuracy", "size_rmse"}
    assert all(np.isfinite(metric.value) for metric in found.values())
    said = one.predict(X[:5])
    assert len(said.parts["kind"].labels) == len(said.parts["size"].numbers) == 5


def test_data_sets_are_learned():
    train, valid = (TensorDataset(torch.from_numpy(x), torch.from_numpy(y)) for x, y in DATA)
    one = learner((train, valid), recipe={"batch_size": 16})
    one.fit_one_cycle(8, 0.03)
    assert one.evaluate()["accuracy"].value > 0.7
    assert one.predict(X[:2]).probabilities.shape == (2, 3)


def test_frozen_layers_stay_and_the_head_learns():
    one = learner(model=models.mlp(4, 3, hidden=(8, 8)))
    one.freeze()
    before = [p.detach().clone() for p in one.model.parameters()]
    one.fit(1, 0.1, keep="last")
    changed = [not torch.equal(a, b) for a, b in zip(before, one.model.parameters(), strict=True)]
    assert changed == [False, False, False, False, True, True]
    one.unfreeze()
    one.fine_tune(1, 0.01, keep="last")
    assert all(not torch.equal(a, b) for a, b in zip(before, one.model.parameters(), strict=True))
    assert all(p.requires_grad for p in one.model.parameters())


def test_the_best_epoch_is_kept_and_the_last_on_request():
    def run(keep):
        one = learner(recipe={"batch_size": 16})
        one.fit(12, 0.1, keep=keep)
        return one

    best, last = run("best"), run("last")
    accuracies = [record["accuracy"] for record in best.history.epochs]
    assert best.evaluate()["accuracy"].value == max(accuracies)
    assert last.evaluate()["accuracy"].value == pytest.approx(accuracies[-1])


def test_accumulation_and_averaged_weights_are_settings():
    whole, parts = learner(recipe={"batch_size": 30}), learner(recipe={"batch_size": 30, "micro_batch_size": 7})
    whole.fit(2, keep="last")
    parts.fit(2, keep="last")
    torch.testing.assert_close(weights(whole), weights(parts), atol=1e-5, rtol=1e-4)
    averaged = learner(recipe={"batch_size": 30, "ema_decay": 0.9})
    averaged.fit(2, keep="last")
    assert not torch.equal(weights(averaged), weights(whole))


def test_the_order_in_memory_changes_nothing_but_speed():
    x = RNG.integers(0, 256, (40, 12, 12), dtype=np.uint8)

    def run(channels_last):
        one = learner((x, CLASSES[:40]), models.small_cnn(1, 3, widths=(4, 8)), channels_last=channels_last)
        one.fit(2, keep="last")
        return weights(one)

    torch.testing.assert_close(run(True), run(False), atol=1e-4, rtol=1e-3)


def test_bf16_learns_too():
    one = learner(precision="bf16", recipe={"batch_size": 16})
    one.fit_one_cycle(10, 0.03)
    assert one.evaluate()["accuracy"].value > 0.7
    assert one.predict(X[:2]).probabilities.dtype == np.float32


def test_ctrl_c_ends_a_fit_with_the_best_state_so_far():
    class Presses(Observer):
        def epoch(self, record):
            if record["epoch"] == 2:
                os.kill(os.getpid(), signal.SIGINT)

    one = learner(recipe={"batch_size": 16})
    one.fit(50, observers=[Presses()])
    assert one.history.stopped == "interrupted"
    epochs = one.history.epochs
    assert epochs[-1]["epoch"] <= 3
    assert one.evaluate()["accuracy"].value == max(record["accuracy"] for record in epochs)
    one.fit(1)
    assert one.history.stopped is None


@pytest.mark.parametrize("again", [False, True])
def test_what_ctrl_c_ended_goes_on_to_the_same_end(tmp_path, again):
    class Presses(Observer):
        def epoch(self, record):
            if record["epoch"] == 2:
                os.kill(os.getpid(), signal.SIGINT)

    def begun():
        one = learner(recipe={"batch_size": 16}, model=models.mlp(4, 3, hidden=(8, 8)))
        one.fit(1)
        return one

    def kept():
        return Checkpoints(tmp_path, every_steps=1)

    whole, one = begun(), begun()
    whole.fine_tune(4, 0.03)
    one.fine_tune(4, 0.03, checkpoints=kept(), observers=[Presses()], frozen_epochs=1)
    assert one.history.stopped == "interrupted"
    one = begun() if again else one
    with pytest.raises(TrainingError, match="holds the checkpoints"):
        one.fine_tune(4, 0.03, checkpoints=kept(), frozen_epochs=0)
    one.fine_tune(4, 0.03, checkpoints=kept(), resume=True)
    ends = whole.history.steps[-24:], one.history.steps[-24:]
    assert [step["loss"] for step in ends[0]] == [step["loss"] for step in ends[1]]
    assert torch.equal(weights(one), weights(whole))
    if not again:
        assert one.history.steps == whole.history.steps
        assert without_times(one.history) == without_times(whole.history)


def test_ctrl_c_in_the_frozen_epochs_ends_it_all():
    class Presses(Observer):
        pressed = False

        def epoch(self, record):
            if not self.pressed and record["epoch"] == 1:
                self.pressed = True
                os.kill(os.getpid(), signal.SIGINT)

    one = learner(recipe={"batch_size": 16})
    one.fine_tune(4, observers=[Presses()], frozen_epochs=3)
    assert one.history.stopped == "interrupted"
    assert [record["epoch"] for record in one.history.epochs] == [0, 1]
    assert all(p.requires_grad for p in one.model.parameters())
    one.fine_tune(1, frozen_epochs=0)
    assert one.history.stopped is None


def test_layers_thaw_from_the_head_downwards_in_a_gradual_fit():
    one = learner(model=models.mlp(4, 3, hidden=(8, 8)), recipe={"batch_size": 30, "gradual_unfreezing": 1.0})
    first = one.model[1].weight if hasattr(one.model[1], "weight") else next(one.model.parameters())
    before = first.detach().clone()
    one.fit(1, 0.1, keep="last")
    assert torch.equal(first, before)
    assert all(p.requires_grad for p in one.model.parameters())
    one.recipe = one.recipe.with_settings({"gradual_unfreezing": 0.3})
    one.fit(2, 0.1, keep="last")
    assert not torch.equal(first, before)


def test_rare_classes_weigh_more_on_request():
    rare = np.where(X[:, 0] > 1, 1, 0)
    one = learner((X, rare), models.linear(4, 2), recipe={"class_weights": True})
    usual, unusual = one.loss.keywords["weights"].tolist()
    assert unusual > 3 * usual
    with pytest.raises(TrainingError, match="oversample has no meaning for arrays"):
        learner((X, rare), recipe={"oversample": True})


def test_a_saved_learner_predicts_the_same_in_another_process(tmp_path):
    names = np.array(["a", "b", "c"])[CLASSES]
    one = learner((X * 50 + 7, names))
    one.fit(1)
    file = one.save(tmp_path / "learner.safetensors")
    np.save(tmp_path / "x.npy", X * 50 + 7)
    np.save(tmp_path / "said.npy", one.predict(X * 50 + 7).probabilities)
    script = """
        import numpy as np, sys, ursa
        one = ursa.load(sys.argv[1] + "/learner.safetensors")
        said = one.predict(np.load(sys.argv[1] + "/x.npy"))
        np.testing.assert_allclose(said.probabilities, np.load(sys.argv[1] + "/said.npy"), atol=1e-6)
        assert set(said.labels) <= {"a", "b", "c"}
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], check=True, timeout=100)
    with pytest.raises(DataError, match="without data"):
        ursa.load(file).evaluate()
    found = ursa.load(file).evaluate((X * 50 + 7, names))["accuracy"].value
    assert found == pytest.approx((one.predict(X * 50 + 7).labels == names).mean())
    again = ursa.load(file, (X * 3, names))  # other numbers, read as those that it learned from
    assert again.data.inputs == one.data.inputs
    again.fit(1)


def test_weights_of_another_network_are_refused(tmp_path):
    file = learner().save(tmp_path / "learner.safetensors")
    one, other = learner(model=models.mlp(4, 3, hidden=16, seed=1)), learner(model=models.mlp(4, 3, hidden=17))
    one.load(file)
    assert torch.equal(weights(one), weights(learner()))
    with pytest.raises(TrainingError):
        other.load(file)


@pytest.mark.slow
@pytest.mark.parametrize("pictures", [False, True])
def test_an_exported_network_takes_what_the_learner_takes(tmp_path, pictures):
    import onnxruntime

    if pictures:
        x = RNG.integers(0, 256, (40, 12, 12), dtype=np.uint8)
        one = learner((x, CLASSES[:40]), models.small_cnn(1, 3, widths=(4, 8)))
    else:
        x = X * 30 + 5
        one = learner((x, CLASSES))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = one.export(tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"input": x[:7]})
    assert logits.argmax(1).tolist() == one.predict(x[:7]).labels.tolist()
    with pytest.raises(BundleError):
        one.export(tmp_path / "network.ursa")


def test_results_and_summary_are_shown():
    one = learner()
    assert "Linear" in str(one.summary())
    assert one.show_results(5).shape == (5, 2)


class Halves(nn.Module):
    """A network with a mistake in its second layer."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(9, 3)

    def forward(self, x):
        return self.second(self.first(x))


MISTAKES = {
    "the layer second": lambda: learner(model=Halves()),
    "the layer 1": lambda: learner(model=models.mlp(5, 3)),
    "a label is out of range": lambda: learner(model=models.mlp(4, 2)),
    "class numbers|targets": lambda: learner(((X, NUMBERS), (X, NUMBERS)), loss=losses.cross_entropy),
    "same shape": lambda: learner(loss=losses.mse),
    "unknown metric": lambda: learner(metrics=["acuracy"]),
    "no optimizer": lambda: learner(optimizer="adamm"),
    "no schedule": lambda: learner().fit(1, schedule="cosinus"),
    "no such precision": lambda: learner(precision="fp8"),
    "fp16 is for": lambda: learner(precision="fp16"),
    "need a network": lambda: learner(model="resnet18"),
    "no setting 'bach'": lambda: learner(recipe={"bach": 3}),
    "no usual loss": lambda: learner(((X, RNG.integers(0, 9, (120, 4))),) * 2),
    "no weights are called": lambda: learner().fit(1, keep="first"),
    "there is no split": lambda: learner().predictions("test"),
    "another shape": lambda: learner().predict(X[:, :2]),
    "pair of inputs": lambda: learner().evaluate(X),
    "the training part lacks": lambda: learner().evaluate((X, CLASSES + 1)),
    "there is nothing to train": lambda: frozen().fit(1),
}


def frozen():
    one = learner()
    one.model.requires_grad_(False)
    return one


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_told_in_one_readable_error(what):
    with pytest.raises((TrainingError, DataError), match=what) as told:
        MISTAKES[what]()
    assert "\n" not in told.value.what
    assert told.value.found or told.value.fix


@pytest.mark.parametrize("lr", [0, -1e-3, float("nan"), float("inf")])
def test_a_rate_that_cannot_be_is_refused_before_the_first_step(lr):
    one = learner()
    before = weights(one).clone()
    with pytest.raises(TrainingError, match="learning rate"):
        one.fit(1, lr)
    assert torch.equal(weights(one), before)


def test_shapes_that_do_not_fit_say_layer_got_and_expected():
    with pytest.raises(TrainingError) as told:
        learner(model=Halves())
    assert "9" in told.value.found
    assert "8" in told.value.found


def test_divergence_leaves_the_history_and_the_best_weights():
    numbers = (X * 1e3, NUMBERS), (X * 1e3, NUMBERS)
    one = learner(numbers, models.linear(4, 1), optimizer="sgd", standardize=False)
    with pytest.raises(TrainingError, match="diverged"):
        one.fit(20, 1.0)
    assert one.history.steps
    assert torch.isfinite(weights(one)).all()


@pytest.mark.slow
def test_digits_of_the_shared_set_are_learned(shared):
    with np.load(shared / "data/mnist_12k.npz") as file:
        data = (file["x_train"][:3000], file["y_train"][:3000]), (file["x_valid"], file["y_valid"])
    one = ursa.Learner(data, models.mlp(784, 10, hidden=256))
    one.fit_one_cycle(3)
    assert one.evaluate()["accuracy"].value > 0.92
