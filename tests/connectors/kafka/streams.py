"""What the tests of this folder share: events, a recipe, topics of both, and the reference.

The reference is computed without Kafka: the detector over each partition's records, one by one.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from stream_dagmm import GaussianMixture
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.kafka.client import Fetched, Headers, Outgoing, Place
from stream_dagmm_connectors.kafka.partition import PartitionModel, Recipe
from stream_dagmm_connectors.scoring import Judgement
from tests.broker.broker import Broker
from tests.broker.topics import make_topic


class Topics(NamedTuple):
    """The topics of one run."""

    events: str
    scored: str
    dead: str
    checkpoints: str


class Row(NamedTuple):
    """A record of an output, by what must be equal."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int | None


def names(name: str) -> Topics:
    """Topics of one run: the input, and what belongs to the output `name-scored`."""
    return Topics(
        name, f"{name}-scored", f"{name}-scored.dead-letters", f"{name}-scored.checkpoints"
    )


def make_topics(broker: Broker, name: str, partitions: int = 1) -> Topics:
    """They, made."""
    topics = names(name)
    for topic in topics:
        make_topic(broker, topic, partitions)
    return topics


def recipe(topics: Topics, **options: Any) -> Recipe:
    """A small mixture, which learns at every 32nd event."""
    return Recipe(
        detector=lambda: GaussianMixture(batch_size=32, seed=7),
        judgement=Judgement(alarm_rate=0.01, explain_below=0.05),
        decoder=Decoder,
        output=topics.scored,
        dead_letters=topics.dead,
        **options,
    )


def event(number: int, partition: int = 0) -> bytes:
    """An event that depends on its number alone; every 17th is strange."""
    chance = random.Random(f"{partition}:{number}")
    values = {name: chance.gauss(0.0, 1.0) for name in "abc"}
    if number % 17 == 0:
        values["a"] += 30.0
    return orjson.dumps(values)


def fill(broker: Broker, topic: str, values: Sequence[bytes | None], partition: int = 0) -> None:
    """Put values into a partition, each under a key and a header of its own."""
    producer = KafkaProducer(**broker.client(), linger_ms=5)
    for number, value in enumerate(values):
        producer.send(
            topic,
            value=value,
            key=b"key-%d" % number,
            headers=[("trace", b"%d" % number)],
            partition=partition,
            timestamp_ms=1_700_000_000_000 + number,
        )
    producer.flush()
    producer.close()


def delete_before(broker: Broker, topic: str, offset: int, partition: int = 0) -> None:
    """Delete the records before an offset, as retention does."""
    admin = KafkaAdminClient(**broker.client())
    admin.delete_records({TopicPartition(topic, partition): offset})
    admin.close()


def read(broker: Broker, topic: str, partition: int = 0) -> list[Any]:
    """All committed records of a partition, up to its end.

    Brokers answer a commit before its markers are in every log, so for a second the end of what is
    committed is waited for to reach the log's; an open transaction may keep it from that.
    """
    place = TopicPartition(topic, partition)
    consumer = KafkaConsumer(
        **broker.client(), isolation_level="read_committed", fetch_max_wait_ms=50
    )
    got: list[Any] = []
    settled_by = time.monotonic() + 1.0
    try:
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        while True:
            got += consumer.poll(timeout_ms=200).get(place, [])
            end, high = consumer.end_offsets([place])[place], consumer.highwater(place)
            settled = high is not None and high <= end
            whole = (consumer.position(place, timeout_ms=1000) or 0) >= end
            if whole and (settled or time.monotonic() > settled_by):
                return got
    finally:
        consumer.close()


def rows(records: Sequence[Any]) -> list[Row]:
    """Records of the client as rows."""
    return [Row(r.key, r.value, tuple(r.headers), r.timestamp) for r in records]


def differing(found: Sequence[Row], expected: Sequence[Row]) -> list[object]:
    """The first few places where the rows differ; pytest's own account of two long lists that
    differ much takes hours."""
    pairs = itertools.zip_longest(found, expected)
    return list(
        itertools.islice(((n, *pair) for n, pair in enumerate(pairs) if pair[0] != pair[1]), 3)
    )


def topic_id(broker: Broker, topic: str) -> str:
    """What tells a topic from a later one of the same name."""
    admin = KafkaAdminClient(**broker.client())
    try:
        (described,) = admin.describe_topics([topic])
    finally:
        admin.close()
    return str(described["topic_id"])


def reference(
    broker: Broker, topics: Topics, made: Recipe, partition: int = 0
) -> Mapping[str, list[Row]]:
    """What the output's topics must hold of a partition, one record at a time."""
    id_of_topic = topic_id(broker, topics.events)
    model = PartitionModel(made, Place(topics.events, partition), id_of_topic, start=0)
    expected: dict[str, list[Row]] = {topics.scored: [], topics.dead: []}
    for record in read(broker, topics.events, partition):
        fetched = Fetched(
            record.offset, record.value, record.key, tuple(record.headers), record.timestamp
        )
        for out in model.score([fetched]):
            expected[out.place.topic].append(_row(out))
    return expected


def _row(out: Outgoing) -> Row:
    return Row(out.key, out.value, tuple(out.headers), out.timestamp_ms)
