"""What the commands that look at a group from outside are put together from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.detector_names import detector_of
from stream_dagmm_connectors.kafka.checkpoint_directory import DirectoryStore
from stream_dagmm_connectors.kafka.checkpoint_topic import TopicStore
from stream_dagmm_connectors.kafka.connection import Connection
from stream_dagmm_connectors.kafka.kafka_clients import KafkaClients
from stream_dagmm_connectors.kafka.outside import Outside
from stream_dagmm_connectors.kafka.partition import Recipe
from stream_dagmm_connectors.kafka.replaying import reaching
from stream_dagmm_connectors.scoring import Judgement
from stream_dagmm_connectors.settings import ScoringSettings


@contextmanager
def looking(
    connection: Connection, group: str, checkpoints: str, directory: Path | None
) -> Iterator[Outside]:
    """A group seen from outside; what goes wrong with the brokers is a `ValueError`."""
    with reaching(connection):
        clients = KafkaClients(connection, group=group)
        reader, log = clients.reader(), clients.log_reader()
        store = TopicStore(checkpoints, log) if directory is None else DirectoryStore(directory)
        try:
            yield Outside(clients, reader, store, group)
        finally:
            log.close()
            reader.close(5_000)


def recipe_of(settings: ScoringSettings, output: str = "", dead_letters: str = "") -> Recipe:
    """What the options say of a model; where a checkpoint says it, that counts."""
    return Recipe(
        detector=lambda: detector_of(settings),
        judgement=Judgement(settings.alarm_rate, settings.explain_below),
        decoder=lambda: Decoder(
            label=settings.label,
            time=settings.time,
            ignore=settings.ignore,
            value=settings.value,
        ),
        output=output,
        dead_letters=dead_letters,
    )
