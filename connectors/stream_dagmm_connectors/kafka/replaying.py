"""Topics opened for `replay`, with the messages that people need where that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka.errors import KafkaError

from stream_dagmm_connectors.kafka.address import parse, resolve_all
from stream_dagmm_connectors.kafka.client import Trouble
from stream_dagmm_connectors.kafka.connection import Connection
from stream_dagmm_connectors.kafka.errors import told
from stream_dagmm_connectors.kafka.kafka_clients import KafkaClients
from stream_dagmm_connectors.kafka.log_source import LogSource, TopicSink

NOBODY = "stream-dagmm-replay"
"""A group's name that is never joined."""


def open_log(said: str, connection: Connection, name: str | None = None) -> LogSource:
    """The ranges of a topic that an address names; `ValueError` for what cannot be read whole."""
    asked = parse(said)
    with reaching(connection):
        log = KafkaClients(connection, group=NOBODY).log_reader()
        try:
            return LogSource(log, resolve_all(asked, log), name)
        except BaseException:
            log.close()
            raise


def open_topic(
    said: str, connection: Connection, source: LogSource | None, arithmetic: bytes
) -> TopicSink:
    """A topic for scored events; `ValueError` unless it is there and wide enough."""
    topic = parse(said).topic
    ranges = () if source is None else source.ranges
    needed = 1 + max((each.place.partition for each in ranges), default=0)
    with reaching(connection):
        clients = KafkaClients(connection, group=NOBODY)
        log = clients.log_reader()
        count = log.partitions(topic)
        log.close()
        if count < needed:
            raise ValueError(
                f"topic {topic} has {count} partitions, expected at least {needed}; make it with: "
                f"kafka-topics.sh --create --topic {topic} --partitions {needed}"
            )
        return TopicSink(clients.writer(None), topic, source, arithmetic)


@contextmanager
def reaching(connection: Connection) -> Iterator[None]:
    """What goes wrong with the brokers, as a `ValueError` with the next step."""
    try:
        yield
    except Trouble as error:
        raise ValueError(f"{connection.bootstrap_servers}: {error}") from error
    except KafkaError as error:
        raise ValueError(
            f"{connection.bootstrap_servers}: {told(error)}; start the broker, or correct "
            "--bootstrap-servers"
        ) from error
