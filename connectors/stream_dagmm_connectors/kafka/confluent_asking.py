"""What the brokers say of topics and logs to confluent-kafka, asked anew each time.

An admin client has connections of its own, so it may be asked within a callback.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from stream_dagmm_connectors.kafka.client import NotYet, Place
from stream_dagmm_connectors.kafka.confluent_options import LOG, configuration, of, trouble
from stream_dagmm_connectors.kafka.connection import Connection


class Asking:
    """Questions about topics; each is `NotYet` where no answer comes in time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._begin()

    def _begin(self) -> None:
        self._admin = AdminClient(configuration(self._connection), logger=LOG)

    @contextmanager
    def _answered(self, what: object, within_s: float) -> Iterator[None]:
        """`NotYet` where no answer comes, and then a new client: an old one goes on asking the
        broker that it took for the controller, dead or not, until its metadata are minutes old."""
        try:
            yield
        except TimeoutError as error:
            self._begin()
            raise NotYet(f"{what}: no answer within {within_s:g} s") from error
        except KafkaException as error:
            self._begin()
            raise trouble(of(error), NotYet) from error

    def topic_id(self, topic: str, timeout_ms: int) -> str:
        """The topic's UUID, in the form that kafka-python gives it; empty where there is none."""
        described = self._described(topic, timeout_ms)
        if described is None:
            return ""
        high = described.topic_id.get_most_significant_bits() & (2**64 - 1)
        low = described.topic_id.get_least_significant_bits() & (2**64 - 1)
        return str(uuid.UUID(int=high << 64 | low))

    def partitions(self, topic: str, timeout_ms: int) -> int:
        """How many it has; 0 where there is none."""
        described = self._described(topic, timeout_ms)
        return 0 if described is None else len(described.partitions)

    def _described(self, topic: str, timeout_ms: int) -> Any:
        within_s = timeout_ms / 1000
        asked = self._admin.describe_topics(TopicCollection([topic]), request_timeout=within_s)
        with self._answered(topic, within_s):
            try:
                return asked[topic].result(within_s + 1.0)
            except KafkaException as error:
                if of(error).code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    return None
                raise

    def beginning(self, place: Place, timeout_ms: int) -> int:
        """The log's first offset."""
        return self.first_and_end(place, timeout_ms)[0]

    def end(self, place: Place, timeout_ms: int) -> int:
        """The offset after the last committed record."""
        return self.first_and_end(place, timeout_ms)[1]

    def first_and_end(self, place: Place, timeout_ms: int) -> tuple[int, int]:
        """The log's first offset, and the one after the last committed record."""
        asked, within_s, found = TopicPartition(*place), timeout_ms / 1000, list[int]()
        spec: Any = OffsetSpec
        for which in (spec.earliest(), spec.latest()):
            futures = self._admin.list_offsets(
                {asked: which},
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=within_s,
            )
            with self._answered(place, within_s):
                offset = int(futures[asked].result(within_s + 1.0).offset)
            if offset < 0:  # of a topic that is being made, or whose leader died
                self._begin()
                raise NotYet(f"{place}: the broker names no offset yet")
            found.append(offset)
        return found[0], found[1]
