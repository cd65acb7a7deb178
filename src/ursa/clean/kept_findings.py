"""findings.json: what the last check found, kept for the review page, which needs no probe and no torch then. Sealed.

Findings, doubtful labels with the pictures to compare them with, and the margins from which the number of wrong labels
is estimated. All pictures are named by their ids.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa import workspace
from ursa.clean.wrong_labels.label_audit import JudgedLabels, LabelAudit
from ursa.core.finding import Finding
from ursa.workspace import Workspace

FORMAT = 1


@dataclass(frozen=True)
class KeptFindings:
    """What a check found."""

    findings: tuple[Finding, ...] = ()
    doubtful: tuple[Mapping[str, Any], ...] = ()  # DoubtfulLabel.to_json(), "nearest" too, the likeliest wrong first
    judged: JudgedLabels = field(default_factory=JudgedLabels)


def findings_path(space: Workspace) -> Path:
    """Where it lies."""
    return space.root / "findings.json"


def write_findings(space: Workspace, findings: Sequence[Finding], audit: LabelAudit) -> None:
    """Keep them. Raises DataError where it cannot be written."""
    nearest = [*audit.nearest, *[{}] * (len(audit.doubtful) - len(audit.nearest))]
    doubtful = [{**one.to_json(), "nearest": near} for one, near in zip(audit.doubtful, nearest, strict=True)]
    classes = sorted(set(audit.judged.likely))
    index = {name: number for number, name in enumerate(classes)}
    document = {
        "format": FORMAT,
        "findings": [finding.to_json() for finding in findings],
        "doubtful": doubtful,
        "judged": {
            "ids": audit.judged.ids,
            "margins": np.asarray(audit.judged.margins).round(4).tolist(),
            "classes": classes,
            "likely": [index[name] for name in audit.judged.likely],
        },
    }
    workspace.write_sealed(findings_path(space), json.dumps(document, separators=(",", ":"), default=_plain).encode())


def read_findings(space: Workspace) -> KeptFindings | None:
    """What this user's last check found; None where there is none, or where it is another user's or another format."""
    document = workspace.object_of(workspace.read_sealed(findings_path(space)))
    if document.get("format") != FORMAT:
        return None
    judged = document["judged"]
    names = judged["classes"]
    return KeptFindings(
        tuple(Finding(**{**one, "where": tuple(one["where"])}) for one in document["findings"]),
        tuple(document["doubtful"]),
        JudgedLabels(
            tuple(judged["ids"]),
            np.asarray(judged["margins"], np.float64),
            tuple(names[number] for number in judged["likely"]),
        ),
    )


def _plain(value: Any) -> Any:
    """A number of numpy's, in what a check measured."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        plain: npt.NDArray[Any] = value
        return plain.tolist()
    return str(value)
