"""Verdict, accuracy, next steps -> the first screen: what most readers need, and nothing else."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ursa.core.statistics import Estimate
from ursa.diagnose.charts import text
from ursa.diagnose.next_steps import NextStep
from ursa.diagnose.report.number_words import between, points, value


@dataclass(frozen=True)
class FirstScreen:
    """What stands above everything else."""

    title: str  # of the page: the folder's name
    kind: str  # "Check", "Training", "Evaluation"
    verdict: str  # one sentence
    tone: str  # "good", "warn" or "bad"
    accuracy: Estimate
    measured: str  # of which pictures, and how, in a sentence
    steps: Sequence[NextStep]
    facts: Mapping[str, str]  # name -> value; empty ones are left out
    more: str = ""  # HTML beside the accuracy: another figure to compare with

    def to_html(self) -> str:
        """The header of the page."""
        return (
            f'<header><p class="kind">{text(self.kind)}</p><h1>{text(self.title)}</h1>'
            f'<p class="verdict {self.tone}">{text(self.verdict)}</p>{self._accuracy()}{self._steps()}'
            f"{self._facts()}</header>"
        )

    def _accuracy(self) -> str:
        if math.isnan(self.accuracy.value):
            return f'<div class="accuracy"><p>{text(self.measured)}</p></div>'
        return (
            f'<div class="accuracy" id="accuracy"><p class="figure"><b>{value(self.accuracy)}</b> '
            f"<span>accuracy, {between(self.accuracy)}</span></p>"
            f'<p class="soft">{text(self.measured)}</p>{self.more}</div>'
        )

    def _steps(self) -> str:
        if not self.steps:
            return ""
        items = "".join(f"<li>{_step(step)}</li>" for step in self.steps)
        return f'<div class="steps" id="next"><h2>What to do next</h2><ol>{items}</ol></div>'

    def _facts(self) -> str:
        known = [(text(name), text(fact)) for name, fact in self.facts.items() if fact]
        rows = "".join(f"<div><dt>{name}</dt><dd>{fact}</dd></div>" for name, fact in known)
        return f'<dl class="facts">{rows}</dl>'


def _step(step: NextStep) -> str:
    title = text(step.title)
    head = f'<a href="#{text(step.section)}">{title}</a>' if step.section else title
    gain = "first" if step.first else f"about +{points(step.gain)}" if step.gain >= 0.0005 else ""
    chip = f' <span class="gain">{gain}</span>' if gain else ""
    command = f'<code class="command">{text(step.command)}</code>' if step.command else ""
    return f'<p class="do"><b>{head}</b>{chip}</p><p class="soft">{text(step.why)}</p>{command}'
