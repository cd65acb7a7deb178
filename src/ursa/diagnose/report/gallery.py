"""Picture ids -> HTML of their small copies, each a button that enlarges it."""

from collections.abc import Iterable
from dataclasses import dataclass

from ursa.data.catalog import Catalog
from ursa.diagnose.charts import text
from ursa.diagnose.report.report_info import ReportInfo
from ursa.diagnose.report.thumbnails import Thumbnails


@dataclass(frozen=True)
class Gallery:
    """The pictures of a page."""

    catalog: Catalog
    thumbnails: Thumbnails
    info: ReportInfo
    asked: frozenset[str]  # ids of which there should be a copy: one that has none is gone

    def pictures(self, ids: Iterable[str]) -> str:
        """Pictures side by side under their names, or the names alone of those that the page has no room for."""
        return "".join(self.picture(id) for id in ids)

    def picture(self, id: str, caption: str = "", more: str = "", attributes: str = "") -> str:
        """caption: HTML under the picture, above its name; more: HTML below both."""
        said = f'<figcaption>{caption}<code class="name">{text(_short(id))}</code></figcaption>'
        return f'<figure class="pic"{attributes} title="{text(id)}">{self._shown(id)}{said}{more}</figure>'

    def _shown(self, id: str) -> str:
        address = self.thumbnails.data_uri(id)
        if address is None:
            return '<span class="gone">no longer readable</span>' if id in self.asked else ""
        link = text(self.info.link(self.catalog.file(id)))
        return (
            f'<button type="button" class="zoom" data-file="{link}" data-name="{text(id)}" aria-haspopup="dialog">'
            f'<img alt="{text(id)}" decoding="async" src="{address}"></button>'
        )


def _short(id: str) -> str:
    """A name from its class on, its middle left out where it is long: the whole one is its title."""
    return id if len(id) <= 44 else f"{id[:20]}…{id[-22:]}"
