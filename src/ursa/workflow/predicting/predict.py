"""`ursa predict`: pictures, folders -> answers, tables, folders by class; what a kill cuts short goes on."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ursa.core.progress import Progress
from ursa.core.progress_display import shown
from ursa.core.threads import CHUNK, batched
from ursa.errors import DataError
from ursa.serve.prediction import AnyPrediction, MultiLabelPrediction, Prediction
from ursa.serve.predictor import Predictor
from ursa.workflow.predicting import sorted_pictures
from ursa.workflow.predicting.answered_files import predictions
from ursa.workflow.predicting.listing import Listed, is_litter, listed
from ursa.workflow.predicting.opened import opened
from ursa.workflow.predicting.prediction_files import Columns, Writer, as_rows, writer_for
from ursa.workflow.predicting.prediction_journal import ENDING, opened_journal
from ursa.workflow.results.predicted import Predicted

WAY = "ursa predict BUNDLE PICTURE..."
TABLE = "predictions.csv"  # in the folder of sorted pictures, where no other file is named

Answers = Iterator[tuple[Listed, AnyPrediction | DataError]]


def predict(
    bundle: str | Path,
    pictures: str | Path | Sequence[str | Path],
    *,
    out: str | Path | None = None,
    sort_to: str | Path | None = None,
    link: bool = False,
    top: int | None = None,
    allow_urls: bool = False,
    progress: Progress | bool | None = None,
) -> Predicted:
    """What pictures show: files, and folders with every picture below. They are only read.

    out: a table to write, `.csv`, `.jsonl` or `.parquet`; what is finished is kept in `OUT.partial`, from which the
    same call goes on after a kill. sort_to: a folder that gets one for each class with copies of the pictures, or links
    where `link`; unsure ones come into `_unsure`. It holds a table, too, without an `out`. top: so many of the most
    probable classes in tables, instead of all. Without both, the answers are in the result, in memory. allow_urls:
    whether addresses among the pictures are fetched; from the open internet alone, as by `ursa.download`.

    Raises DataError for what cannot be written and where there is nothing to predict; BundleError for the bundle.
    """
    named = [pictures] if isinstance(pictures, str | Path) else list(pictures)
    if top is not None and top < 1:
        raise DataError("of the most probable classes at least one is written", found=f"top={top}", fix="top=3")
    if link and sort_to is None:
        raise DataError("links are made where pictures are sorted into folders", found="link", fix="--sort DIR --link")
    began = time.perf_counter()
    with shown(progress) as bar:
        bar("list", 0, 0)
        predictor = opened(bundle, WAY, named)
        folder = None if sort_to is None else Path(sort_to)
        if folder is not None:
            sorted_pictures.require_sortable(predictor, folder, named)
        table = Path(out) if out is not None else None if folder is None else folder / TABLE
        if table is None:
            if top is not None:
                raise DataError("the most probable classes are for a table", found=f"top={top}", fix="name an out")
            result = _in_memory(predictor, listed(named, allow_urls=allow_urls), bar)
        else:
            write = writer_for(table)
            files = listed(named, [table, table.with_name(table.name + ENDING)], allow_urls=allow_urls)
            result = _written(predictor, files, table, write, folder, top, link, bar)
    return replace(result, seconds=time.perf_counter() - began)


def _in_memory(predictor: Predictor, files: Sequence[Listed], bar: Progress) -> Predicted:
    found = [(one, answer) for one, answer in _answers(predictor, files, bar) if not is_litter(one, answer)]
    answers = tuple((one.url or str(one.path), answer) for one, answer in found)
    return replace(_summary(as_rows(found)), answers=answers)


def _written(
    predictor: Predictor,
    files: Sequence[Listed],
    out: Path,
    write: Writer,
    folder: Path | None,
    top: int | None,
    link: bool,
    bar: Progress,
) -> Predicted:
    option = "--out FILE" if folder is None else "--sort DIR"
    header = {"predictions_of": sorted_pictures.model_of(predictor), "top": top}
    with opened_journal(out, header, option) as journal:
        todo = [one for one in files if not journal.knows(one)]
        before = len(files) - len(todo)

        def on(phase: str, done: int, of: int) -> None:
            bar(phase, before + done, before + of)

        for some in batched(_answers(predictor, todo, on), CHUNK):
            journal.add(some, top)
        bar("write", 0, 0)
        columns = Columns(predictor.task, predictor.labels.names, top, predictor.bundle.decisions.abstain is not None)
        kept: list[Listed] = []

        def rows() -> Iterator[tuple[Listed, AnyPrediction | str]]:
            for one, answer in journal.rows(files):
                if not is_litter(one, answer):
                    kept.append(one)
                    yield one, answer

        summary = _summary(rows())
        write(out, journal.rows(kept), columns)
        if folder is not None:
            several = len({one.root for one in kept}) > 1
            sorted_pictures.sort(
                journal.rows(kept), folder, predictor, link=link, several=several, bar=bar, of=len(kept)
            )
    return replace(summary, out=out, sorted_to=folder, resumed=before, left_out=len(files) - len(kept))


def _answers(predictor: Predictor, files: Sequence[Listed], bar: Progress) -> Answers:
    """Files with a problem that is known already are not read."""
    sound = [one.path if one.data is None else one.data for one in files if one.problem is None]
    answers = predictions(predictor, sound, bar)
    for one in files:
        yield one, DataError(one.problem) if one.problem is not None else next(answers)[1]


def _summary(rows: Iterator[tuple[Listed, AnyPrediction | str]]) -> Predicted:
    counts: Counter[str] = Counter()
    problems: Counter[str] = Counter()
    unsure = pictures = 0
    for _, answer in rows:
        pictures += 1
        if isinstance(answer, str):
            problems[answer] += 1
        elif isinstance(answer, MultiLabelPrediction):
            counts.update(answer.labels)
        elif isinstance(answer, Prediction):
            unsure += bool(answer.unsure)
            counts[answer.label] += not answer.unsure
    return Predicted(pictures, dict(counts.most_common()), unsure, dict(problems.most_common()))
