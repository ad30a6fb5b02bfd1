"""What a run costs beside the same client's bare transactional consume -> produce, interleaved.

    python -m tests.benchmarks.kafka_throughput --records 40000 --rounds 3 [--client confluent]

Each round reads the same records three ways, one after the other: bare (poll, send the value on,
offsets, commit, at the run's own pace), with a detector of no cost, and with a real one. Beside the
rate stands the processor time of a record, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata
from river import datasets

import stream_dagmm
from stream_dagmm_connectors.collector import imports_set_aside
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.kafka.checkpoint_topic import TopicStore
from stream_dagmm_connectors.kafka.client import Clients, Fetched, Place
from stream_dagmm_connectors.kafka.confluent_clients import ConfluentClients
from stream_dagmm_connectors.kafka.connection import Connection
from stream_dagmm_connectors.kafka.kafka_clients import KafkaClients
from stream_dagmm_connectors.kafka.loop import Scoring
from stream_dagmm_connectors.kafka.pacing import Pace
from stream_dagmm_connectors.kafka.partition import Recipe
from stream_dagmm_connectors.scoring import Detector, Judgement
from tests.benchmarks.confluent_bare import confluent_bare
from tests.broker.broker import Broker
from tests.broker.topics import make_topic

COMMIT_RECORDS = 10_000
POLL_RECORDS = 1_000
NUMBERS = itertools.count()
CLIENTS: dict[str, Callable[..., Clients]] = {
    "kafka-python": KafkaClients,
    "confluent": ConfluentClients,
}


class Nothing:
    """A detector of no cost."""

    learned = 0

    def score_one(self, x: Mapping[str, Any], /) -> float:
        """0."""
        return 0.0

    def learn_one(self, x: Mapping[str, Any], /) -> None:
        """Nothing."""

    def prequential(
        self, X: Sequence[Mapping[str, Any]], explain_where: Callable[[Any], Any]
    ) -> tuple[Any, dict[int, Any]]:
        """As many zeros, none of them explained."""
        scores = np.zeros(len(X))
        explain_where(scores)
        return scores, {}

    def to_state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Nothing:
        """The same."""
        return cls()


def fill(broker: Broker, topic: str, count: int) -> None:
    """Shuttle's events as JSON, again and again."""
    producer = KafkaProducer(**broker.client(), linger_ms=20, batch_size=256 << 10)
    rows = [json.dumps(x).encode() for x, _ in datasets.Shuttle()]
    for number in range(count):
        producer.send(topic, rows[number % len(rows)], partition=0)
    producer.close()


def bare(broker: Broker, topic: str, count: int) -> float:
    """Records per second of the client alone."""
    target = make_topic(broker, f"bare-{next(NUMBERS)}")
    consumer = KafkaConsumer(
        topic,
        **broker.client(),
        group_id=target,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        metrics_enabled=False,
    )
    producer = KafkaProducer(
        **broker.client(),
        transactional_id=target,
        metrics_enabled=False,
        linger_ms=5,
        batch_size=256 << 10,
    )
    producer.init_transactions()
    done, sent, began_s = 0, 0, 0.0
    while done < count:
        for place, records in consumer.poll(timeout_ms=500, max_records=POLL_RECORDS).items():
            began_s = began_s or time.perf_counter()
            if not sent:
                producer.begin_transaction()
            futures = [
                producer.send(target, r.value, key=r.key, partition=0, timestamp_ms=r.timestamp)
                for r in records
            ]
            sent += len(futures)
            done += len(records)
            if sent >= COMMIT_RECORDS or done >= count:
                producer.flush()
                offset = OffsetAndMetadata(records[-1].offset + 1, "", -1)
                producer.send_offsets_to_transaction({place: offset}, consumer.group_metadata())
                producer.commit_transaction()
                sent = 0
    rate = count / (time.perf_counter() - began_s)
    consumer.close()
    producer.close()
    return rate


def bare_of(client: str) -> Callable[[Broker, str, int], float]:
    """The bare way of a client."""
    if client == "kafka-python":
        return bare

    def confluent(broker: Broker, topic: str, count: int) -> float:
        target = make_topic(broker, f"bare-{next(NUMBERS)}")
        return confluent_bare(
            broker.bootstrap, topic, target, count,
            poll_records=POLL_RECORDS, commit_records=COMMIT_RECORDS,
        )  # fmt: skip

    return confluent


def ours(
    broker: Broker, topic: str, count: int, detector: type[Any], client: str = "kafka-python"
) -> float:
    """Records per second of a run, from its first poll with records to its last commit."""
    target = make_topic(broker, f"ours-{next(NUMBERS)}")
    checkpoints = make_topic(broker, f"{target}-checkpoints")
    clients = CLIENTS[client](Connection(broker.bootstrap), group=target)

    def fresh() -> Detector:
        made: Detector = detector()
        return made

    one = Scoring(
        clients,
        TopicStore(checkpoints, clients.log_reader()),
        Recipe(fresh, Judgement(), Decoder, target, target),
        topics=[topic],
        group=target,
        transactional_id=target,
        pace=Pace(
            poll_records=POLL_RECORDS,
            commit_every_records=COMMIT_RECORDS,
            commit_every_ms=60_000,
            checkpoint_every=10**9,
        ),
    )
    poll, turn, span_s = one._reader.poll, one.turn, [0.0, 0.0]

    def noting_the_first(timeout_ms: int, at_most: int) -> Mapping[Place, list[Fetched]]:
        records = poll(timeout_ms, at_most)
        if records and not span_s[0]:
            span_s[0] = time.perf_counter()
        return records

    def stopping_at_the_last() -> None:
        turn()
        live = one.ours.live
        if live and one.ours.models[live[0]].progress.records >= count:
            one._committing.now(save=[])
            span_s[1] = time.perf_counter()
            one.stop()

    one._reader.poll = noting_the_first  # type: ignore[method-assign]
    one.turn = stopping_at_the_last  # type: ignore[method-assign]
    one.run()
    return count / (span_s[1] - span_s[0])


class Measured(NamedTuple):
    """One way through all records."""

    per_s: float
    cpu_us: float
    """Of a record, all threads, start and end included."""


def measured(
    way: Callable[[Broker, str, int], float], broker: Broker, topic: str, count: int
) -> Measured:
    """Run it."""
    began_s = time.process_time()
    per_s = way(broker, topic, count)
    return Measured(per_s, (time.process_time() - began_s) / count * 1e6)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--detector", default="StreamDAGMM")
    parser.add_argument("--client", choices=CLIENTS, default="kafka-python")
    said = parser.parse_args()
    kind = getattr(stream_dagmm, said.detector)
    ways: dict[str, Callable[[Broker, str, int], float]] = {
        "bare": bare_of(said.client),
        "no cost": lambda broker, topic, count: ours(broker, topic, count, Nothing, said.client),
        said.detector: lambda broker, topic, count: ours(broker, topic, count, kind, said.client),
    }
    figures: dict[str, list[Measured]] = {name: [] for name in ways}
    with Broker() as broker, imports_set_aside():
        topic = make_topic(broker, "events")
        fill(broker, topic, said.records)
        for _ in range(said.rounds):
            for name, way in ways.items():
                figures[name].append(measured(way, broker, topic, said.records))
    base = statistics.median(one.per_s for one in figures["bare"])
    for name, rounds in figures.items():
        middle = statistics.median(one.per_s for one in rounds)
        cpu_us = statistics.median(one.cpu_us for one in rounds)
        shown = ", ".join(f"{one.per_s:,.0f}" for one in rounds)
        print(
            f"{name:20} {middle:10,.0f}/s  {middle / base:5.2f} of bare  "
            f"{cpu_us:6.1f} us of processor a record  ({shown})"
        )


if __name__ == "__main__":
    main()
