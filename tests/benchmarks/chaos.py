"""`make chaos N=1000`: scorers are killed at random instants, and no byte of the output changes.

A real broker, four partitions, a producer that never stops, two scorer processes and a guest that
joins and leaves. N times one of the two is SIGKILLed and started again; then the output, read as
committed, is compared with what the detector gives over each partition's records without Kafka.
`BROKERS=3 KILL=broker` kills brokers instead, one at a time, `KILL=both` both.

Half of the kills come at an instant drawn from the clock, half at the moment a drawn phase is seen,
since the short phases would otherwise be hit too seldom.
"""

from __future__ import annotations

import argparse
import collections
import json
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch

from tests.benchmarks import torture
from tests.benchmarks.torture import Scorer, fork
from tests.broker.broker import Broker
from tests.connectors.kafka.member import score
from tests.connectors.kafka.pulse import PHASES, Pulse

Kill = Literal["scorer", "broker", "both"]

PARTITIONS = 4
EVENTS_PER_S = 240
LIFE_S = (0.5, 4.0)
"""A random kill comes after so long; targeted ones wait for their phase, at most this:"""
PHASE_WAIT_S = 8.0
REAL_LIFE_SHARE = 0.4
"""Of these, where starts are real and take the rest of the time; counted from the first poll."""
RARE = ("re-learn", "revoke")
"""Over so soon that half of those that wait for them come too late."""
NODE_LIVES_S = (4.0, 9.0)
NODE_IS_AWAY_S = (0.5, 5.0)
GUEST_STAYS_S = 1.5
FEWEST_SHARE = 0.02
MOST_IDLE_LIVES = 0.2
JUDGED_FROM = 200
"""Kills from which on shares mean something."""


class Said(NamedTuple):
    """What a run was told."""

    kills: int
    seed: int
    brokers: int = 1
    kill: Kill = "scorer"
    forked: bool = True
    minutes: float = math.inf
    """After which no one is killed any more, and what was done is judged."""


class Plan(NamedTuple):
    """How a life is to end: at an instant, or once a phase is seen, and then at the latest."""

    at_s: float
    phase: str | None
    grown: bool
    """Whether it must have committed something before; else every kill would find it restoring."""
    then_s: float = 0.0
    """How long it goes on after its first commit, where that starts the clock."""

    def heard(self, pulse: Pulse, now_s: float) -> Plan:
        """The same plan, its clock started if the first commit is what it waited for."""
        if self.phase is None and self.grown and pulse.committed:
            return Plan(now_s + self.then_s, None, grown=False)
        return self

    def due(self, pulse: Pulse, now_s: float) -> bool:
        """Whether now."""
        if self.phase is None or now_s >= self.at_s:
            return now_s >= self.at_s
        return pulse.phase == self.phase and (pulse.committed or not self.grown)


def plan(chance: random.Random, forked: bool) -> Plan:
    """Of the life that begins now."""
    now_s, share = time.monotonic(), 1.0 if forked else REAL_LIFE_SHARE
    if chance.random() < 0.5:
        life_s = share * chance.uniform(*LIFE_S)
        if chance.random() < 0.5:  # on a busy machine few would else come to commit anything
            return Plan(now_s + PHASE_WAIT_S, None, grown=True, then_s=life_s)
        return Plan(now_s + life_s, None, grown=False)
    phase = chance.choice([*PHASES, *RARE])
    young = phase in ("restore", "re-learn") and chance.random() < 0.5
    return Plan(now_s + share * PHASE_WAIT_S, phase, grown=not young)


class Nodes:
    """Kills one broker at a time, and starts it again while the others go on."""

    def __init__(self, broker: Broker, count: int, chance: random.Random) -> None:
        self._broker, self._count, self._chance = broker, count, chance
        self._away: int | None = None
        self._back = False
        self._next_s = time.monotonic() + chance.uniform(*NODE_LIVES_S)

    def look(self) -> bool:
        """Do what is due; whether a broker was killed now."""
        now_s = time.monotonic()
        if self._away is None and now_s >= self._next_s:
            self._away, self._back = self._chance.randrange(self._count), False
            self._broker.kill(self._away)
            self._next_s = now_s + self._chance.uniform(*NODE_IS_AWAY_S)
            return True
        if self._away is not None and not self._back and now_s >= self._next_s:
            self._broker.start(self._away, wait=False)
            self._back = True
        elif self._away is not None and self._back and self._broker.started(self._away):
            self._away = None
            self._next_s = now_s + self._chance.uniform(*NODE_LIVES_S)
        return False

    def finish(self) -> None:
        """All of them run again."""
        while self._away is not None:
            if self.look():
                raise AssertionError("unreachable: nothing is killed while one is away")
            time.sleep(0.1)


class Tally:
    """What the kills hit."""

    def __init__(self) -> None:
        self.scorers: collections.Counter[str] = collections.Counter()
        self.brokers: collections.Counter[str] = collections.Counter()
        self.broker_kills = 0
        self.idle = 0

    @property
    def kills(self) -> int:
        """Of both kinds."""
        return self.scorers.total() + self.broker_kills

    def scorer(self, pulse: Pulse) -> None:
        """A scorer was killed."""
        self.scorers[pulse.phase or "start"] += 1
        self.idle += not pulse.committed

    def broker(self, scorers: list[Scorer]) -> None:
        """A broker was killed."""
        self.broker_kills += 1
        self.brokers.update(scorer.pulse.phase or "start" for scorer in scorers)

    def figures(self) -> dict[str, Any]:
        """For the result."""
        return {
            "phases": dict(sorted(self.scorers.items())),
            "lives_that_committed_nothing": self.idle,
            "broker_kills": self.broker_kills,
            "phases_of_the_scorers_at_broker_kills": dict(sorted(self.brokers.items())),
        }


def kill_all(
    said: Said, scorers: list[Scorer], nodes: Nodes | None, chance: random.Random, folder: Path
) -> Tally:
    """As many kills as were asked for."""
    tally = Tally()
    plans = [plan(chance, said.forked) for _ in scorers]
    ends_s = time.monotonic() + 60 * said.minutes
    while tally.kills < said.kills and time.monotonic() < ends_s:
        if nodes is not None and nodes.look():
            tally.broker(scorers)
            show(tally, said)
        for number, scorer in enumerate(scorers):
            plans[number] = plans[number].heard(scorer.pulse, time.monotonic())
            if said.kill == "broker":
                code = scorer.gone()
            elif not said.forked and scorer.pulse.phase is None:
                plans[number] = plan(chance, said.forked)
                code = scorer.gone()
            elif plans[number].due(scorer.pulse, time.monotonic()) and tally.kills < said.kills:
                code = scorer.end(signal.SIGKILL)
                if code == -signal.SIGKILL:
                    tally.scorer(scorer.pulse)
                    show(tally, said)
                    scorer.start()
                    plans[number] = plan(chance, said.forked)
                    continue
            else:
                continue
            if code is not None:
                raise RuntimeError(f"a scorer had ended by itself, with {code}; see {folder}")
        time.sleep(0.0002)  # the scorers need the processor more
    return tally


def show(tally: Tally, said: Said) -> None:
    """Now and then."""
    if tally.kills % 50 == 0:
        print(f"{tally.kills} of {said.kills} kills, {dict(tally.scorers)}", flush=True)


def guest(options: dict[str, Any], log: Path) -> None:
    """Join and leave until SIGTERM, so that partitions move all the time."""
    going = [True]
    signal.signal(signal.SIGTERM, lambda number, frame: going.clear())
    while going:
        pid = fork(lambda: score(options), log)
        time.sleep(GUEST_STAYS_S)
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def chaos(said: Said, folder: Path) -> dict[str, Any]:
    """Kill, and give the figures."""
    torch.set_num_threads(1)  # forked children must not inherit a pool of threads
    chance, began_s, tested = random.Random(said.seed), time.monotonic(), torture.commit()
    with Broker(said.brokers) as broker:
        topics = torture.topics_of(broker, PARTITIONS, folder / "topics")
        told = torture.options(broker, topics)
        producer = fork(
            lambda: torture.produce(broker, topics, PARTITIONS, EVENTS_PER_S), folder / "producer"
        )
        visitor = fork(lambda: guest(told, folder / "guest"), folder / "guest")
        scorers = [
            Scorer(
                told | {"group_instance_id": f"scorer-{n}"},
                folder / f"scorer-{n}",
                forked=said.forked,
            )
            for n in range(2)
        ]
        for scorer in scorers:
            scorer.start()
        nodes = None if said.kill == "scorer" else Nodes(broker, said.brokers, chance)
        tally = kill_all(said, scorers, nodes, chance, folder)
        if nodes is not None:
            nodes.finish()
        for pid in (visitor, producer):
            torture.stop(pid)
        torture.wait_until_done(broker, topics, PARTITIONS)
        for scorer in scorers:
            scorer.begun()
        codes = [scorer.end(signal.SIGTERM) for scorer in scorers]
        result = torture.verdict(broker, topics, PARTITIONS)
    return {
        "kills": tally.kills,
        "asked_for": said.kills,
        "seed": said.seed,
        "brokers": said.brokers,
        "kill": said.kill,
        "real_starts": not said.forked,
        "commit": tested,
        "seconds": round(time.monotonic() - began_s),
        **tally.figures(),
        "exit_codes": codes,
        **result,
    }


def complaints(result: dict[str, Any]) -> list[str]:
    """Why the run has failed, if it has."""
    found = list(result["differences"])
    if result["exit_codes"] != [0, 0]:
        found.append(f"scorers ended with {result['exit_codes']}, expected 0 and 0")
    kills = sum(result["phases"].values())
    if kills >= JUDGED_FROM:
        few = [p for p in PHASES if result["phases"].get(p, 0) < FEWEST_SHARE * kills]
        found += [f"phase {phase!r} has under {FEWEST_SHARE:.0%} of the kills" for phase in few]
        if result["lives_that_committed_nothing"] > MOST_IDLE_LIVES * kills:
            found.append(f"more than {MOST_IDLE_LIVES:.0%} of the lives committed nothing")
    return found


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--kill", choices=get_args(Kill), default="scorer")
    parser.add_argument("--real-starts", action="store_true", help="import everything each time")
    parser.add_argument("--minutes", type=float, default=math.inf, help="kill no longer than this")
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    given = parser.parse_args()
    if given.kill != "scorer" and given.brokers < 3:
        parser.error("brokers are killed one at a time, which takes --brokers 3 to live through")
    forked = not given.real_starts
    said = Said(given.kills, given.seed, given.brokers, given.kill, forked, given.minutes)
    folder = Path(tempfile.mkdtemp(prefix="stream-dagmm-chaos-"))
    result = chaos(said, folder)
    text = json.dumps(result, indent=2)
    print(text)
    if given.out is not None:
        given.out.write_text(text + "\n")
    if found := complaints(result):
        sys.exit("\n".join([*found, f"logs: {folder}"]))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
