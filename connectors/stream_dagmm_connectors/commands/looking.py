"""What the commands that look at a group from outside are put together from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.detector_names import detector_of
from stream_dagmm_connectors.kafka.kafka_clients import KafkaClients
from stream_dagmm_connectors.kafka.options import RunOptions
from stream_dagmm_connectors.kafka.outside import Outside
from stream_dagmm_connectors.kafka.partition import Recipe
from stream_dagmm_connectors.kafka.replaying import reaching
from stream_dagmm_connectors.kafka.run import stored
from stream_dagmm_connectors.scoring import Judgement
from stream_dagmm_connectors.settings import ScoringSettings


@contextmanager
def looking(options: RunOptions) -> Iterator[Outside]:
    """A group seen from outside; what goes wrong with the brokers is a `ValueError`."""
    with reaching(options.connection()), ExitStack() as stack:
        clients = KafkaClients(options.connection(), group=options.group)
        reader = clients.reader()
        stack.callback(reader.close, 5_000)
        store = stack.enter_context(stored(options, clients))
        yield Outside(clients, reader, store, options.group)


def recipe_of(settings: ScoringSettings, output: str = "", dead_letters: str = "") -> Recipe:
    """What the options say of a model; where a checkpoint says it, that counts."""
    return Recipe(
        detector=lambda: detector_of(settings),
        judgement=Judgement(settings.alarm_rate, settings.explain_below),
        decoder=lambda: Decoder(
            label=settings.label,
            time=settings.time,
            ignore=settings.ignore,
            rename=settings.renames,
            value=settings.value,
        ),
        output=output,
        dead_letters=dead_letters,
    )
