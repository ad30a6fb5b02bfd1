"""`stream-dagmm replay`: everything that a run needs, put together from its settings."""

from __future__ import annotations

import hashlib
import inspect
import logging
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from river.datasets import Shuttle

from stream_dagmm_connectors.composed import fingerprint_of
from stream_dagmm_connectors.configuration import LINEAGE_DIGITS
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.evaluation import FIRST_JUDGED, LabelledScores, Verdict
from stream_dagmm_connectors.events import DeadLetter, ScoredEvent, encode_lines
from stream_dagmm_connectors.files import SHUTTLE_LABEL, open_sink, open_source
from stream_dagmm_connectors.kafka.address import is_address
from stream_dagmm_connectors.kafka.log_source import LogSource
from stream_dagmm_connectors.kafka.outgoing import arithmetic_header
from stream_dagmm_connectors.metrics import Speed
from stream_dagmm_connectors.pace import RealTime, SteadyPace
from stream_dagmm_connectors.pipeline import Pipeline
from stream_dagmm_connectors.ports import Extent, Sink, Source
from stream_dagmm_connectors.progress import about_how_many, watching
from stream_dagmm_connectors.report import Report
from stream_dagmm_connectors.scoring import Detector, Judgement
from stream_dagmm_connectors.settings import DetectorName, ReplaySettings, ScoringSettings
from stream_dagmm_connectors.steps import Observer, Pace, Summary
from stream_dagmm_connectors.stores import DirectoryStore

LOG = logging.getLogger("stream_dagmm")
STANDARD = "-"
SHUTTLE = "shuttle"
DETECTORS: dict[DetectorName, str] = {
    "dagmm": "StreamDAGMM",
    "gaussian-mixture": "GaussianMixture",
    "gmvae": "StreamGMVAE",
    "glgae": "StreamGLGAE",
    "vae": "StreamVAE",
    "autoencoder": "StreamAutoencoder",
    "pca": "StreamPCA",
}
"""Where each choice of `--detector` is found in `stream_dagmm`."""


@dataclass(slots=True)
class Run:
    """A pipeline and what is asked of it at the end."""

    settings: ReplaySettings
    pipeline: Pipeline
    source_name: str
    speed: Speed
    report: Report | None
    labelled: LabelledScores | None


class StandardOutput:
    """A sink of JSON Lines that are gone once written, so it cannot be cut back."""

    def __init__(self) -> None:
        self._rows = 0

    def write(self, rows: Sequence[ScoredEvent]) -> None:
        """Write rows."""
        sys.stdout.buffer.write(encode_lines(rows))
        self._rows += len(rows)

    def flush(self) -> Extent:
        """Hand on what was written; durable it is not."""
        sys.stdout.buffer.flush()
        return {"rows": self._rows}

    def cut_back(self, extent: Extent) -> None:
        """Refused."""
        raise ValueError("standard output cannot be cut back; give --out FILE with --resume")

    def close(self) -> None:
        """Nothing; the stream is not ours."""


def compose(settings: ReplaySettings, stack: ExitStack) -> Run:
    """Put a run together; `stack` takes what must be closed or removed after it.

    Raises `ValueError` for settings that do not fit each other or the world.
    """
    check_together(settings)
    if not settings.learn and settings.model is None:
        LOG.warning("--no-learn without --model: scored by a detector that knows nothing")
    detector = detector_of(settings, settings.model)
    source = _source(settings)
    stack.callback(source.close)
    speed = Speed()
    watcher = watching(speed, _expected(settings, source))
    stack.callback(watcher.close)
    report = None if settings.report is None else Report()
    labelled = _labelled(settings, stack)
    observers: dict[str, Observer] = {"progress": watcher}
    pipeline = Pipeline(
        source,
        detector,
        _scored(settings, source, detector),
        dead_letters=_dead_letters(settings),
        labelled=labelled,
        decoder=Decoder(
            label=label_of(settings),
            time=settings.time,
            ignore=settings.ignore,
            value=settings.value,
        ),
        judgement=Judgement(settings.alarm_rate, settings.explain_below, settings.learn),
        on_error=settings.on_error,
        checkpoints=_checkpoints(settings),
        checkpoint_every=settings.checkpoint_every,
        observers=observers | ({} if report is None else {"report": report}),
        pace=_pace(settings),
        parent=_parent(settings),
    )
    return Run(settings, pipeline, source.name, speed, report, labelled)


def check_together(settings: ReplaySettings) -> None:
    """`ValueError` for settings that are each right and wrong together."""
    if settings.resume is not None and settings.out and not _is_file(settings.out):
        raise ValueError(
            f"--resume needs outputs that can be cut back, got --out {settings.out}; give a file"
        )
    if settings.rate == "real-time" and settings.time is None:
        raise ValueError("--rate real-time goes by the events' own time; say where with --time")
    places: list[tuple[str, str | Path | None]] = [
        ("SOURCE", settings.source),
        ("--out", settings.out),
    ]
    places += [("--dead-letter", dead_letter_file(settings)), ("--report", settings.report)]
    places += [("--save-model", settings.save_model)]
    seen: dict[Path, str] = {}
    for flag, place in places:
        if place is None or str(place) == STANDARD or is_address(str(place)):
            continue
        path = Path(place).resolve()
        if path in seen:
            raise ValueError(f"{flag} and {seen[path]} are both {place}; give each its own file")
        seen[path] = flag


def label_of(settings: ReplaySettings) -> str | None:
    """The label's field; of the bundled stream it is known, and must never be learned."""
    if settings.label is None and settings.source == SHUTTLE:
        return SHUTTLE_LABEL
    return settings.label


def dead_letter_file(settings: ReplaySettings) -> str | None:
    """Where dead letters go: where it was said, else beside the output, else nowhere."""
    if settings.on_error != "dead-letter":
        return None
    if settings.dead_letter is not None or not _is_file(settings.out):
        return settings.dead_letter
    out = Path(str(settings.out))
    return str(out.with_name(out.name.split(".")[0] + ".dead-letters.jsonl"))


def _is_file(out: str | None) -> bool:
    return out not in (None, STANDARD) and not is_address(out)


def detector_of(settings: ScoringSettings, model: Path | None = None) -> Detector:
    """The detector that was asked for; `ValueError` names an argument that it does not take."""
    kind = _detector_class(settings.detector)
    said = settings.detector_arguments()
    allowed = inspect.signature(kind).parameters
    unknown = sorted(set(said) - set(allowed))
    if unknown:
        raise ValueError(
            f"detector {settings.detector} takes no {', '.join(unknown)}; expected some of "
            + ", ".join(allowed)
        )
    if model is None:
        return cast("Detector", kind(**said))
    if said:
        raise ValueError(f"--model brings its own {', '.join(said)}; leave them out")
    return cast("Detector", kind.load(model))


def _detector_class(name: DetectorName) -> Any:
    # Here and not at the top: torch takes seconds, and wrong options should be told at once.
    import stream_dagmm

    return getattr(stream_dagmm, DETECTORS[name])


def _parent(settings: ReplaySettings) -> str | None:
    """What names the model that a run begins with: its bytes, since they are all it knows."""
    if settings.model is None:
        return None
    return hashlib.sha256(settings.model.read_bytes()).hexdigest()[:LINEAGE_DIGITS]


def _source(settings: ReplaySettings) -> Source:
    if is_address(settings.source):
        from stream_dagmm_connectors.kafka.replaying import open_log  # the extra [kafka]

        return open_log(settings.source, settings.connection(), settings.source_name)
    return open_source(settings.source, name=settings.source_name, format=settings.format)


def _scored(
    settings: ReplaySettings, source: Source, detector: Detector
) -> Sink[ScoredEvent] | None:
    if settings.out is None:
        return None
    if is_address(settings.out):
        from stream_dagmm_connectors.kafka.replaying import open_topic

        log = source if isinstance(source, LogSource) else None
        arithmetic = arithmetic_header(fingerprint_of(detector))
        return open_topic(settings.out, settings.connection(), log, arithmetic)
    if settings.out == STANDARD:
        return StandardOutput()
    return open_sink(settings.out, overwrite=settings.fresh)


def _dead_letters(settings: ReplaySettings) -> Sink[DeadLetter] | None:
    place = dead_letter_file(settings)
    return None if place is None else open_sink(place, overwrite=settings.fresh)


def _labelled(settings: ReplaySettings, stack: ExitStack) -> LabelledScores | None:
    if label_of(settings) is None:
        return None
    if settings.resume is not None:
        directory = DirectoryStore(settings.resume).path.parent
        return LabelledScores(directory / "labelled.scores", overwrite=settings.fresh)
    temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="stream-dagmm-"))
    return LabelledScores(Path(temporary) / "labelled.scores")


def _checkpoints(settings: ReplaySettings) -> DirectoryStore | None:
    if settings.resume is None:
        return None
    store = DirectoryStore(settings.resume)
    if settings.fresh:
        store.path.unlink(missing_ok=True)
    return store


def _expected(settings: ReplaySettings, source: Source) -> int | None:
    if isinstance(source, LogSource):
        return source.offsets
    if settings.source == SHUTTLE:
        return int(Shuttle().n_samples)
    return None if settings.source == STANDARD else about_how_many(Path(settings.source))


def _pace(settings: ReplaySettings) -> Pace | None:
    if settings.rate is None:
        return None
    return RealTime() if isinstance(settings.rate, str) else SteadyPace(settings.rate)


def finish(run: Run, summary: Summary) -> str:
    """Write what was asked for at the end, and say in a few lines what was found and where."""
    settings = run.settings
    verdict = None if run.labelled is None else run.labelled.verdict()
    if run.report is not None and settings.report is not None:
        run.report.write(
            settings.report,
            source=run.source_name,
            detector=settings.detector,
            verdict=verdict,
            speed=run.speed,
        )
    if settings.save_model is not None:
        run.pipeline.detector.save(settings.save_model)  # type: ignore[attr-defined]
    lines = [*_found(summary), *_judged(verdict), *_speed(run.speed), *_places(settings)]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {words}" for name, words in lines)


def _found(summary: Summary) -> list[tuple[str, str]]:
    rate = summary.alarms / summary.events if summary.events else 0.0
    refused = ", ".join(f"{count:,} in {s}" for s, count in sorted(summary.dead_letters.items()))
    total = sum(summary.dead_letters.values())
    return [
        ("events", f"{summary.events:,}"),
        ("alarms", f"{summary.alarms:,} ({rate:.3%})"),
        ("dead letters", f"{total:,}" + (f" ({refused})" if refused else "")),
    ]


def _judged(verdict: Verdict | None) -> list[tuple[str, str]]:
    if verdict is None:
        return []
    if verdict.auroc is None or verdict.average_precision is None:
        kind = "anomalies" if verdict.anomalies else "normal events"
        words = f"none: only {kind} among {verdict.events:,} labelled events"
        return [("AUROC", f"{words} from event {FIRST_JUDGED} on")]
    return [
        ("AUROC", f"{verdict.auroc:.4f}"),
        ("average precision", f"{verdict.average_precision:.4f}"),
        (
            "judged",
            f"{verdict.events:,} labelled events from event {FIRST_JUDGED} on, "
            f"{verdict.anomalies:,} of them anomalies",
        ),
    ]


def _speed(speed: Speed) -> list[tuple[str, str]]:
    return [("throughput", f"{speed.overall_per_s:,.0f} events/s")] if speed.events else []


def _places(settings: ReplaySettings) -> list[tuple[str, str]]:
    out = "standard output" if settings.out == STANDARD else settings.out
    places: list[tuple[str, str | Path | None]] = [
        ("scored events", out),
        ("dead letters in", dead_letter_file(settings)),
        ("report", settings.report),
        ("state", settings.resume),
        ("model", settings.save_model),
    ]
    return [(name, str(place)) for name, place in places if place is not None]
