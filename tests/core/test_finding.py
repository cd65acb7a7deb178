"""Finding: the one type in which every part of Ursa reports, and the one table of words for its kinds."""

import ast
import dataclasses
import json
from pathlib import Path

import pytest

import ursa
from ursa.core.finding import KINDS, Finding, by_kind, kind_of

SOURCE = Path(ursa.__file__).parent
VERDICTS = "diagnose/training_verdict/"  # names each kind once, for its rules
BY_TABLE = {
    "clean/broken.py",
    "clean/kept_findings.py",
    "clean/set_or_pictures.py",
    VERDICTS + "training_finding.py",
}  # where the kind of a finding is a variable


def named_kinds(path: Path) -> set[str]:
    """The kinds in calls of `Finding` in a file; those of a variable raise, but in files of BY_TABLE."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "Finding":
            continue
        kind = next((word.value for word in node.keywords if word.arg == "kind"), node.args[0] if node.args else None)
        if isinstance(kind, ast.Constant):
            found.add(kind.value)
        else:
            assert str(path.relative_to(SOURCE)) in BY_TABLE, f"{path}:{node.lineno}: whose kind is this?"
    return found


def kinds_of_tables() -> set[str]:
    from ursa.clean.broken import OTHER, REASONS
    from ursa.diagnose.training_verdict.rules import UNCLEAR
    from ursa.diagnose.training_verdict.training_finding import PRECISION

    of_quality = set()
    for name in ("quality", "poor_pictures", "outliers"):
        calls = [
            node
            for node in ast.walk(ast.parse((SOURCE / f"clean/{name}.py").read_text()))
            if isinstance(node, ast.Call)
        ]
        for call in calls:
            called = getattr(call.func, "attr", None) or getattr(call.func, "id", None)
            if called in ("found", "set_or_pictures") and isinstance(call.args[0], ast.Constant):
                of_quality.add(call.args[0].value)
    return of_quality | {kind for kind, _ in (*REASONS.values(), OTHER)} | PRECISION.keys() | {UNCLEAR}


def test_the_table_has_words_for_every_kind_that_is_found_and_for_no_other():
    found = set().union(*(named_kinds(path) for path in SOURCE.rglob("*.py"))) | kinds_of_tables()
    assert len(found) > 25 and found == KINDS.keys()


def test_nobody_else_has_a_table_of_kinds():
    """One place: terminal and report take their words from it."""
    for path in SOURCE.rglob("*.py"):
        if path.relative_to(SOURCE).as_posix() not in ("core/finding.py", "clean/broken.py", VERDICTS + "rules.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Dict | ast.Tuple):
                    keys = getattr(node, "keys", None) or getattr(node, "elts", [])
                    named = {key.value for key in keys if isinstance(key, ast.Constant)} & KINDS.keys()
                    assert len(named) < 3, f"{path}:{node.lineno}"


def test_one_is_counted_as_one():
    assert KINDS["leak"].counted(1) == "1 picture in two splits"
    assert KINDS["leak"].counted(1200) == "1,200 pictures in two splits"
    assert KINDS["leak"].title == "Pictures in two splits"
    assert all(kind.one != kind.several and kind.one == kind.one.strip() for kind in KINDS.values())


def test_a_kind_of_a_check_of_ones_own_is_shown_by_its_name_after_ours():
    ours, mine, more = (Finding(kind, (), 0.5, "e", "a") for kind in ("huge", "a-mine", "leak"))
    assert list(by_kind([ours, mine, more])) == ["leak", "huge", "a-mine"]
    assert by_kind([ours, mine, ours])["huge"] == [ours, ours]
    assert kind_of("a-mine").counted(2) == "2 a mine" and kind_of("a-mine").tone == "note"


def test_the_document_of_a_finding_has_the_keys_of_the_contract():
    finding = Finding("copies", ("a/1.jpg", "b/1.jpg"), 1.0, "the same bytes", "delete one")
    assert json.loads(json.dumps(finding.to_json())) == {
        "kind": "copies",
        "where": ["a/1.jpg", "b/1.jpg"],
        "score": 1.0,
        "evidence": "the same bytes",
        "advice": "delete one",
    }


def test_measured_values_are_added_for_programs():
    assert Finding("k", (), 0.5, "e", "a", {"bits": 3}).to_json()["numbers"] == {"bits": 3}


def test_a_finding_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Finding("k", (), 0.5, "e", "a").score = 1.0
