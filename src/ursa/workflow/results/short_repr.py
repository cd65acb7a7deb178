"""Results in a console or a notebook: a line or a small table, no raw arrays."""

import html
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

from ursa.core.statistics import Estimate
from ursa.core.text import escaped


class ShortRepr(ABC):
    """`__repr__` and `_repr_html_` from a few named values."""

    @abstractmethod
    def _shown(self) -> Sequence[tuple[str, str]]:
        """Name and value of what matters most."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}: {escaped(value)}' for name, value in self._shown())})"

    def _repr_html_(self) -> str:
        cells = (
            f'<tr><th style="text-align:left">{html.escape(name)}</th>'
            f'<td style="text-align:left">{html.escape(escaped(value))}</td></tr>'
            for name, value in self._shown()
        )
        return f"<table>{''.join(cells)}</table>"


def interval_text(estimate: Estimate) -> str:
    """An estimate with its interval; where there is no number, the reason."""
    return estimate.method if math.isnan(estimate.value) else str(estimate)
