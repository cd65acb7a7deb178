"""The command line: parse, call a workflow, print. No logic."""

from ursa.cli.app import main

__all__ = ["main"]
