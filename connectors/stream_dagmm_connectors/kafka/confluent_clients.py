"""`Clients` of confluent-kafka, the extra `[confluent]`: the C library, three times as fast."""

from __future__ import annotations

from stream_dagmm_connectors.kafka.client import LogReader, Reader, Writer
from stream_dagmm_connectors.kafka.confluent_log import ConfluentLogReader
from stream_dagmm_connectors.kafka.confluent_reader import ConfluentReader
from stream_dagmm_connectors.kafka.confluent_writer import ConfluentWriter
from stream_dagmm_connectors.kafka.connection import Connection, Timing


class ConfluentClients:
    """Makes readers and writers that reach the same brokers in the same way."""

    def __init__(
        self,
        connection: Connection,
        timing: Timing | None = None,
        *,
        group: str,
        instance: str | None = None,
    ) -> None:
        self._connection = connection
        self._timing = Timing() if timing is None else timing
        self._group = group
        self._instance = instance

    def reader(self) -> Reader:
        """A member of the group."""
        return ConfluentReader(self._connection, self._timing, self._group, self._instance)

    def writer(self, transactional_id: str | None) -> Writer:
        """A producer."""
        return ConfluentWriter(self._connection, self._timing, transactional_id)

    def log_reader(self) -> LogReader:
        """Outside the group."""
        return ConfluentLogReader(self._connection)
