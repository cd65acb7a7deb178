"""Write the help in docs/commands.md, and docs/settings.md: `python docs/write_help.py`. Tests compare them."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("commands.md")
SETTINGS = Path(__file__).with_name("settings.md")
URSA = Path(sys.executable).with_name("ursa")


def help_of(arguments: list[str]) -> str:
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    done = subprocess.run([URSA, *arguments, "--help"], check=True, capture_output=True, text=True, env=environment)
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def written(match: re.Match[str]) -> str:
    arguments = match.group(1).split()
    return f"```text help{match.group(1)}\n{help_of(arguments)}\n```"


def settings_page() -> str:
    """The table of all settings, from what stands beside each of them in the source."""
    from ursa.recipe import settings_table

    head = """# Settings

All settings of a recipe, by what reads them. On the command line `--set augment.rotate=10`, or `--set rotate=10` where
the short name is unambiguous; in Python `recipe={"rotate": 10}` or `ursa.Recipe.of(rotate=10)`. A setting that has no
meaning for a command, its data or its network is refused. This page is written by `python docs/write_help.py`.

| setting | default | may be | what it is |
|---|---|---|---|
"""
    rows = (f"| `{name}` | {default} | {limits} | {does} |" for name, default, limits, does in settings_table())
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    SETTINGS.write_text(settings_page(), "utf-8")
    PAGE.write_text(re.sub(r"```text help([^\n]*)\n.*?```", written, PAGE.read_text("utf-8"), flags=re.DOTALL))
