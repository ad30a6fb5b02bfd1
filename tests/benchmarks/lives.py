"""When a scorer is to be killed: a plan for each of its lives, and what became of it.

The clock of most lives starts at their first commit, however long a busy machine takes to come so
far; so few lives commit nothing, and the instants are spread over what a scorer does when it works.
The others are killed young, at an instant after their start or as they restore. Half of the kills
come at an instant drawn from the clock, half when a drawn phase is seen, since the short phases
would otherwise be hit too seldom; of these half come a moment later, and so anywhere in the phase
or just behind it. What was hit seldom so far is drawn more often. The phase that counts is the one
that the scorer was at when it was dead.
"""

from __future__ import annotations

import collections
import random
import statistics
from collections.abc import Mapping
from typing import Any, NamedTuple

from stream_dagmm_connectors.kafka.phases import Phase
from tests.benchmarks.torture import Scorer
from tests.connectors.kafka.pulse import PHASES, Pulse

YOUNG_SHARE = 0.12
"""Of the lives; most of these commit nothing, and a fifth of all may."""
YOUNG_S = 1.5
REAL_START_S = 2.5
"""What a start with all imports takes before anything can be hit."""
LIFE_S = (0.0, 3.5)
"""A kill at an instant comes so long after the first commit."""
PHASE_WAIT_S = 8.0
"""A kill at a phase waits so long for it at most."""
FIRST_COMMIT_S = 120.0
"""A life that has committed nothing by then is killed as it is."""
INTO_PHASE_S = 0.008
YOUNG_PHASES: tuple[Phase, ...] = ("restore", "re-learn")


class Plan(NamedTuple):
    """How a life is to end: once its clock has run `after_s`, or `delay_s` after a phase is seen
    while the clock runs."""

    after_s: float
    phase: Phase | None = None
    delay_s: float = 0.0
    young: bool = False
    """Whether its clock starts with the process and not with the first commit."""


def drawn(chance: random.Random, hits: Mapping[str, int], *, forked: bool = True) -> Plan:
    """A plan for a life that begins now, `hits` being the kills so far by phase."""
    young = chance.random() < YOUNG_SHARE
    if chance.random() < 0.5:
        if young:
            return Plan(chance.uniform(0, YOUNG_S) + (0 if forked else REAL_START_S), young=True)
        return Plan(chance.uniform(*LIFE_S))
    among = YOUNG_PHASES if young else PHASES
    (phase,) = chance.choices(among, [1 / (1 + hits.get(phase, 0)) for phase in among])
    delay_s = chance.choice((0.0, chance.uniform(0, INTO_PHASE_S)))
    return Plan(PHASE_WAIT_S, phase, delay_s, young)


class Life:
    """A scorer's life from its start on, looked at as often as possible."""

    def __init__(self, plan: Plan, now_s: float) -> None:
        self._plan = plan
        self._began_s = now_s
        self._clock_s = now_s if plan.young else None
        self._seen_s: float | None = None
        self.first_commit_s: float | None = None
        """How long it took to come to its first commit."""

    def over(self, pulse: Pulse, now_s: float) -> bool:
        """Whether it is to be killed now."""
        if self.first_commit_s is None and pulse.committed:
            self.first_commit_s = now_s - self._began_s
            self._clock_s = now_s if self._clock_s is None else self._clock_s
        if self._clock_s is None:
            return now_s - self._began_s > FIRST_COMMIT_S
        if self._seen_s is None and pulse.phase is not None and pulse.phase == self._plan.phase:
            self._seen_s = now_s
        if self._seen_s is not None:
            return now_s - self._seen_s >= self._plan.delay_s
        return now_s - self._clock_s >= self._plan.after_s


class Tally:
    """What the kills hit."""

    def __init__(self) -> None:
        self.scorers: collections.Counter[str] = collections.Counter()
        self.brokers: collections.Counter[str] = collections.Counter()
        self.broker_kills = 0
        self.idle = 0
        self._to_commit_s: list[float] = []

    @property
    def kills(self) -> int:
        """Of both kinds."""
        return self.scorers.total() + self.broker_kills

    def scorer(self, pulse: Pulse, life: Life) -> None:
        """A scorer was killed."""
        self.scorers[pulse.phase or "start"] += 1
        self.idle += not pulse.committed
        if life.first_commit_s is not None:
            self._to_commit_s.append(life.first_commit_s)

    def broker(self, scorers: list[Scorer]) -> None:
        """A broker was killed."""
        self.broker_kills += 1
        self.brokers.update(scorer.pulse.phase or "start" for scorer in scorers)

    def figures(self) -> dict[str, Any]:
        """For the result."""
        spread = sorted(self._to_commit_s)
        return {
            "phases": dict(sorted(self.scorers.items())),
            "lives_that_committed_nothing": self.idle,
            "seconds_to_first_commit": {
                "median": round(statistics.median(spread), 2) if spread else None,
                "p90": round(spread[len(spread) * 9 // 10], 2) if spread else None,
                "longest": round(spread[-1], 2) if spread else None,
            },
            "broker_kills": self.broker_kills,
            "phases_of_the_scorers_at_broker_kills": dict(sorted(self.brokers.items())),
        }
