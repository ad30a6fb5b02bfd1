"""The end of a replay: what is written then, and what is said in a few lines."""

from __future__ import annotations

from pathlib import Path

from stream_dagmm import calibration
from stream_dagmm_connectors.durable import naming
from stream_dagmm_connectors.evaluation import FIRST_JUDGED, Verdict, why_not_judged
from stream_dagmm_connectors.events import DeadLetter, place
from stream_dagmm_connectors.files import STANDARD
from stream_dagmm_connectors.metrics import Speed
from stream_dagmm_connectors.places import dead_letter_file, label_of
from stream_dagmm_connectors.replay import Run
from stream_dagmm_connectors.settings import ReplaySettings
from stream_dagmm_connectors.steps import Summary

Line = tuple[str, str]


def finish(run: Run, summary: Summary) -> str:
    """Write the report and the model, if asked for; what was found and where it is, in words."""
    settings = run.settings
    verdict = None if run.labelled is None else run.labelled.verdict()
    if run.report is not None and settings.report is not None:
        with naming(settings.report):
            run.report.write(
                settings.report,
                source=run.source_name,
                detector=settings.detector,
                verdict=verdict,
                speed=run.speed,
            )
    if settings.save_model is not None:
        with naming(settings.save_model):
            run.pipeline.detector.save(settings.save_model)  # type: ignore[attr-defined]
    judged = [] if verdict is None else _judged(verdict, str(label_of(settings)))
    lines = [
        *_found(summary, settings.alarm_rate),
        *_refused(run.watcher.first_refused),
        *judged,
        *_speed(run.speed),
        *_places(settings),
    ]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {words}" for name, words in lines)


def _found(summary: Summary, alarm_rate: float) -> list[Line]:
    rate = summary.alarms / summary.events if summary.events else 0.0
    refused = ", ".join(f"{count:,} in {s}" for s, count in sorted(summary.dead_letters.items()))
    total = sum(summary.dead_letters.values())
    warm = calibration.warm_after(alarm_rate)
    cold = (
        f"; warming up for {warm:,.0f} events, which raise none"
        if 0 < summary.events < warm
        else ""
    )
    return [
        ("events", f"{summary.events:,}"),
        ("alarms", f"{summary.alarms:,} ({rate:.3%}){cold}"),
        ("dead letters", f"{total:,}" + (f" ({refused})" if refused else "")),
    ]


def _refused(letter: DeadLetter | None) -> list[Line]:
    """The first record of this process that was no event: one look tells a wrong option."""
    if letter is None:
        return []
    return [("first of them", f"{place(letter.source, letter.position)}: {letter.reason}")]


def _judged(verdict: Verdict, label: str) -> list[Line]:
    if verdict.auroc is None or verdict.average_precision is None:
        return [("AUROC", f"none: {why_not_judged(verdict, label)}")]
    return [
        ("AUROC", f"{verdict.auroc:.4f}"),
        ("average precision", f"{verdict.average_precision:.4f}"),
        (
            "judged",
            f"{verdict.events:,} labelled events from event {FIRST_JUDGED} on, "
            f"{verdict.anomalies:,} of them anomalies",
        ),
    ]


def _speed(speed: Speed) -> list[Line]:
    return [("throughput", f"{speed.overall_per_s:,.0f} events/s")] if speed.events else []


def _places(settings: ReplaySettings) -> list[Line]:
    places: list[tuple[str, str | Path | None]] = [
        ("scored events", settings.out),
        ("dead letters in", dead_letter_file(settings)),
        ("report", settings.report),
        ("state", settings.resume),
        ("model", settings.save_model),
    ]
    return [(name, _where(place)) for name, place in places if place is not None]


def _where(place: str | Path) -> str:
    return "standard output" if place == STANDARD else str(place)
