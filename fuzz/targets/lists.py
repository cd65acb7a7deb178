"""Lists of URLs through `read_lists` and `address`: text with a URL a line, CSV with columns."""

from pathlib import Path
from random import Random

from fuzz.target import Target
from fuzz.values import bytes_changed, rearranged

LINES = (
    "https://example.org/a.jpg",
    "http://user:word@example.org:8080/b.png?x=1#there",
    "https://[::1]/c.jpg",
    "https://[::1%25eth0]:99999/c.jpg",
    "http://example.org:65536/",
    "http://xn--a/",
    "https://exa\u200dmple.org/\u202e.jpg",
    "https://müller.example/ü.jpg",
    "https://" + "a" * 300 + ".example/",
    "https://example.org/" + "x" * 70000,
    "ftp://example.org/d.jpg",
    "javascript:alert(1)",
    "//example.org/e.jpg",
    "http://",
    "http://\x1b[31m/",
    "# a remark",
    "",
    "http://256.256.256.256/",
    "http://0x7f.1/",
    "https://example.org/%zz",
    "\ufeffhttps://example.org/f.jpg",
    "http://exa mple.org/\x85\u2028g.jpg",
)
CELLS = (
    "cat",
    "dog",
    "",
    ".",
    "..",
    "con",
    "a/b",
    "train",
    "é",
    "e\u0301",
    "x" * 300,
    "\0",
    "\x1b[0m",
    '"',
    "Cat",
    "a.",
)


def case(rng: Random) -> bytes:
    """A list, half of them damaged."""
    lines = [rng.choice(LINES) for _ in range(rng.choice((1, 2, 5, 20)))]
    if rng.random() < 0.5:
        heads = (
            "url,label",
            "label,url",
            "URL;LABEL",
            "url",
            "url,url",
            "label",
            '"url","label"',
            "\ufeffurl,label",
            "",
        )
        quoted = [f'"{line}"' if rng.random() < 0.3 else line for line in lines]
        lines = [rng.choice(heads), *(f"{line},{rng.choice(CELLS)}" for line in quoted)]
    if rng.random() < 0.3:
        lines = rearranged(lines, rng, lambda: '"' + "x" * rng.choice((1, 140000)))
    text = rng.choice(("\n", "\n", "\r\n", "\r")).join(lines)
    data = text.encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig")), "surrogatepass")
    return bytes_changed(data, rng) if rng.random() < 0.5 else data


def run(data: bytes) -> None:
    """Read it as text and as CSV; judge every address."""
    from ursa.data.download.lists import Address, address, printable, read_lists
    from ursa.errors import UrsaError

    problem = None
    for name in ("cats.txt", "cats.csv"):
        Path(name).write_bytes(data)
        try:
            wanted = read_lists(name)
        except UrsaError as error:
            str(error)
            problem = error
            continue
        for each in wanted:
            found = address(each.url)
            str(found.url) if isinstance(found, Address) else found.encode()
            printable(each.url)
    if problem is not None:
        raise problem


def warm() -> None:
    """One sound list."""
    from ursa.data.download.lists import read_lists

    Path("cats.txt").write_text(LINES[0])
    read_lists("cats.txt")


TARGETS = (Target("lists", case, run, warm, megabytes=300, weight=1, suffix=".csv"),)
