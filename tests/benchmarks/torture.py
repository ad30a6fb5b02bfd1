"""What the runs share that kill scorers or make them come and go: a producer that never stops, the
scorers, and the verdict: the output is compared with what the detector gives without Kafka.

Everything is imported once and forked, so a start takes a tenth of a second; no client of Kafka
lives in the parent while it forks.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from stream_dagmm_connectors.kafka.options import Client
from tests.broker.broker import Broker, die_with_parent
from tests.connectors.kafka import member
from tests.connectors.kafka.pulse import Pulse
from tests.connectors.kafka.streams import (
    Topics,
    differing,
    event,
    make_topics,
    names,
    read,
    recipe,
    reference,
    rows,
)

DRAIN_S = 400.0


class Scorer:
    """A scorer process: forked, or started anew with all its imports."""

    def __init__(self, options: dict[str, Any], log: Path, *, forked: bool = True) -> None:
        self._options = options
        self._log = log
        self._forked = forked
        self._file = log.with_suffix(".pulse")
        self.pulse = Pulse(self._file)
        self.pid = 0

    def start(self) -> None:
        """Fork; the child never returns."""
        self.pulse.clear()
        self.pid = fork(self._life if self._forked else self._real_life, self._log)

    def _life(self) -> int:
        return member.score(self._options, self.pulse.enter)

    def _real_life(self) -> int:
        told = orjson.dumps(self._options).decode()
        os.execv(sys.executable, [sys.executable, "-m", member.__name__, told, str(self._file)])

    def begun(self) -> None:
        """Return once it polls: from then on SIGTERM is an order and not a death."""
        deadline_s = time.monotonic() + DRAIN_S
        while self.pulse.phase is None:
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"a scorer did not start within {DRAIN_S:.0f} s: {self._log}")
            time.sleep(0.05)

    def end(self, how: signal.Signals) -> int:
        """Send a signal and wait: the exit code, negative for a signal."""
        os.kill(self.pid, how)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def tell(self, how: signal.Signals) -> None:
        """Send a signal, and do not wait."""
        os.kill(self.pid, how)

    def gone(self) -> int | None:
        """The exit code of a process that has ended; None while it lives."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None


def fork(act: Callable[[], int | None], log: Path) -> int:
    """Run something in a child process of its own."""
    pid = os.fork()
    if pid:
        return pid
    try:
        die_with_parent()  # a run that fails leaves nothing behind
        # Else a SIGTERM that comes early would meet the parent's handler, and be lost.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with log.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os._exit(act() or 0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(70)


def topics_of(broker: Broker, partitions: int, log: Path) -> Topics:
    """Make the topics, in a child."""
    made = fork(lambda: make_topics(broker, "torture", partitions) and None, log)
    _, status = os.waitpid(made, 0)
    if status:
        raise RuntimeError(f"the topics could not be made: {log.read_text()}")
    return names("torture")


def options(broker: Broker, topics: Topics, client: Client = "kafka-python") -> dict[str, Any]:
    """Commits and checkpoints so often that every phase has its share of the time."""
    return {
        "bootstrap_servers": broker.bootstrap,
        "client": client,
        "input": [topics.events],
        "output": topics.scored,
        "group": topics.events,
        "commit_every_ms": 50,
        "checkpoint_every": 100,
        "keep_checkpoints": 3,
        "session_timeout_ms": 6_000,
        "heartbeat_interval_ms": 200,
        "transaction_timeout_ms": 5_000,
    }


def produce(broker: Broker, topics: Topics, partitions: int, events_per_s: float) -> None:
    """Send events until SIGTERM; one in a hundred is no event."""
    going = [True]
    signal.signal(signal.SIGTERM, lambda number, frame: going.clear())
    producer = KafkaProducer(**broker.client(), linger_ms=5)
    number, began_s = 0, time.monotonic()
    while going:
        bad = number % 100 == 50
        for partition in range(partitions):
            value = b"{bad %d" % number if bad else event(number, partition)
            producer.send(topics.events, value, key=b"%d" % number, partition=partition)
        number += 1
        ahead_s = number * partitions / events_per_s - (time.monotonic() - began_s)
        if ahead_s > 0:
            time.sleep(ahead_s)
    producer.flush()
    producer.close()


def stop(pid: int) -> None:
    """SIGTERM a child, and wait."""
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


def wait_until_done(broker: Broker, topics: Topics, partitions: int) -> None:
    """Return when the group has committed every record of the input."""
    places = [TopicPartition(topics.events, partition) for partition in range(partitions)]
    consumer = KafkaConsumer(**broker.client(), group_id=topics.events)
    ends, deadline_s = consumer.end_offsets(places), time.monotonic() + DRAIN_S
    try:
        while any((consumer.committed(place) or 0) < ends[place] for place in places):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"the scorers did not reach the end within {DRAIN_S:.0f} s")
            time.sleep(0.2)
    finally:
        consumer.close()


def verdict(broker: Broker, topics: Topics, partitions: int) -> dict[str, Any]:
    """Compare the output with the reference, partition by partition."""
    made, count, wrong = recipe(topics), 0, []
    for partition in range(partitions):
        expected = reference(broker, topics, made, partition)
        for topic in (topics.scored, topics.dead):
            got = rows(read(broker, topic, partition))
            count += len(got)
            if first := differing(got, expected[topic]):
                wrong.append(
                    f"{topic}-{partition}: {len(got)} rows, {len(expected[topic])}: {first[0]}"
                )
    return {"rows": count, "differences": wrong}


def commit() -> str:
    """The commit that was tested."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip()
