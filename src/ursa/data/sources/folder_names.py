"""Which classes can be names of folders, on every system."""

import os
import re
from collections.abc import Iterable

from ursa.data.sources.walk import LITTER

LONGEST = 200  # bytes of the name of a folder; the systems take 255
RESERVED = re.compile(r'[<>:"/\\|?*\x00-\x1f]|^[. ]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)


def folders_can_be(names: Iterable[str]) -> bool:
    """Whether classes can be names of folders, on every system: "a/b" can not, nor "A" beside "a"."""
    names = list(names)
    if len({name.casefold() for name in names}) < len(set(names)):
        return False
    return all(_folder_can_be(name) for name in names)


def _folder_can_be(name: str) -> bool:
    odd = not name or RESERVED.search(name) or name.lower() in LITTER
    return not odd and len(os.fsencode(name)) <= LONGEST
