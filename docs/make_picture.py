"""Draw docs/demo.svg, the picture of the README, from what `ursa demo` shows: `python docs/make_picture.py`."""

import contextlib
import re
import tempfile
from pathlib import Path

from rich.console import Console

from ursa.cli.results_text import demonstrated
from ursa.workflow.demo import demo


def main() -> None:
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        result = demo(Path("demo"))
        console = Console(record=True, width=100, force_terminal=True, color_system="truecolor", highlight=False)
        demonstrated(result, Path("demo"), console)
    drawn = console.export_svg(title="ursa demo")
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)  # no fonts from elsewhere
    Path(__file__).resolve().with_name("demo.svg").write_text(drawn)


if __name__ == "__main__":
    main()
