"""`stream-dagmm replay`: everything that a run needs, put together from its settings."""

from __future__ import annotations

import hashlib
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from river.datasets import Shuttle

from stream_dagmm_connectors.composed import fingerprint_of
from stream_dagmm_connectors.configuration import LINEAGE_DIGITS
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.detector_names import detector_of
from stream_dagmm_connectors.ends import Ends
from stream_dagmm_connectors.evaluation import LabelledScores
from stream_dagmm_connectors.events import ScoredEvent
from stream_dagmm_connectors.files import SHUTTLE, STANDARD
from stream_dagmm_connectors.kafka.address import is_address
from stream_dagmm_connectors.kafka.log_source import LogSource
from stream_dagmm_connectors.kafka.outgoing import arithmetic_header
from stream_dagmm_connectors.metrics import Speed
from stream_dagmm_connectors.pace import RealTime, SteadyPace
from stream_dagmm_connectors.pipeline import Pipeline
from stream_dagmm_connectors.places import ignored, label_of
from stream_dagmm_connectors.ports import Sink
from stream_dagmm_connectors.progress import Watcher, about_how_many, watching
from stream_dagmm_connectors.report import Report
from stream_dagmm_connectors.scoring import Detector, Judgement
from stream_dagmm_connectors.settings import ReplaySettings
from stream_dagmm_connectors.steps import Observer, Pace

LOG = logging.getLogger("stream_dagmm")


@dataclass(slots=True)
class Run:
    """A pipeline and what is asked of it at the end."""

    settings: ReplaySettings
    pipeline: Pipeline
    source_name: str
    speed: Speed
    watcher: Watcher
    report: Report | None
    labelled: LabelledScores | None


def compose(settings: ReplaySettings, ends: Ends, stack: ExitStack) -> Run:
    """Put a run together; `stack` takes what must be closed after it.

    Raises `ValueError` for a detector that cannot be as it was asked for.
    """
    if not settings.learn and settings.model is None:
        LOG.warning("--no-learn without --model: scored by a detector that knows nothing")
    another = partial(detector_of, settings, settings.model)
    detector = another()
    speed = Speed()
    watcher = watching(speed, _expected(settings, ends), printing=_prints(settings))
    stack.callback(watcher.close)
    report = None if settings.report is None else Report(learns=settings.learn)
    observers: dict[str, Observer] = {"progress": watcher}
    pipeline = Pipeline(
        ends.source,
        detector,
        _scored(settings, ends, detector),
        dead_letters=ends.dead_letters,
        labelled=ends.labelled,
        decoder=Decoder(
            label=label_of(settings),
            time=settings.time,
            ignore=ignored(settings),
            rename=settings.renames,
            value=settings.value,
        ),
        judgement=Judgement(settings.alarm_rate, settings.explain_below, settings.learn),
        on_error=settings.on_error,
        checkpoints=ends.store,
        checkpoint_every=settings.checkpoint_every,
        observers=observers | ({} if report is None else {"report": report}),
        pace=_pace(settings),
        parent=_parent(settings),
        another=another,
    )
    if ends.store is not None:
        stack.enter_context(ends.store.claimed())  # outputs may lie in it
    return Run(settings, pipeline, ends.source.name, speed, watcher, report, ends.labelled)


def _parent(settings: ReplaySettings) -> str | None:
    """What names the model that a run begins with: its bytes, since they are all it knows."""
    if settings.model is None:
        return None
    return hashlib.sha256(settings.model.read_bytes()).hexdigest()[:LINEAGE_DIGITS]


def _scored(settings: ReplaySettings, ends: Ends, detector: Detector) -> Sink[ScoredEvent] | None:
    if not is_address(settings.out):
        return ends.scored
    from stream_dagmm_connectors.kafka.replaying import open_topic  # the extra [kafka]

    log = ends.source if isinstance(ends.source, LogSource) else None
    arithmetic = arithmetic_header(fingerprint_of(detector))
    return open_topic(str(settings.out), settings.connection(), log, arithmetic)


def _expected(settings: ReplaySettings, ends: Ends) -> int | None:
    if isinstance(ends.source, LogSource):
        return ends.source.offsets
    if settings.source == SHUTTLE:
        return int(Shuttle().n_samples)
    return None if settings.source == STANDARD else about_how_many(Path(settings.source))


def _prints(settings: ReplaySettings) -> bool:
    return STANDARD in (settings.out, settings.dead_letter)


def _pace(settings: ReplaySettings) -> Pace | None:
    if settings.rate is None:
        return None
    return RealTime() if isinstance(settings.rate, str) else SteadyPace(settings.rate)
