"""A `stream-dagmm run` as people start it, fed at a pace, watched from outside.

    python -m tests.benchmarks.kafka_process latency --per-second 3000 --seconds 20
    python -m tests.benchmarks.kafka_process memory --events 5000000

`latency`: from the producer's timestamp to the moment at which a `read_committed` consumer holds
the scored event. `memory`: the process's resident memory over so many events, which must stay flat.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from kafka import KafkaConsumer, KafkaProducer
from prometheus_client.parser import text_string_to_metric_families
from river import datasets

from tests.benchmarks.torture import fork, stop
from tests.broker.broker import Broker
from tests.broker.topics import make_topic

LEAD = 100_000
"""Events that the producer of `memory` may be ahead of the scorer."""
WARM_SHARE = 0.2
"""Of all events: before that the model, the client's buffers and the allocator still grow."""
MOST_GROWTH = 0.05
START_S = 90.0


@contextlib.contextmanager
def scorer(broker: Broker, *words: str) -> Iterator[int]:
    """A process that scores `events` into `scored`; gives its metrics port once it is ready."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    told = ["run", "--bootstrap-servers", broker.bootstrap, "--input", "events"]
    told += ["--output", "scored", "--metrics-port", str(port), *words]
    program = Path(sys.executable).with_name("stream-dagmm")
    process = subprocess.Popen([program, *told], env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        deadline_s = time.monotonic() + START_S
        while not _ready(port):
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"the scorer is not ready; its exit code: {process.poll()}")
            time.sleep(0.2)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _ready(port: int) -> bool:
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").status == 200)
    return False


def scrape(port: int) -> dict[str, float]:
    """Figures by name, those of all partitions added up."""
    seen: dict[str, float] = {}
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        for family in text_string_to_metric_families(answer.read().decode()):
            for sample in family.samples:
                seen[sample.name] = seen.get(sample.name, 0.0) + sample.value
    return seen


def produce(broker: Broker, count: int, allowed: Callable[[int], bool]) -> None:
    """Send Shuttle's events, again and again, each once it is allowed."""
    rows = [json.dumps(x).encode() for x, _ in datasets.Shuttle()]
    producer = KafkaProducer(**broker.client(), linger_ms=5)
    for number in range(count):
        while not allowed(number):
            time.sleep(0.001)
        producer.send("events", rows[number % len(rows)], partition=0)
    producer.flush()
    producer.close()


def paced(per_s: float) -> Callable[[int], bool]:
    """Allows so many events a second from the first question on."""
    began_s: list[float] = []

    def allowed(number: int) -> bool:
        if not began_s:
            began_s.append(time.monotonic())
        return time.monotonic() - began_s[0] >= number / per_s

    return allowed


def latency(per_s: float, seconds: float, words: list[str]) -> str:
    """The percentiles, those of the first fifth left out."""
    count = int(per_s * seconds)
    with Broker() as broker, tempfile.TemporaryDirectory() as folder:
        child = fork(lambda: _make(broker), Path(folder) / "topics")
        os.waitpid(child, 0)
        with scorer(broker, *words):
            sender = fork(lambda: produce(broker, count, paced(per_s)), Path(folder) / "producer")
            waited_ms = _read(broker, count)
            os.waitpid(sender, 0)
    warm = np.array(waited_ms[int(WARM_SHARE * count) :])
    p50, p99, worst = np.percentile(warm, [50, 99, 100])
    return (
        f"{per_s:,.0f} events/s for {seconds:g} s, {' '.join(words) or 'all defaults'}: "
        f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {worst:.0f} ms of {len(warm):,} events"
    )


def _make(broker: Broker) -> None:
    for topic in ("events", "scored"):
        make_topic(broker, topic)


def _read(broker: Broker, count: int) -> list[float]:
    consumer = KafkaConsumer(
        "scored",
        **broker.client(),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    waited_ms: list[float] = []
    while len(waited_ms) < count:
        for records in consumer.poll(timeout_ms=1000).values():
            now_ms = 1000 * time.time()
            waited_ms += [now_ms - record.timestamp for record in records]
    consumer.close()
    return waited_ms


def memory(events: int, words: list[str]) -> tuple[str, bool]:
    """A line for each tenth, and whether memory stayed flat after the first fifth."""
    done = mmap.mmap(-1, 8)
    lines: list[str] = []
    megabytes: list[float] = []
    with Broker() as broker, tempfile.TemporaryDirectory() as folder:
        child = fork(lambda: _make(broker), Path(folder) / "topics")
        os.waitpid(child, 0)
        with scorer(broker, *words) as port:
            began_s = time.monotonic()
            sender = fork(
                lambda: produce(
                    broker, events, lambda n: n < LEAD + struct.unpack("q", done[:8])[0]
                ),
                Path(folder) / "producer",
            )
            scored = 0
            while scored < events:
                time.sleep(1.0)
                seen = scrape(port)
                scored = int(seen.get("stream_dagmm_events_total", 0))
                done[:8] = struct.pack("q", scored)
                resident = seen["process_resident_memory_bytes"] / 2**20
                if scored >= WARM_SHARE * events:
                    megabytes.append(resident)
                if scored * 10 // events >= len(lines) + 1:
                    rate = scored / (time.monotonic() - began_s)
                    lines.append(f"{scored:>12,} events  {resident:8.1f} MiB  {rate:8,.0f}/s")
            stop(sender)
    growth = max(megabytes) / megabytes[0] - 1
    lines.append(f"from a fifth on at most {100 * growth:+.1f} %")
    return "\n".join(lines), growth <= MOST_GROWTH


def main() -> None:
    """From the command line; what it does not know goes to `stream-dagmm run`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["latency", "memory"])
    parser.add_argument("--per-second", type=float, default=3_000.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--events", type=int, default=5_000_000)
    said, words = parser.parse_known_args()
    torch.set_num_threads(1)
    if said.what == "latency":
        print(latency(said.per_second, said.seconds, words))
        return
    text, flat = memory(said.events, words)
    print(text)
    if not flat:
        sys.exit(f"memory grew by more than {MOST_GROWTH:.0%}")


if __name__ == "__main__":
    main()
