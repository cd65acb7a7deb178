"""Predictions -> a CSV, JSON lines or Parquet file: one row a picture, whole or not at all."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ursa import workspace
from ursa.core.tasks import MULTI_LABEL, REGRESSION
from ursa.core.text import spreadsheet_cell
from ursa.core.threads import batched
from ursa.errors import DataError
from ursa.serve.prediction import (
    AnyPrediction,
    MultiLabelPrediction,
    Prediction,
    RegressionPrediction,
    most_probable,
)
from ursa.workflow.predicting.listing import Listed
from ursa.workflow.predicting.prediction_journal import answer_document

Rows = Iterable[tuple[Listed, AnyPrediction | str]]
Writer = Callable[[Path, Rows, "Columns"], None]

SLICE = 10_000  # rows of a Parquet file made at a time


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are. A column for each class, or for the `top` most probable ones a pair each."""

    task: str
    names: tuple[str, ...]  # classes, or numbers of a regression
    top: int | None
    unsure: bool  # whether the model has a threshold

    @property
    def types(self) -> dict[str, type]:
        """By name of the column, in order."""
        if self.task == REGRESSION:
            return {"picture": str, **{f"value_{name}": float for name in self.names}, "problem": str}
        first: dict[str, type] = {"label": str, "probability": float}
        if self.task == MULTI_LABEL:
            first = {"labels": list}
        elif self.unsure:
            first["unsure"] = bool
        each: dict[str, type] = {f"probability_{name}": float for name in self.names}
        if self.top is not None:
            each = {}
            for rank in range(1, min(self.top, len(self.names)) + 1):
                each |= {f"top{rank}": str, f"top{rank}_probability": float}
        return {"picture": str, **first, **each, "problem": str}

    def row(self, one: Listed, answer: AnyPrediction | str) -> dict[str, Any]:
        """The values of those columns that have one."""
        if isinstance(answer, str):
            return {"picture": one.name, "problem": answer}
        if isinstance(answer, RegressionPrediction):
            return {"picture": one.name, **{f"value_{name}": value for name, value in answer.values.items()}}
        found: dict[str, Any] = {"picture": one.name}
        if isinstance(answer, MultiLabelPrediction):
            found["labels"] = list(answer.labels)
        elif isinstance(answer, Prediction):
            found |= {"label": answer.label, "probability": answer.probability, "unsure": answer.unsure}
        if self.top is None:
            return found | {f"probability_{name}": value for name, value in answer.probabilities.items()}
        for rank, (name, value) in enumerate(most_probable(answer.probabilities, self.top).items(), 1):
            found |= {f"top{rank}": name, f"top{rank}_probability": value}
        return found


def writer_for(out: Path) -> Writer:
    """By the ending of its name. Raises DataError for another one."""
    writers = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
    if out.suffix.lower() not in writers:
        fix = f"name it {out.with_suffix('.csv').name}, {out.with_suffix('.jsonl').name} or .parquet"
        raise DataError("predictions are written as CSV, JSON lines or Parquet", found=out.name, fix=fix)
    return writers[out.suffix.lower()]


def _write_csv(out: Path, rows: Rows, columns: Columns) -> None:
    """UTF-8 with a mark, by which spreadsheets know it; names that they would take for formulas have an apostrophe."""
    types = columns.types
    with _text(out, "utf-8-sig") as file:
        table = csv.writer(file)
        table.writerow([spreadsheet_cell(name) for name in types])
        for one, answer in rows:
            row = columns.row(one, answer)
            table.writerow([_cell(row.get(name)) for name in types])


def _write_jsonl(out: Path, rows: Rows, columns: Columns) -> None:
    with _text(out, "utf-8") as file:
        for one, answer in rows:
            told = {"problem": answer} if isinstance(answer, str) else answer_document(answer, columns.top)
            file.write(json.dumps({"picture": one.name, **told}, ensure_ascii=False) + "\n")


def _write_parquet(out: Path, rows: Rows, columns: Columns) -> None:
    import polars as pl

    kinds: Mapping[type, Any] = {str: pl.String, float: pl.Float32, bool: pl.Boolean, list: pl.List(pl.String)}
    schema = {name: kinds[kind] for name, kind in columns.types.items()}
    parts = [
        pl.DataFrame([_only(columns.row(*row), schema) for row in some], schema, orient="row")
        for some in batched(rows, SLICE)
    ]
    with workspace.writing(out, "--out FILE") as file:
        (pl.concat(parts) if parts else pl.DataFrame(schema=schema)).write_parquet(file)


def _only(row: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in schema}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.7g}"
    return spreadsheet_cell("; ".join(value) if isinstance(value, list) else value)


@contextmanager
def _text(out: Path, encoding: str) -> Iterator[IO[str]]:
    """A text file that appears whole."""
    with workspace.writing(out, "--out FILE") as file:
        text = io.TextIOWrapper(file, encoding, newline="")
        yield text
        text.flush()
        text.detach()


def as_rows(found: Iterable[tuple[Listed, AnyPrediction | DataError]]) -> Iterator[tuple[Listed, AnyPrediction | str]]:
    """With the reason alone where there is a problem."""
    return ((one, answer.what if isinstance(answer, DataError) else answer) for one, answer in found)
