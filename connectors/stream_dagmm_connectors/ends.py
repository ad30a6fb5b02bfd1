"""Both ends of a replay, its source and its outputs: found in order before anything is written.

Nothing here imports torch, so that a wrong place is told at once; and nothing is made or changed,
so that a run which is refused leaves no trace. The sinks begin to exist with their first use.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from stream_dagmm_connectors.evaluation import LabelledScores
from stream_dagmm_connectors.files import STANDARD, FileSink, open_sink, open_source
from stream_dagmm_connectors.kafka.address import is_address, parse
from stream_dagmm_connectors.places import (
    LABELLED_FILE,
    dead_letter_file,
    label_of,
    refuse_one_place_for_two,
    refuse_to_overwrite,
    refuse_what_cannot_be_written,
    refuse_what_is_no_file,
)
from stream_dagmm_connectors.ports import Source
from stream_dagmm_connectors.settings import ReplaySettings
from stream_dagmm_connectors.stores import DirectoryStore


@dataclass(frozen=True, slots=True)
class Ends:
    """What a run reads, where it writes, and where it keeps its state; None for nowhere, and for
    a topic, which is opened last since its records name the arithmetic."""

    source: Source
    scored: FileSink | None
    dead_letters: FileSink | None
    labelled: LabelledScores | None
    store: DirectoryStore | None


def open_ends(settings: ReplaySettings, config: Path | None, stack: ExitStack) -> Ends:
    """The ends that the settings name; `stack` takes what must be closed or removed after the run.

    Raises `ValueError`, saying what to do, for places that are missing, given twice, not to be
    written, or taken: what is there is kept, unless `--fresh` was said or a checkpoint goes on.
    """
    _refuse_what_does_not_fit(settings)
    refuse_one_place_for_two(settings, config)
    refuse_what_cannot_be_written(settings)
    for path in (settings.report, settings.save_model):
        refuse_what_is_no_file(path)
    store = None
    if settings.resume is not None:
        store = DirectoryStore(settings.resume, fresh=settings.fresh)
    scored, dead_letters = _scored(settings), _dead_letters(settings)
    labelled = _labelled(settings, stack)
    if not settings.fresh and not (store is not None and store.holds_one):
        for sink in (scored, dead_letters, labelled):
            if sink is not None:
                sink.refuse_if_taken()
        for path in (settings.report, settings.save_model):
            refuse_to_overwrite(path)
    source = _source(settings)
    stack.callback(source.close)
    return Ends(source, scored, dead_letters, labelled, store)


def _refuse_what_does_not_fit(settings: ReplaySettings) -> None:
    named = {"--out": settings.out, "--dead-letter": settings.dead_letter}
    for flag, place in named.items():
        if settings.resume is not None and (place == STANDARD or is_address(place)):
            raise ValueError(
                f"--resume needs outputs that can be cut back, got {flag} {place}; give a file"
            )
    if settings.out == settings.dead_letter == STANDARD:
        raise ValueError("--out and --dead-letter are both -; give one of them a file")
    if settings.rate == "real-time" and settings.time is None:
        raise ValueError("--rate real-time goes by the events' own time; say where with --time")


def _source(settings: ReplaySettings) -> Source:
    if is_address(settings.source):
        from stream_dagmm_connectors.kafka.replaying import open_log  # the extra [kafka]

        source = open_log(settings.source, settings.connection(), settings.source_name)
        if len(source.ranges) > 1:
            try:
                _refuse_what_needs_one_model(settings)
            except ValueError:
                source.close()
                raise
        return source
    return open_source(settings.source, name=settings.source_name, format=settings.format)


def _refuse_what_needs_one_model(settings: ReplaySettings) -> None:
    several = f"{settings.source} has several partitions, each with a model of its own"
    for flag, path in {"--save-model": settings.save_model, "--report": settings.report}.items():
        if path is not None:
            raise ValueError(f"{several}; say which one {flag} means with partition=")
    if settings.resume is not None and parse(settings.source).end is None:
        raise ValueError(
            f"{several}, and --resume goes on in one when those before it are done: what came to "
            "them since would be left out; say where all end with to="
        )


def _scored(settings: ReplaySettings) -> FileSink | None:
    if settings.out is None or is_address(settings.out):
        return None
    return open_sink(settings.out, overwrite=settings.fresh)


def _dead_letters(settings: ReplaySettings) -> FileSink | None:
    place = dead_letter_file(settings)
    if place is None:
        return None
    return open_sink(place, overwrite=settings.fresh, otherwise="jsonl")


def _labelled(settings: ReplaySettings, stack: ExitStack) -> LabelledScores | None:
    if label_of(settings) is None:
        return None
    if settings.resume is not None:
        return LabelledScores(settings.resume / LABELLED_FILE, overwrite=settings.fresh)
    temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="stream-dagmm-"))
    return LabelledScores(Path(temporary) / LABELLED_FILE)
