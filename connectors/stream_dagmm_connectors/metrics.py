"""What the loop counts: plain numbers that a checkpoint holds, and a speed that it never holds.

`Counters` are facts about the stream (they come out the same however often a run was stopped).
`Speed` is a fact about one process and its clock, and stays out of every checkpoint.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stream_dagmm_connectors.events import DeadLetter, ScoredEvent

if TYPE_CHECKING:
    from stream_dagmm.checkpoint import Tree

RECENT_EVENTS = 10_000
"""Half-life of the current alarm rate, in events: ten alarms at the default rate of 0.001."""

Clock = Callable[[], float]


@dataclass(slots=True)
class Counters:
    """How many events were scored, alarms raised and records refused, by stage.

    >>> counters = Counters(events=2000, alarms=3)
    >>> counters.alarm_rate
    0.0015
    """

    events: int = 0
    alarms: int = 0
    dead_letters: dict[str, int] = field(default_factory=dict)
    recent_alarm_rate: float = 0.0
    feedback: int = 0

    @property
    def records(self) -> int:
        """Everything that was read: events, feedback and dead letters."""
        return self.events + self.feedback + sum(self.dead_letters.values())

    @property
    def alarm_rate(self) -> float:
        """The share of all events that raised an alarm; 0 before the first event."""
        return self.alarms / self.events if self.events else 0.0

    def count(self, scored: Sequence[ScoredEvent], dead: Iterable[DeadLetter]) -> None:
        """Add what one step of the loop gave."""
        alarms = sum(row.alarm for row in scored)
        self.events += len(scored)
        self.alarms += alarms
        self.recent_alarm_rate = _decayed(self.recent_alarm_rate, alarms, len(scored))
        for letter in dead:
            self.dead_letters[letter.stage] = self.dead_letters.get(letter.stage, 0) + 1

    def to_state(self) -> dict[str, Tree]:
        """The counts as a tree of plain values."""
        return {
            "events": self.events,
            "alarms": self.alarms,
            "dead_letters": dict(self.dead_letters),
            "recent_alarm_rate": self.recent_alarm_rate,
            "feedback": self.feedback,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Tree]) -> Counters:
        """The counters that `to_state` described."""
        return cls(**state)  # type: ignore[arg-type]


def _decayed(rate: float, alarms: int, events: int) -> float:
    if events == 0:
        return rate
    kept: float = 0.5 ** (events / RECENT_EVENTS)
    return kept * rate + (1.0 - kept) * alarms / events


class Speed:
    """Events per second of this process, over its life and over the last moments.

    >>> ticks = iter([0.0, 1.0, 2.0])
    >>> speed = Speed(clock=lambda: next(ticks))
    >>> speed.count(100); speed.count(300)
    >>> speed.overall_per_s, speed.recent_per_s
    (200.0, 200.0)
    """

    SAMPLES = 200

    def __init__(self, clock: Clock = time.monotonic, *, recent_s: float = 5.0) -> None:
        self._clock = clock
        self._recent_s = recent_s
        self._started_s = clock()
        self.events = 0
        self.elapsed_s = 0.0
        self._recent: deque[tuple[float, int]] = deque([(0.0, 0)])
        self._samples: list[tuple[float, int]] = [(0.0, 0)]
        self._sample_every_s = 0.05

    def count(self, events: int) -> None:
        """Note that so many further events are done now."""
        self.elapsed_s = self._clock() - self._started_s
        self.events += events
        self._recent.append((self.elapsed_s, self.events))
        while len(self._recent) > 2 and self._recent[0][0] < self.elapsed_s - self._recent_s:
            self._recent.popleft()
        if self.elapsed_s - self._samples[-1][0] >= self._sample_every_s:
            self._sample()

    def _sample(self) -> None:
        self._samples.append((self.elapsed_s, self.events))
        if len(self._samples) > self.SAMPLES:
            # Half as many points, twice as far apart: bounded however long the run is.
            self._samples = self._samples[::2]
            self._sample_every_s *= 2.0

    @property
    def overall_per_s(self) -> float:
        """Events per second since the process began; 0 before the first."""
        return _rate(self.events, self.elapsed_s)

    @property
    def recent_per_s(self) -> float:
        """Events per second over the last five seconds; 0 before the first."""
        start_s, start = self._recent[0]
        return _rate(self.events - start, self.elapsed_s - start_s)

    def curve(self) -> list[tuple[float, float]]:
        """At most 200 pairs of (seconds since the start, events per second up to there)."""
        pairs = zip(self._samples, self._samples[1:], strict=False)
        return [(end_s, _rate(n1 - n0, end_s - start_s)) for (start_s, n0), (end_s, n1) in pairs]


def _rate(events: int, seconds: float) -> float:
    return events / seconds if seconds > 0.0 and math.isfinite(seconds) else 0.0
