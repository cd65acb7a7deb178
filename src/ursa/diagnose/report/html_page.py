"""Title, first screen, sections -> one HTML page that asks for nothing: no file, no host, no script but its own."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ursa.diagnose.charts import text
from ursa.diagnose.report.report_info import ReportInfo

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' "
    "rx='8' fill='%231d3b53'/%3E%3Cpath d='M4 9l6 2 4 4 5 2 1 6h7l1-7-9 1' fill='none' stroke='%23f7cf6a' "
    "stroke-width='2' stroke-linejoin='round'/%3E%3C/svg%3E"
)


@dataclass(frozen=True)
class Section:
    """A part of the page, with a heading and an id to link to."""

    id: str
    title: str
    html: str
    note: str = ""  # said beside the title: a count
    tone: str = ""  # "bad", "warn" or "note": a mark before the title


def html_page(
    title: str, first: str, sections: Sequence[Section], info: ReportInfo, data: Any = None, style: str = ""
) -> str:
    """first: the HTML of the first screen; data: what the script reads, as JSON; style: CSS of this page alone."""
    sheet, script = (files(__package__).joinpath(f"report.{kind}").read_text("utf-8") for kind in ("css", "js"))
    shown = [section for section in sections if section.html]
    links = "".join(f'<li><a href="#{section.id}">{text(section.title)}</a></li>' for section in shown)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<title>{text(title)}</title>\n<link rel="icon" href="{ICON}">\n<style>\n{sheet}{style}</style>\n</head>\n'
        "<body>\n"
        f'<a class="skip" href="#content">Skip to the content</a>\n<main id="content">\n{first}\n'
        f'<nav aria-label="On this page"><ul>{links}</ul></nav>\n'
        f"{''.join(map(_section, shown))}</main>\n{_footer(info)}\n{VIEWER}\n"
        f'<script type="application/json" id="data">{_json(data)}</script>\n<script>{script}</script>\n'
        "</body>\n</html>\n"
    )


def disclosed(summary: str, html: str) -> str:
    """Something that is folded away until it is asked for; the summary is HTML."""
    return f"<details><summary>{summary}</summary>{html}</details>" if html else ""


def scrolling(name: str, html: str) -> str:
    """What may be wider or higher than its place: it scrolls by itself, by keyboard too."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{text(name)}">{html}</div>'


VIEWER = (  # filled by the script
    '<dialog id="viewer" aria-labelledby="viewer-caption"><figure><img alt="">'
    '<figcaption id="viewer-caption"></figcaption></figure>'
    '<p class="viewer-bar"><button type="button" data-step="-1">Previous</button>'
    '<button type="button" data-step="1">Next</button><a hidden>Open file</a>'
    '<button type="button" data-close>Close</button></p></dialog>'
)


def _section(section: Section) -> str:
    mark = f'<i class="mark {section.tone}" aria-hidden="true"></i>' if section.tone else ""
    note = f" <small>{text(section.note)}</small>" if section.note else ""
    link = f'<a class="anchor" href="#{section.id}" aria-label="Link to this part">#</a>'
    head = f'<h2 id="{section.id}-title">{mark}{text(section.title)}{note}{link}</h2>'
    return f'<section id="{section.id}" aria-labelledby="{section.id}-title">{head}{section.html}</section>\n'


def _footer(info: ReportInfo) -> str:
    made = f"Made by <code>{text(info.command)}</code>" if info.command else "Made by Ursa"
    when = f" on {text(info.date)}" if info.date else ""
    return (
        f"<footer><p>{made}{when}. This page holds small copies of some pictures; it loads nothing and sends nothing. "
        "The files themselves were not changed.</p></footer>"
    )


def _json(data: Any) -> str:
    """A document that no name in it can end or turn around."""
    words = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return words.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
