"""Events from JSON Lines: one JSON object a line."""

import io

from stream_dagmm_connectors.events import MAX_BYTES, LinePosition, Position
from stream_dagmm_connectors.files.formats import name_of, open_bytes
from stream_dagmm_connectors.files.line_reader import LineReader
from stream_dagmm_connectors.ports import Record, Unreadable

BATCH_BYTES = 16 << 20
"""A batch ends early here, so that 1,024 long lines do not fill the memory."""


class JsonLinesSource:
    """A JSON Lines file, plain, gzip or zstd, or standard input for '-'.

    A position is the line's number, from 1. Blank lines are skipped and counted; a last line
    without newline is a record; a byte order mark is dropped. Lines over ``max_bytes`` come as
    ``Unreadable``.
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
        self._lines = LineReader(stream or open_bytes(location), location, max_bytes)
        self._damage: ValueError | None = None

    def seek(self, next_position: Position) -> None:
        """Go on at a line number; costs one pass over the lines before it."""
        self._lines.skip(line_of(next_position, self.name) - 1)

    def read(self, at_most: int) -> list[Record]:
        """The next records; damage is raised once everything before it has been handed out."""
        if self._damage is not None:
            raise self._damage
        records: list[Record] = []
        budget = BATCH_BYTES
        while len(records) < at_most and budget > 0:
            try:
                line = self._lines.next()
            except ValueError as damage:
                if not records:
                    raise
                self._damage = damage
                break
            if line is None:
                self.finished = True
                break
            position = LinePosition(self._lines.number)
            if isinstance(line, Unreadable):
                records.append(Record(position, line))
            elif line and not line.isspace():
                records.append(Record(position, line.rstrip(b"\r\n")))
            budget -= len(line.raw if isinstance(line, Unreadable) else line)
        return records

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


def line_of(position: Position, name: str) -> int:
    """The line of a file position; raises ``ValueError`` for a topic's."""
    if isinstance(position, LinePosition):
        return position.line
    raise ValueError(f"{name}: position {position} is one of a topic, expected a line")
