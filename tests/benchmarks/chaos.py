"""`make chaos N=1000`: scorers are killed at random instants, and no byte of the output changes.

A real broker, four partitions, a producer that never stops, two scorer processes and a guest that
joins and leaves. N times one of the two is SIGKILLed and started again; then the output, read as
committed, is compared with what the detector gives over each partition's records without Kafka.
`BROKERS=3 KILL=broker` kills brokers instead, one at a time, `KILL=both` both.

`lives.py` says how the instants are drawn.
"""

from __future__ import annotations

import argparse
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

from stream_dagmm_connectors.kafka.options import Client
from tests.benchmarks import torture
from tests.benchmarks.lives import Life, Tally, drawn
from tests.benchmarks.torture import Scorer, fork
from tests.broker.broker import Broker
from tests.connectors.kafka.member import score
from tests.connectors.kafka.pulse import PHASES

Kill = Literal["scorer", "broker", "both"]

PARTITIONS = 4
EVENTS_PER_S = 240
NODE_LIVES_S = (4.0, 9.0)
NODE_IS_AWAY_S = (0.5, 5.0)
NODE_LOOK_S = 0.05
"""A node's log is read so often for the word that it is back."""
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
    client: Client = "kafka-python"
    forked: bool = True
    minutes: float = math.inf
    """After which no one is killed any more, and what was done is judged."""


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
        elif self._away is not None and self._back and now_s >= self._next_s:
            self._next_s = now_s + NODE_LOOK_S
            if self._broker.started(self._away):
                self._away = None
                self._next_s = now_s + self._chance.uniform(*NODE_LIVES_S)
        return False

    def finish(self) -> None:
        """All of them run again."""
        while self._away is not None:
            if self.look():
                raise AssertionError("unreachable: nothing is killed while one is away")
            time.sleep(0.1)


def kill_all(
    said: Said, scorers: list[Scorer], nodes: Nodes | None, chance: random.Random, folder: Path
) -> Tally:
    """As many kills as were asked for."""
    tally = Tally()

    def begun() -> Life:
        return Life(drawn(chance, tally.scorers, forked=said.forked), time.monotonic())

    lives = [begun() for _ in scorers]
    ends_s = time.monotonic() + 60 * said.minutes
    while tally.kills < said.kills and time.monotonic() < ends_s:
        if nodes is not None and nodes.look():
            tally.broker(scorers)
            show(tally, said)
        for number, scorer in enumerate(scorers):
            ready = said.kill != "broker" and tally.kills < said.kills
            if ready and lives[number].over(scorer.pulse, time.monotonic()):
                code: int | None = scorer.end(signal.SIGKILL)
                if code == -signal.SIGKILL:
                    tally.scorer(scorer.pulse, lives[number])
                    show(tally, said)
                    scorer.start()
                    lives[number] = begun()
                    continue
            else:
                code = scorer.gone()
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
        told = torture.options(broker, topics, said.client)
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
        "client": said.client,
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
    parser.add_argument("--client", choices=get_args(Client), default="kafka-python")
    parser.add_argument("--real-starts", action="store_true", help="import everything each time")
    parser.add_argument("--minutes", type=float, default=math.inf, help="kill no longer than this")
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    given = parser.parse_args()
    if given.kill != "scorer" and given.brokers < 3:
        parser.error("brokers are killed one at a time, which takes --brokers 3 to live through")
    said = Said(
        kills=given.kills,
        seed=given.seed,
        brokers=given.brokers,
        kill=given.kill,
        client=given.client,
        forked=not given.real_starts,
        minutes=given.minutes,
    )
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
