"""The command line: parse, call a workflow, print. No logic."""

import sys


def main() -> None:
    """The entry point of the `ursa` command. Ctrl-C while it is still being loaded leaves no traceback either."""
    try:
        from ursa.cli.interrupts import a_second_ends

        a_second_ends()
        from ursa.cli.commands import run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
