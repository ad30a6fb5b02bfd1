"""Offsets as kafka-python takes and gives them, such that either client reads the other's.

librdkafka 2.16 ends metadata with the NUL of a C string, and reads beyond what has none.
"""

from __future__ import annotations

from typing import Any

from kafka import OffsetAndMetadata, TopicPartition

from stream_dagmm_connectors.kafka.client import Committed, Offsets

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
