"""make fuzz MINUTES=5 PROCESSES=2 SEED=7 TARGET=pictures. Exits 1 when something was found."""

import argparse
import hashlib
import importlib
import json
import os
import secrets
import sys
from dataclasses import replace
from pathlib import Path

from fuzz.findings import KINDS, ROOT, Finding
from fuzz.harness import Fuzz, Summary, describe, in_memory
from fuzz.minimize import Runner, minimized
from fuzz.target import Target
from fuzz.worker import context

CASES = ROOT / "tests" / "fuzz_cases"
ASIDE = ROOT / ".fuzz"  # what came of shared files, which are not ours to commit
BUDGET = 12.0  # seconds to minimise one finding
BUDGETS = 180.0  # and all of them


def main() -> int:
    """Fuzz, minimise, keep, print. 1 when there are findings."""
    given = _arguments().parse_args()
    module = importlib.import_module(given.targets)
    targets = [target for target in module.TARGETS if given.target in (None, target.name)]
    if not targets:
        print(f"no such target; known: {', '.join(target.name for target in module.TARGETS)}", file=sys.stderr)
        return 2
    if given.megabytes:
        targets = [replace(target, megabytes=given.megabytes) for target in targets]
    seed = given.seed or secrets.token_hex(4)
    processes = min(given.processes or len(os.sched_getaffinity(0)), 64)
    print(f"seed {seed}, {processes} processes, {given.minutes:g} minutes", file=sys.stderr)
    made = context("fuzz.preload" if given.targets == "fuzz.targets" else given.targets)
    summary = Fuzz(made, given.targets, targets, seed, _say).run(60 * given.minutes, processes)
    summary.findings = _smaller(summary.findings, {target.name: target for target in targets}, given.targets)
    kept = [
        _keep(finding, {target.name: target for target in targets}[finding.target], given.keep)
        for finding in summary.findings
    ]
    print(json.dumps(_document(summary, kept), indent=1) if given.json else _table(summary, kept))
    return 1 if summary.findings else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--processes", type=int, help="children at a time; default: the cores")
    parser.add_argument("--seed", help="any text; default: a random one, which is printed")
    parser.add_argument("--target", help="only this one")
    parser.add_argument("--targets", default="fuzz.targets", metavar="MODULE", help="another module with TARGETS")
    parser.add_argument("--megabytes", type=int, help="that a case may take, for all targets")
    parser.add_argument("--keep", type=Path, default=CASES, help="folder for minimal cases made from our own seeds")
    parser.add_argument("--json", action="store_true")
    return parser


def _smaller(findings: list[Finding], targets: dict[str, Target], module: str) -> list[Finding]:
    """Each finding minimised, those that turn out to be the same put together. Ctrl-C leaves the rest as it is."""
    done: dict[tuple[str, ...], Finding] = {}
    budget = min(BUDGET, BUDGETS / max(1, len(findings)))
    left = list(findings)
    made = context()
    try:
        with in_memory() as folder:
            while left:
                runner = Runner(made, folder, module, targets[left[0].target])
                try:
                    small = minimized(left[0], runner, budget)
                finally:
                    runner.close()
                del left[0]
                known = done.setdefault(small.signature, small)
                if known is not small:
                    known.seen += small.seen
    except KeyboardInterrupt:
        _say("interrupted: the remaining findings are not minimised")
    return [*done.values(), *left]


def _keep(finding: Finding, target: Target, keep: Path) -> Path:
    """Write the case; its name says what it does."""
    folder = keep if target.ours else ASIDE
    folder.mkdir(parents=True, exist_ok=True)
    what = "".join(
        letter if letter.isalnum() else "_" for letter in finding.what.rsplit(".")[-1].split(" of ")[0]
    ).lower()
    parts = [target.name, finding.kind, what, finding.about.lower(), hashlib.sha256(finding.data).hexdigest()[:8]]
    file = folder / ("-".join(part for part in parts if part) + target.suffix)
    file.write_bytes(finding.data)
    return file


def _table(summary: Summary, kept: list[Path]) -> str:
    """What was run, what was found and where its cases lie."""
    lines = [
        f"{'target':12}{'cases':>10}{'a CPU s':>10}{'not refused':>12}"
        + "".join(f"{name:>12}" for name in ("crashes", "hangs", "memory", "exceptions"))
    ]
    for name, tally in summary.tallies.items():
        rate = tally.cases / tally.cpu if tally.cpu > 0.1 else 0
        sound = 100 * tally.sound / max(tally.cases, 1)
        counts = "".join(f"{tally.seen.get(kind, 0):>12,}" for kind in KINDS)
        lines.append(f"{name:12}{tally.cases:>10,}{rate:>10,.0f}{sound:>10.1f} %{counts}")
    total = sum(tally.cases for tally in summary.tallies.values())
    lines.append(
        f"{total:,} cases in {summary.seconds:,.0f} s, seed {summary.seed}; the parent's memory: "
        f"{summary.rss[0]} MB at the beginning, {summary.rss[1]} MB at the end"
    )
    lines.append(f"{len(summary.findings)} findings" + (":" if summary.findings else ""))
    for finding, file in zip(summary.findings, kept, strict=True):
        alone = "" if finding.reproduced else ", not reproduced by one case alone"
        lines.append(
            f"  {describe(finding)}\n      seen {finding.seen}x, first after {finding.second:.1f} s{alone}; "
            f"{len(finding.data):,} bytes: {os.path.relpath(file)}"
        )
    return "\n".join(lines)


def _document(summary: Summary, kept: list[Path]) -> dict[str, object]:
    tallies = {
        name: {
            "cases": tally.cases,
            "not_refused": tally.sound,
            "seconds": round(tally.seconds, 2),
            "cpu_seconds": round(tally.cpu, 2),
            "children": tally.children,
            **{kind: tally.seen.get(kind, 0) for kind in KINDS},
        }
        for name, tally in summary.tallies.items()
    }
    findings = [
        {
            "target": finding.target,
            "kind": finding.kind,
            "what": finding.what,
            "where": finding.where,
            "about": finding.about,
            "detail": finding.detail,
            "seen": finding.seen,
            "bytes": len(finding.data),
            "second": round(finding.second, 2),
            "reproduced": finding.reproduced,
            "file": str(file),
        }
        for finding, file in zip(summary.findings, kept, strict=True)
    ]
    return {
        "seed": summary.seed,
        "seconds": round(summary.seconds, 2),
        "parent_mb": summary.rss,
        "targets": tallies,
        "findings": findings,
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
