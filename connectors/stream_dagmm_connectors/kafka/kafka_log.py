"""The `LogReader` of kafka-python: ranges of a topic, read_committed, outside any group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import OffsetOutOfRangeError

from stream_dagmm_connectors.kafka.client import Fetched, NotYet, OutOfRange, Place
from stream_dagmm_connectors.kafka.connection import Connection
from stream_dagmm_connectors.kafka.kafka_records import fetched, sorted_out

WAIT_MS = 500
"""A poll for a range of the log waits this long for each answer."""
EMPTY_POLLS = 20
ANSWER_MS = 5_000


class KafkaLogReader:
    """Reads ranges; what is beyond one waits for the next."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._consumer = KafkaConsumer(
            **connection.options(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            metrics_enabled=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
        )

    def read(self, place: Place, first: int, last: int) -> list[Fetched]:
        """The committed records from `first` to `last`."""
        asked, empty = TopicPartition(*place), 0
        got: list[Fetched] = []
        with sorted_out(), _gone():
            self._go_to(asked, first)
            while empty < EMPTY_POLLS:
                room = last + 1 - first - len(got)  # what is beyond waits for the next range
                polled = self._consumer.poll(timeout_ms=WAIT_MS, max_records=max(room, 1))
                records = polled.get(asked, [])
                got += [fetched(record) for record in records if record.offset <= last]
                if (self._consumer.position(asked, timeout_ms=WAIT_MS) or 0) > last:
                    return got
                empty += not records
        raise NotYet(f"{place}: no answer for offsets {first} to {last}")

    def _go_to(self, place: TopicPartition, offset: int) -> None:
        """Seek, unless the last range ended there: what was fetched beyond it is still in hand."""
        here = self._consumer.assignment() == {place}
        if not here:
            self._consumer.assign([place])
        if not here or self._consumer.position(place, timeout_ms=WAIT_MS) != offset:
            self._consumer.seek(place, offset)

    def at_time(self, place: Place, timestamp_ms: int) -> int | None:
        """The first offset of that time or later."""
        asked = TopicPartition(*place)
        with sorted_out():
            found = self._consumer.offsets_for_times({asked: timestamp_ms}, timeout_ms=ANSWER_MS)
        return None if found.get(asked) is None else int(found[asked].offset)

    def range(self, place: Place) -> tuple[int, int]:
        """First offset, and the one after the last."""
        asked = TopicPartition(*place)
        with sorted_out():
            first = self._consumer.beginning_offsets([asked], timeout_ms=ANSWER_MS)[asked]
            last = self._consumer.end_offsets([asked], timeout_ms=ANSWER_MS)[asked]
        return int(first), int(last)

    def partitions(self, topic: str) -> int:
        """How many there are."""
        return len(self._consumer.partitions_for_topic(topic) or ())

    def close(self) -> None:
        """Release it."""
        self._consumer.close(autocommit=False)


@contextmanager
def _gone() -> Iterator[None]:
    try:
        yield
    except OffsetOutOfRangeError as error:
        raise OutOfRange(str(error)) from error
