"""Findings, mistakes and embeddings -> the pictures of a page: which are shown, the map, and what its script reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ursa.core.finding import Finding, kind_of
from ursa.data.catalog import Catalog
from ursa.diagnose.judged import Judged
from ursa.diagnose.mistake_sample import MistakeSample
from ursa.diagnose.report import mistakes_part
from ursa.diagnose.report.finding_groups import pictures_shown
from ursa.diagnose.report.gallery import Gallery
from ursa.diagnose.report.picture_map import PictureMap, map_data, picture_map
from ursa.diagnose.report.report_info import ReportInfo
from ursa.diagnose.report.thumbnails import MOST, thumbnails
from ursa.embed.store import Embeddings


@dataclass(frozen=True)
class Pictured:
    """All that a page shows of pictures."""

    gallery: Gallery
    map: PictureMap | None
    data: Mapping[str, Any]  # for the script
    style: str  # CSS of the map's sheet

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        findings: Sequence[Finding],
        judged: Judged | None,
        sample: MistakeSample | None,
        embeddings: Embeddings | None,
        info: ReportInfo,
    ) -> "Pictured":
        """sample: of the mistakes of `judged`; embeddings: of the pictures on the map."""
        known = set(catalog.ids)
        wrong = [] if sample is None else mistakes_part.shown(sample)
        ids = [id for id in dict.fromkeys([*wrong, *pictures_shown(findings)]) if id in known][:MOST]
        drawn = None if embeddings is None else picture_map(catalog, embeddings, _marks(findings, judged))
        small = thumbnails(catalog, ids, () if drawn is None else drawn.ids, info.thumbnails)
        data = {
            "map": map_data(drawn, small.columns, small.tiny),
            "sheet": None if sample is None or not sample.mistakes else mistakes_part.sheet_data(sample),
        }
        style = f'#map-tip span{{background-image:url("{small.sheet_uri}")}}' if small.sheet else ""
        return cls(Gallery(catalog, small, info, frozenset(ids)), drawn, data, style)


def _marks(findings: Sequence[Finding], judged: Judged | None) -> dict[str, str]:
    """Why a picture is marked on the map: by the mistake that is made of it, else by the most pressing finding."""
    marks: dict[str, str] = {}
    for id, _, predicted, sure in [] if judged is None else judged.top_losses(len(judged.catalog)):
        marks[id] = f"predicted as {predicted}, {100 * sure:.0f} %"
    for finding in findings:
        kind = kind_of(finding.kind)
        if kind.about == "pictures" and finding.kind != "weak-slice":
            for id in finding.where:
                marks.setdefault(id, kind.one)
    return marks
