"""Journal -> the decisions that stand: of each picture the latest one that nobody took back."""

from collections.abc import Iterable, Sequence

from ursa.clean.decisions.decision import CHANGES, Decision


def standing(entries: Iterable[Decision]) -> tuple[Decision, ...]:
    """Entries, the oldest first -> one decision a picture, in the order of their content.

    A later decision replaces an earlier one of the same picture. To delete one of several copies says something of that
    file alone, so it stands beside what is said of the content (its label), until all copies are deleted or something
    else is said of that very file.
    """
    entries = list(entries)
    undone = {(entry.undoes, entry.sha256) for entry in entries}
    found: dict[str, dict[str, Decision]] = {}
    for entry in entries:
        if entry.kind == "undo" or (entry.key, entry.sha256) in undone:
            continue
        of_content = found.setdefault(entry.sha256, {})
        if not entry.copies:
            if entry.kind == "delete":
                of_content.clear()
            of_content.pop(entry.id, None)
        of_content[entry.about[1]] = entry
    return tuple(found[key][place] for key in sorted(found) for place in sorted(found[key]))


def latest_of(decisions: Iterable[Decision], sha256: str, id: str) -> Decision | None:
    """What stands of one picture: of this very file, or else of its content."""
    known = {decided.about: decided for decided in decisions if decided.sha256 == sha256}
    return known.get((sha256, id)) or known.get((sha256, ""))


def open_decisions(stands: Sequence[Decision], applied: Sequence[Decision]) -> int:
    """How many decisions `ursa apply` would carry out or take back."""
    now, then = ({decided.effect for decided in some if decided.kind in CHANGES} for some in (stands, applied))
    return len(now ^ then)
