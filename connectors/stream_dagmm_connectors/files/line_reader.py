"""Numbered lines of a byte stream in bounded memory."""

import hashlib
import io

from stream_dagmm_connectors.events import KEPT_BYTES, MAX_BYTES
from stream_dagmm_connectors.ports import Unreadable

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class LineReader:
    """Hands out lines one by one and knows the number of the last.

    A last line without newline counts. A line over ``max_bytes`` comes as ``Unreadable``, its
    first 64 KiB kept. ``number`` is 0 before the first line. A file that grows is not followed.
    """

    def __init__(self, stream: io.BufferedReader, name: str, max_bytes: int = MAX_BYTES) -> None:
        self._stream = stream
        self._name = name
        self._max_bytes = max_bytes
        self.number = 0

    def next(self) -> bytes | Unreadable | None:
        """The next line with its newline, or None at the end.

        Raises ``ValueError`` naming file and line where the stream is damaged.
        """
        try:
            line = self._stream.readline(self._max_bytes + 2)
            if not line:
                return None
            self.number += 1
            if self.number == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if len(line) > self._max_bytes and len(line.rstrip(b"\r\n")) > self._max_bytes:
                return self._too_long(line)
            return line
        except OSError as error:
            raise ValueError(
                f"{self._name}: damaged after line {self.number}: {error}; the lines up to it "
                "were read, restore the file to go on"
            ) from None

    def skip(self, lines: int) -> None:
        """Pass over so many lines; raises ``ValueError`` when fewer are there."""
        for _ in range(lines):
            if self.next() is None:
                break
        self.require(lines)

    def require(self, lines: int) -> None:
        """Raise ``ValueError`` unless so many lines have been read."""
        if self.number < lines:
            raise ValueError(
                f"{self._name} has {self.number} lines, expected at least {lines}; it is shorter "
                "than when it was read before: restore it, or start afresh (--fresh)"
            )

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()

    def _too_long(self, line: bytes) -> Unreadable:
        kept, length, digest = line[:KEPT_BYTES], 0, hashlib.sha256()
        piece = line
        while True:
            ended = piece.endswith(b"\n") or not piece
            content = piece.rstrip(b"\r\n") if ended else piece
            length += len(content)
            digest.update(content)
            if ended:
                break
            piece = self._stream.readline(1 << 20)
        reason = f"the record has {length} bytes, expected at most {self._max_bytes}"
        return Unreadable(kept, reason, length, digest.hexdigest())
