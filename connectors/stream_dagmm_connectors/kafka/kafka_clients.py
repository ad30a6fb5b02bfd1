"""`Clients` of kafka-python."""

from __future__ import annotations

from stream_dagmm_connectors.kafka.client import LogReader, Reader, Writer
from stream_dagmm_connectors.kafka.connection import Member
from stream_dagmm_connectors.kafka.kafka_log import KafkaLogReader
from stream_dagmm_connectors.kafka.kafka_reader import KafkaReader
from stream_dagmm_connectors.kafka.kafka_writer import KafkaWriter


class KafkaClients(Member):
    """Makes readers and writers that reach the same brokers in the same way."""

    def reader(self) -> Reader:
        """A member of the group."""
        return KafkaReader(self)

    def writer(self, transactional_id: str | None) -> Writer:
        """A producer."""
        return KafkaWriter(self.connection, self.timing, transactional_id)

    def log_reader(self) -> LogReader:
        """Outside the group."""
        return KafkaLogReader(self.connection)
