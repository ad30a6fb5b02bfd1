"""Ranges of a topic as a `Source`, a topic as a `Sink`: how `replay` reads and writes Kafka."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from stream_dagmm_connectors.events import PartitionPosition, Position, ScoredEvent, encode
from stream_dagmm_connectors.kafka.address import Range
from stream_dagmm_connectors.kafka.client import (
    Fetched,
    LogReader,
    Outgoing,
    Place,
    Trouble,
    Writer,
)
from stream_dagmm_connectors.kafka.outgoing import scored_record
from stream_dagmm_connectors.ports import Extent, Record

NOWHERE = Fetched(0, None)


class LogSource:
    """The committed records of one range after the other, each of a partition of its own, in
    order, tombstones left out; the same every time."""

    def __init__(self, log: LogReader, ranges: Sequence[Range], name: str | None = None) -> None:
        self.ranges = tuple(ranges)
        self._log = log
        self._wanted, *self._later = self.ranges
        self._name = name or self._wanted.place.topic
        self._next = self._wanted.first
        self._came: dict[Position, Fetched] = {}

    @property
    def name(self) -> str:
        """The topic's, if no other was said."""
        return self._name

    @property
    def start(self) -> PartitionPosition:
        """The first offset of the range that is being read."""
        return PartitionPosition(self._wanted.place.partition, self._wanted.first)

    @property
    def finished(self) -> bool:
        """Whether all was read to the end."""
        return self._next >= self._wanted.end and not self._later

    @property
    def offsets(self) -> int:
        """How many there are in all ranges; markers of transactions are among them."""
        return sum(each.end - each.first for each in self.ranges)

    def seek(self, next_position: Position) -> None:
        """Go on there; `ValueError` for a place outside of the ranges."""
        if not isinstance(next_position, PartitionPosition):
            raise ValueError(f"the checkpoint stands at {next_position}, which is of no topic")
        partition, at = next_position.partition, next_position.offset
        here = [n for n, each in enumerate(self.ranges) if each.place.partition == partition]
        if not here or not self.ranges[here[0]].first <= at <= self.ranges[here[0]].end:
            told = ", ".join(
                f"{each.place} from {each.first} to {each.end}" for each in self.ranges
            )
            raise ValueError(
                f"the checkpoint stands at offset {at} of partition {partition}, outside of {told}"
            )
        self._wanted, *self._later = self.ranges[here[0] :]
        self._next = at

    def read(self, at_most: int) -> list[Record]:
        """The records of the next so many offsets, which may be none before the end."""
        if self._next == self._wanted.end and self._later:
            self._wanted, *self._later = self._later
            self._next = self._wanted.first
        first, self._next = self._next, min(self._next + at_most, self._wanted.end)
        if first == self._next:
            return []
        place = self._wanted.place
        with _told(place):
            fetched = self._log.read(place, first, self._next - 1)
        self._came = {PartitionPosition(place.partition, one.offset): one for one in fetched}
        return [
            Record(position, one.value, one.key, one.headers)
            for position, one in self._came.items()
            if one.value is not None
        ]

    def came(self, position: Position) -> Fetched:
        """The record of the last `read` that a row is about."""
        return self._came.get(position, NOWHERE)

    def close(self) -> None:
        """Release the reader."""
        self._log.close()


class TopicSink:
    """Scored events into a topic, in the form that `run` gives them: at least once.

    What was flushed lies in the topic for good, so nothing can be cut back.
    """

    def __init__(
        self, writer: Writer, topic: str, source: LogSource | None, arithmetic: bytes
    ) -> None:
        self._writer = writer
        self._topic = topic
        self._source = source
        self._arithmetic = arithmetic
        self._rows = 0
        self._begun = False

    def write(self, rows: Sequence[ScoredEvent]) -> None:
        """Send rows to the partition of their position's number, those of a file to the first."""
        with _told(self._topic):
            if not self._begun:
                self._writer.start()
                self._writer.begin()
                self._begun = True
            self._writer.send([self._record(row) for row in rows])
        self._rows += len(rows)

    def _record(self, row: ScoredEvent) -> Outgoing:
        position = row.position
        partition = position.partition if isinstance(position, PartitionPosition) else 0
        to = Place(self._topic, partition)
        came = NOWHERE if self._source is None else self._source.came(position)
        record = scored_record(encode(row), row.id, came, to, self._arithmetic, False)
        return record._replace(timestamp_ms=None) if self._source is None else record

    def flush(self) -> Extent:
        """All that was sent is in the topic when this returns."""
        with _told(self._topic):
            self._writer.settle()
        return {"rows": self._rows}

    def cut_back(self, extent: Extent) -> None:
        """Refused."""
        raise ValueError(f"{self._topic} is a topic, which cannot be cut back; give --out a file")

    def close(self) -> None:
        """Release the writer."""
        self._writer.close()


@contextmanager
def _told(where: object) -> Iterator[None]:
    """What a client reports, as the ports' `ValueError`."""
    try:
        yield
    except Trouble as error:
        raise ValueError(f"{where}: {error}") from error
