"""Trackers: ordinary observers of a run that log it to TensorBoard or MLflow, on this machine or on a server.

fit(..., observers=[tensorboard("runs/first")])     then: tensorboard --logdir runs
fit(..., observers=[mlflow("sqlite:///mlflow.db")]) then: mlflow ui --backend-store-uri sqlite:///mlflow.db

Both log `step/loss` and `step/lr`, and what each epoch measured as `epoch/...` at the step that ended it. A run that
goes on from a checkpoint goes on in its log: what was logged beyond the checkpoint before does not stand there twice.
"""

import contextlib
import importlib.util
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ursa.errors import TrainingError, did_you_mean
from ursa.training.fit import Observer

KINDS = {"tensorboard": "TensorBoard", "mlflow": "MLflow"}  # package: its name
INSTALL = "pip install 'ursa-learn[track]'"
AT_ONCE = 1000  # metrics that are sent together: MLflow's limit for one request
STEP = ("loss", "lr")  # what is logged of each step
SQLITE = "sqlite:///"
FLUSH = 10  # seconds after which a killed run's steps are on disk


def create(wanted: str, run: Path, shared: Path, settings: Mapping[str, Any] | None = None) -> Observer:
    """ "tensorboard", "mlflow", or either with a place, as in "tensorboard:FOLDER" or "mlflow:http://host:5000".

    run: the run's own folder, whose name names the run and where TensorBoard logs by default; shared: the folder of all
    runs, where MLflow keeps them together in `mlflow.db`. settings: of the run, logged beside it.
    """
    kind, place = known(wanted)
    if kind == "tensorboard":
        return tensorboard(Path(place) if place else run / "tensorboard", settings)
    return mlflow(place or shared, run=run.name, settings=settings)


def known(wanted: str) -> tuple[str, str]:
    """ "mlflow:FOLDER" -> ("mlflow", "FOLDER"). Raises TrainingError where there is no such tracker, or its package is
    missing: to be known before a run begins."""
    kind, _, place = wanted.partition(":")
    if kind not in KINDS:
        raise TrainingError(f"there is no logger {kind!r}", fix=did_you_mean(kind, KINDS))
    if importlib.util.find_spec(kind) is None:
        raise TrainingError(f"{KINDS[kind]} is not installed", fix=INSTALL)
    return kind, place


def tensorboard(folder: str | Path, settings: Mapping[str, Any] | None = None) -> Observer:
    """Event files in `folder`, which TensorBoard shows as one run. Raises TrainingError where it cannot log there."""
    return _TensorBoard(Path(folder), settings or {})


def mlflow(
    place: str | Path, experiment: str = "ursa", run: str = "", settings: Mapping[str, Any] | None = None
) -> Observer:
    """A run of an MLflow experiment. Raises TrainingError where it cannot log there.

    place: `sqlite:///FILE`, the address of a server, or a folder for a file `mlflow.db`. run: its name; a run of this
    name that was logged there before goes on.
    """
    return _MLflow(_uri(place), experiment, run, settings or {})


class _TensorBoard(Observer):
    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        with _installed("TensorBoard"):
            from torch.utils.tensorboard import SummaryWriter
        self.folder, self.settings = folder, settings
        self.last = 0  # step that was told last
        self.make = SummaryWriter
        self.writer: SummaryWriter | None = None
        with _reached(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError("it may not be written to")

    def step(self, step: dict[str, float]) -> None:
        self._log({f"step/{name}": step[name] for name in STEP}, int(step["step"]))

    def epoch(self, record: dict[str, float]) -> None:
        self._log(_measured(record), int(record.get("step", self.last)))
        if self.writer is not None:
            self.writer.flush()

    def close(self) -> None:
        if self.writer is not None:
            with _reached(self.folder):
                self.writer.close()

    def _log(self, values: Mapping[str, float], step: int) -> None:
        self.last = step
        with _reached(self.folder):
            if self.writer is None:  # the run begins or goes on here: what another process logged from here on is void
                self.writer = self.make(str(self.folder), purge_step=step, flush_secs=FLUSH)
                self.writer.add_text("settings", _table(self.settings), step)
            for name, value in values.items():
                self.writer.add_scalar(name, value, step)


class _MLflow(Observer):
    def __init__(self, uri: str, experiment: str, run: str, settings: Mapping[str, Any]) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing leaves this machine unasked
        with _installed("MLflow"):
            from mlflow.entities import Metric, Param
            from mlflow.tracking import MlflowClient
        self.uri, self.metric, self.param = uri, Metric, Param
        self.waiting: list[Any] = []
        self.finite, self.last = True, 0
        with _reached(uri):
            if uri.startswith(SQLITE):
                Path(uri.removeprefix(SQLITE)).parent.mkdir(parents=True, exist_ok=True)
            self.client = MlflowClient(uri)
            self.run, self.known = self._begun(experiment, run, settings)

    def step(self, step: dict[str, float]) -> None:
        self.finite = self.finite and math.isfinite(step["loss"])
        self._log({f"step/{name}": step[name] for name in STEP}, int(step["step"]))

    def epoch(self, record: dict[str, float]) -> None:
        self._log(_measured(record), int(record.get("step", self.last)))
        self._send()

    def close(self) -> None:
        self._send()
        with _reached(self.uri):
            self.client.set_terminated(self.run, "FINISHED" if self.finite else "FAILED")

    def _begun(self, experiment: str, name: str, settings: Mapping[str, Any]) -> tuple[str, dict[str, int]]:
        """The run's id, new or of the run that goes on, and the last step that it has of each metric."""
        there = self.client.get_experiment_by_name(experiment)
        within = there.experiment_id if there else self.client.create_experiment(experiment, self._artifacts())
        quote = '"' if "'" in name else "'"
        named = f"attributes.run_name = {quote}{name}{quote}"
        before = self.client.search_runs([within], named, max_results=1) if name else []
        if not before:
            run = self.client.create_run(within, run_name=name or None).info.run_id
            self.client.log_batch(run, params=[self.param(key, str(value)) for key, value in settings.items()])
            return run, {}
        run = before[0].info.run_id
        self.client.update_run(run, status="RUNNING")
        metrics = before[0].data.metrics
        return run, {key: max(one.step for one in self.client.get_metric_history(run, key)) for key in metrics}

    def _artifacts(self) -> str | None:
        """Where files that others log beside the figures would go: next to a database, not where the user stands."""
        if not self.uri.startswith(SQLITE):
            return None
        return (Path(self.uri.removeprefix(SQLITE)).absolute().parent / "mlartifacts").as_uri()

    def _log(self, values: Mapping[str, float], step: int) -> None:
        self.last, now = step, int(time.time() * 1000)
        new = {name: value for name, value in values.items() if step > self.known.get(name, -1)}
        self.waiting += [self.metric(name, value, now, step) for name, value in new.items()]
        if len(self.waiting) >= AT_ONCE:
            self._send()

    def _send(self) -> None:
        with _reached(self.uri):
            while self.waiting:
                self.client.log_batch(self.run, metrics=self.waiting[:AT_ONCE])
                self.waiting = self.waiting[AT_ONCE:]


def _measured(record: Mapping[str, float]) -> dict[str, float]:
    return {f"epoch/{name}": value for name, value in record.items() if name not in ("epoch", "step")}


def _table(settings: Mapping[str, Any]) -> str:
    return "\n".join(["| setting | value |", "| --- | --- |", *(f"| {key} | {settings[key]} |" for key in settings)])


def _uri(place: str | Path) -> str:
    """A place as MLflow names it; what is no address is a folder."""
    if "://" in str(place) or str(place).startswith(SQLITE):
        return str(place)
    return f"{SQLITE}{(Path(place).absolute() / 'mlflow.db').as_posix()}"


@contextlib.contextmanager
def _installed(name: str) -> Iterator[None]:
    try:
        yield
    except ImportError as problem:
        raise TrainingError(f"{name} is not installed", found=problem, fix=INSTALL) from problem


@contextlib.contextmanager
def _reached(place: str | Path) -> Iterator[None]:
    """Whatever goes wrong inside is told as an error that names the log; no library tells its own progress."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    except Exception as problem:  # trackers, databases and servers behind them raise errors of many kinds
        told = (str(problem).strip() or type(problem).__name__).splitlines()[0][:200]
        raise TrainingError(
            f"cannot log the run to {place}", found=told, fix="name another place, or train without a tracker"
        ) from problem
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
