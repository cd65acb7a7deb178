"""A sample of mistakes -> the pictures with the highest loss, and below them all that are to be tagged."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ursa.core.decoding.image import Pixels
from ursa.core.text import counted
from ursa.diagnose.charts import text
from ursa.diagnose.error_causes import WRONG_LABEL
from ursa.diagnose.mistake_sample import TOP, Mistake, MistakeSample
from ursa.diagnose.report.gallery import Gallery
from ursa.diagnose.report.html_page import Section, disclosed
from ursa.diagnose.report.number_words import percent
from ursa.diagnose.report.thumbnails import image_uri


@dataclass(frozen=True)
class MistakeMaps:
    """Mistakes with a map of where the model sees the class that it predicted."""

    overlays: Mapping[str, Pixels] = field(default_factory=dict)  # picture id -> [S, S, 3] uint8
    note: str = ""  # what these maps are, or why there are none


def mistakes_section(
    sample: MistakeSample, gallery: Gallery, who: str, read: str, maps: MistakeMaps | None = None
) -> Section:
    """who: what made the mistakes, "the probe, of pictures it had not learned from"; read: the command for the tags."""
    maps = maps or MistakeMaps()
    if not sample.mistakes:
        return Section("mistakes", "Top losses", f"<p>No mistake: {text(who)} is right every time.</p>")
    lead = (
        f"<p>Mistakes of {text(who)}, the surest first: either the label is wrong, or here is something that the model "
        "has not learned.</p>"
    )
    lead += f'<p class="soft">{text(maps.note)}</p>' if maps.note else ""
    rows = {mistake.id: row for row, mistake in enumerate(sample.sample)}
    tools = _tools(sample, read)
    if sample.whole:
        first, rest = (_gallery(some, gallery, rows, maps) for some in (sample.sample[:TOP], sample.sample[TOP:]))
        html = f"{lead}{tools}{first}{disclosed(f'{len(sample.sample) - TOP:,} more', rest)}"
    else:
        first, rest = _gallery(sample.top, gallery, {}, maps), _gallery(sample.sample, gallery, rows, maps)
        html = f"{lead}{first}{tools}{disclosed(f'Open the {len(sample.sample):,} mistakes to tag', rest)}"
    return Section("mistakes", "Top losses", html, counted(sample.mistakes, "mistake"))


def shown(sample: MistakeSample) -> list[str]:
    """The ids of which a page shows small copies."""
    return [mistake.id for mistake in (*sample.top, *sample.sample)]


def sheet_data(sample: MistakeSample) -> dict[str, Any]:
    """What the page's script needs to keep tags and to write them as a file."""
    rows = [[each.id, each.given, each.predicted, round(each.probability, 4)] for each in sample.sample]
    key = hashlib.sha256(repr(sorted(row[:3] for row in rows)).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return {
        "key": f"ursa-tags-{key}",
        "rows": rows,
        "mistakes": sample.mistakes,
        "pictures": sample.pictures,
        "wrong": WRONG_LABEL,
    }


def _gallery(mistakes: Sequence[Mistake], gallery: Gallery, rows: Mapping[str, int], maps: MistakeMaps) -> str:
    cards = "".join(_card(mistake, gallery, rows, maps) for mistake in mistakes)
    return f'<div class="gallery">{cards}</div>' if cards else ""


def _card(mistake: Mistake, gallery: Gallery, rows: Mapping[str, int], maps: MistakeMaps) -> str:
    """rows: of the sheet, by picture id; what is not in it is not tagged."""
    caption = (
        f'<span class="row"><span class="soft">label</span> <b>{text(mistake.given)}</b></span> '
        f'<span class="row"><span class="soft">predicted</span> <b>{text(mistake.predicted)}</b> '
        f'<span class="soft">{percent(mistake.probability)}</span></span> '
    )
    overlay = maps.overlays.get(mistake.id)
    if overlay is not None:
        seen = f"where the model sees {mistake.predicted} in {mistake.id}"
        caption += f'<img class="seen" alt="{text(seen)}" decoding="async" src="{image_uri(overlay)}"> '
    if mistake.id not in rows:
        return gallery.picture(mistake.id, caption)
    tags = (
        f'<div class="tagging js"><label><input type="checkbox" data-wrong> {WRONG_LABEL}</label>'
        f'<input type="text" list="known-tags" placeholder="tags; split by ;" aria-label="Tags of {text(mistake.id)}" '
        'maxlength="200" autocomplete="off"></div>'
    )
    return gallery.picture(mistake.id, caption, tags, f' data-tag="{rows[mistake.id]}"')


def _tools(sample: MistakeSample, read: str) -> str:
    """How to tag, and what came of it so far; without the script the file beside the page does the same."""
    count = len(sample.sample)
    which = f"all {count:,}" if sample.whole else f"a sample of {count:,}"
    which = "it" if sample.mistakes == 1 else which
    return (
        '<div class="tools" id="error-analysis"><h3>Error analysis: why are they wrong?</h3>'
        f"<p>Tag {which} with what you see: blurry, two animals, cut off. Then each cause gets its share of the "
        "mistakes, and the accuracy that there would be at most if it were solved."
        '<span class="nojs"> Write them into the file <code>mistakes.csv</code> beside this page.</span></p>'
        '<datalist id="known-tags"></datalist><div class="js"><p id="tagged" role="status"></p>'
        '<ul id="causes"></ul><p class="buttons"><button type="button" id="save-tags">Save tags as CSV</button> '
        '<button type="button" id="clear-tags">Clear</button></p></div>'
        f'<div class="soft">The same with intervals: <code class="command">{text(read)}</code></div></div>'
    )
