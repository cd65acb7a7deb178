"""`ursa card`: the model card of a bundle, what only a person can say in it, and pictures to try the model with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa import sandbox
from ursa.core.bundles import bundle as bundles
from ursa.core.bundles.bundle_document import ABOUT
from ursa.core.bundles.example import MOST_EXAMPLES, Example
from ursa.core.picture_file import encoded
from ursa.core.prepare import Preparation
from ursa.errors import DataError, did_you_mean
from ursa.export.bundle_files import with_card

SIDE = 480  # pixels of an example's longer side: sharp at half of a phone's width
QUALITY = 85


@dataclass(frozen=True)
class Card:
    """The card of a bundle."""

    text: str  # Markdown
    about: Mapping[str, str]  # what a person wrote, by the names of `ABOUT`
    examples: int
    bundle: Path  # where it stands

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa card --json`."""
        about = {name: self.about.get(name) for name in ABOUT}
        return {"card": self.text, "about": about, "examples": self.examples, "bundle": str(self.bundle)}


def card(
    bundle: str | Path,
    about: Mapping[str, str] | None = None,
    *,
    examples: Sequence[str | Path] | None = None,
    out: str | Path | None = None,
) -> Card:
    """The model card; with `about` or `examples` the bundle is written anew, in its place or to `out`.

    about: what only a person can say, by "intended_use", "limitations", "license", "authors", "contact" and "citation";
    an empty text takes it out again. examples: pictures that come into the bundle as small JPEGs without any facts of
    their files, for visitors of `ursa serve` to try it with; an empty list takes them out. A bundle is passed on: put
    in what may be shown to everybody. Raises DataError for other names and for pictures that cannot be read,
    BundleError for the bundle.
    """
    read, place = bundles.read(bundle), Path(bundle)
    for name in about or {}:
        if name not in ABOUT:
            raise DataError(f"a card has no {name!r}", fix=did_you_mean(name, ABOUT))
    if about is not None or examples is not None:
        made = None if examples is None else _examples([Path(each) for each in examples], read.labels.names)
        place = with_card(read, about or {}, made, place if out is None else Path(out))
        read = bundles.read(place)
    elif out is not None:
        fix = "say what is to be written: --intended-use TEXT, --example PICTURE"
        raise DataError("nothing is changed, so nothing is written", found=f"out={out}", fix=fix)
    text = read.parts["card.md"].decode("utf-8", "replace")
    return Card(text, read.document.get("about", {}), len(read.examples), place)


def _examples(files: list[Path], names: Sequence[str]) -> list[Example]:
    if len(files) > MOST_EXAMPLES:
        raise DataError(
            f"a bundle holds up to {MOST_EXAMPLES} examples", found=f"{len(files)}", fix="choose among them"
        )
    found = []
    for file, pixels in zip(files, sandbox.small_copies(files, Preparation(SIDE)), strict=True):
        if isinstance(pixels, DataError):
            raise DataError(f"{file} cannot be an example", found=pixels.what, fix="name a picture that can be read")
        label = file.parent.name if file.parent.name in names else ""
        found.append(Example(label, encoded(pixels, "JPEG", quality=QUALITY)))
    return found
