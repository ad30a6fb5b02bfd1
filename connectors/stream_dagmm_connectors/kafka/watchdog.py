"""Tells a dead broker from an idle topic, which look the same to `poll`, and ends what only seems
to go on: brokers answer, and nothing can be committed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from stream_dagmm_connectors.kafka.client import NotYet
from stream_dagmm_connectors.kafka.surprises import Stopped

Clock = Callable[[], float]


class Watchdog:
    """Counts the time since the brokers last gave any answer.

    Records and commits are answers. When there were none for a while, `look` puts a question whose
    answer or silence tells.

    >>> now = [0.0]
    >>> dog = Watchdog(lambda: now[0], ask_every_s=5.0, unready_after_s=15.0, exit_after_s=60.0)
    >>> dog.heard()
    >>> now[0] = 20.0
    >>> dog.ready, dog.given_up
    (False, False)
    >>> dog.look(lambda: None); dog.ready
    True
    """

    def __init__(
        self,
        clock: Clock,
        *,
        ask_every_s: float = 5.0,
        unready_after_s: float = 15.0,
        exit_after_s: float = 60.0,
        commit_every_s: float = 0.0,
    ) -> None:
        self._clock = clock
        # Twice at least before an idle topic would count as silent.
        self._ask_every_s = min(ask_every_s, unready_after_s / 3.0, exit_after_s / 3.0)
        self._unready_after_s = unready_after_s
        self._exit_after_s = exit_after_s
        self._commit_every_s = commit_every_s
        self._heard_s = clock()
        self._asked_s = clock()
        self._failing_s: float | None = None

    def heard(self) -> None:
        """The brokers answered."""
        self._heard_s = self._asked_s = self._clock()

    def failing(self, why: str) -> None:
        """What waits could not be committed; `Stopped` when that has lasted as long as a silence
        may."""
        if self._failing_s is None:
            self._failing_s = self._clock()
        if self.failing_s >= self._exit_after_s + self._commit_every_s:
            raise Stopped(
                f"nothing could be committed for {self.failing_s:.0f} s ({why}); start the process "
                "again, and it is scored again in equal bytes"
            )

    def emitted(self) -> None:
        """Nothing waits to be committed any more."""
        self._failing_s = None
        self.heard()

    @property
    def failing_s(self) -> float:
        """Seconds since what waits could first not be committed."""
        return 0.0 if self._failing_s is None else self._clock() - self._failing_s

    def look(self, ask: Callable[[], object]) -> None:
        """Put the question if one is due; `Stopped` after too long a silence."""
        if self._clock() - self._asked_s >= self._ask_every_s:
            self._asked_s = self._clock()
            with suppress(NotYet):
                ask()
                self.heard()
        if self.given_up:
            raise Stopped(
                f"no broker answered for {self.silence_s:.0f} s; they are tried again when the "
                "process is started again"
            )

    @property
    def silence_s(self) -> float:
        """Seconds since the last answer."""
        return self._clock() - self._heard_s

    @property
    def ready(self) -> bool:
        """Whether the last answer is recent, and no commit has failed for long."""
        return max(self.silence_s, self.failing_s) < self._unready_after_s

    @property
    def given_up(self) -> bool:
        """Whether the process should end and let its supervisor start it anew."""
        return self.silence_s >= self._exit_after_s
