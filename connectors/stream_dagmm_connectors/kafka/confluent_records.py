"""Records and offsets as confluent-kafka gives them, in our terms."""

from __future__ import annotations

from confluent_kafka import Message, TopicPartition

from stream_dagmm_connectors.kafka.client import Committed, Fetched, Place


def place_of(message: Message) -> Place:
    """Where a message, or what it says, belongs."""
    return Place(message.topic() or "", message.partition() or 0)


def fetched(message: Message) -> Fetched:
    """A record that is no error."""
    return Fetched(
        message.offset() or 0,
        message.value(),
        message.key(),
        message.headers() or (),  # type: ignore[arg-type]
        message.timestamp()[1],
    )


def as_committed(found: TopicPartition) -> Committed | None:
    """What a group has committed of a partition; None for nothing."""
    return None if found.offset < 0 else Committed(found.offset, _metadata(found))


def _metadata(found: TopicPartition) -> str:
    """What was committed beside an offset; nothing where somebody else wrote what the library
    cannot read, which is then told as an offset that somebody moved."""
    try:
        return found.metadata or ""
    except UnicodeDecodeError:
        return ""
