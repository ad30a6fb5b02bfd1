"""Every place that a replay reads or writes, by the flag that named it, and no two the same.

Paths alone: nothing here is opened, made or changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from stream_dagmm_connectors.durable import already_there, missing_parent
from stream_dagmm_connectors.files import SHUTTLE, SHUTTLE_LABEL, STANDARD
from stream_dagmm_connectors.kafka.address import is_address
from stream_dagmm_connectors.settings import CompareSettings, ReplaySettings
from stream_dagmm_connectors.stores import FILE_NAME

STANDARD_INPUT, STANDARD_OUTPUT = Path("/dev/stdin"), Path("/dev/stdout")
LABELLED_FILE = "labelled.scores"
"""What `--resume` keeps beside the checkpoint where there is a label."""
_MAY_BE_DIRECTORIES = ("--out", "--dead-letter")
"""Of parts, that is: they are emptied with `--fresh`, so nothing else may lie there."""


class Place(NamedTuple):
    """A file or directory, and how the user named it."""

    flag: str
    path: Path


def label_of(settings: ReplaySettings | CompareSettings) -> str | None:
    """The label's field; of the bundled stream it is known, and must never be learned."""
    if settings.label is None and settings.source == SHUTTLE:
        return SHUTTLE_LABEL
    return settings.label


def ignored(settings: ReplaySettings | CompareSettings) -> tuple[str, ...]:
    """What the detector must not see, the label apart: what `--ignore` says, and the bundled
    stream's own label where another was named."""
    given_away = settings.source == SHUTTLE and label_of(settings) != SHUTTLE_LABEL
    return (*settings.ignore, SHUTTLE_LABEL) if given_away else settings.ignore


def dead_letter_file(settings: ReplaySettings) -> str | None:
    """Where dead letters go: where it was said, else beside the output, else nowhere."""
    if settings.on_error != "dead-letter":
        return None
    nowhere = settings.out in (None, STANDARD) or is_address(settings.out)
    if settings.dead_letter is not None or nowhere:
        return settings.dead_letter
    return f"{settings.out}.dead-letters.jsonl"


def outputs(settings: ReplaySettings) -> Iterator[Place]:
    """What is written, the state and topics apart; '-' is standard output."""
    named = {
        "--out": settings.out,
        "--dead-letter": dead_letter_file(settings),
        "--report": settings.report,
        "--save-model": settings.save_model,
    }
    for flag, path in named.items():
        if path is not None and not is_address(str(path)):
            yield Place(flag, STANDARD_OUTPUT if path == STANDARD else Path(path))


def read_places(source: str, config: Path | None) -> Iterator[Place]:
    """What every command that reads a source reads."""
    if source != SHUTTLE and not is_address(source):
        yield Place("SOURCE", STANDARD_INPUT if source == STANDARD else Path(source))
    if config is not None:
        yield Place("--config", config)


def places(settings: ReplaySettings, config: Path | None) -> Iterator[Place]:
    """What is read, written and kept."""
    yield from read_places(settings.source, config)
    if settings.model is not None:
        yield Place("--model", settings.model)
    yield from outputs(settings)
    if settings.resume is not None:
        yield Place("--resume", settings.resume)
        yield Place("the checkpoint in --resume", settings.resume / FILE_NAME)
        yield Place("the labels in --resume", settings.resume / LABELLED_FILE)


def refuse_one_place_for_two(settings: ReplaySettings, config: Path | None) -> None:
    """`ValueError` where two flags mean one file, by whatever names, or one lies in the other."""
    rows = [place for place in outputs(settings) if place.flag in _MAY_BE_DIRECTORIES]
    refuse_shared(places(settings, config), rows)


def refuse_shared(found: Iterable[Place], directories: Iterable[Place] = ()) -> None:
    """`ValueError` where two places are one, or one lies in a directory of parts."""
    seen: list[Place] = []
    written = {place.path.resolve(): place.flag for place in directories}
    for place in found:
        for other in seen:
            if _same(place.path, other.path):
                raise ValueError(
                    f"{place.flag} and {other.flag} are both {other.path}; give each its own place"
                )
        inside = [written[parent] for parent in place.path.resolve().parents if parent in written]
        if inside:
            raise ValueError(f"{place.flag} {place.path} lies in {inside[0]}; put it elsewhere")
        seen.append(place)


def refuse_what_cannot_be_written(settings: ReplaySettings) -> None:
    """`ValueError` for outputs in directories that are not there, or without the right to write."""
    for place in outputs(settings):
        parent = place.path.parent
        made = set() if settings.resume is None else _made_by(settings.resume)
        if parent.exists() or parent.resolve() not in made:
            refuse_unwritable(place.path)


def refuse_unwritable(path: Path) -> None:
    """`ValueError` for a place in a directory that is not there, or without the right to write."""
    if not path.parent.exists():
        raise missing_parent(path)
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{path} cannot be written: no right to; name another place")


def refuse_what_is_no_file(path: Path | None) -> None:
    """`ValueError` for a directory, and for a device, which a rename would replace by a file."""
    if path is not None and path.exists() and not path.is_file():
        kind = "a directory" if path.is_dir() else "no regular file"
        raise ValueError(f"{path} is {kind}, expected a file or nothing")


def refuse_to_overwrite(path: Path | None) -> None:
    """`ValueError` where a file is."""
    if path is not None and path.exists() and path.stat().st_size > 0:
        raise already_there(path, f"{path.stat().st_size:,} bytes")


def _same(one: Path, other: Path) -> bool:
    if {one, other} & {STANDARD_INPUT, STANDARD_OUTPUT} and not (one.is_file() or other.is_file()):
        return False  # terminals and pipes may well be both
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()


def _made_by(directory: Path) -> set[Path]:
    """What a run makes when it makes its state directory."""
    state = directory.resolve()
    return {state, *state.parents}
