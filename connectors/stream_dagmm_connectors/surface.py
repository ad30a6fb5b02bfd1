"""One name for every pipeline: files with one model, topics with a model for each partition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

from stream_dagmm_connectors import pipeline
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.evaluation import LabelledScore
from stream_dagmm_connectors.events import DeadLetter, ScoredEvent
from stream_dagmm_connectors.kafka.ends import KafkaSink, KafkaSource
from stream_dagmm_connectors.ports import CheckpointStore, Sink, Source
from stream_dagmm_connectors.scoring import Detector, Judgement
from stream_dagmm_connectors.steps import Observer, OnError, Pace

if TYPE_CHECKING:
    from stream_dagmm_connectors.kafka.pipeline import KafkaPipeline


class Common(TypedDict, total=False):
    """What every pipeline may be told."""

    decoder: Decoder | None
    judgement: Judgement | None
    on_error: OnError


class OfOne(Common, total=False):
    """What a pipeline with one source in order may be told beside it."""

    dead_letters: Sink[DeadLetter] | None
    labelled: Sink[LabelledScore] | None
    checkpoints: CheckpointStore | None
    checkpoint_every: int
    observers: Mapping[str, Observer] | None
    pace: Pace | None
    parent: str | None


@overload
def Pipeline(
    source: KafkaSource, detector: Detector, sink: KafkaSink, **options: Unpack[Common]
) -> KafkaPipeline: ...


@overload
def Pipeline(
    source: Source,
    detector: Detector,
    sink: Sink[ScoredEvent] | None = None,
    **options: Unpack[OfOne],
) -> pipeline.Pipeline: ...


def Pipeline(
    source: KafkaSource | Source,
    detector: Detector,
    sink: KafkaSink | Sink[ScoredEvent] | None = None,
    **options: Any,
) -> KafkaPipeline | pipeline.Pipeline:
    """Any River anomaly detector between a source and a sink; `run()` goes, `stop()` ends it.

    From a file (`JsonLinesSource`, ...) it is a `pipeline.Pipeline`, from topics (`KafkaSource` to
    `KafkaSink`) a `kafka.pipeline.KafkaPipeline`. Raises `ValueError` for ends that do not fit.
    """
    if isinstance(source, KafkaSource) and isinstance(sink, KafkaSink):
        from stream_dagmm_connectors.kafka.pipeline import KafkaPipeline  # the extra [kafka]

        return KafkaPipeline(source, detector, sink, **options)
    if isinstance(source, KafkaSource) or isinstance(sink, KafkaSink):
        raise ValueError(
            f"got {type(source).__name__} and {type(sink).__name__}, expected Kafka at both ends "
            "(outputs and offsets commit together) or at neither; give a KafkaSink to a KafkaSource"
        )
    return pipeline.Pipeline(source, detector, sink, **options)
