"""What names say: the words for splits, and the label, split and group that a pattern finds in the name of a file."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ursa.errors import DataError, did_you_mean

SPLITS = {  # of any case, and with "-", "_" or a space in between
    "train": "train",
    "training": "train",
    "traindev": "train-dev",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
FIELDS = ("label", "split", "group")


def split_of(word: str) -> str | None:
    """The split that a word stands for; None for any other word."""
    return SPLITS.get(re.sub(r"[\s_-]", "", word).lower())


def unknown_split(word: str, where: str) -> DataError:
    """The error for a word that stands for no split."""
    fix = "splits are train, train-dev, valid and test: rename this one, or leave it out"
    return DataError(f"{where} names a split that is not known", found=repr(word), fix=fix)


@dataclass(frozen=True)
class Pattern:
    """Finds a label, a split, a group in the names of files."""

    text: str
    regex: re.Pattern[str]
    fields: tuple[str, ...]  # which of FIELDS it finds

    @classmethod
    def of(cls, pattern: "str | re.Pattern[str]") -> "Pattern":
        """A template such as "{label}_*.jpg", or a regular expression.

        In a template {label}, {split} and {group} stand for what they name, * and {} for anything; none of them goes
        beyond a "/", and each takes as much as it can: in "{label}_*.jpg" the label reaches up to the last "_". Before
        a dot it ends at the first one: in "{label}.*" cat.12.jpg is a cat. A name that stands there twice is the same
        both times. A regular expression has groups of these names, (?P<label>...), or a single group, which is the
        label. Raises DataError for a pattern that finds nothing of that.
        """
        text = pattern if isinstance(pattern, str) else pattern.pattern
        if isinstance(pattern, str) and re.search(r"\{[^\W\d]\w*\}", pattern):
            regex = _of_template(pattern)
        else:
            try:
                regex = re.compile(pattern)
            except re.error as problem:
                raise _useless(text, f"no regular expression: {problem}") from problem
        unknown = sorted(set(regex.groupindex) - set(FIELDS))
        if unknown:
            fix = did_you_mean(unknown[0], FIELDS)
            raise DataError(f"the pattern {text} names something else", found=", ".join(unknown), fix=fix)
        fields = tuple(name for name in FIELDS if name in regex.groupindex)
        if not fields and regex.groups != 1:
            raise _useless(text, f"{regex.groups or 'no'} groups, none of them with a name")
        return cls(text, regex, fields or ("label",))

    def read(self, path: str) -> dict[str, str | None] | None:
        """What the pattern finds in a path with "/"; None where it does not match.

        A pattern without "/" looks at the name of the file only, another one at the path, a template at its end.
        """
        text = path if "/" in self.text else path.rsplit("/", 1)[-1]
        found = self.regex.search(text) or self.regex.search(f"/{text}")  # for those that begin with "/"
        if found is None:
            return None
        return {name: found[name if self.regex.groupindex else 1] or None for name in self.fields}

    def read_all(self, paths: Sequence[str]) -> dict[str, list[str | None]]:
        """What the pattern finds in each of these paths, by field, the splits as Ursa calls them.

        Raises DataError where it matches none of them, and for a word that is no split.
        """
        found = [self.read(path) or {} for path in paths]
        if not any(found):
            names = ", ".join(repr(path) for path in paths[:3])
            fix = 'for cat.12.jpg it is "{label}.{}.jpg", for black_cat_12.jpg "{label}_*.jpg"'
            raise DataError(f"the pattern {self.text} matches none of {len(paths):,} files", found=names, fix=fix)
        columns = {name: [row.get(name) for row in found] for name in self.fields}
        if "split" in columns:
            columns["split"] = _splits(columns["split"], self.text)
        return columns


def _of_template(template: str) -> re.Pattern[str]:
    """Anchored at both ends, at the left one to a whole part of the path."""
    seen: set[str] = set()
    parts = []
    pieces = re.split(r"(\{\w*\}|\*+)", template)
    for part, following in zip(pieces, [*pieces[1:], ""], strict=True):
        name = part[1:-1]
        if part.startswith("{"):
            some = "[^/.]+" if following.startswith(".") and name else "[^/]+"
            parts.append(some if not name else f"(?P={name})" if name in seen else f"(?P<{name}>{some})")
            seen.add(name)
        else:
            parts.append("[^/]*" if part.startswith("*") else re.escape(part))
    try:
        return re.compile(rf"(?:^|/){''.join(parts).removeprefix('/')}\Z")
    except re.error as problem:
        raise _useless(template, str(problem)) from problem


def _useless(pattern: str, found: str) -> DataError:
    return DataError(
        f"the pattern {pattern} finds no label",
        found=found,
        fix='name it: "{label}_*.jpg", or as a regular expression "(?P<label>.+)_\\d+"',
    )


def _splits(words: Iterable[str | None], pattern: str) -> list[str | None]:
    splits = []
    for word in words:
        split = None if word is None else split_of(word)
        if word is not None and split is None:
            raise unknown_split(word, f"the pattern {pattern}")
        splits.append(split)
    return splits
