"""Finding: the one type in which every part of Ursa reports what it saw."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """Something worth a look: what, where, why we say so, and what to do about it.

    `where` holds picture ids; `score` is in [0, 1], 1 the surest or most pressing; `evidence` is the observation and
    `advice` the next step, each one sentence. `numbers` holds measured values for programs.
    """

    kind: str
    where: tuple[str, ...]
    score: float
    evidence: str
    advice: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The document of the command line's contract: kind, where, score, evidence, advice (and numbers, if any)."""
        document = asdict(self)
        document["where"] = list(self.where)
        if not self.numbers:
            del document["numbers"]
        return document


@dataclass(frozen=True)
class Kind:
    """How a kind of finding is shown, in the terminal and in reports alike."""

    one: str  # "picture in two splits"
    several: str
    tone: Literal["bad", "warn", "note"]  # it spoils results; it costs some; good to know
    about: Literal["pictures", "files", "data"]  # pictures are shown, files named; for the data neither helps
    copies: bool = False  # the pictures of a finding are versions of one, of which one is to be kept

    @property
    def title(self) -> str:
        """The words for several, as a heading."""
        return self.several[0].upper() + self.several[1:]

    @property
    def title_of_one(self) -> str:
        """The words for one, as a heading."""
        return self.one[0].upper() + self.one[1:]

    def counted(self, count: int) -> str:
        """ "3 pictures in two splits"."""
        return f"{count:,} {self.one if count == 1 else self.several}"


def kind_of(name: str) -> Kind:
    """The words for a kind of finding; a check of one's own is shown by the name that it gave."""
    words = name.replace("-", " ")
    return KINDS.get(name) or Kind(words, words, "note", "pictures")


def by_kind(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by their kind, the kinds that spoil most first (the order of KINDS), then those of one's own."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.kind, []).append(finding)
    order = {name: number for number, name in enumerate(KINDS)}
    return {name: found[name] for name in sorted(found, key=lambda name: (order.get(name, len(order)), name))}


KINDS = {  # the most pressing first
    "same-picture-two-classes": Kind(
        "picture under two classes", "pictures under two classes", "bad", "pictures", copies=True
    ),
    "leak": Kind("picture in two splits", "pictures in two splits", "bad", "pictures", copies=True),
    "near-copy-two-classes": Kind(
        "near duplicate under two classes", "near duplicates under two classes", "bad", "pictures", copies=True
    ),
    "wrong-label": Kind("label that may be wrong", "labels that may be wrong", "bad", "pictures"),
    "near-leak": Kind("near duplicate in two splits", "near duplicates in two splits", "bad", "pictures", copies=True),
    "learned-from": Kind("evaluation on what was learned from", "evaluations on what was learned from", "bad", "data"),
    "shortcut": Kind("possible shortcut", "possible shortcuts", "warn", "data"),
    "weak-slice": Kind("slice with lower accuracy", "slices with lower accuracy", "warn", "pictures"),
    "poor-split": Kind("split that can tell little", "splits that can tell little", "warn", "data"),
    "test-looked-at": Kind("test set used before", "test sets used before", "warn", "data"),
    "crashes-its-decoder": Kind("file that crashes a decoder", "files that crash a decoder", "bad", "files"),
    "broken-file": Kind("file that cannot be used", "files that cannot be used", "warn", "files"),
    "missing-file": Kind("file that cannot be opened", "files that cannot be opened", "warn", "files"),
    "unreadable-folder": Kind("folder that cannot be read", "folders that cannot be read", "warn", "files"),
    "empty-class": Kind("class folder without pictures", "class folders without pictures", "warn", "files"),
    "not-a-picture": Kind("file that is not a picture", "files that are not pictures", "warn", "files"),
    "truncated": Kind("truncated picture", "truncated pictures", "warn", "files"),
    "takes-too-long": Kind(
        "picture that takes too long to read", "pictures that take too long to read", "warn", "files"
    ),
    "unreadable": Kind("damaged picture", "damaged pictures", "warn", "files"),
    "too-large": Kind("picture too large to read", "pictures too large to read", "warn", "files"),
    "needs-decoder": Kind(
        "picture whose decoder is not installed", "pictures whose decoder is not installed", "warn", "files"
    ),
    "similar-classes": Kind("class written in several ways", "classes written in several ways", "warn", "data"),
    "augmentation-harms": Kind(
        "augmentation that makes labels wrong", "augmentations that make labels wrong", "warn", "data"
    ),
    "class-in-one-split": Kind("class missing from a split", "classes missing from a split", "warn", "data"),
    "labels-not-judged": Kind(
        "class whose labels cannot be judged", "classes whose labels cannot be judged", "note", "data"
    ),
    "small-class": Kind("class with too few pictures", "classes with too few pictures", "warn", "data"),
    "imbalance": Kind("class far smaller than another", "classes far smaller than another", "note", "data"),
    "outlier": Kind("picture unlike the others", "pictures unlike the others", "warn", "pictures"),
    "exact-duplicate": Kind("exact duplicate", "exact duplicates", "note", "pictures", copies=True),
    "near-duplicate": Kind("near duplicate", "near duplicates", "note", "pictures", copies=True),
    "blank": Kind("blank picture", "blank pictures", "warn", "pictures"),
    "low-information": Kind("picture with hardly any detail", "pictures with hardly any detail", "note", "pictures"),
    "dark": Kind("dark picture", "dark pictures", "note", "pictures"),
    "overexposed": Kind("overexposed picture", "overexposed pictures", "note", "pictures"),
    "blurred": Kind("blurred picture", "blurred pictures", "note", "pictures"),
    "animated": Kind("animation or multi-page file", "animations or multi-page files", "note", "pictures"),
    "tiny": Kind("tiny picture", "tiny pictures", "note", "pictures"),
    "odd-shape": Kind("very long or very wide picture", "very long or very wide pictures", "note", "pictures"),
    "huge": Kind("huge picture", "huge pictures", "note", "pictures"),
    "held-out-differs": Kind("pair of figures that differ", "pairs of figures that differ", "warn", "data"),
    "held-out-agrees": Kind("pair of figures that agree", "pairs of figures that agree", "note", "data"),
    "more-pictures-help": Kind(
        "sign that more pictures would help", "signs that more pictures would help", "note", "data"
    ),
    "more-pictures-help-little": Kind(
        "sign that more pictures would help little", "signs that more pictures would help little", "note", "data"
    ),
    "lr-too-high": Kind("learning rate too high", "learning rates too high", "bad", "data"),
    "dead-network": Kind("network that does not respond", "networks that do not respond", "bad", "data"),
    "predicts-one-class": Kind("network that predicts one class", "networks that predict one class", "bad", "data"),
    "no-better-than-chance": Kind("training no better than chance", "trainings no better than chance", "bad", "data"),
    "overfitting": Kind("training that overfits", "trainings that overfit", "warn", "data"),
    "lr-too-low": Kind("learning rate too low", "learning rates too low", "warn", "data"),
    "too-few-epochs": Kind("training with too few epochs", "trainings with too few epochs", "warn", "data"),
    "cannot-tell": Kind("training that cannot be judged", "trainings that cannot be judged", "note", "data"),
    "training-fine": Kind("training without a fault", "trainings without a fault", "note", "data"),
    "fine-tuning-kept": Kind("fine-tuned model kept", "fine-tuned models kept", "note", "data"),
    "probe-kept": Kind("probe kept", "probes kept", "note", "data"),
    "models-differ": Kind("model that is better", "models that are better", "note", "data"),
    "models-not-told-apart": Kind("pair of models not told apart", "pairs of models not told apart", "note", "data"),
}
