"""What Ursa raises when it is misused, or when the data leave no other way. Every error says how to go on.

UrsaError
|-- DataError       pictures, folders, tables, the workspace
|-- TrainingError   models, weights, recipes
`-- BundleError     exported models
"""

import difflib
from collections.abc import Iterable


class UrsaError(Exception):
    """What went wrong, what was found, and the fix: three short texts, printed as one readable block."""

    def __init__(self, what: str, *, found: object = None, fix: str | None = None) -> None:
        self.what = what
        self.found = None if found is None else str(found)
        self.fix = fix
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.found is not None:
            lines.append(f"  found: {self.found}")
        if self.fix is not None:
            lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, str | None]:
        """The same as a document, for `--json` and for the server's answers."""
        return {"error": self.what, "found": self.found, "fix": self.fix}


class DataError(UrsaError):
    """Pictures, folders, tables or the workspace are not as they have to be."""


class TrainingError(UrsaError):
    """A model, its weights or a recipe cannot do what was asked."""


class BundleError(UrsaError):
    """A bundle is damaged, incomplete, too new, or does not predict what the learner predicts."""


def first_line(problem: object, most: int = 200) -> str:
    """Of an error from below, which may be a page long: its first line, at most so many characters of it."""
    return (str(problem).strip() or type(problem).__name__).splitlines()[0][:most]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'resnet34'?` for the nearest of the known words, else the first few of them."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    listed = ", ".join(words[:12])
    return f"known: {listed}{', ...' if len(words) > 12 else ''}"
