"""Write the help texts that docs/commands.md shows: `python docs/write_help.py`. A test compares them."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("commands.md")
URSA = Path(sys.executable).with_name("ursa")


def help_of(arguments: list[str]) -> str:
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    done = subprocess.run([URSA, *arguments, "--help"], check=True, capture_output=True, text=True, env=environment)
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def written(match: re.Match[str]) -> str:
    arguments = match.group(1).split()
    return f"```text help{match.group(1)}\n{help_of(arguments)}\n```"


if __name__ == "__main__":
    PAGE.write_text(re.sub(r"```text help([^\n]*)\n.*?```", written, PAGE.read_text("utf-8"), flags=re.DOTALL))
