"""Where a page comes from: the command that made it, and the words by which another names the same pictures."""

import os
import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True)
class ReportInfo:
    """What a reader wants to know of a page that lies around a year later."""

    command: str = ""  # that made it, as typed into a shell
    data: tuple[str, ...] = ("FOLDER",)  # words that name the same pictures in another command
    backbone: str = ""  # what the pictures went through
    bundle: str = ""  # the model that was judged or made
    made: datetime | None = None
    page: Path | None = None  # where it will lie: from there the pictures' own files are linked
    thumbnails: Path | None = None  # where small pictures are kept for the next page; None: nowhere

    def following(self, command: str, *more: str) -> str:
        """A command on the same pictures, to be copied."""
        return shlex.join(["ursa", command, *self.data, *more])

    @property
    def collect(self) -> str:
        """The command that fetches more pictures from a list of addresses."""
        return shlex.join(["ursa", "download", "LIST.txt", "--to", self.data[0]])

    def link(self, file: Path) -> str:
        """The address of a picture's own file, as seen from the page; "" where there is none."""
        if self.page is None:
            return ""
        try:
            path = os.path.relpath(file.absolute(), self.page.absolute().parent)
        except ValueError:  # on another drive
            return ""
        return quote(path.replace(os.sep, "/"), errors="surrogateescape")

    @property
    def date(self) -> str:
        """As "28 November 2026, 11:05"."""
        return f"{self.made.day} {self.made:%B %Y, %H:%M}" if self.made else ""
