"""`make demo-kafka`: a broker, a producer of real events, the scorer, and its alarms as they come.

Shuttle's events (from River's wheel) go into a topic as JSON, `stream-dagmm run` scores them into
another, and what is printed here is read from there. Ctrl-C ends it; so does the last event.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import orjson
from kafka import KafkaConsumer, KafkaProducer
from river import datasets

from tests.broker.broker import Broker
from tests.broker.topics import make_topic

LABEL = "anomaly"
SCORER_STARTS_S = 90.0


def replay(broker: Broker, topic: str, count: int, per_s: float) -> None:
    """Send events at a rate, each with its label, which the scorer is told to ignore."""
    producer = KafkaProducer(**broker.client(), linger_ms=5)
    began_s = time.monotonic()
    for number, (x, label) in enumerate(datasets.Shuttle().take(count)):
        value = orjson.dumps(x | {LABEL: bool(label)})
        producer.send(topic, value, partition=0)
        ahead_s = number / per_s - (time.monotonic() - began_s)
        if ahead_s > 0:
            time.sleep(ahead_s)
    producer.close()


def show(broker: Broker, topic: str, count: int) -> tuple[int, int, int]:
    """Print alarms until the last event: events, alarms, and how many of these were right."""
    consumer = KafkaConsumer(
        topic,
        **broker.client(),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        consumer_timeout_ms=SCORER_STARTS_S * 1000,
    )
    seen = alarms = right = 0
    try:
        for record in consumer:
            row = orjson.loads(record.value)
            seen += 1
            if row["alarm"]:
                alarms += 1
                right += bool(row["event"][LABEL])
                line(row)
            if seen >= count:
                break
    finally:
        consumer.close()
    return seen, alarms, right


def line(row: dict[str, object]) -> None:
    """One alarm."""
    shares = row["contributions"]
    why = ", ".join(f"{name} {share:+.1f}" for name, share in shares.items()) if isinstance(
        shares, dict
    ) else ""  # fmt: skip
    print(f"{row['id']}  score {row['score']:.1f}  p {row['p_value']:.1e}  {why}", flush=True)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--per-second", type=float, default=500.0)
    parser.add_argument("--detector", default="dagmm")
    said = parser.parse_args()
    with Broker() as broker, contextlib.ExitStack() as stack:
        make_topic(broker, "shuttle")
        make_topic(broker, "scored")
        print(f"Kafka listens on {broker.bootstrap}; alarms of topic 'scored' follow", flush=True)
        words = ["run", "--bootstrap-servers", broker.bootstrap, "--input", "shuttle"]
        words += ["--output", "scored", "--label", LABEL, "--include-event"]
        words += ["--detector", said.detector]
        scorer = subprocess.Popen(
            [str(Path(sys.executable).with_name("stream-dagmm")), *words],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        stack.callback(scorer.wait)
        stack.callback(scorer.terminate)
        sender = threading.Thread(
            target=replay, args=(broker, "shuttle", said.events, said.per_second), daemon=True
        )
        sender.start()
        with contextlib.suppress(KeyboardInterrupt):
            seen, alarms, right = show(broker, "scored", said.events)
            print(f"{seen:,} events scored, {alarms} alarms, {right} of them labelled anomalies")
            if seen < said.events:
                sys.exit(f"expected {said.events} events; the scorer's messages are above")


if __name__ == "__main__":
    main()
