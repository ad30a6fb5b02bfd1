"""`Clients` of confluent-kafka, the extra `[confluent]`: the C library, three times as fast."""

from __future__ import annotations

from stream_dagmm_connectors.kafka.client import LogReader, Reader, Writer
from stream_dagmm_connectors.kafka.confluent_log import ConfluentLogReader
from stream_dagmm_connectors.kafka.confluent_reader import ConfluentReader
from stream_dagmm_connectors.kafka.confluent_writer import ConfluentWriter
from stream_dagmm_connectors.kafka.connection import Member


class ConfluentClients(Member):
    """Makes readers and writers that reach the same brokers in the same way."""

    def reader(self) -> Reader:
        """A member of the group."""
        return ConfluentReader(self)

    def writer(self, transactional_id: str | None) -> Writer:
        """A producer."""
        return ConfluentWriter(self.connection, self.timing, transactional_id)

    def log_reader(self) -> LogReader:
        """Outside the group."""
        return ConfluentLogReader(self.connection)
