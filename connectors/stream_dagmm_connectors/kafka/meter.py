"""What a run measures of itself. The loop writes here and nothing reads it back but a scrape, so
no figure can influence a score, a state or an offset; the clocks here are nobody else's.

Everything is counted a poll or a commit at a time, not an event at a time: the counting costs well
under a microsecond an event.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from stream_dagmm_connectors.judged import Judged
from stream_dagmm_connectors.kafka.client import Outgoing, Place
from stream_dagmm_connectors.kafka.phases import Phase

Clock = Callable[[], float]

# Scores have no unit: bounds that double, on both sides of 0. P-values are uniform while nothing
# changes; their bounds are dense where alarms are. Times reach from a poll to a long restore.
SCORES = (-32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64, 128, 1024)
P_VALUES = (1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Histogram:
    """Counts values by upper bound, many at a time.

    >>> histogram = Histogram([1, 10])
    >>> histogram.observe([0.5, 1.0, 7.0, 99.0])
    >>> histogram.buckets(), histogram.sum
    ([('1.0', 2), ('10.0', 3), ('+Inf', 4)], 107.5)
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = np.asarray(bounds, dtype=np.float64)
        self._names = [*map(str, self._bounds.tolist()), "+Inf"]
        self._counts: npt.NDArray[np.int64] = np.zeros(len(self._names), dtype=np.int64)
        self.sum = 0.0

    def observe(self, values: Sequence[float] | npt.NDArray[np.float64]) -> None:
        """Count these."""
        found = np.asarray(values, dtype=np.float64)
        places = np.searchsorted(self._bounds, found)
        self._counts = self._counts + np.bincount(places, minlength=len(self._names))
        with np.errstate(over="ignore"):  # scores reach 1e300
            self.sum += float(found.sum())

    def buckets(self) -> list[tuple[str, int]]:
        """How many values were at most each bound, as Prometheus has it."""
        return list(zip(self._names, np.cumsum(self._counts).tolist(), strict=True))


class Meter:
    """The figures of one process that are about its own time and not about the stream."""

    def __init__(self, clock: Clock = time.monotonic, wall_clock: Clock = time.time) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self.scores = Histogram(SCORES)
        self.p_values = Histogram(P_VALUES)
        self.end_to_end_s = Histogram(SECONDS)
        """From the record's timestamp, which its producer gave, to its score's commit."""
        self.step_s = Histogram(SECONDS)
        """Of a partition's records of one poll: decoded, scored, learned."""
        self.restore_s = Histogram(SECONDS)
        """From a partition's coming to its first new record: look-up, load, re-learning."""
        self.relearned = 0
        self.phases_s: dict[Phase, float] = {}
        self.checkpoint_bytes: dict[Place, int] = {}
        self._saved_s: dict[Place, float] = {}
        self._came_s: dict[Place, float] = {}
        self._phase: Phase = "poll"
        self._entered_s = self._polled_s = clock()

    def enter(self, phase: Phase) -> None:
        """The loop goes on to this."""
        now_s = self._clock()
        spent_s = now_s - self._entered_s
        self.phases_s[self._phase] = self.phases_s.get(self._phase, 0.0) + spent_s
        self._phase, self._entered_s = phase, now_s
        if phase == "poll":
            self._polled_s = now_s

    @property
    def stuck_s(self) -> float:
        """Seconds since the loop last came to poll."""
        return self._clock() - self._polled_s

    def scored(self, judged: Judged) -> None:
        """These go out."""
        self.scores.observe(judged.scores)
        self.p_values.observe(judged.p_values)

    def emitted(self, records: Sequence[Outgoing]) -> None:
        """These are committed now."""
        stamps = np.array([record.timestamp_ms or 0 for record in records], dtype=np.float64)
        ages_s = self._wall_clock() - stamps[stamps > 0] / 1000
        self.end_to_end_s.observe(np.maximum(ages_s, 0.0))  # a producer's clock may be ahead

    def stepped(self, began_s: float) -> None:
        """A step that began then is done."""
        self.step_s.observe([self._clock() - began_s])

    def now_s(self) -> float:
        """For `stepped`."""
        return self._clock()

    def came(self, places: Iterable[Place]) -> None:
        """These wait for their models."""
        now_s = self._clock()
        for place in places:
            self._came_s.setdefault(place, now_s)

    def live(self, place: Place) -> None:
        """Its model stands where the output does."""
        now_s = self._clock()
        self.restore_s.observe([now_s - self._came_s.pop(place, now_s)])
        self._saved_s[place] = now_s

    def saved(self, place: Place, size: int) -> None:
        """A checkpoint of so many bytes is committed."""
        self.checkpoint_bytes[place] = size
        self._saved_s[place] = self._clock()

    def since_saved_s(self, place: Place) -> float | None:
        """Seconds since its last checkpoint here, or since it came; None before that."""
        at_s = self._saved_s.get(place)
        return None if at_s is None else self._clock() - at_s

    def dropped(self, place: Place) -> None:
        """Another process has it."""
        for held in (self.checkpoint_bytes, self._saved_s, self._came_s):
            held.pop(place, None)
