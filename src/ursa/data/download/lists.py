"""Lists of URLs -> what is wanted: a URL and its class. Text with a URL a line, CSV with columns, or a mapping."""

import codecs
import csv
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

from ursa.core import files
from ursa.core.decoding.kinds import ARCHIVES, sniff
from ursa.core.text import escaped
from ursa.data.sources.name_patterns import split_of
from ursa.data.sources.walk import LITTER, names_in
from ursa.errors import DataError, did_you_mean

Lists = str | Path | Sequence[str | Path] | Mapping[str, Iterable[str]]

FORBIDDEN = frozenset('/\\<>:"|?*')  # in the names of folders, on one system or another
RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})
SHOWN = 200  # characters of a line that is not a URL
MAX_BYTES = 200_000_000  # of a list: two million URLs

# What httpx2 raises for a text that is no URL: the others for lone surrogates and for names that are none.
NO_URL = (httpx2.InvalidURL, UnicodeError, ValueError, TypeError)


@dataclass(frozen=True)
class WantedURL:
    """A line of a list."""

    url: str  # as written
    label: str
    where: str  # "line 7 of teddy.txt"


@dataclass(frozen=True)
class Address:
    """A URL that can be asked for. `shown` is without name and password, and is what is printed and remembered."""

    url: httpx2.URL  # without the fragment, which no server sees
    shown: str


def read_lists(lists: Lists) -> list[WantedURL]:
    """Everything that is wanted, in order. The class is the stem of a text file, or the column `label` of a CSV.

    Raises DataError for a list that is missing, empty or not text, for two lists of one class, and for a class that
    cannot be the name of a folder.
    """
    if isinstance(lists, Mapping):
        found = [
            WantedURL(str(url).strip(), _class(str(label), "the mapping"), f"number {number} of {label!r}")
            for label, urls in lists.items()
            for number, url in enumerate([urls] if isinstance(urls, str) else urls, 1)
        ]
        names = [str(label) for label in lists]
    else:
        paths = [Path(file) for file in ([lists] if isinstance(lists, str | Path) else lists)]
        read = [(file, _read(file)) for file in paths]
        found = [wanted for _, rows in read for wanted in rows]
        names = [file.stem for file, rows in read if any(row.label == _normal(file.stem) for row in rows)]
    if not found:
        raise DataError("there is nothing to fetch", found="no list", fix="name a list of URLs: teddy.txt")
    _distinct(names, {wanted.label for wanted in found})
    return found


def address(text: str) -> Address | str:
    """The address in a text, or the reason why there is none."""
    try:
        url = httpx2.URL(text)
        if not url.scheme:
            return "not an address: it begins with neither http:// nor https://"
        if url.scheme not in ("http", "https"):
            return f"not fetched: {url.scheme}:, only http and https are"
        if not can_be_asked(url):
            return "not an address: it names no host that can be reached"
        url = url.copy_with(fragment=None)
        return Address(url, str(url.copy_with(userinfo=b"")))
    except NO_URL as problem:
        return f"not an address: {escaped(problem)[:SHOWN]}"


def can_be_asked(url: httpx2.URL) -> bool:
    """Whether a URL names a host and a port that a connection can be made to."""
    return bool(url.host) and "%" not in url.host and 0 < (80 if url.port is None else url.port) < 65536


def printable(text: str) -> str:
    """A URL as it may be shown: without name and password, on one line, not longer than a few lines."""
    found = address(text)
    if isinstance(found, Address):
        return found.shown
    scheme, mark, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    shown = f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"
    return "".join(letter if letter.isprintable() else "?" for letter in shown)[:SHOWN]


def _read(file: Path) -> list[WantedURL]:
    rows = list(_table(file) if file.suffix.lower() == ".csv" else _lines(file))
    if not rows:
        raise DataError(
            f"the list {file} is empty", found="no line with a URL", fix="add one URL a line, or leave it out"
        )
    return rows


def _lines(file: Path) -> Iterator[WantedURL]:
    label = None
    for number, line in enumerate(_text(file).splitlines(), 1):
        text = line.strip()
        if text and not text.startswith("#"):
            label = label or _class(file.stem, f"the name of {file}")
            yield WantedURL(text, label, f"line {number} of {file.name}")


def _table(file: Path) -> Iterator[WantedURL]:
    reader = csv.DictReader(_text(file).splitlines(), skipinitialspace=True)
    try:
        yield from _rows(reader, file)
    except csv.Error as problem:
        raise DataError(
            f"line {reader.reader.line_num} of {file} cannot be read",
            found=problem,
            fix="one URL a line, with commas in quotes",
        ) from None


def _rows(reader: "csv.DictReader[str]", file: Path) -> Iterator[WantedURL]:
    columns = [(name or "").strip().lower() for name in reader.fieldnames or []]
    if not columns:
        return
    reader.fieldnames = columns
    if "url" not in columns:
        raise DataError(
            f"{file} has no column url",
            found=f"columns {', '.join(name[:40] for name in columns[:8])}",
            fix=f"the first line has to be: url,label; {did_you_mean('url', columns)}",
        )
    for row in reader:
        text, where = (row["url"] or "").strip(), f"line {reader.line_num} of {file.name}"
        if text and not text.startswith("#"):
            yield WantedURL(text, _class(row["label"] or "" if "label" in columns else file.stem, where), where)


def _text(file: Path) -> str:
    """The text of a file: UTF-8, or what Windows writes when the output of a command goes into a file."""
    try:
        data = files.read_bytes(file, MAX_BYTES)
    except FileNotFoundError as problem:
        folder = file.parent if file.parent.is_dir() else Path()
        others = [name for name in names_in(folder) if name.lower().endswith((".txt", ".csv"))]
        fix = did_you_mean(file.name, others) if others else "write one URL a line into it"
        raise DataError(f"there is no list {file}", found=f"nothing of that name in {folder}", fix=fix) from problem
    except (OSError, DataError) as problem:
        found = problem.found if isinstance(problem, DataError) else problem.strerror
        raise DataError(
            f"cannot read the list {file}", found=found, fix="name a text file with one URL a line"
        ) from problem
    try:
        text = data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError as problem:
        raise _no_text(file, data, problem.reason) from problem
    if "\0" in text:
        raise _no_text(file, data, "NUL in it")
    return text


def _no_text(file: Path, data: bytes, reason: str) -> DataError:
    kind = sniff(data[:512])
    fix = "unpack it, and name the list that comes out" if kind in ARCHIVES else "save it as UTF-8"
    return DataError(
        f"the list {file} is not text in UTF-8", found=reason if kind == "unknown bytes" else kind, fix=fix
    )


def _class(name: str, where: str) -> str:
    """A class that can be a folder anywhere. Raises DataError otherwise."""
    label = _normal(name)
    stem = label.split(".")[0].lower()
    if (
        not label
        or label[0] == "."
        or label[-1] == "."
        or not label.isprintable()  # nor are lone surrogates, which cannot be encoded
        or len(label.encode()) > 200
        or FORBIDDEN & set(label)
        or stem in RESERVED
        or label.lower() in LITTER
    ):
        raise DataError(
            "a class needs a name that can be the name of a folder",
            found=f"{label[:SHOWN]!r} from {where}",
            fix="take letters, digits, spaces, - and _",
        )
    if split_of(label) == "train":
        raise DataError(
            "a class of this name would be taken for the training part",
            found=f"{label!r} from {where}",
            fix=f"call it something else: {label}s",
        )
    return label


def _distinct(names: Sequence[str], labels: Iterable[str]) -> None:
    """No class comes from two lists, and no two classes share a folder where case does not count."""
    seen: dict[str, str] = {}
    for name in (*names, *sorted(set(labels) - {_normal(name) for name in names})):
        key = _normal(name).casefold()
        if key in seen:
            other = seen[key]
            raise DataError(
                f"two lists are for the class {name!r}" if other == name else "two classes differ only in case",
                found=f"{other} and {name}",
                fix="put them into one list, or call one of them something else",
            )
        seen[key] = name


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()
