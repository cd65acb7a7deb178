"""Trees of folders with odd names, links, pipes and depth through `from_folder`.

A case is text, an entry a line: what it is, its path, where a link leads. Lone surrogates make names that are not
Unicode.
"""

import os
import shutil
from pathlib import Path
from random import Random

from fuzz.target import LawError, Target

NAMES = (
    *("cat", "dog", "train", "valid", "VAL", "test", "train-dev", ".hidden", "Thumbs.db", "__MACOSX", "con", "a.jpg"),
    *("b.png", "c", "é", "e\u0301", " ", "a b", "\x1b[31m", "\u202e", "\ud7ff", "\udcff", "x" * 255, "a\u2028b"),
    *("-", "~", "%00", "#2", "🐻"),
)
KINDS = ("file", "file", "file", "file", "empty", "folder", "link", "pipe", "deep", "closed")
KNOT = 7  # folders that all link to each other
PICTURE = b"\xff\xd8\xff\xe0\0\x10JFIF\0"


def case(rng: Random) -> bytes:
    """Some ten entries."""
    lines = []
    for _ in range(rng.choice((1, 3, 8, 15))):
        place = "/".join(rng.choices(NAMES, k=rng.choice((1, 2, 2, 2, 3, 4))))
        to = rng.choice(("..", ".", "../..", "/", "/dev/zero", "nowhere", rng.choice(NAMES), "../" + rng.choice(NAMES)))
        if to == "/":
            to = "../../cat"
        kind = "knot" if rng.random() < 0.005 else rng.choice(KINDS)
        lines.append(f"{kind}\t{place}\t{to}")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def run(data: bytes) -> None:
    """Make the tree, list it with and without labels and by a pattern, and remove it."""
    from ursa.data.sources.folder_source import from_folder

    root = Path("tree")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    try:
        for line in data.decode("utf-8", "surrogatepass").split("\n"):
            kind, _, rest = line.partition("\t")
            place, _, to = rest.partition("\t")
            if kind in (*KINDS, "knot") and ".." not in place.split("/"):
                _make(root, kind, place, to)
        catalog = from_folder(root)
        if not len(catalog):
            raise LawError("a catalog without pictures")
        from_folder(root, labeled=False)
    except UnicodeDecodeError:
        return
    finally:
        shutil.rmtree(root, onerror=_opened)


def _make(root: Path, kind: str, place: str, to: str) -> None:
    """One entry; one that cannot be is left out."""
    path = os.fsencode(str(root) + "/") + place.encode("utf-8", "surrogateescape" if _escapable(place) else "replace")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120  names may be any bytes
        if os.path.lexists(path):
            return
        if kind == "link":
            os.symlink(to.encode("utf-8", "replace"), path)  # noqa: PTH211
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "deep":
            for depth in range(1, 300):
                os.mkdir(path + b"/d" * depth)  # noqa: PTH102
        elif kind == "knot":
            for one in range(KNOT):
                os.mkdir(path + b"%d" % one)  # noqa: PTH102
                for other in range(KNOT):
                    os.symlink(os.path.abspath(path + b"%d" % other), path + b"%d/%d" % (one, other))  # noqa: PTH100, PTH211
        elif kind in ("folder", "closed"):
            os.mkdir(path, 0o700 if kind == "folder" else 0)  # noqa: PTH102
        else:
            with open(path, "wb") as file:
                file.write(PICTURE if kind == "file" else b"")
    except (OSError, ValueError):
        return


def _escapable(place: str) -> bool:
    return all(not "\ud800" <= letter <= "\udfff" or "\udc80" <= letter <= "\udcff" for letter in place)


def _opened(remove: object, path: str, _: object) -> None:
    """A folder that nobody may look into, removed all the same."""
    os.chmod(os.path.dirname(path), 0o700)  # noqa: PTH101, PTH120
    assert callable(remove)
    remove(path)


def warm() -> None:
    """One sound tree."""
    run(b"file\tcat/a.jpg\t\nfile\tdog/b.jpg\t")


TARGETS = (Target("folders", case, run, warm, weight=2, suffix=".tsv"),)
