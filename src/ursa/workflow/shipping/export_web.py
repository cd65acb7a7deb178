"""`ursa export --web`: a bundle -> a folder for any static host; the visitor's browser runs the model. No torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa.errors import DataError
from ursa.workflow.results.short_repr import ShortRepr
from ursa.workflow.shipping.new_folder import require_empty, write_files


@dataclass(frozen=True, repr=False)
class WebExport(ShortRepr):
    """What was written."""

    folder: Path
    files: tuple[str, ...]
    megabytes: float  # that a visitor downloads, once
    runtime: str  # version of onnxruntime-web

    def _shown(self) -> list[tuple[str, str]]:
        return [("folder", str(self.folder)), ("download", f"{self.megabytes:.1f} MB")]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa export --web --json`."""
        return {
            "folder": str(self.folder),
            "files": list(self.files),
            "megabytes": self.megabytes,
            "runtime": self.runtime,
        }


def export_web(
    bundle: str | Path, folder: str | Path, runtime: str | Path | None = None, *, title: str | None = None
) -> WebExport:
    """Write into `folder`, new or empty, the page of `ursa serve` with the model in it.

    runtime: what `npm pack onnxruntime-web@VERSION` wrote, or a folder of the package; checked by hashes, nothing is
    downloaded. title: at the top of the page. Raises BundleError for the bundle; DataError for a folder that holds
    something, for no or another runtime, and for an empty title.
    """
    from ursa.export.card import card_or
    from ursa.export.web.web_files import NOT_KEPT, web_files
    from ursa.export.web.web_runtime import VERSION, runtime_files
    from ursa.serve.predictor import Predictor

    place, source = Path(folder), Path(bundle)
    if title is not None and not title.strip():
        raise DataError("the page's title is empty", found=repr(title)[:40], fix="leave it out for a question")
    require_empty(place)
    needed = runtime_files(runtime)
    predictor = Predictor(source)
    try:
        made = web_files(predictor, source.stem, card_or(predictor.bundle.document, ""), needed, title)
    finally:
        predictor.close()
    write_files(place, made)
    size = sum(len(data) for file, data in made.items() if file not in NOT_KEPT)
    return WebExport(place, tuple(sorted(made)), size / 1e6, VERSION)
