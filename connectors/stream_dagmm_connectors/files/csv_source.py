"""Events from CSV: a header, and a row for each event."""

import csv
import io
from collections.abc import Iterator

from stream_dagmm_connectors.events import KEPT_BYTES, MAX_BYTES, LinePosition, Position
from stream_dagmm_connectors.files.formats import name_of, open_bytes
from stream_dagmm_connectors.files.json_lines import BATCH_BYTES, line_of
from stream_dagmm_connectors.files.line_reader import LineReader
from stream_dagmm_connectors.ports import Record, Unreadable

_NOT_FINITE = frozenset(
    sign + word
    for sign in ("", "+", "-")
    for word in ("nan", "NaN", "NAN", "inf", "Inf", "INF", "infinity", "Infinity")
)
"""Spellings that programs write for such numbers; others, such as the name Nan, stay text."""


def cell(text: str) -> float | int | str | None:
    """What a cell holds: None if empty, a number if it reads as one, else the text.

    ``nan``, ``inf`` and overflowing numbers come as non-finite floats, which the decoder refuses.

    >>> cell("17"), cell("-1e3"), cell("n/a"), cell(""), cell("1_000")
    (17, -1000.0, 'n/a', None, '1_000')
    """
    try:
        number = float(text)
    except ValueError:
        return text if text else None
    if not text.isascii() or "_" in text:
        return text  # Python reads these as numbers, nobody else does
    if number - number == 0.0:
        return int(text) if len(text) < 16 and text.isdigit() else number
    return number if text.strip() in _NOT_FINITE or any(map(str.isdigit, text)) else text


class CsvSource:
    """A CSV file with a header, plain, gzip or zstd, or standard input for '-'.

    A position is the number of the line that a row begins on, the header being line 1; cells may
    hold quoted newlines. Blank lines are skipped and counted. A row with too few or too many
    cells, wrong quotes, invalid UTF-8, or over ``max_bytes`` comes as ``Unreadable``. Of a column
    name that comes twice the last counts.
    """

    def __init__(
        self,
        location: str,
        *,
        name: str | None = None,
        max_bytes: int = MAX_BYTES,
        stream: io.BufferedReader | None = None,
    ) -> None:
        self.name = name_of(location) if name is None else name
        self.start: Position = LinePosition(1)
        self.finished = False
        self._location = location
        lines = LineReader(stream or open_bytes(location), location, max_bytes)
        self._text = _Text(lines, max_bytes)
        self._rows = csv.reader(self._text, strict=True)
        self._columns: list[str] | None = None
        self._ahead: Record | None = None
        self._damage: ValueError | None = None

    def seek(self, next_position: Position) -> None:
        """Go on at the first row that begins at or after a line; parses what is before it."""
        line = line_of(next_position, self.name)
        while self._text.lines.number + 1 < line:
            record = self._next()
            if record is None:
                self._text.lines.require(line - 1)
                return
            if line_of(record.position, self.name) >= line:
                self._ahead = record  # blank lines lay between, and the row came with them
                return

    def read(self, at_most: int) -> list[Record]:
        """The next records; damage is raised once everything before it has been handed out."""
        if self._damage is not None:
            raise self._damage
        records: list[Record] = []
        budget = BATCH_BYTES
        try:
            while len(records) < at_most and budget > 0 and not self.finished:
                record, self._ahead = self._ahead or self._next(), None
                if record is None:
                    self.finished = True
                else:
                    records.append(record)
                    budget -= self._text.length
        except ValueError as damage:
            if not records:
                raise
            self._damage = damage
        return records

    def close(self) -> None:
        """Close the file."""
        self._text.lines.close()

    def _next(self) -> Record | None:
        if self._columns is None:
            self._columns = self._header()
        while True:
            self._text.begin()
            position = LinePosition(self._text.lines.number + 1)
            try:
                cells = next(self._rows)
            except StopIteration:
                return None
            except csv.Error as error:
                return Record(position, self._text.refuse(str(error)))
            if cells:
                return self._record(position, cells, self._columns)

    def _record(self, position: Position, cells: list[str], columns: list[str]) -> Record:
        if self._text.invalid:
            return Record(position, self._text.refuse(self._text.invalid))
        if len(cells) != len(columns):
            reason = f"the row has {len(cells)} cells, expected {len(columns)} as in the header"
            return Record(position, self._text.refuse(reason))
        values = dict(zip(columns, map(cell, cells), strict=True))
        return Record(position, values, raw=self._text.raw())

    def _header(self) -> list[str]:
        self._text.begin()
        columns: list[str] = []
        try:
            while not columns:
                columns = next(self._rows)
        except StopIteration:
            return []
        except csv.Error as error:
            raise ValueError(f"{self._location}: the header cannot be read: {error}") from None
        if self._text.invalid:
            raise ValueError(f"{self._location}: the header cannot be read: {self._text.invalid}")
        return columns


class _Text(Iterator[str]):
    """Lines as text for ``csv.reader``, keeping the bytes of the row at hand."""

    def __init__(self, lines: LineReader, max_bytes: int) -> None:
        self.lines = lines
        self.invalid = ""
        self._row: list[bytes] = []
        self._cut: Unreadable | None = None
        self._room = self._max_bytes = max_bytes

    def begin(self) -> None:
        """A new row begins."""
        self._row, self._cut, self.invalid, self._room = [], None, "", self._max_bytes

    @property
    def length(self) -> int:
        """How many bytes are held of the row."""
        return sum(map(len, self._row))

    def raw(self) -> bytes:
        """The row's bytes without the last newline."""
        return b"".join(self._row).rstrip(b"\r\n")

    def refuse(self, reason: str) -> Unreadable:
        """The row as one that could not be read."""
        return self._cut or Unreadable(self.raw(), reason)

    def __next__(self) -> str:
        line = self.lines.next()
        if line is None:
            raise StopIteration
        if isinstance(line, Unreadable):
            if not self._row:
                self._cut = line
            raise csv.Error(line.reason)
        self._row.append(line if self._room > 0 else line[:KEPT_BYTES])
        self._room -= len(line)
        if self._room < -2:
            # A quote that nobody closes would otherwise swallow the rest of the file.
            raise csv.Error(f"the row has over {self._max_bytes} bytes, expected at most that")
        try:
            return line.decode()
        except UnicodeDecodeError as bad:
            self.invalid = f"byte {bad.start + 1} is {line[bad.start]:#04x}, expected UTF-8"
            return line.decode("utf-8", "replace")
