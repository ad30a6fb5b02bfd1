"""`stream-dagmm run` and `stream-dagmm topics`: a run on topics, put together from its settings."""

from __future__ import annotations

import logging

from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.kafka.options import RunOptions
from stream_dagmm_connectors.settings import ScoringSettings

LOG = logging.getLogger("stream_dagmm")


class RunSettings(RunOptions, ScoringSettings):
    """The options of `stream-dagmm run`."""

    model_config = ScoringSettings.model_config

    def options(self) -> RunOptions:
        """Those that are about topics and processes."""
        return RunOptions(**{name: getattr(self, name) for name in RunOptions.model_fields})


class CannotGoOn(Exception):
    """The run ended by itself; the message says why and what to do."""


def serve(settings: RunSettings) -> None:
    """Score until a signal. `ValueError` for wrong settings, `CannotGoOn` for all else."""
    # Here and not at the top: torch takes seconds, and wrong options should be told at once.
    from stream_dagmm_connectors.detector_names import detector_of
    from stream_dagmm_connectors.kafka.run import Fatal, Stopped, run
    from stream_dagmm_connectors.scoring import Judgement

    detector_of(settings)
    try:
        run(
            settings.options(),
            lambda: detector_of(settings),
            Judgement(settings.alarm_rate, settings.explain_below),
            lambda: Decoder(
                label=settings.label,
                time=settings.time,
                ignore=settings.ignore,
                rename=settings.renames,
                value=settings.value,
            ),
        )
    except (Stopped, Fatal) as error:
        raise CannotGoOn(str(error)) from error


def create_topics(settings: RunSettings) -> list[str]:
    """Make what is missing, as `run` would; the names of all that are there then."""
    from stream_dagmm_connectors.kafka.run import Fatal, prepare

    options = settings.options()
    try:
        prepare(options)
    except Fatal as error:
        raise CannotGoOn(str(error)) from error
    names = (options.output, options.dead_letter_topic, options.checkpoint_topic)
    return [name for name in names if name is not None]


def topic_commands(settings: RunSettings) -> list[str]:
    """What would make the topics by hand; asks the brokers for the input's partitions alone."""
    from stream_dagmm_connectors.kafka.client import Trouble
    from stream_dagmm_connectors.kafka.topics import Topics, wanted

    options = settings.options()
    try:
        topics = Topics(options.connection())
        there = topics.partitions(options.input)
        topics.close()
    except Trouble as error:
        raise CannotGoOn(str(error)) from error
    missing = sorted(set(options.input) - set(there))
    if missing:
        raise ValueError(f"input topic {', '.join(missing)} is not there; make it first")
    needed = wanted(
        options.output,
        options.dead_letter_topic,
        options.checkpoint_topic,
        max(there.values()),
    )
    return [one.command() for one in needed]
