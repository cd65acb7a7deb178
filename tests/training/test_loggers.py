"""What a run logs to TensorBoard and MLflow is what its history holds, however it ends."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from ursa.errors import TrainingError
from ursa.recipe import Recipe
from ursa.training.batches.array_batches import ArrayBatches
from ursa.training.fit import Observer, fit
from ursa.training.history import History
from ursa.training.loggers import create, mlflow, tensorboard
from ursa.training.loop import State

STEPS = {"step/loss": "loss", "step/lr": "lr"}


def trained(*observers: Observer, lr: float = 0.1, epochs: int = 3, scale: float = 1) -> History:
    """A small fit under the eyes of some observers: 4 steps an epoch."""
    draw = torch.Generator().manual_seed(0)
    inputs, targets = scale * torch.randn(16, 5, generator=draw), torch.arange(16) % 3
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Linear(5, 3)
    optimizer = torch.optim.SGD([{"params": [*model.parameters()], "max_lr": lr}], lr=lr)
    history = History()

    def evaluate(model: nn.Module) -> dict[str, float]:
        with torch.no_grad():
            return {"valid_loss": float(nn.functional.cross_entropy(model(inputs), targets))}

    recipe = Recipe.of(epochs=epochs, max_grad_norm=0)
    batches = ArrayBatches((inputs,), targets, batch=4)
    fit(State(model, optimizer), batches, recipe, evaluate, history=history, observers=observers)
    return history


def told(history: History, observer: Observer, steps: slice = slice(None)) -> None:
    """Tell an observer of some steps of a history, and of the epochs that they end."""
    for step in history.steps[steps]:
        observer.step(step)
        if step["step"] % 4 == 0:
            observer.epoch(next(one for one in history.epochs if one["epoch"] == step["epoch"] + 1))


def of_tensorboard(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """scalar -> [(step, value), ...], as TensorBoard reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def of_mlflow(folder: Path, name: str) -> tuple[str, dict[str, list[tuple[int, float]]]]:
    """Status of the only run of a name, and metric -> [(step, value), ...]."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (run,) = client.search_runs(["1"], f"attributes.run_name = '{name}'")
    known = {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
    return run.info.status, {key: [(one.step, one.value) for one in some] for key, some in known.items()}


def expected(history: History) -> dict[str, list[tuple[int, float]]]:
    """What a log of this history has to hold."""
    logged = {tag: [(step["step"], step[name]) for step in history.steps] for tag, name in STEPS.items()}
    epochs = [epoch for epoch in history.epochs if epoch["epoch"]]
    for name in ("train_loss", "valid_loss", "seconds"):
        logged[f"epoch/{name}"] = [(int(epoch["epoch"]) * 4, epoch[name]) for epoch in epochs]
    return logged


def same(logged: dict, wanted: dict) -> bool:
    """Steps equal, values equal as float32, which is what TensorBoard keeps."""
    return logged.keys() == wanted.keys() and all(
        steps(logged[key]) == steps(wanted[key]) and values(logged[key]) == pytest.approx(values(wanted[key]), rel=1e-6)
        for key in wanted
    )


def values(logged: list[tuple[int, float]]) -> list[float]:
    return [value for _, value in logged]


def steps(logged: list[tuple[int, float]]) -> list[int]:
    return [step for step, _ in logged]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose mlflow.db all tests share, as making one takes seconds."""
    pytest.importorskip("mlflow")
    return tmp_path_factory.mktemp("mlflow")


def test_tensorboard_reads_back_the_history(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    history = trained(tensorboard(tmp_path / "log", {"epochs": 3}))
    assert same(of_tensorboard(tmp_path / "log"), expected(history))


def test_mlflow_reads_back_the_history_from_its_database(place: Path) -> None:
    history = trained(mlflow(place, run="first", settings={"epochs": 3, "padding_mode": "grey"}))
    assert of_mlflow(place, "first") == ("FINISHED", expected(history))


def test_a_run_that_goes_on_goes_on_in_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    whole = trained()
    told(whole, first := tensorboard(tmp_path), slice(0, 7))
    first.close()
    told(whole, second := tensorboard(tmp_path), slice(5, None))  # from the checkpoint at step 5
    second.close()
    assert same(of_tensorboard(tmp_path), expected(whole))


def test_a_run_that_goes_on_is_the_same_run_in_mlflow(place: Path) -> None:
    whole = trained()
    told(whole, first := mlflow(place, run="one"), slice(0, 7))
    first.close()
    told(whole, second := mlflow(place, run="one"), slice(5, None))
    second.close()
    assert of_mlflow(place, "one") == ("FINISHED", expected(whole))


def test_a_run_that_diverges_leaves_its_log(tmp_path: Path, place: Path) -> None:
    pytest.importorskip("tensorboard")
    with pytest.raises(TrainingError, match="diverged"):
        trained(tensorboard(tmp_path / "log"), mlflow(place, run="bad"), lr=1e38, scale=1e20)
    status, metrics = of_mlflow(place, "bad")
    assert status == "FAILED"
    assert steps(metrics["step/loss"]) == steps(of_tensorboard(tmp_path / "log")["step/loss"])


def test_a_killed_run_leaves_what_its_epochs_measured(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    script = (
        "import os, sys\n"
        "from ursa.training.loggers import tensorboard\n"
        "log = tensorboard(sys.argv[1])\n"
        "log.step({'step': 1, 'epoch': 0, 'loss': 0.5, 'lr': 0.1})\n"
        "log.epoch({'epoch': 1, 'accuracy': 0.75})\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert of_tensorboard(tmp_path)["epoch/accuracy"] == [(1, 0.75)]
    assert of_tensorboard(tmp_path)["step/loss"] == [(1, 0.5)]


def test_trackers_log_where_they_are_told_to_or_in_the_workspace(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run = tmp_path / "runs" / "20261121"
    for wanted, place in (("tensorboard", run / "tensorboard"), (f"tensorboard:{tmp_path}/there", tmp_path / "there")):
        log = create(wanted, run, tmp_path)
        trained(log, epochs=1)
        assert of_tensorboard(place)


def test_an_unknown_tracker_names_its_neighbor(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="tensorboard"):
        create("tensorbord", tmp_path, tmp_path)


@pytest.mark.parametrize(("name", "package"), [("tensorboard", "tensorboard"), ("mlflow", "mlflow")])
def test_a_missing_package_says_what_to_install(name: str, package: str, tmp_path: Path, monkeypatch) -> None:
    for module in [one for one in sys.modules if one.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, module)
    for module in (package, *(one for one in sys.modules if one.startswith(f"{package}."))):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(TrainingError, match=r"pip install 'ursa-learn\[track\]'"):
        create(name, tmp_path, tmp_path)


def test_a_place_that_cannot_be_written_to_is_told_before_the_first_step(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot log the run"):
        tensorboard(tmp_path / "file" / "log")


def test_importing_trackers_imports_no_tracker() -> None:
    code = "import sys, ursa.training.loggers; print(any(name in sys.modules for name in ('mlflow', 'tensorboard')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
