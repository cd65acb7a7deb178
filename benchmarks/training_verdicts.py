"""How often the verdict on a training is right: planted faults, limits chosen on one half and reported on the other.

`--keep FOLDER` keeps the runs there, and takes them from there the next time: limits are chosen without training again.
"""

import argparse
import dataclasses
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from common import report, shared
from planted_runs import Planted, again_of, facts_of, history_of, runs_of, worlds

from ursa.diagnose.training_verdict import rules
from ursa.diagnose.training_verdict.confirming import confirmed
from ursa.diagnose.training_verdict.training_finding import training_verdict
from ursa.diagnose.training_verdict.training_history import TrainingHistory, from_records

KINDS = (
    rules.LR_TOO_HIGH,
    rules.LR_TOO_LOW,
    rules.TOO_FEW,
    rules.OVERFITTING,
    rules.ONE_CLASS,
    rules.DEAD,
    rules.CHANCE,
    rules.FINE,
)
PLAIN = ("classes", "valid_count")  # facts that a person can say of the log of another tool


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only", choices=("set", "held"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    shared("clothing")
    halves = {
        half: planted(half, arguments.keep) for half in ((arguments.only,) if arguments.only else ("set", "held"))
    }
    for half, (runs, _) in halves.items():
        for how in (history_of, columns_of):
            told(f"{half}, {how.__name__}", [(run.fault, verdict(how(run))) for run in runs])
        told(f"{half}, with --confirm", [(run.fault, with_confirm(run)) for run in runs])
    if arguments.only:
        return
    rows, notes = [], []
    held, dropped = halves["held"]
    pairs = [(run.fault, verdict(history_of(run))) for run in held]
    plain = [(run.fault, verdict(columns_of(run))) for run in held]
    asked = [(run.fault, with_confirm(run)) for run in held]
    for kind in KINDS:
        for more, some in (("", pairs), (", --confirm", asked)):
            said = Counter(answer for fault, answer in some if fault == kind)
            cells = (said[each] or "" for each in (*KINDS, rules.UNCLEAR))
            rows.append([kind + more, sum(said.values()), *cells, *scores(some, kind)])
    ways = (("steps and the network's answers known", pairs), ("epochs alone", plain), ("with `--confirm`", asked))
    for name, of_way in ways:
        notes.append(f"{name}: macro F1 {macro(of_way):.3f}, fine called a fault {false_alarms(of_way)}")
    chosen = [(run.fault, verdict(history_of(run))) for run in halves["set"][0]]
    note = (
        f"Rows: what was planted and measured to be so; columns: the verdict. {len(held)} runs of the held half, on "
        f"which no limit was chosen ({dropped} more dropped, as what is wrong with them did not come out clearly on "
        f"untouched examples). {'; '.join(notes)}. The half on which limits were chosen: {len(chosen)} runs "
        f"({halves['set'][1]} dropped), macro F1 {macro(chosen):.3f}, fine called a fault {false_alarms(chosen)}."
    )
    head = ["fault", "runs", *KINDS, rules.UNCLEAR, "precision", "recall"]
    report("training_verdicts", "Training verdicts: planted faults, and what was said of them", head, rows, note)


def planted(half: str, keep: Path | None) -> tuple[list[Planted], int]:
    """The runs of a half, and how many were dropped."""
    found: list[Planted] = []
    dropped, began = 0, time.process_time()
    for world in worlds(half):
        file = None if keep is None else keep / f"{half}, {world.name}, {world.model}.json"
        if file is not None and file.exists():
            document = json.loads(file.read_text())
            some, fewer = [Planted(**run) for run in document["runs"]], document["dropped"]
        else:
            some, fewer = runs_of(world)
        found, dropped = found + some, dropped + fewer
        print(f"{world.name}, {world.model}: {len(some)} runs, {fewer} dropped", file=sys.stderr, flush=True)
        if file is not None:
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps({"runs": [dataclasses.asdict(run) for run in some], "dropped": fewer}))
    print(f"{half}: {time.process_time() - began:.0f} CPU s", file=sys.stderr)
    return found, dropped


def columns_of(run: Planted) -> TrainingHistory:
    """What another tool logs: losses and accuracy by epoch, nothing before the first."""
    return from_records([record for record in run.epochs if record["epoch"]], facts=facts_of(run, (*PLAIN, "diverged")))


def verdict(history: TrainingHistory) -> str:
    return training_verdict(history).kind


def with_confirm(run: Planted) -> str:
    """What is said once the run that the verdict asks for was made."""
    history, again = history_of(run), again_of(run)
    said = training_verdict(history)
    return said.kind if again is None else confirmed(said, history, again).kind


def scores(pairs: Sequence[tuple[str, str]], kind: str) -> tuple[str, str]:
    """Precision and recall of a kind."""
    right = sum(fault == answer == kind for fault, answer in pairs)
    said, there = sum(answer == kind for _, answer in pairs), sum(fault == kind for fault, _ in pairs)
    return f"{right / max(1, said):.2f}", f"{right / max(1, there):.2f}"


def macro(pairs: Sequence[tuple[str, str]]) -> float:
    """Mean over kinds of 2 x right / (said + there)."""
    each = []
    for kind in KINDS:
        right = sum(fault == answer == kind for fault, answer in pairs)
        count = sum((fault == kind) + (answer == kind) for fault, answer in pairs)
        each.append(2 * right / max(1, count))
    return sum(each) / len(each)


def false_alarms(pairs: Sequence[tuple[str, str]]) -> str:
    fine = [answer for fault, answer in pairs if fault == rules.FINE]
    wrong = sum(answer not in (rules.FINE, rules.UNCLEAR) for answer in fine)
    return f"{wrong} of {len(fine)} ({100 * wrong / max(1, len(fine)):.1f} %)"


def told(name: str, pairs: Sequence[tuple[str, str]]) -> None:
    """A confusion matrix on the terminal."""
    print(f"\n{name}: {len(pairs)} runs, macro F1 {macro(pairs):.3f}, fine called a fault {false_alarms(pairs)}")
    for kind in KINDS:
        said = Counter(answer for fault, answer in pairs if fault == kind)
        print(f"{kind:24}", *(f"{said[each] or '.':>4}" for each in (*KINDS, rules.UNCLEAR)), *scores(pairs, kind))


if __name__ == "__main__":
    main()
