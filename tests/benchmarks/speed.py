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
from rich.console import Console
from rich.table import Table
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
NEVER_FEATURES = frozenset({"label", "label_dagmm", "attack"})

Event = dict[str, Any]


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
        Console(width=100).print(table(name, measured(events, kinds)))


def measured(events: list[Event], kinds: Sequence[Kind]) -> dict[str, list[float]]:
    """For each contestant the process seconds per event of every round."""
    turns = dict(contestants(kinds))
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for start in range(0, len(events), STRETCH):
        stretch = events[start : start + STRETCH]
        for name, turn in turns.items():
            given = turn.prepare(stretch)
            before = time.process_time()
            turn.run(turn.detector, given)
            seconds[name].append((time.process_time() - before) / len(stretch))
    return seconds


def contestants(kinds: Sequence[Kind]) -> Iterator[tuple[str, Turn]]:
    """Name and turn of each; a turn scores and learns a stretch."""
    trees = functools.partial(anomaly.HalfSpaceTrees, seed=0)
    yield "HalfSpaceTrees, one by one", Turn(trees(), one_by_one, one_hot)
    scaled = preprocessing.MinMaxScaler() | trees()  # they expect features from 0 to 1
    yield "HalfSpaceTrees, min-max scaled", Turn(scaled, one_by_one, one_hot)
    for kind in kinds:
        yield f"{kind.__name__}, one by one", Turn(kind(), one_by_one, list)
        for size in BATCHES:
            frames = functools.partial(in_frames, size=size)
            yield f"{kind.__name__}, batches of {size}", Turn(kind(), frame_by_frame, frames)


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


def table(stream: str, seconds: dict[str, list[float]]) -> Table:
    """Events per second, and the ratio to HalfSpaceTrees."""
    found = Table(title=f"{stream}: {ROUNDS} rounds of {STRETCH:,} events, one thread")
    found.add_column("", no_wrap=True)
    found.add_column("events/s", justify="right")
    found.add_column("us per event", justify="right")
    found.add_column("speed / HalfSpaceTrees", justify="right")
    trees = next(iter(seconds.values()))
    for name, rounds in seconds.items():
        ratio = statistics.median(tree / own for tree, own in zip(trees, rounds, strict=True))
        middle = statistics.median(rounds)
        found.add_row(name, f"{1 / middle:,.0f}", f"{middle * 1e6:.1f}", f"{ratio:.2f}")
    return found


if __name__ == "__main__":
    main()
