"""A file in which some tool logged a training, CSV or JSON -> its history, and which columns were read as what.

Known: Ursa's history.json, fastai's and Keras' CSVLogger, Lightning's metrics.csv, the Hugging Face Trainer's
trainer_state.json, a Keras history saved as JSON. The file is untrusted: bounded, and every cell may be anything.
"""

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa.core import files
from ursa.core.text import delimiter_of, escaped
from ursa.diagnose.training_verdict.training_history import (
    HIGHER,
    LOWER,
    NetworkFacts,
    TrainingHistory,
    from_records,
    number,
)
from ursa.errors import DataError, did_you_mean

MOST_BYTES = 64 << 20  # a log of 10,000 epochs with 20 columns takes 2 MB
MOST_ROWS = 500_000
TRAIN_LOSS = ("train_loss_epoch", "train_loss", "training_loss", "trn_loss", "loss_train", "loss", "train_loss_step")
VALID_LOSS = ("valid_loss", "val_loss", "validation_loss", "eval_loss", "dev_loss", "loss_valid", "loss_val")
LR = ("lr", "learning_rate")
VALID = ("valid_", "val_", "validation_", "eval_", "dev_")
METRICS = tuple(dict.fromkeys((*HIGHER, *LOWER, "sparse_categorical_accuracy", "categorical_accuracy")))
COUNTS, FLAGS = ("classes", "valid_count"), ("regularized", "diverged", "stopped", "pretrained")  # of NetworkFacts
NUMBERS = ("largest_class", "predicted_share", "response", "dead_units", "lr")
MOST_FACT = 1e9
PART = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class LoggedHistory:
    """A history, and what it was read from."""

    history: TrainingHistory
    columns: Mapping[str, str]  # "train_loss", "valid_loss", "metric", "lr" -> the column's name in the file
    notes: tuple[str, ...] = ()  # what was made of them


def read_history(path: str | Path, *, metric: str | None = None) -> LoggedHistory:
    """metric: the column that is judged, of the validation part; None: the first that is known.

    Raises DataError for what is no such log, or holds no loss.
    """
    text = _text(Path(path))
    if text.lstrip()[:1] in ("{", "["):
        document = _json(text)
        if isinstance(document, dict) and isinstance(document.get("epochs"), list):
            return _of_ursa(document, metric)
        return of_rows(_rows_of(document), metric=metric)
    return of_rows(_csv(text), metric=metric)


def of_rows(rows: Sequence[Mapping[str, Any]], *, metric: str | None = None) -> LoggedHistory:
    """Rows of a log, some of an epoch, of a step or of a validation, by the column's name -> the history."""
    names = list(dict.fromkeys(name for row in rows for name in row if isinstance(name, str) and name))
    if not rows:
        raise DataError("the log holds no row", found="a head line alone" if names else "nothing", fix=NEEDED)
    plain = {_plain(name): name for name in reversed(names)}
    found = {role: plain[n] for role, n in _roles(plain, metric, names).items()}
    if "train_loss" not in found and "valid_loss" not in found:
        listed = ", ".join(escaped(name)[:40] for name in names[:12])
        raise DataError("no column of the log is a loss", found=f"columns {listed}", fix=NEEDED)
    counted: dict[int, dict[str, list[Any]]] = {}
    epoch = plain.get("epoch") or plain.get("epochs")
    for count, row in enumerate(rows):
        place = _whole(row.get(epoch), count) if epoch else count
        of_epoch = counted.setdefault(place, {})
        for role, name in found.items():
            if (value := _number(row.get(name), name)) is not None:
                of_epoch.setdefault(role, []).append(value)
    kept = [of_epoch for _, of_epoch in sorted(counted.items()) if of_epoch.keys() - {"lr"}]
    if not kept:
        raise DataError("the log holds no number", found=f"{len(rows):,} rows of empty cells", fix=NEEDED)
    steps = _steps(kept)
    higher, share, notes, scale = _metric_kind(found.get("metric"), kept)
    records = [_record(place, of_epoch, scale) for place, of_epoch in enumerate(kept, 1)]
    history = from_records(
        records, steps, metric="metric" if "metric" in found else "", higher_is_better=higher, share=share
    )
    return LoggedHistory(_named(history, found.get("metric", "")), found, notes)


NEEDED = "a CSV with the columns epoch, train_loss, valid_loss and a metric such as accuracy, one row an epoch"


def _roles(plain: Mapping[str, str], metric: str | None, names: Sequence[str]) -> dict[str, str]:
    """Which column is what, by their plain names."""
    found: dict[str, str] = {}
    for role, known in (("train_loss", TRAIN_LOSS), ("valid_loss", VALID_LOSS), ("lr", LR)):
        if name := next((each for each in known if each in plain), None):
            found[role] = name
    if metric is not None:
        if _plain(metric) not in plain:
            fix = did_you_mean(metric, names)
            raise DataError(f"the log has no column {metric!r}", found=", ".join(map(escaped, names[:12])), fix=fix)
        return {**found, "metric": _plain(metric)}
    of_valid = (f"{prefix}{name}" for name in METRICS for prefix in VALID)
    # Without a prefix it is the validation part's in fastai's and Ursa's logs; in Keras' it is the training part's.
    alone = METRICS if found.get("valid_loss") == "valid_loss" else ()
    if name := next((each for each in (*of_valid, *alone) if each in plain), None):
        found["metric"] = name
    return found


def _metric_kind(
    name: str | None, kept: Sequence[Mapping[str, Sequence[float]]]
) -> tuple[bool, bool, tuple[str, ...], float]:
    """Whether higher is better, whether it is a share of examples, what is to be said, and what it is divided by."""
    if name is None:
        return True, False, (), 1.0
    plain = next((n for n in sorted(METRICS, key=len, reverse=True) if _plain(name).endswith(n)), "")
    values = [value for row in kept for value in row.get("metric", ()) if math.isfinite(value)]
    share = plain.endswith(("accuracy", "acc", "error_rate", "error", "match")) and not plain.startswith("mean")
    per_cent = share and bool(values) and 1 < max(values) <= 100 and min(values) >= 0
    notes = (f"{escaped(name)} was read as per cent",) if per_cent else ()
    return plain not in LOWER, share, notes, 100.0 if per_cent else 1.0


def _record(epoch: int, of_epoch: Mapping[str, Sequence[float]], scale: float) -> dict[str, float]:
    """An epoch: the mean of the training losses that were logged in it, the last of what was measured after it."""
    record: dict[str, float] = {"epoch": epoch}
    if losses := of_epoch.get("train_loss"):
        record["train_loss"] = sum(losses) / len(losses)
    if losses := of_epoch.get("valid_loss"):
        record["valid_loss"] = losses[-1]
    if values := of_epoch.get("metric"):
        record["metric"] = values[-1] / scale
    return record


def _steps(kept: Sequence[Mapping[str, Sequence[float]]]) -> list[dict[str, float]]:
    """Losses of steps, where several were logged in an epoch."""
    if max((len(of_epoch.get("train_loss", ())) for of_epoch in kept), default=0) < 3:
        return []
    return [{"loss": loss, "lr": math.nan} for of_epoch in kept for loss in of_epoch.get("train_loss", ())]


def _of_ursa(document: Mapping[str, Any], metric: str | None) -> LoggedHistory:
    """Ursa's own history.json."""
    records = [record for record in document["epochs"][:MOST_ROWS] if isinstance(record, dict)]
    steps = document.get("steps")
    if not any("train_loss" in record or "valid_loss" in record for record in records):
        raise DataError("the history holds no loss", found=f"{len(records)} epochs", fix=NEEDED)
    if metric is not None and not any(metric in record for record in records):
        known = list(dict.fromkeys(str(name) for record in records for name in record))
        raise DataError(f"the history has no {metric!r}", found=", ".join(known[:12]), fix=did_you_mean(metric, known))
    history = from_records(
        records,
        steps[:MOST_ROWS] if isinstance(steps, list) else (),
        metric=metric,
        facts=_facts(document.get("facts")),
    )
    columns = {name: name for name in ("train_loss", "valid_loss") if any(name in record for record in records)}
    return LoggedHistory(history, columns | ({"metric": history.metric} if history.metric else {}))


def _facts(known: Any) -> NetworkFacts:
    """Those that are of the right kind."""
    if not isinstance(known, dict):
        return NetworkFacts()
    kinds: dict[str, Any] = {name: known[name] for name in COUNTS if type(known.get(name)) is int and known[name] > 0}
    kinds |= {name: known[name] for name in FLAGS if type(known.get(name)) is bool}
    numbers = ((name, number(known.get(name))) for name in NUMBERS)
    kinds |= {name: value for name, value in numbers if 0 <= value <= MOST_FACT}
    return NetworkFacts(**kinds)


def _named(history: TrainingHistory, name: str) -> TrainingHistory:
    from dataclasses import replace

    return replace(history, metric=escaped(name)[:60])


def _text(path: Path) -> str:
    try:
        data = files.read_bytes(path, MOST_BYTES)
    except OSError as problem:
        fix = "name a CSV or JSON file in which a training was logged"
        raise DataError(f"cannot read {path}", found=problem.strerror, fix=fix) from problem
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise DataError(f"{path} is not a log", found="bytes that are no UTF-8 text", fix=NEEDED) from problem


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise DataError("the log is not valid JSON", found=str(problem)[:100], fix=NEEDED) from problem


def _rows_of(document: Any) -> list[Mapping[str, Any]]:
    """Rows of a JSON document: a list of objects, under "log_history" or alone, or an object of lists."""
    if isinstance(document, dict):
        inner = document.get("log_history", document.get("history"))
        if isinstance(inner, list | dict):
            document = inner
    if isinstance(document, list):
        return [row for row in document[:MOST_ROWS] if isinstance(row, dict)]
    columns = {n: v for n, v in document.items() if isinstance(v, list)} if isinstance(document, dict) else {}
    length = min(MOST_ROWS, max(map(len, columns.values()), default=0))
    return [{name: values[i] for name, values in columns.items() if i < len(values)} for i in range(length)]


def _csv(text: str) -> list[Mapping[str, Any]]:
    head = text.partition("\n")[0]
    separator = delimiter_of(head)
    rows: list[Mapping[str, Any]] = []
    try:
        for row in csv.DictReader(io.StringIO(text), delimiter=separator):
            rows.append(row)
            if len(rows) > MOST_ROWS:
                raise DataError("the log has too many rows", found=f"more than {MOST_ROWS:,}", fix="one row an epoch")
    except csv.Error as problem:
        raise DataError("the log is not a CSV", found=str(problem)[:100], fix=NEEDED) from problem
    return rows


def _plain(name: str) -> str:
    return PART.sub("_", name.strip().lower()).strip("_")


def _whole(value: Any, otherwise: int) -> int:
    count = _number(value, "epoch")
    return otherwise if count is None or not math.isfinite(count) else math.ceil(count - 1e-9)


def _number(value: Any, name: str) -> float | None:
    """A cell: None where it is empty. Raises DataError for text that is no number."""
    if value is None or isinstance(value, bool) or (isinstance(value, str) and not value.strip()):
        return None
    try:
        if isinstance(value, str | int | float):
            return float(value)
    except (ValueError, OverflowError):
        pass
    found = f"{escaped(str(value))[:40]!r} in the column {escaped(name)[:40]}"
    raise DataError("a cell of the log is no number", found=found, fix="leave cells empty where nothing was measured")
