"""`make chaos N=1000`: scorers are killed at random instants, and no byte of the output changes.

A real broker, four partitions, a producer that never stops, two scorer processes and a guest that
joins and leaves. N times one of the two is SIGKILLed and started again; then the output, read as
committed, is compared with what the detector gives over each partition's records without Kafka.

Half of the kills come at an instant drawn from the clock, half at the moment a drawn phase is seen,
since the short phases would otherwise be hit too seldom. Everything is imported once and forked, so
a start takes a tenth of a second; no client of Kafka lives in the parent while it forks.
"""

from __future__ import annotations

import argparse
import collections
import json
import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from stream_dagmm_connectors.kafka.phases import Phase
from tests.broker.broker import Broker
from tests.connectors.kafka.member import PHASES, score
from tests.connectors.kafka.streams import (
    Topics,
    event,
    make_topics,
    names,
    read,
    recipe,
    reference,
    rows,
)

PARTITIONS = 4
EVENTS_PER_S = 400
LIFE_S = (0.3, 3.0)
"""A random kill comes after so long; targeted ones wait for their phase, at most this:"""
PHASE_WAIT_S = 8.0
DRAIN_S = 120.0
GUEST_STAYS_S = 1.5
FEWEST_SHARE = 0.02
MOST_IDLE_LIVES = 0.2


class Scorer:
    """A forked scorer process, and the page of memory in which it says what it is doing."""

    def __init__(self, options: dict[str, Any], log: Path) -> None:
        self._options = options
        self._log = log
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self.pid = 0

    def start(self) -> None:
        """Fork; the child never returns."""
        self._page[:3] = b"\x00\x00\x00"
        self.pid = fork(lambda: score(self._options, self._enter), self._log)

    def _enter(self, phase: Phase) -> None:
        number = PHASES.index(phase)
        if PHASES[self._page[0]] == "commit in flight" and number != self._page[0]:
            self._page[1] = 1  # it came back from a commit
        self._page[0] = number
        self._page[2] = 1

    @property
    def phase(self) -> str | None:
        """What it does now; None before its first poll."""
        return PHASES[self._page[0]] if self._page[2] else None

    @property
    def committed(self) -> bool:
        """Whether this life has committed anything."""
        return bool(self._page[1])

    def end(self, how: signal.Signals) -> int:
        """Send a signal and wait: the exit code, negative for a signal."""
        os.kill(self.pid, how)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


def fork(act: Callable[[], int | None], log: Path) -> int:
    """Run something in a child process of its own."""
    pid = os.fork()
    if pid:
        return pid
    try:
        with log.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os._exit(act() or 0)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(70)


def produce(broker: Broker, topics: Topics, seed: int) -> None:
    """Send events until SIGTERM; one in a hundred is no event."""
    going = [True]
    signal.signal(signal.SIGTERM, lambda number, frame: going.clear())
    producer = KafkaProducer(**broker.client(), linger_ms=5)
    number, began_s = 0, time.monotonic()
    while going:
        bad = number % 100 == 50
        for partition in range(PARTITIONS):
            value = b"{bad %d" % number if bad else event(number, partition)
            producer.send(topics.events, value, key=b"%d" % number, partition=partition)
        number += 1
        ahead_s = number * PARTITIONS / EVENTS_PER_S - (time.monotonic() - began_s)
        if ahead_s > 0:
            time.sleep(ahead_s)
    producer.flush()
    producer.close()


def guest(options: dict[str, Any], log: Path) -> None:
    """Join and leave until SIGTERM, so that partitions move all the time."""
    going = [True]
    signal.signal(signal.SIGTERM, lambda number, frame: going.clear())
    while going:
        pid = fork(lambda: score(options), log)
        time.sleep(GUEST_STAYS_S)
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def wait_to_kill(scorer: Scorer, chance: random.Random) -> None:
    """Return at the instant at which the scorer is to die."""
    if chance.random() < 0.5:
        time.sleep(chance.uniform(*LIFE_S))
        return
    wanted: str = chance.choice(PHASES)
    # A new life first comes to its own; else every kill would find it restoring.
    began_s = time.monotonic()
    while time.monotonic() - began_s < PHASE_WAIT_S:
        grown = scorer.committed or wanted in ("restore", "re-learn")
        if grown and scorer.phase == wanted:
            return
        time.sleep(0.0001)  # the scorers need the processor more


def verdict(broker: Broker, topics: Topics) -> dict[str, Any]:
    """Compare the output with the reference, partition by partition."""
    made, events, wrong = recipe(topics), 0, []
    for partition in range(PARTITIONS):
        expected = reference(broker, topics, made, partition)
        for topic in (topics.scored, topics.dead):
            got = rows(read(broker, topic, partition))
            events += len(got)
            if got != expected[topic]:
                wrong.append(f"{topic}-{partition}: {len(got)} rows, {len(expected[topic])}")
    return {"rows": events, "differences": wrong}


def wait_until_done(broker: Broker, topics: Topics) -> None:
    """Return when the group has committed every record of the input."""
    places = [TopicPartition(topics.events, partition) for partition in range(PARTITIONS)]
    consumer = KafkaConsumer(**broker.client(), group_id=topics.events)
    ends, deadline_s = consumer.end_offsets(places), time.monotonic() + DRAIN_S
    try:
        while any((consumer.committed(place) or 0) < ends[place] for place in places):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"the scorers did not reach the end within {DRAIN_S:.0f} s")
            time.sleep(0.2)
    finally:
        consumer.close()


def chaos(kills: int, seed: int, folder: Path) -> dict[str, Any]:
    """Kill, and give the figures."""
    torch.set_num_threads(1)  # forked children must not inherit a pool of threads
    chance, began_s, tested = random.Random(seed), time.monotonic(), commit()
    hit: collections.Counter[str] = collections.Counter()
    idle = 0
    with Broker() as broker:
        made = fork(lambda: make_topics(broker, "chaos", PARTITIONS) and None, folder / "topics")
        os.waitpid(made, 0)
        topics = names("chaos")
        options: dict[str, Any] = {
            "bootstrap_servers": broker.bootstrap,
            "input": [topics.events],
            "output": topics.scored,
            "group": topics.events,
            "commit_every_ms": 50,
            "checkpoint_every": 100,
            "keep_checkpoints": 3,
            "session_timeout_ms": 6_000,
            "heartbeat_interval_ms": 200,
        }
        producer = fork(lambda: produce(broker, topics, seed), folder / "producer")
        visitor = fork(lambda: guest(options, folder / "guest"), folder / "guest")
        scorers = [
            Scorer(options | {"group_instance_id": f"scorer-{n}"}, folder / f"scorer-{n}")
            for n in range(2)
        ]
        for scorer in scorers:
            scorer.start()
        for number in range(kills):
            scorer = scorers[chance.randrange(2)]
            wait_to_kill(scorer, chance)
            code = scorer.end(signal.SIGKILL)
            if code != -signal.SIGKILL:
                raise RuntimeError(f"a scorer had ended by itself, with {code}; see {folder}")
            hit[scorer.phase or "start"] += 1
            idle += not scorer.committed
            scorer.start()
            if (number + 1) % 20 == 0:
                print(f"{number + 1} of {kills} kills, {dict(hit)}", flush=True)
        for pid in (visitor, producer):
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
        wait_until_done(broker, topics)
        codes = [scorer.end(signal.SIGTERM) for scorer in scorers]
        result = verdict(broker, topics)
    return {
        "kills": kills,
        "seed": seed,
        "commit": tested,
        "seconds": round(time.monotonic() - began_s),
        "phases": dict(sorted(hit.items())),
        "lives_that_committed_nothing": idle,
        "exit_codes": codes,
        **result,
    }


def commit() -> str:
    """The commit that was tested."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip()


def complaints(result: dict[str, Any]) -> list[str]:
    """Why the run has failed, if it has; shares are judged from 200 kills on."""
    found = list(result["differences"])
    if result["exit_codes"] != [0, 0]:
        found.append(f"scorers ended with {result['exit_codes']}, expected 0 and 0")
    kills = result["kills"]
    if kills >= 200:
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
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    said = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="stream-dagmm-chaos-"))
    result = chaos(said.kills, said.seed, folder)
    text = json.dumps(result, indent=2)
    print(text)
    if said.out is not None:
        said.out.write_text(text + "\n")
    if found := complaints(result):
        sys.exit("\n".join([*found, f"logs: {folder}"]))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
