"""Records, offsets and errors as kafka-python gives them, in our terms.

librdkafka 2.16 ends metadata with the NUL of a C string, and reads beyond what has none: so do
offsets here, such that either client reads the other's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from stream_dagmm_connectors.kafka.client import (
    Aborted,
    Committed,
    Fatal,
    Fetched,
    NotYet,
    Offsets,
)
from stream_dagmm_connectors.kafka.errors import classify, told

NUL = "\0"


def to_commit(offsets: Offsets) -> dict[TopicPartition, OffsetAndMetadata]:
    """For a consumer or a transaction."""
    return {
        TopicPartition(*place): OffsetAndMetadata(c.offset, c.metadata + NUL, -1)
        for place, c in offsets.items()
    }


def as_committed(found: Any) -> Committed | None:
    """What a consumer found; None for nothing."""
    return None if found is None else Committed(found.offset, (found.metadata or "").rstrip(NUL))


def fetched(record: Any) -> Fetched:
    """A record of a consumer."""
    return Fetched(record.offset, record.value, record.key, record.headers or (), record.timestamp)


@contextmanager
def sorted_out() -> Iterator[None]:
    """What a consumer raises within, as one of ours."""
    try:
        yield
    except KafkaError as error:
        kind = {"retriable": NotYet, "abortable": Aborted, "fatal": Fatal}[classify(error)]
        raise kind(told(error)) from error
