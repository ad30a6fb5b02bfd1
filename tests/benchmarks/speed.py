"""`make bench-speed`: events per second beside River's HalfSpaceTrees, in one process and run.

Time is the process's own, on one thread. All contestants take turns, several rounds, each round on
the next stretch of the stream; the figure is the median over rounds of the ratio to HalfSpaceTrees
in the same round, whatever else the machine is doing. HalfSpaceTrees scores and learns one event at
a time, its only way. `--family` adds the other detectors of the package. Each contestant gets the
events in the form it reads: dictionaries, with texts one-hot encoded, for HalfSpaceTrees,
dataframes for batches; making that form is not timed.
"""

import argparse
import csv
import functools
import gzip
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import torch
from river import anomaly, datasets, preprocessing

from stream_dagmm import (
    GaussianMixture,
    StreamAutoencoder,
    StreamDAGMM,
    StreamGLGAE,
    StreamGMVAE,
    StreamPCA,
    StreamVAE,
)
from stream_dagmm.stream import BlockDetector
from tests.benchmarks.tables import markdown

Kind = type[BlockDetector]
FAMILY: tuple[Kind, ...] = (
    StreamDAGMM,
    GaussianMixture,
    StreamPCA,
    StreamAutoencoder,
    StreamVAE,
    StreamGMVAE,
    StreamGLGAE,
)

ROUNDS = 12
STRETCH = 2048
"""Events of a round; the first round, cold start included, counts like the others."""

BATCHES = (32, 256, 1024)
WAYS = ("one by one", *(f"calls of {size:,}" for size in BATCHES))
NEVER_FEATURES = frozenset({"label", "label_dagmm", "attack"})

Event = dict[str, Any]
Contestant = tuple[str, str]
"""Whose turn, and in which of the `WAYS`."""


class Turn(NamedTuple):
    """A contestant: what it runs on the events as it wants them; the wanting is free of charge."""

    detector: Any
    run: Callable[[Any, Any], None]
    prepare: Callable[[list[Event]], Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table for Shuttle, and for KDD Cup 1999 where its folder is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="of the KDD Cup stream")
    parser.add_argument("--family", action="store_true", help="the whole family, not two of it")
    given = parser.parse_args(arguments)
    folder, kinds = given.folder, FAMILY if given.family else FAMILY[:2]
    torch.set_num_threads(1)
    streams = {"Shuttle": [dict(x) for x, _ in datasets.Shuttle().take(ROUNDS * STRETCH)]}
    if folder:
        streams["KDD Cup 1999"] = kdd(Path(folder) / "kddcup99_10pct.csv.gz")
    else:
        print("KDD Cup 1999 is left out: name the folder of its file to have it", file=sys.stderr)
    for name, events in streams.items():
        print(f"{table(name, measured(events, kinds))}\n")


def measured(events: list[Event], kinds: Sequence[Kind]) -> dict[Contestant, list[float]]:
    """For each contestant the process seconds per event of every round."""
    turns = dict(contestants(kinds))
    seconds: dict[Contestant, list[float]] = {name: [] for name in turns}
    for start in range(0, len(events), STRETCH):
        stretch = events[start : start + STRETCH]
        for name, turn in turns.items():
            given = turn.prepare(stretch)
            before = time.process_time()
            turn.run(turn.detector, given)
            seconds[name].append((time.process_time() - before) / len(stretch))
    return seconds


def contestants(kinds: Sequence[Kind]) -> Iterator[tuple[Contestant, Turn]]:
    """Name and turn of each; a turn scores and learns a stretch."""
    trees = functools.partial(anomaly.HalfSpaceTrees, seed=0)
    yield ("HalfSpaceTrees", WAYS[0]), Turn(trees(), one_by_one, one_hot)
    scaled = preprocessing.MinMaxScaler() | trees()  # they expect features from 0 to 1
    yield ("HalfSpaceTrees, min-max scaled", WAYS[0]), Turn(scaled, one_by_one, one_hot)
    for kind in kinds:
        yield (kind.__name__, WAYS[0]), Turn(kind(), one_by_one, list)
        for way, size in zip(WAYS[1:], BATCHES, strict=True):
            frames = functools.partial(in_frames, size=size)
            yield (kind.__name__, way), Turn(kind(), frame_by_frame, frames)


def one_by_one(detector: Any, events: list[Event]) -> None:
    """Score, then learn, each event."""
    for event in events:
        detector.score_one(event)
        detector.learn_one(event)


def frame_by_frame(detector: Any, frames: list[pl.DataFrame]) -> None:
    """The same for dataframes."""
    for frame in frames:
        detector.score_learn_many(frame)


def in_frames(events: list[Event], size: int) -> list[pl.DataFrame]:
    """The events as dataframes of `size` rows."""
    return [pl.DataFrame(events[start : start + size]) for start in range(0, len(events), size)]


def one_hot(events: list[Event]) -> list[Event]:
    """Texts as 0/1 features, all that the events have in each of them."""
    texts = sorted({(k, v) for event in events for k, v in event.items() if isinstance(v, str)})
    names = {pair: f"{pair[0]}={pair[1]}" for pair in texts}
    empty = dict.fromkeys(names.values(), 0.0)
    return [
        {k: v for k, v in event.items() if not isinstance(v, str)}
        | empty
        | {names[k, v]: 1.0 for k, v in event.items() if isinstance(v, str)}
        for event in events
    ]


def kdd(path: Path) -> list[Event]:
    """The first events of the stream, in file order."""
    with gzip.open(path, "rt", newline="") as lines:
        rows = (row for row, _ in zip(csv.DictReader(lines), range(ROUNDS * STRETCH), strict=False))
        return [{k: _value(v) for k, v in row.items() if k not in NEVER_FEATURES} for row in rows]


def _value(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def table(stream: str, seconds: dict[Contestant, list[float]]) -> str:
    """Events per second, and in parentheses the ratio to HalfSpaceTrees."""
    trees = next(iter(seconds.values()))
    rows: dict[str, list[str]] = {}
    for (name, _), rounds in seconds.items():
        ratio = statistics.median(tree / own for tree, own in zip(trees, rounds, strict=True))
        cell = f"{1 / statistics.median(rounds):,.0f} ({ratio:.2f})"
        rows.setdefault(name, [name]).append(cell)
    filled = [row + [""] * (1 + len(WAYS) - len(row)) for row in rows.values()]
    return markdown((f"{stream}, events/s", *WAYS), filled)


if __name__ == "__main__":
    main()
