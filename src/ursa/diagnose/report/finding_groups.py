"""Findings -> one section for each kind: what was found in a sentence, how often, and the pictures, copies together."""

from collections.abc import Sequence

from ursa.core.finding import Finding, by_kind, kind_of
from ursa.diagnose.charts import prose, text
from ursa.diagnose.report.gallery import Gallery
from ursa.diagnose.report.html_page import Section, disclosed

GROUPS = 24  # findings of a kind with pictures; more are named only
SIDE_BY_SIDE = 4  # pictures of a finding among several
OF_ONE = 12  # pictures of a finding that is the only one of its kind
NAMED = 200  # files named; the command's --json has all
LISTED = 6  # findings of the data as a whole; more are folded away
SAME = 4  # different sentences of a kind up to which each stands above its pictures, not below each
ELSEWHERE = ("more-pictures-help", "more-pictures-help-little")  # said in a part of their own


def finding_sections(findings: Sequence[Finding], gallery: Gallery, review: str = "") -> list[Section]:
    """The kinds that spoil most first. review: the command of the page on which pictures are decided about."""
    found = {name: some for name, some in by_kind(findings).items() if name not in ELSEWHERE}
    return [_section(name, some, gallery, review) for name, some in found.items()]


def pictures_shown(findings: Sequence[Finding]) -> list[str]:
    """The ids of which a page of these findings shows small copies, the most pressing kinds first."""
    return [
        id
        for name, some in by_kind(findings).items()
        if kind_of(name).about == "pictures"
        for finding in some[:GROUPS]
        for id in finding.where[: _most(some)]
    ]


def sentences(finding: Finding) -> str:
    """What was seen, and what to do about it."""
    return f'<p>{prose(finding.evidence)}</p><p class="advice">{prose(finding.advice)}</p>'


def _section(name: str, findings: Sequence[Finding], gallery: Gallery, review: str) -> Section:
    kind = kind_of(name)
    bodies = {"pictures": _pictures, "files": _files, "data": _data}
    html = bodies[kind.about](findings, gallery) + _advice(findings)
    if review and kind.about != "data":
        html += f'<p>Decide about them: <code class="command">{text(review)}</code></p>'
    return Section(f"finding-{text(name)}", kind.title, html, f"{len(findings):,}", kind.tone)


def _pictures(findings: Sequence[Finding], gallery: Gallery) -> str:
    shown, most = findings[:GROUPS], _most(findings)
    said = _by_sentence(shown)
    if len(said) <= SAME:
        html = "".join(
            f"<h3>{prose(sentence)}{_times(sum(each.evidence == sentence for each in findings))}</h3>"
            f'<div class="groups">{"".join(_group(each, gallery, most) for each in some)}</div>'
            for sentence, some in said.items()
        )
    else:
        groups = "".join(_group(each, gallery, most, each.evidence) for each in shown)
        html = f'<div class="groups">{groups}</div>'
    rest = findings[GROUPS:]
    more = "".join(f"<li>{_names(each.where[:SIDE_BY_SIDE])}</li>" for each in rest[:NAMED])
    left = f"<p>... and {len(rest) - NAMED:,} more: see --json.</p>" if len(rest) > NAMED else ""
    return html + disclosed(f"{len(rest):,} more", f'<ul class="names">{more}</ul>{left}' if rest else "")


def _group(finding: Finding, gallery: Gallery, most: int, words: str = "") -> str:
    """The pictures of one finding, in a frame where they belong together."""
    ids = finding.where[:most]
    more = f'<p class="more">and {len(finding.where) - most:,} more</p>' if len(finding.where) > most else ""
    said = f'<p class="more">{prose(words)}</p>' if words else ""
    together = " together" if len(ids) > 1 else ""
    return f'<div class="group{together}">{gallery.pictures(ids)}{said}{more}</div>'


def _files(findings: Sequence[Finding], gallery: Gallery) -> str:  # noqa: ARG001  # files are named, not shown
    parts, room = [], NAMED
    for sentence, some in _by_sentence(findings).items():
        names = "".join(f"<li>{_names(each.where[:SIDE_BY_SIDE])}</li>" for each in some[:room])
        if names:
            parts.append(f'<h3>{prose(sentence)}{_times(len(some))}</h3><ul class="names">{names}</ul>')
        room = max(0, room - len(some))
    left = len(findings) - NAMED
    return "".join(parts) + (f"<p>... and {left:,} more: see --json.</p>" if left > 0 else "")


def _data(findings: Sequence[Finding], gallery: Gallery) -> str:  # noqa: ARG001  # about the data as a whole
    if len(findings) == 1:
        return f"<p>{prose(findings[0].evidence)}</p>"
    items = [f"<li>{prose(finding.evidence)}</li>" for finding in findings[:NAMED]]
    left = f"<p>... and {len(findings) - NAMED:,} more: see --json.</p>" if len(findings) > NAMED else ""
    rest = f"<ul>{''.join(items[LISTED:])}</ul>{left}" if items[LISTED:] else ""
    return f"<ul>{''.join(items[:LISTED])}</ul>" + disclosed(f"{len(findings) - LISTED:,} more", rest)


def _advice(findings: Sequence[Finding]) -> str:
    """Each advice once."""
    advice = dict.fromkeys(finding.advice for finding in findings)
    return "".join(f'<p class="advice">{prose(words)}</p>' for words in list(advice)[:SAME])


def _by_sentence(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    said: dict[str, list[Finding]] = {}
    for finding in findings:
        said.setdefault(finding.evidence, []).append(finding)
    return said


def _most(findings: Sequence[Finding]) -> int:
    return OF_ONE if len(findings) == 1 else SIDE_BY_SIDE


def _times(count: int) -> str:
    return f" <small>{count:,} times</small>" if count > 1 else ""


def _names(ids: Sequence[str]) -> str:
    return " ".join(f"<code>{text(id)}</code>" for id in ids)
