"""What the probe gets cross-validated, and on held-out pictures -> one sentence on whether these two figures agree."""

from typing import Any

from ursa.core import statistics
from ursa.core.finding import Finding
from ursa.core.statistics import Estimate
from ursa.diagnose.judged import Judged
from ursa.embed.probe import Probe
from ursa.embed.stored_probe import known_probe
from ursa.prepared.setup import Prepared
from ursa.prepared.splitting import Parts, probe_inputs, unsealed
from ursa.recipe import Recipe

CHANCE = 0.05  # differences that are rarer than this by chance are said to be more


def agreement(probe: Probe, parts: Parts, judged: Judged, ready: Prepared, recipe: Recipe) -> Finding:
    """probe: of the pictures to learn from. Its answers for them are out of sample, and none of them is held out: so
    both figures are of different pictures, and Fisher's exact test compares them."""
    targets = parts.learn.targets(parts.labels)
    hits, held = int((probe.probabilities.argmax(1) == targets).sum()), judged.before.argmax(1) == judged.targets
    right = int(held.sum())
    chance = statistics.fisher_exact(hits, len(targets), right, len(held))
    by_check = _by_check(ready, recipe)
    if by_check is None:
        share, count = probe.accuracy(targets), len(targets)
        known = f"Cross-validated over the {count:,} pictures that it learned from, the probe gets {share}"
    else:
        share, count = by_check
        known = f"`ursa check` gives the probe {share}, cross-validated over {count:,} pictures"
    here = f"it gets {judged.probe} of these {len(held):,} {_which(judged, parts)} pictures"
    intervals = {"cross_validated": share.to_json(), "held_out": judged.probe.to_json()}
    numbers: dict[str, Any] = {"cross_validated": share.value, "of": count, "held_out": judged.probe.value}
    numbers |= {"p_value": chance, "intervals": intervals}
    if chance >= CHANCE:
        few = "no more than parts of this size do by chance"
        evidence, advice = f"{known}; {here}: the two differ by {few} (p = {chance:.2g}).", "Both hold."
        return Finding("held-out-agrees", (), chance, evidence, advice, numbers)
    kind = "harder" if right / len(held) < hits / len(targets) else "easier"
    evidence = f"{known}; {here}, more of a difference than chance explains (p = {chance:.2g}): these are {kind}."
    advice = (
        "Where the parts were drawn at random, the figure over more pictures is the better one, and another seed draws "
        "others; where they were given, see what sets them apart."
    )
    return Finding("held-out-differs", (), 1 - chance, evidence, advice, numbers)


def _by_check(ready: Prepared, recipe: Recipe) -> tuple[Estimate, int] | None:
    """The accuracy that `ursa check` says, and of how many pictures; None where it was not run on these."""
    part = unsealed(ready, recipe.seed)
    inputs = probe_inputs(part, part.labels, ready, recipe)
    known = known_probe(inputs, ready.space)
    return None if known is None else (known.accuracy(inputs.targets), len(part))


def _which(judged: Judged, parts: Parts) -> str:
    return "validation" if judged.catalog is parts.valid else "test"
