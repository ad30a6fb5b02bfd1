"""The bare transactional consume -> produce of confluent-kafka, beside which its runs stand."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition


def confluent_bare(
    bootstrap: str, topic: str, target: str, count: int, *, poll_records: int, commit_records: int
) -> float:
    """Records per second of the client alone, from its first records to its last commit."""
    told: dict[str, Any] = {"bootstrap.servers": bootstrap}
    consumer = Consumer(
        told
        | {"group.id": target, "auto.offset.reset": "earliest", "enable.auto.commit": False}
        | {"isolation.level": "read_committed"}
    )
    consumer.subscribe([topic])
    producer = Producer(
        told
        | {"transactional.id": target, "linger.ms": 5, "batch.size": 256 << 10}
        | {"queue.buffering.max.messages": 1_000_000}
    )
    producer.init_transactions(10)
    done, sent, began_s = 0, 0, 0.0
    while done < count:
        messages = [one for one in consumer.consume(poll_records, 0.1) if one.error() is None]
        if not messages:
            continue
        began_s = began_s or time.perf_counter()
        if not sent:
            producer.begin_transaction()
        for one in messages:
            producer.produce(
                target, one.value(), one.key(), partition=0, timestamp=one.timestamp()[1]
            )
        producer.poll(0)
        sent += len(messages)
        done += len(messages)
        if sent >= commit_records or done >= count:
            next_offset = (messages[-1].offset() or 0) + 1
            producer.send_offsets_to_transaction(
                [TopicPartition(topic, 0, next_offset)], consumer.consumer_group_metadata()
            )
            producer.commit_transaction()
            sent = 0
    rate = count / (time.perf_counter() - began_s)
    consumer.close()
    return rate
