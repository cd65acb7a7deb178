"""Results in a console or a notebook: a line or a small table, no raw arrays."""

import html
import math
from collections.abc import Sequence

from ursa.core.statistics import Estimate
from ursa.core.text import escaped


class ShortRepr:
    """`__repr__` and `_repr_html_` from a few named values."""

    def _shown(self) -> Sequence[tuple[str, str]]:
        """Name and value of what matters most."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}: {escaped(value)}' for name, value in self._shown())})"

    def _repr_html_(self) -> str:
        cells = (
            f'<tr><th style="text-align:left">{html.escape(name)}</th>'
            f'<td style="text-align:left">{html.escape(escaped(value))}</td></tr>'
            for name, value in self._shown()
        )
        return f"<table>{''.join(cells)}</table>"


def percent(estimate: Estimate) -> str:
    """A share with its interval: "94.8 % (92.4 to 96.5)"; without one the reason."""
    if math.isnan(estimate.value):
        return estimate.method
    return f"{100 * estimate.value:.1f} % ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"
