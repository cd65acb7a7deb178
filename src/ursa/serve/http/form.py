"""The bytes of a form (multipart/form-data, RFC 7578), as they come -> the pictures in it.

Every part counts, whatever is in it; of parts that are no pictures only the name is kept. Bytes before the first and
after the last boundary are passed over.
"""

from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ursa.errors import DataError
from ursa.serve.http.refusals import RefusedError

FIELDS = ("picture", "file")  # names under which a form may send pictures


@dataclass(frozen=True)
class Upload:
    """One picture as it was sent."""

    name: str
    data: bytes


class Form:
    """`write` each chunk, then `finalize`: `uploads` holds the pictures, `others` the names of all other fields.

    Both raise python-multipart's FormParserError for what is no form, RefusedError 413 for too many parts. The parser
    allows 8 headers of 4 KB for each part, and a boundary of 256 bytes.
    """

    def __init__(self, boundary: bytes, max_parts: int) -> None:
        if not boundary:
            raise FormParserError("no boundary in the content type")
        self.uploads: list[Upload] = []
        self.others: list[str] = []
        self.max_parts, self._parts = max_parts, 0
        self._header: tuple[bytearray, bytearray] = bytearray(), bytearray()
        self._disposition = b""
        self._names: tuple[str, str | None] = "", None
        self._data: bytearray | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._part_data,
                "on_part_end": self._part_ends,
            },
        )

    def write(self, data: bytes) -> None:
        """The next bytes."""
        self._parser.write(data)

    def finalize(self) -> None:
        """All has come; a part without its end is dropped."""
        self._parser.finalize()

    def _part_begins(self) -> None:
        self._parts += 1
        self._disposition = b""
        if self._parts > self.max_parts:
            error = DataError(
                "too many pictures in one request", found=f"more than {self.max_parts}", fix="send them in parts"
            )
            raise RefusedError(413, error)

    def _header_ends(self) -> None:
        name, value = (bytes(each) for each in self._header)
        self._header = bytearray(), bytearray()
        if name.lower() == b"content-disposition":
            self._disposition = value.strip(b" \t")

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        field, file = options.get(b"name"), options.get(b"filename")
        if field is None:
            raise FormParserError("a part without a name in its Content-Disposition")
        self._names = field.decode("utf-8", "replace"), None if file is None else file.decode("utf-8", "replace")
        self._data = bytearray() if self._names[0] in FIELDS and file is not None else None

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._data is not None:
            self._data += data[start:end]

    def _part_ends(self) -> None:
        field, file = self._names
        if self._data is None:
            self.others.append(field)
        elif file or self._data:  # a form sent with no file chosen has neither
            self.uploads.append(Upload(file or "picture", bytes(self._data)))
        self._data = None
