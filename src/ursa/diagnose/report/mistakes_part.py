"""A sample of mistakes -> the pictures with the highest loss, and below them all that are to be tagged."""

import hashlib
from collections.abc import Mapping
from typing import Any

from ursa.diagnose.charts import text
from ursa.diagnose.error_causes import WRONG_LABEL
from ursa.diagnose.mistake_sample import Mistake, MistakeSample
from ursa.diagnose.report.gallery import Gallery
from ursa.diagnose.report.html_page import Section, disclosed
from ursa.diagnose.report.number_words import counted, percent


def mistakes_section(sample: MistakeSample, gallery: Gallery, who: str, read: str) -> Section:
    """who: what made the mistakes, "the probe, of pictures it had not learned from"; read: the command for the tags."""
    if not sample.mistakes:
        return Section("mistakes", "Top losses", f"<p>No mistake: {text(who)} is right every time.</p>")
    lead = (
        f"<p>Mistakes of {text(who)}, the surest first: either the label is wrong, or here is something that the model "
        "has not learned.</p>"
    )
    rows = {mistake.id: row for row, mistake in enumerate(sample.sample)}
    top = "".join(_card(mistake, gallery, rows) for mistake in sample.top)
    others = "".join(_card(mistake, gallery, rows) for mistake in sample.others)
    folded = f'<div class="gallery">{others}</div>' if others else ""
    more = disclosed(f"{len(sample.others):,} more to look at", folded)
    html = f'{lead}{_tools(sample, read)}<div class="gallery">{top}</div>{more}'
    return Section("mistakes", "Top losses", html, counted(sample.mistakes, "mistake"))


def shown(sample: MistakeSample) -> list[str]:
    """The ids of which a page shows small copies."""
    return [mistake.id for mistake in (*sample.top, *sample.others)]


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


def _card(mistake: Mistake, gallery: Gallery, rows: Mapping[str, int]) -> str:
    """rows: of the sheet, by picture id."""
    caption = (
        f'<span class="row"><span class="soft">label</span> <b>{text(mistake.given)}</b></span>'
        f'<span class="row"><span class="soft">predicted</span> <b>{text(mistake.predicted)}</b> '
        f'<span class="soft">{percent(mistake.probability)}</span></span>'
    )
    if not mistake.sampled:
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
    which = f"all {count:,}" if count == sample.mistakes else f"a sample of {count:,}"
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
