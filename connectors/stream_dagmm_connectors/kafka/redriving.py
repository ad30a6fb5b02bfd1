"""Dead letters sent back to the topics that they came from, each once, after a fix.

What was sent back is said in the dead-letter topic itself: a mark with the offset of the next
letter, in one transaction with what was sent. It lives as long as the letters before it do, which
a group's offsets would not, and a crash leaves both or neither. A letter that is still no event
comes back to the dead letters by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from stream_dagmm_connectors.kafka.client import Clients, Fetched, LogReader, Outgoing, Place
from stream_dagmm_connectors.kafka.outgoing import LETTER_HEADERS, PREFIX

MARK = PREFIX + "replayed-to"
"""Header of a mark: the offset of the next letter that was not sent back."""
FIRST_PLACE = PREFIX + "first-place"
"""Header of a record that was sent back: where it stood at first."""
PIECE = 100
"""Letters in a transaction; each may have 1 MiB."""


class Letter(NamedTuple):
    """A dead letter, and the record that it was."""

    offset: int
    """In the dead-letter topic."""
    source: Place
    source_offset: int
    stage: str
    reason: str
    length: int
    record: Fetched

    @property
    def whole(self) -> bool:
        """Whether it was forwarded as it came; one too large was not."""
        return len(self.record.value or b"") == self.length

    def __str__(self) -> str:
        cut = "" if self.whole else ", shortened"
        at = f"{self.source}@{self.source_offset}"
        return f"{at}  {self.stage}  {self.length} bytes{cut}  {self.reason}"


class Sent(NamedTuple):
    """What became of the letters that waited."""

    sent: int
    shortened: int
    """Not whole, so not sent; their producers may have them."""


def waiting(log: LogReader, dead: Place, *, everything: bool = False) -> Iterator[Letter]:
    """The letters of a partition that were not sent back yet, or all of them."""
    first, end = log.range(dead)
    for _, letters in _pieces(log, dead, first if everything else _mark(log, dead), end):
        yield from letters


def send_back(clients: Clients, dead: Place, transactional_id: str) -> Sent:
    """Send those that wait to the end of their partitions: key, headers and bytes as they came.

    Two that do so at once fence each other. `Aborted` and `Undecided` may be answered by calling
    again: what was committed is not sent twice.
    """
    writer, log, sent, shortened = clients.writer(transactional_id), clients.log_reader(), 0, 0
    try:
        writer.start()  # and only then look, so that nobody else sends what is found
        for end, letters in _pieces(log, dead, _mark(log, dead), log.range(dead)[1]):
            whole = [letter for letter in letters if letter.whole]
            writer.begin()
            writer.send([*map(_back, whole), _marker(dead, end)])
            writer.settle()
            writer.commit()
            sent, shortened = sent + len(whole), shortened + len(letters) - len(whole)
    finally:
        writer.close()
        log.close()
    return Sent(sent, shortened)


def _pieces(
    log: LogReader, dead: Place, first: int, end: int
) -> Iterator[tuple[int, list[Letter]]]:
    """Letters, a bounded number at a time, and the offset after them."""
    for start in range(first, end, PIECE):
        stop = min(start + PIECE, end)
        letters = [_letter(r) for r in log.read(dead, start, stop - 1) if not _is_mark(r)]
        if letters:
            yield stop, letters


def _mark(log: LogReader, dead: Place) -> int:
    first, end = log.range(dead)
    for start in range(first, end, PIECE):
        for record in log.read(dead, start, min(start + PIECE, end) - 1):
            if _is_mark(record):
                first = max(first, int(dict(record.headers)[MARK]))
    return first


def _is_mark(record: Fetched) -> bool:
    return any(name == MARK for name, _ in record.headers[-1:])


def _marker(dead: Place, end: int) -> Outgoing:
    return Outgoing(dead, b"", None, [(MARK, b"%d" % end)], None)


def _letter(record: Fetched) -> Letter:
    said = {name.removeprefix(PREFIX): held.decode() for name, held in _ours(record)}
    return Letter(
        record.offset,
        Place(said["topic"], int(said["partition"])),
        int(said["offset"]),
        said["stage"],
        said["reason"],
        int(said["length"]),
        record,
    )


def _ours(record: Fetched) -> list[tuple[str, bytes]]:
    return list(record.headers[-len(LETTER_HEADERS) :])


def _back(letter: Letter) -> Outgoing:
    record = letter.record
    place = f"{letter.source}@{letter.source_offset}".encode()
    headers = [*record.headers[: -len(LETTER_HEADERS)], (FIRST_PLACE, place)]
    return Outgoing(letter.source, record.value, record.key, headers, record.timestamp_ms)
