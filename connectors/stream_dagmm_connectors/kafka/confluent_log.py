"""The `LogReader` of confluent-kafka: ranges of a topic, read_committed, outside any group."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from stream_dagmm_connectors.kafka.client import Fetched, NotYet, OutOfRange, Place
from stream_dagmm_connectors.kafka.confluent_asking import Asking
from stream_dagmm_connectors.kafka.confluent_options import LOG, configuration, of, trouble
from stream_dagmm_connectors.kafka.confluent_reader import GONE
from stream_dagmm_connectors.kafka.confluent_records import fetched
from stream_dagmm_connectors.kafka.connection import Connection

ANSWER_MS = 5_000
FETCH_MS = 20
RANGE_S = 10.0
"""The longest that a range may keep silent."""


class ConfluentLogReader:
    """Reads ranges; what is beyond one waits for the next."""

    def __init__(self, connection: Connection) -> None:
        self._asking = Asking(connection)
        self._next: tuple[Place, int] | None = None
        self._consumer = Consumer(
            {
                **configuration(connection),
                "group.id": "stream-dagmm-log",  # asked for by the library, never joined
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                # The fetch for one range goes on beyond it, and holds up the next one so long.
                "fetch.wait.max.ms": FETCH_MS,
            },
            logger=LOG,
        )

    def read(self, place: Place, first: int, last: int) -> list[Fetched]:
        """The committed records from `first` to `last`."""
        self._go_to(place, first)
        got: list[Fetched] = []
        position, heard_s = first, time.monotonic()
        while position <= last:
            if time.monotonic() - heard_s > RANGE_S:
                self._next = None
                raise NotYet(f"{place}: no answer for offsets {first} to {last}")
            message = self._consumer.poll(0.5)
            if message is None:
                continue
            if (error := message.error()) is not None:
                position = max(position, self._past(place, error, message.offset() or 0))
                continue
            heard_s, record = time.monotonic(), fetched(message)
            position = record.offset + 1
            if record.offset <= last:
                got.append(record)
        # A record beyond the range was taken out of the library's hands: the next must seek.
        self._next = (place, position) if position == last + 1 else None
        return got

    def _past(self, place: Place, error: KafkaError, offset: int) -> int:
        """Where an end of the log leaves the position; all else is an error."""
        if error.code() == KafkaError._PARTITION_EOF:
            return offset
        self._next = None
        if error.code() in GONE:
            raise OutOfRange(f"{place}: {error.str()}")
        raise trouble(error, NotYet)

    def _go_to(self, place: Place, offset: int) -> None:
        if self._next == (place, offset):
            return
        first, _ = self._asking.first_and_end(place, ANSWER_MS)
        if offset < first:
            raise OutOfRange(f"{place} begins at {first}, asked for {offset}")
        self._consumer.assign([TopicPartition(*place, offset)])

    def at_time(self, place: Place, timestamp_ms: int) -> int | None:
        """The first offset of that time or later."""
        asked = [TopicPartition(*place, timestamp_ms)]
        try:
            (found,) = self._consumer.offsets_for_times(asked, timeout=ANSWER_MS / 1000)
        except KafkaException as error:
            raise trouble(of(error), NotYet) from error
        return None if found.offset < 0 else int(found.offset)

    def range(self, place: Place) -> tuple[int, int]:
        """First offset, and the one after the last."""
        return self._asking.first_and_end(place, ANSWER_MS)

    def partitions(self, topic: str) -> int:
        """How many there are."""
        try:
            found: Any = self._consumer.list_topics(topic, timeout=ANSWER_MS / 1000)
        except KafkaException as error:
            raise trouble(of(error), NotYet) from error
        return len(found.topics[topic].partitions)

    def close(self) -> None:
        """Release it."""
        self._consumer.close()
