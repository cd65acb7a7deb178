"""Small training runs with a fault planted, and without one: the histories that training verdicts are judged on.

What a run's fault is, is not claimed but measured, on a large part that the run never sees: what a tenth or ten times
the rate, three times the epochs would have gained there, and whether the error had been lower before. A run for which
that does not come out clearly is dropped, and counted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from common import BACKBONE, SHARED, SQUEEZENET
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from ursa.diagnose.training_verdict import rules
from ursa.diagnose.training_verdict.confirming import CONFIRMED_BY_RUN
from ursa.diagnose.training_verdict.training_finding import training_verdict
from ursa.diagnose.training_verdict.training_history import NetworkFacts, TrainingHistory, from_records
from ursa.errors import TrainingError
from ursa.models.convolution import small_cnn
from ursa.models.dense import linear, mlp
from ursa.training.batches.array_batches import ArrayBatches
from ursa.training.fit import Monitor, fit
from ursa.training.history import History
from ursa.training.loop import State
from ursa.training.network_facts import dead_share, predicted_share, response, watched
from ursa.training.optim import schedules
from ursa.training.optim.optimizers import Group, make

LONG = 12  # epochs of an ordinary run; each is also trained three times as long
OF_RUN = (2, 3, 5, 8, 12)  # epochs at which a run of constant rate is also taken as ended: equal to a shorter one
LRS = {  # learning rates a factor of 10 apart, from far too low to far too high, by optimizer
    "sgd": (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0),
    "momentum": (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    "adamw": (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0),
}
SURE = 1.5  # times the standard error of a difference of two errors: what counts as a gain, beside LEAST
LEAST = 0.02  # likewise, as a share of all examples


Score = tuple[float, float]  # error and loss on the untouched part
FAILED = (1.0, float("inf"))


@dataclass(frozen=True)
class World:
    """Data and a network, and the half that it belongs to."""

    name: str
    model: str
    half: str  # "set": thresholds were chosen on it; "held": they are reported on it
    x: Tensor  # [N, ...], standardized
    y: Tensor  # [N]
    build: Callable[[int], nn.Module]  # seed -> network
    learn: int
    valid: int
    optimizers: tuple[str, ...]

    @property
    def classes(self) -> int:
        return int(self.y.max()) + 1


@dataclass
class Planted:
    """A run: what it looked like, and what is wrong with it."""

    half: str
    where: str  # data, network, optimizer
    fault: str  # kind of the finding that is right
    epochs: list[dict[str, float]]
    steps: list[dict[str, float]]
    facts: dict[str, Any]
    how: str = ""
    test: list[tuple[float, float]] = field(default_factory=list)  # error and loss on the untouched part, by epoch
    made: dict[str, Any] = field(default_factory=dict)  # arguments of `_Maker.run` that make it again
    again: list[Any] = field(default_factory=list)  # epochs, steps and facts of the run that the verdict asks for


def worlds(half: str) -> Iterator[World]:
    """Those of a half, each with a network of its own."""
    if half == "set":
        x, y = load_digits(return_X_y=True)
        yield _world("digits", "linear", half, x, y, lambda s: linear(64, 10, seed=s), 500, 200, ("sgd", "adamw"))
        yield _world(
            "digits",
            "MLP 64",
            half,
            x,
            y,
            lambda s: mlp(64, 10, hidden=64, seed=s),
            600,
            250,
            ("sgd", "adamw", "momentum"),
        )
        x, y = _pima()
        yield _world(
            "pima",
            "MLP 32-32",
            half,
            x,
            y,
            lambda s: mlp(8, 2, hidden=(32, 32), seed=s),
            200,
            120,
            ("adamw", "momentum"),
        )
        x, y = _embeddings("dogs_cats")
        yield _world("dogs_cats", "linear", half, x, y, lambda s: linear(1024, 2, seed=s), 300, 200, ("momentum",))
        yield _world(
            "dogs_cats", "MLP 64", half, x, y, lambda s: mlp(1024, 2, hidden=64, seed=s), 300, 150, ("sgd", "adamw")
        )
        return
    x, y = _housing()
    yield _world(
        "california", "MLP 64-64", half, x, y, lambda s: mlp(8, 3, hidden=(64, 64), seed=s), 600, 250, ("adamw", "sgd")
    )
    yield _world(
        "california",
        "MLP 32, tanh",
        half,
        x,
        y,
        lambda s: mlp(8, 3, hidden=32, activation="tanh", seed=s),
        400,
        200,
        ("momentum",),
    )
    x, y = _embeddings("clothing")
    yield _world(
        "clothing", "MLP 128", half, x, y, lambda s: mlp(1024, 10, hidden=128, seed=s), 450, 200, ("adamw", "momentum")
    )
    yield _world("clothing", "linear", half, x, y, lambda s: linear(1024, 10, seed=s), 400, 200, ("sgd",))
    x, y = _mnist(1800, 10)
    yield _world(
        "mnist_12k, 10 px",
        "CNN 8-16",
        half,
        x,
        y,
        lambda s: small_cnn(1, 10, widths=(8, 16), seed=s),
        500,
        300,
        ("adamw",),
    )
    yield _world("mnist_12k, 10 px", "CNN without norm", half, x, y, _plain_cnn, 500, 200, ("momentum",))


def runs_of(world: World) -> tuple[list[Planted], int]:
    """All runs of a world -> those whose fault is certain, and how many were dropped."""
    found: list[Planted] = []
    dropped = 0
    for number, optimizer in enumerate(world.optimizers):
        maker = _Maker(world, optimizer, seed=number)
        for make_some in (
            maker.rates,
            maker.short,
            maker.one_cycles,
            maker.regularized,
            maker.chance,
            maker.dead,
            maker.one_class,
            maker.overfitted,
        ):
            for planted in make_some():
                if planted.fault:
                    planted.again = maker.confirming(planted)
                    found.append(planted)
                else:
                    dropped += 1
    return found, dropped


class _Maker:
    """Runs of one world and optimizer."""

    def __init__(self, world: World, optimizer: str, seed: int) -> None:
        self.world, self.optimizer, self.seed = world, optimizer, seed
        self.lrs = LRS[optimizer]
        self.rows = np.random.default_rng(seed).permutation(len(world.y))
        self.count = 0
        self.grid: list[Planted] = []
        self.best, self.good = 1.0, 0

    def rates(self) -> Iterator[Planted]:
        """Each rate of the grid, ended after some of the epochs."""
        self.grid = [self.run(lr, 3 * LONG) for lr in self.lrs]
        ends = [_at(each, 3 * LONG) for each in self.grid]
        at_long = [_at(each, LONG) for each in self.grid]
        least = _best(at_long, self._margin(min(at_long)[0]))  # not that of a loss beyond measure at the same error
        self.good, self.best = at_long.index(least), min(*ends, *at_long)[0]
        draw = np.random.default_rng(100 + self.seed)
        for place in range(len(self.grid)):
            for epochs in draw.choice(OF_RUN[:3], 1).tolist() + draw.choice(OF_RUN[3:], 1).tolist():
                yield self._cut(place, epochs)

    def short(self) -> Iterator[Planted]:
        """A good rate, and half of it, for a few epochs."""
        lr = self.lrs[self.good]
        for epochs, factor in ((2, 0.7), (2, 0.4), (3, 0.7), (4, 0.7)):
            whole, faster = self.run(factor * lr, 3 * epochs), self.run(10 * factor * lr, epochs)
            now = self._ended(whole, epochs)
            now.fault = self._judge(_at(now, epochs), [_at(faster, epochs)], _at(whole, 3 * epochs), [], now)
            now.how = f"{epochs} epochs, {factor:g} x"
            yield now

    def one_cycles(self) -> Iterator[Planted]:
        lr = self.lrs[self.good]
        for epochs, factor in ((2, 1.0), (LONG, 1.0), (LONG, 0.03)):
            now, longer = (self.run(factor * lr, e, cycle=True) for e in (epochs, 3 * epochs))
            faster = self.run(10 * factor * lr, epochs, cycle=True)
            now.fault = self._judge(_at(now, epochs), [_at(faster, epochs)], _at(longer, 3 * epochs), [], now)
            now.how = f"one cycle, {epochs} epochs, {factor:g} x"
            yield now

    def regularized(self) -> Iterator[Planted]:
        """Nothing wrong, though the training loss lies above the validation loss."""
        lr = self.lrs[self.good]
        for how in ("smoothing", "noise"):
            run = self.run(lr, 2 * LONG, regularize=how)
            clean = _at(run, 2 * LONG)[0] - self.best < 0.75 * self._margin(self.best) and self._rise(
                run
            ) < 0.75 * self._margin(self.best)
            run.fault, run.how = rules.FINE if clean else "", how
            yield run

    def chance(self) -> Iterator[Planted]:
        lr = self.lrs[self.good]
        for epochs in (5, LONG + 8):
            run = self.run(lr, epochs, spoil="labels")
            run.fault, run.how = rules.CHANCE, f"labels dealt out anew, {epochs} epochs"
            yield run

    def dead(self) -> Iterator[Planted]:
        lr = self.lrs[self.good]
        kinds = (
            ("zero inputs", "bias")
            if any(isinstance(m, nn.ReLU) for m in self.world.build(0).modules())
            else ("zero inputs",)
        )
        for kind in kinds:
            run = self.run(lr, LONG, spoil=kind)
            constant = run.facts["response"] < 1e-6
            run.fault, run.how = rules.DEAD if constant else "", kind
            yield run

    def one_class(self) -> Iterator[Planted]:
        lr = self.lrs[self.good]
        for kind in ("weighted", "imbalance"):
            run = self.run(lr, 6, spoil=kind)
            run.fault = rules.ONE_CLASS if run.facts["test_share"] > 0.985 and run.facts["response"] > 1e-6 else ""
            run.how = kind
            yield run

    def overfitted(self) -> Iterator[Planted]:
        lr = self.lrs[self.good]
        for kind, factor, epochs in (("wrong labels", 1.0, 40), ("wrong labels", 0.5, 60), ("few", 1.0, 60)):
            run = self.run(factor * lr, epochs, spoil=kind)
            risen = self._rise(run) >= self._margin(_at(run, epochs)[0])
            run.fault = rules.OVERFITTING if risen and run.facts["response"] > 1e-6 else ""
            run.how = f"{kind}, {epochs} epochs"
            yield run

    def confirming(self, run: Planted) -> list[Any]:
        """The run that `--confirm` would make of what is said of this one: epochs, steps, facts; [] for none."""
        said = training_verdict(history_of(run))
        if said.kind not in CONFIRMED_BY_RUN:
            return []
        made = dict(run.made)
        made["lr"] *= said.numbers.get("lr_factor", 1.0)
        made["epochs"] = said.numbers.get("epochs") or made["epochs"]
        again = self.run(**made)
        return [again.epochs, again.steps, again.facts]

    def run(
        self,
        lr: float,
        epochs: int,
        *,
        cycle: bool = False,
        spoil: str = "",
        regularize: str = "",
        count: int | None = None,
    ) -> Planted:
        """count: of the run that is made again, with its random numbers."""
        world = self.world
        self.count += count is None
        count = self.count if count is None else count
        made = {
            "lr": lr, "epochs": epochs, "cycle": cycle, "spoil": spoil, "regularize": regularize, "count": count,
        }  # fmt: skip
        draw = np.random.default_rng((self.seed, count))
        rows, n = self.rows, world.learn if spoil != "few" else world.learn // 5
        learn, valid, test = rows[:n], rows[n : n + world.valid], rows[world.learn + world.valid :]
        y = world.y.numpy().copy()
        x = world.x
        model = world.build(self.seed)  # so that runs differ in what is asked about alone
        weight = None
        if spoil == "labels":
            both = np.concatenate([learn, valid])
            y[both] = y[draw.permutation(both)]
        elif spoil == "wrong labels":
            wrong = learn[draw.random(len(learn)) < 0.4]
            y[wrong] = draw.integers(0, world.classes, len(wrong))
        elif spoil == "zero inputs":
            x = torch.zeros_like(x)
        elif spoil == "bias":
            with torch.no_grad():
                _first_hidden(model).bias.fill_(-1e3)
        elif spoil == "weighted":
            weight = torch.ones(world.classes)
            weight[0] = 1e4
        elif spoil == "imbalance":
            y_learn = np.where(draw.random(len(learn)) < 0.98, 0, y[learn])
            y[learn] = y_learn
        y_all = torch.from_numpy(y)

        def loss(outputs: Tensor, targets: Tensor) -> Tensor:
            return functional.cross_entropy(
                outputs, targets, weight=weight, label_smoothing=0.2 * (regularize == "smoothing")
            )

        def shown(m: nn.Module) -> dict[str, float]:
            m.eval()
            with torch.inference_mode():
                out, far = m(x[valid]), m(x[test])
                return {
                    "valid_loss": float(functional.cross_entropy(out, y_all[valid])),
                    "accuracy": float((out.argmax(1) == y_all[valid]).double().mean()),
                    "test": float((far.argmax(1) != y_all[test]).double().mean()),
                    "test_loss": float(functional.cross_entropy(far, y_all[test])),
                }

        batches: Any = ArrayBatches((x[learn],), y_all[learn], batch=32, seed=self.seed)
        if regularize == "noise":
            batches = _Noisy(batches, count)
        name, momentum = (
            ("sgd", 0.9) if self.optimizer == "momentum" else (self.optimizer, 0.9 * (self.optimizer != "sgd"))
        )
        state = State(model, make(name, [Group([model], lr)], model=model, momentum=momentum))
        history = History()
        try:
            fit(
                state,
                batches,
                shown,
                epochs=epochs,
                loss=loss,
                seed=self.seed,
                history=history,
                monitor=_LAST,
                schedule=schedules.one_cycle() if cycle else schedules.constant(),
            )
            diverged = False
        except TrainingError:
            diverged = True
        with torch.inference_mode(), watched(model) as alive:
            model.eval()
            out = model(x[valid])
        far = model(x[test]).argmax(1).bincount(minlength=world.classes).double() / len(test)
        facts = {
            "classes": world.classes,
            "valid_count": len(valid),
            "largest_class": float(y_all[valid].bincount().max()) / len(valid),
            "predicted_share": predicted_share(out),
            "response": response(out),
            "dead_units": dead_share(alive),
            "test_share": float(far.max()),
            "regularized": bool(regularize),
            "diverged": diverged,
        }
        scores = [(record.pop("test"), record.pop("test_loss")) for record in history.epochs]
        where = f"{world.name}, {world.model}, {self.optimizer}"
        return Planted(world.half, where, "", history.epochs, history.steps, facts, f"lr {lr:g}", scores, made)

    def _cut(self, place: int, epochs: int) -> Planted:
        whole = self.grid[place]
        cut = self._ended(whole, epochs)
        faster = [_at(each, epochs) for each in self.grid[place + 1 :]]
        slower = [_at(self.grid[i], epochs) for i in range(place)]
        cut.fault = self._judge(_at(cut, epochs), faster, _at(whole, 3 * epochs), slower, cut)
        return cut

    def _ended(self, whole: Planted, epochs: int) -> Planted:
        """The run as if it had been ended after so many epochs; its rate is constant, so that it is the same run."""
        facts = dict(whole.facts)
        if not facts["diverged"]:  # they are of the last weights
            facts |= {"predicted_share": None, "response": None, "dead_units": None}
        steps = [step for step in whole.steps if step["epoch"] < epochs]
        how = f"{whole.how}, {epochs} epochs"
        scores, made = whole.test[: epochs + 1], {**whole.made, "epochs": epochs}
        return Planted(whole.half, whole.where, "", whole.epochs[: epochs + 1], steps, facts, how, scores, made)

    def _judge(self, now: Score, faster: list[Score], longer: Score, slower: list[Score], run: Planted) -> str:
        """What is wrong, by what would have been better on the untouched part; "" where it is not clear.

        More training (faster or longer) is better where the error is lower beyond noise, or half as clearly and the
        loss by a quarter; less (slower) only by the error, twice beyond noise, as a loss may rise with confidence
        alone. Of faster and longer the one is right that gains more than twice what the other does.
        """
        margin = self._margin(min(score[0] for score in (now, longer, *faster, *slower)))
        best_faster, best_slower = _best(faster, margin), _best(slower, margin)
        guessing = float(np.log(self.world.classes))
        by_slower, lost = now[0] - best_slower[0], best_slower[1] < now[1] / 2
        if run.facts["diverged"]:
            return rules.LR_TOO_HIGH if by_slower >= margin else ""
        if lost and best_slower[0] < now[0] + margin / 4 and now[1] > guessing:
            return rules.LR_TOO_HIGH if now[1] > 2 * guessing else ""  # above the loss of guessing
        if by_slower >= 2 * margin and by_slower >= now[0] - min(best_faster[0], longer[0]):
            return rules.LR_TOO_HIGH
        rise = self._rise(run)
        if by_slower >= 0.75 * margin:
            return ""
        if rise >= margin:
            return rules.OVERFITTING
        helps_faster, helps_longer = _better(now, best_faster, margin), _better(now, longer, margin)
        if helps_faster is None or helps_longer is None or rise > 0.75 * margin:
            return ""
        gain_faster, gain_longer = now[1] - best_faster[1], now[1] - longer[1]
        if helps_faster and gain_faster > 2 * gain_longer:
            return rules.LR_TOO_LOW
        if helps_longer and gain_longer > 2 * gain_faster:
            return rules.TOO_FEW
        if helps_faster or helps_longer or now[0] > 1 - self._chance() - margin or now[1] > 2 * guessing:
            return ""
        return rules.FINE

    def _chance(self) -> float:
        return float(self.world.y.bincount().max()) / len(self.world.y)

    def _margin(self, error: float) -> float:
        count = len(self.world.y) - self.world.learn - self.world.valid
        p = min(max(error, 0.01), 0.99)
        return max(LEAST, SURE * float(np.sqrt(2 * p * (1 - p) / count)))

    def _rise(self, run: Planted) -> float:
        """By how much the error of the untouched part was lower before: both ends are means of three epochs."""
        test = np.array([error for error, _ in run.test[1:]])
        if len(test) < 6:
            return 0.0
        smooth = np.convolve(test, np.ones(3) / 3, "valid")
        return float(smooth[-1] - smooth.min())


def history_of(run: Planted) -> TrainingHistory:
    """All that a learner of Ursa knows."""
    return from_records(run.epochs, run.steps, facts=facts_of(run, tuple(run.facts)))


def again_of(run: Planted) -> TrainingHistory | None:
    """Likewise of the run that its verdict asks for, where there is one."""
    if not run.again:
        return None
    epochs, steps, facts = run.again
    return history_of(Planted(run.half, run.where, "", epochs, steps, facts))


def facts_of(run: Planted, names: Sequence[str]) -> NetworkFacts:
    known: dict[str, Any] = {name: run.facts[name] for name in names if name != "test_share"}
    return NetworkFacts(**known)


class _Last(Monitor):
    def better(self, now: dict[str, float], best: dict[str, float] | None) -> bool:  # noqa: ARG002
        return True


_LAST = _Last("valid_loss")


class _Noisy:
    """Batches whose inputs get noise as large as themselves: strong augmentation."""

    def __init__(self, batches: ArrayBatches, seed: int) -> None:
        self.batches, self.draw = batches, torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Any]:
        for batch in self.batches.epoch(epoch, first):
            x = batch.inputs[0]
            yield type(batch)((x + torch.randn(x.shape, generator=self.draw),), batch.targets)


def _at(run: Planted, epochs: int) -> Score:
    """Of the untouched part after so many epochs, the mean with the epoch before; FAILED where it had diverged."""
    if len(run.test) <= epochs:
        return FAILED
    error, loss = np.mean(run.test[epochs - 1 : epochs + 1] if epochs > 3 else run.test[epochs : epochs + 1], axis=0)
    return float(error), float(loss)


def _best(scores: list[Score], margin: float) -> Score:
    """The least loss of those whose error is the least within noise."""
    least = min((error for error, _ in scores), default=1.0)
    return min((s for s in scores if s[0] <= least + margin / 2), key=lambda s: s[1], default=FAILED)


def _better(now: Score, other: Score, margin: float) -> bool | None:
    """Whether more training is: by the error, or by the loss and half as clearly by the error; None: not clear."""
    gain, loss = now[0] - other[0], 1 - other[1] / now[1]
    if gain >= margin or (loss >= 0.25 and gain >= margin / 2):
        return True
    return False if gain < 0.75 * margin and (loss < 0.15 or gain < margin / 4) else None


def _first_hidden(model: nn.Module) -> Any:
    """The first layer whose outputs are rectified: its norm's bias, or its own."""
    return next(
        m
        for m in model.modules()
        if isinstance(m, nn.BatchNorm2d) or (isinstance(m, nn.Linear | nn.Conv2d) and m.bias is not None)
    )


def _plain_cnn(seed: int) -> nn.Module:
    from ursa.models.init import initialize

    layers = [
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    ]
    return initialize(nn.Sequential(*layers), seed=seed)


def _world(
    name: str,
    model: str,
    half: str,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    build: Callable[[int], nn.Module],
    learn: int,
    valid: int,
    optimizers: tuple[str, ...],
) -> World:
    values = torch.as_tensor(np.asarray(x, np.float32))
    spread = values.std(0, keepdim=True)
    if values.ndim > 2:
        values = (values - values.mean()) / values.std()
    else:
        values = (values - values.mean(0)) / torch.where(spread > 1e-6, spread, torch.ones_like(spread))
    return World(name, model, half, values, torch.as_tensor(np.asarray(y, np.int64)), build, learn, valid, optimizers)


def _pima() -> tuple[Any, Any]:
    data = np.loadtxt(SHARED / "data" / "tabular" / "jb_pima-indians-diabetes.csv", delimiter=",")
    return data[:, :-1], data[:, -1]


def _housing() -> tuple[Any, Any]:
    import polars as pl

    data = (
        pl.read_csv(SHARED / "data" / "tabular" / "california_housing.csv")
        .drop_nulls()
        .drop("ocean_proximity")
        .sample(4000, seed=0)
    )
    value = data["median_house_value"].to_numpy()
    return data.drop("median_house_value").to_numpy(), np.digitize(value, np.quantile(value, (1 / 3, 2 / 3)))


def _mnist(count: int, side: int) -> tuple[Any, Any]:
    known = np.load(SHARED / "data" / "mnist_12k.npz")
    x = torch.from_numpy(known["x_train"][:count]).float()[:, None]
    return functional.interpolate(x, (side, side), mode="area").numpy(), known["y_train"][:count]


def _embeddings(name: str) -> tuple[Any, Any]:
    from probe import embedded

    vectors, targets, _ = embedded(SHARED / "data" / name, BACKBONE, SQUEEZENET)
    return vectors, targets
