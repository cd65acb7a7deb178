"""Learning curve and calibration -> the parts "More pictures" and "When to answer"."""

from collections.abc import Sequence

from ursa.diagnose import abstain
from ursa.diagnose.abstain import Threshold
from ursa.diagnose.calibration import Reliability
from ursa.diagnose.charts import Line, line_chart, reliability_chart, text
from ursa.diagnose.more_data.more_pictures import MorePictures
from ursa.diagnose.report.html_page import Section, scrolling
from ursa.diagnose.report.number_words import percent


def more_pictures_section(more: MorePictures | None) -> Section:
    """Accuracy by the number of pictures learned from, and where it leads."""
    if more is None:
        return Section("more-pictures", "More pictures", "")
    advice = "".join(f'<p class="advice">{text(finding.advice)}</p>' for finding in more.findings())
    return Section("more-pictures", "More pictures", f"<p>{text(more)}</p>{advice}{_curve(more)}")


def when_to_answer_section(measured: Reliability | None, thresholds: Sequence[Threshold]) -> Section:
    """Whether the probabilities can be believed, and from which one on to answer."""
    if measured is None:
        return Section("when-to-answer", "When to answer", "")
    error, ceiling = f"{100 * measured.error:.1f} %", f"{100 * measured.ceiling:.1f} %"
    words = "no more than chance alone explains" if measured.calibrated else "more than chance alone explains"
    said = f"The probe's probabilities are off by {error} on average, {words} (up to {ceiling})."
    rows = "".join(map(_threshold, thresholds))
    head = (
        '<thead><tr><th scope="col">wrong at most</th><th scope="col" class="number">answer from</th>'
        '<th scope="col" class="number">answered</th><th scope="col" class="number">of those wrong</th></tr></thead>'
    )
    table = scrolling("When to answer", f"<table>{head}<tbody>{rows}</tbody></table>") if rows else ""
    chart = reliability_chart(measured)
    caption = (
        '<p class="soft">Each dot is a fifteenth of the pictures: how sure the model was, and how often it was right, '
        "with the 95 % interval. On the dashed line both are the same.</p>"
    )
    html = f"<p>{text(said)}</p><p>{text(abstain.described(thresholds))}</p>{table}<h3>Calibration</h3>{caption}{chart}"
    return Section("when-to-answer", "When to answer", html)


def _curve(more: MorePictures) -> str:
    curve = more.curve
    if curve is None:
        return ""
    sizes, shares = curve.sizes.tolist(), curve.accuracy()
    measured = Line(
        "measured",
        list(zip(sizes, [each.value for each in shares], strict=True)),
        [(each.low, each.high) for each in shares],
    )
    lines = [measured]
    if more.forecasts and more.now is not None:
        ahead = [(sizes[-1] * each.times, each.accuracy) for each in more.forecasts]
        points = [(sizes[-1], shares[-1].value), *((size, each.value) for size, each in ahead)]
        ends = [(shares[-1].value,) * 2, *((each.low, each.high) for _, each in ahead)]
        lines.append(Line("forecast", points, ends, dashed=True))
    label = "Accuracy by the number of pictures learned from"
    chart = line_chart(label, lines, "pictures learned from", share=True, doubling=True)
    return f'<h3>{label}</h3>{chart}<p class="soft">With 95 % intervals.</p>'


def _threshold(each: Threshold) -> str:
    wanted = f'<th scope="row">{100 * each.wanted:g} %</th>'
    if not each.answers:
        return f'<tr>{wanted}<td colspan="3" class="soft">no threshold can promise that</td></tr>'
    cells = (f"{100 * each.value:.1f} % sure", percent(each.coverage.value), f"{100 * each.error.value:.1f} %")
    numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    return f"<tr>{wanted}{numbers}</tr>"
