"""What a report remembers of a stream: summaries of a fixed size, however long the stream is.

Each keeps its whole history at a resolution that halves whenever it is full. Their contents are a
function of the events alone, so they move with a checkpoint.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Span(NamedTuple):
    """The scores of consecutive events, the first being number `first` (from 1)."""

    first: int
    last: int
    lowest: float
    mean: float
    highest: float
    alarms: int


class Timeline:
    """Lowest, mean and highest score and the alarms of at most 400 spans of equal length.

    >>> timeline = Timeline(spans=2)
    >>> timeline.add(np.array([1.0, 5.0, 3.0]), np.array([False, True, False]))
    >>> [(s.first, s.last, s.highest, s.alarms) for s in timeline.spans()]
    [(1, 2, 5.0, 1), (3, 3, 3.0, 0)]
    """

    def __init__(self, spans: int = 400) -> None:
        self._most = 2 * math.ceil(spans / 2)
        self._length = 1
        self._events = 0
        self._low = np.full(self._most, np.inf)
        self._high = np.full(self._most, -np.inf)
        self._mean = np.zeros(self._most)
        self._alarms = np.zeros(self._most, dtype=np.int64)

    def add(self, scores: Floats, alarms: npt.NDArray[np.bool_]) -> None:
        """Take in the next events: scores [B], alarms [B]."""
        while self._events + len(scores) > self._most * self._length:
            self._halve()
        place = (self._events + np.arange(len(scores))) // self._length
        np.minimum.at(self._low, place, scores)
        np.maximum.at(self._high, place, scores)
        # Means of parts of a full span: a sum of scores up to 1e308 would overflow.
        np.add.at(self._mean, place, scores / self._length)
        np.add.at(self._alarms, place, alarms)
        self._events += len(scores)

    def _halve(self) -> None:
        rest = self._most // 2
        self._low = np.append(self._low.reshape(-1, 2).min(axis=1), np.full(rest, np.inf))
        self._high = np.append(self._high.reshape(-1, 2).max(axis=1), np.full(rest, -np.inf))
        self._mean = np.append((self._mean.reshape(-1, 2) / 2).sum(axis=1), np.zeros(rest))
        zeros = np.zeros(rest, dtype=np.int64)
        self._alarms = np.append(self._alarms.reshape(-1, 2).sum(axis=1), zeros)
        self._length *= 2

    def spans(self) -> list[Span]:
        """The spans that hold events, in order."""
        filled = math.ceil(self._events / self._length)
        return [self._span(place) for place in range(filled)]

    def _span(self, place: int) -> Span:
        first = place * self._length + 1
        last = min(first + self._length - 1, self._events)
        low, high = float(self._low[place]), float(self._high[place])
        mean = float(self._mean[place]) * self._length / (last - first + 1)
        return Span(first, last, low, min(max(mean, low), high), high, int(self._alarms[place]))

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values."""
        return {
            "length": self._length,
            "events": self._events,
            "low": self._low,
            "high": self._high,
            "mean": self._mean,
            "alarms": self._alarms,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `to_state`."""
        self._length, self._events = int(state["length"]), int(state["events"])
        self._low, self._high = np.array(state["low"]), np.array(state["high"])
        self._mean, self._alarms = np.array(state["mean"]), np.array(state["alarms"])
        self._most = len(self._low)


class Distribution:
    """Counts of scores, and of alarms among them, in at most 256 bins of equal width in asinh.

    asinh is near the score itself below 1 and near its logarithm above, for either sign, so that
    one scale serves probabilities, energies and 1e300.

    >>> distribution = Distribution()
    >>> distribution.add(np.array([0.0, 0.0, 10.0]), np.array([False, False, True]))
    >>> [(round(low, 1), events, alarms) for low, high, events, alarms in distribution.bins()]
    [(0.0, 2, 0), (10.0, 1, 1)]
    """

    MOST = 256

    def __init__(self) -> None:
        self._width = 2.0**-8
        self._counts: dict[int, tuple[int, int]] = {}

    def add(self, scores: Floats, alarms: npt.NDArray[np.bool_]) -> None:
        """Take in scores [B] and which of them are alarms [B]."""
        bins = np.floor(np.arcsinh(scores) / self._width).astype(np.int64)
        places, which = np.unique(bins, return_inverse=True)
        events = np.bincount(which, minlength=len(places))
        raised = np.bincount(which, weights=alarms, minlength=len(places))
        for place, count, alarm in zip(places.tolist(), events, raised, strict=True):
            self._put(place, int(count), int(alarm))
        while len(self._counts) > self.MOST:
            self._halve()

    def _put(self, place: int, events: int, alarms: int) -> None:
        before = self._counts.get(place, (0, 0))
        self._counts[place] = (before[0] + events, before[1] + alarms)

    def _halve(self) -> None:
        finer, self._counts = self._counts, {}
        self._width *= 2.0
        for place, (events, alarms) in finer.items():
            self._put(place // 2, events, alarms)

    def bins(self) -> list[tuple[float, float, int, int]]:
        """(lowest score, highest score, events, alarms) of each bin that is not empty."""
        top = math.asinh(1.7e308)
        return [
            (_sinh(place * self._width, top), _sinh((place + 1) * self._width, top), *counts)
            for place, counts in sorted(self._counts.items())
        ]

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values."""
        rows = [[place, *counts] for place, counts in sorted(self._counts.items())]
        return {"width": self._width, "counts": np.array(rows, dtype=np.int64).reshape(-1, 3)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `to_state`."""
        self._width = float(state["width"])
        rows = np.asarray(state["counts"]).tolist()
        self._counts = {place: (events, alarms) for place, events, alarms in rows}


def _sinh(value: float, top: float) -> float:
    return math.sinh(min(max(value, -top), top))


class Curves:
    """What a detector says of itself, at no more than 200 numbers of learned events.

    A value that is a list (component weights) keeps its first 32 entries.

    >>> curves = Curves()
    >>> curves.add(256, {"energy": 4.5, "weights": [0.75, 0.25]})
    >>> curves.series()
    {'energy': [(256, [4.5])], 'weights': [(256, [0.75, 0.25])]}
    """

    MOST_SAMPLES, MOST_NAMES, MOST_ENTRIES = 200, 12, 32

    def __init__(self) -> None:
        self._samples: list[tuple[int, dict[str, list[float]]]] = []
        self._every = 1

    def due(self, events: int) -> bool:
        """Whether enough has happened since the last sample."""
        return not self._samples or events >= self._samples[-1][0] + self._every

    def add(self, events: int, values: Mapping[str, float | Sequence[float]]) -> None:
        """Take a sample after so many events."""
        named = {str(name): _entries(value) for name, value in values.items()}
        kept = dict(sorted(named.items())[: self.MOST_NAMES])
        self._samples.append((events, {n: v[: self.MOST_ENTRIES] for n, v in kept.items()}))
        if len(self._samples) > self.MOST_SAMPLES:
            self._samples = self._samples[::2]
            self._every = 2 * max(self._every, events // self.MOST_SAMPLES)

    def series(self) -> dict[str, list[tuple[int, list[float]]]]:
        """For each name the pairs (events, values)."""
        series: dict[str, list[tuple[int, list[float]]]] = {}
        for events, values in self._samples:
            for name, entries in values.items():
                series.setdefault(name, []).append((events, entries))
        return series

    def to_state(self) -> dict[str, Any]:
        """Plain values."""
        samples = [{"events": n, "values": dict(values)} for n, values in self._samples]
        return {"every": self._every, "samples": samples}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `to_state`."""
        self._every = int(state["every"])
        self._samples = [(s["events"], dict(s["values"])) for s in state["samples"]]


def _entries(value: float | Sequence[float]) -> list[float]:
    return [float(entry) for entry in np.atleast_1d(np.asarray(value, dtype=np.float64))]


class Top:
    """The rows with the highest scores, of equal scores the earliest.

    >>> top = Top(most=2)
    >>> for number, score in enumerate([1.0, 9.0, 9.0, 2.0]):
    ...     top.add(score, {"number": number})
    >>> [row["number"] for row in top.rows()]
    [1, 2]
    """

    def __init__(self, most: int = 20) -> None:
        self._most = most
        self._seen = 0
        self._heap: list[tuple[float, int, dict[str, Any]]] = []

    def add(self, score: float, row: dict[str, Any]) -> None:
        """Take in a row; forget the lowest when there are too many."""
        self._seen += 1
        push = heapq.heappush if len(self._heap) < self._most else heapq.heappushpop
        push(self._heap, (score, -self._seen, row))

    def rows(self) -> list[dict[str, Any]]:
        """The rows, highest score first."""
        return [row for _, _, row in sorted(self._heap, key=lambda item: item[:2], reverse=True)]

    def to_state(self) -> dict[str, Any]:
        """Plain values."""
        held = sorted(self._heap, key=lambda item: item[:2])
        return {"seen": self._seen, "rows": [[score, tie, row] for score, tie, row in held]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `to_state`."""
        self._seen = int(state["seen"])
        self._heap = [(score, tie, dict(row)) for score, tie, row in state["rows"]]
