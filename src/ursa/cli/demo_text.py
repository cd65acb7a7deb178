"""What `ursa demo` shows at its end."""

from pathlib import Path

from rich.columns import Columns
from rich.console import Group
from rich.text import Text

from ursa import sandbox
from ursa.cli import results_text as shows
from ursa.cli import terminal_pictures
from ursa.cli.console import Console, plain
from ursa.cli.output import path_word, shell_line
from ursa.workflow.demo import Demonstrated


def show(result: Demonstrated, to: Path, console: Console) -> None:
    """Both summaries, some pictures with what the model predicts, and the two commands that come next."""
    console.rule("check", align="left")
    shows.checked(
        result.checked, shell_line(["ursa", "train", path_word(result.folder), "--backbone", "pixels"]), console
    )
    console.print()
    console.rule("train", align="left")
    shows.trained(result.trained, console)
    console.print()
    console.rule("predict", align="left")
    cards = []
    for file, label, predicted in result.predictions:
        pixels = sandbox.read(file.read_bytes()).pixels
        words = Text(f"{predicted.label}  {100 * predicted.probability:.1f} %\n(label: {label})\n")
        cards.append(Group(terminal_pictures.picture(pixels, console, 16), words))
    console.print(Columns(cards, padding=(0, 3)))
    console.print("Now with your own pictures, one folder per class:\n")
    console.print("  ursa check pictures/", "  ursa train pictures/ --out model.ursa", sep="\n")
    serve = shell_line(["ursa", "serve", path_word(to / "digits.ursa")])
    console.print(f"\nOr try this model in the browser: {plain(serve)}", soft_wrap=True)
