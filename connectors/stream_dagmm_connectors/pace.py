"""Holding a replay back to a stated speed, or to the speed at which its events once came."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable, Sequence

from stream_dagmm_connectors.events import Time

MILLISECONDS_FROM = 1e11
"""A number this large is a time in milliseconds: as seconds it would be the year 5138."""

LONGEST_STEP_S = 0.1
"""At a steady rate, events come in groups of at most this long, so that progress is smooth."""

Clock = Callable[[], float]
Sleep = Callable[[float], None]


class SteadyPace:
    """So many events per second, counted from the first; lost time is caught up.

    >>> slept = []
    >>> pace = SteadyPace(100.0, clock=lambda: 0.0, sleep=slept.append)
    >>> pace.wait([None] * 10); pace.wait([None] * 10); slept
    [0.1]
    """

    def __init__(
        self, events_per_s: float, *, clock: Clock = time.monotonic, sleep: Sleep = time.sleep
    ) -> None:
        if not (events_per_s > 0.0 and math.isfinite(events_per_s)):
            raise ValueError(f"rate must be above 0 events per second, got {events_per_s}")
        self.at_most = max(1, int(events_per_s * LONGEST_STEP_S))
        self._events_per_s = events_per_s
        self._clock, self._sleep = clock, sleep
        self._start_s: float | None = None
        self._passed = 0

    def wait(self, times: Sequence[Time]) -> None:
        """Return when the events in hand are due."""
        if self._start_s is None:
            self._start_s = self._clock()
        due_s = self._start_s + self._passed / self._events_per_s
        self._passed += len(times)
        _sleep_until(due_s, self._clock, self._sleep)


class RealTime:
    """Event by event, as far apart as their own times are; one that has none is due at once.

    Times are seconds or milliseconds since 1970, or ISO 8601 text. Time that runs backwards is
    waited for no more.

    >>> slept = []
    >>> pace = RealTime(clock=lambda: 0.0, sleep=slept.append)
    >>> for at in ("2026-01-01T00:00:00Z", 1767225602, "soon"):
    ...     pace.wait([at])
    >>> slept
    [2.0]
    """

    at_most = 1

    def __init__(self, *, clock: Clock = time.monotonic, sleep: Sleep = time.sleep) -> None:
        self._clock, self._sleep = clock, sleep
        self._ahead_s: float | None = None

    def wait(self, times: Sequence[Time]) -> None:
        """Return when the event in hand is due."""
        for one in times:
            at_s = seconds(one)
            if at_s is None:
                continue
            if self._ahead_s is None:
                self._ahead_s = at_s - self._clock()
            _sleep_until(at_s - self._ahead_s, self._clock, self._sleep)


def seconds(time: Time) -> float | None:
    """Seconds since 1970 of an event's time; None for what is no time. Text without a zone is UTC.

    >>> seconds("1970-01-01 00:01"), seconds(1767225602000), seconds("never")
    (60.0, 1767225602.0, None)
    """
    if time is None or isinstance(time, bool):
        return None
    if isinstance(time, (int, float)):
        return time / 1000.0 if abs(time) >= MILLISECONDS_FROM else float(time)
    try:
        moment = datetime.datetime.fromisoformat(time)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return zoned.timestamp()
    except (ValueError, OverflowError):
        return None


def _sleep_until(due_s: float, clock: Clock, sleep: Sleep) -> None:
    left_s = due_s - clock()
    if left_s > 0.0:
        sleep(left_s)
