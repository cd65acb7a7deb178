"""The name of a device -> one that is there. Said at once: not after a scan of ten thousand pictures."""

import re

from ursa.errors import DataError, TrainingError

DEVICES = ("auto", "cpu", "cuda", "mps")


def available(name: str) -> str:
    """ "auto" -> cuda if there is one, else mps, else cpu; "cpu", "cuda", "cuda:1" and "mps" as they are.

    Imports torch, but for "cpu". Raises DataError for another name, TrainingError for a device that is not there.
    """
    kind, _, number = name.partition(":")
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", name):
        raise DataError("no such device", found=name, fix=f"one of {', '.join(DEVICES)}; cuda:1 for the second GPU")
    if kind == "cpu":
        return name
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if kind == "auto":
        return next(device for device, usable in there.items() if usable)
    if not there[kind] or (number and int(number) >= torch.cuda.device_count()):
        raise TrainingError(f"there is no device {name}", found=_found(kind), fix=_fix(there))
    return name


def _found(kind: str) -> str:
    """What there is instead, or why there is none."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count:
        return f"this machine has {', '.join(f'cuda:{n} ({torch.cuda.get_device_name(n)})' for n in range(count))}"
    built = torch.backends.cuda.is_built() if kind == "cuda" else torch.backends.mps.is_built()
    reason = "no such device answers on this machine" if built else "it was built without it"
    return f"torch {torch.__version__}: {reason}"


def _fix(there: dict[str, bool]) -> str:
    """The names that would do."""
    return f"leave it out, or take one of auto, {', '.join(name for name, usable in there.items() if usable)}"
