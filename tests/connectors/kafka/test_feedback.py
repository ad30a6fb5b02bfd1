"""Labels that arrive late: learned at their offset, and again by every restore and replay."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import orjson
import pytest
from kafka import KafkaProducer
from river import anomaly

from stream_dagmm_connectors import KafkaSink, KafkaSource, Pipeline
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.kafka.client import Aborted, Fetched, Place
from stream_dagmm_connectors.kafka.connection import Connection
from stream_dagmm_connectors.kafka.partition import Recipe
from stream_dagmm_connectors.kafka.positions import rolled
from stream_dagmm_connectors.kafka.replaying import open_log
from stream_dagmm_connectors.scoring import Judgement
from tests.broker.broker import Broker
from tests.connectors.fakes import Disk, DiskSink, Fuse
from tests.connectors.kafka.fakes import Crash, FakeKafka, Trap, When
from tests.connectors.kafka.streams import event, read
from tests.connectors.kafka.test_crash_points import DONE, EVENTS, PARTITIONS, TOPICS, process, run
from tests.connectors.kafka.test_members import until
from tests.connectors.kafka.test_surface import QUICK, running, scores
from tests.connectors.taught import Taught

HEADER = "stream-dagmm-feedback"
Marked = tuple[bytes, bytes | None]
"""A value, and what the header says of it."""


def stream(count: int) -> list[Marked]:
    """Events, every seventh followed by a label on an earlier one."""
    chance, values = random.Random(5), list[Marked]()
    for n in range(count):
        mark = chance.choice((b"anomaly", b"normal")) if n % 7 == 6 else None
        values.append((event(chance.randrange(n) if mark else n), mark))
    return values


def expected(values: Sequence[Marked]) -> list[float]:
    """The scores of the detector alone."""
    detector, found = Taught(), list[float]()
    for value, mark in values:
        x = orjson.loads(value)
        if mark is not None:
            detector.feedback(x, mark == b"anomaly")
            continue
        found.append(detector.score_one(x))
        detector.learn_one(x)
    return found


def fill(broker: Broker, topic: str, values: Sequence[Marked]) -> None:
    producer = KafkaProducer(**broker.client(), linger_ms=5)
    for value, mark in values:
        headers = [] if mark is None else [(HEADER, mark)]
        producer.send(topic, value, headers=headers, partition=0)
    producer.close()


def in_memory() -> FakeKafka:
    kafka = FakeKafka(TOPICS)
    for partition in range(PARTITIONS):
        for value, mark in stream(EVENTS):
            headers = [] if mark is None else [(HEADER, mark)]
            kafka.append(Place("events", partition), value, None, DONE, headers)
    return kafka


def emitted(kafka: FakeKafka, partition: int) -> list[float]:
    return [
        orjson.loads(r.value or b"")["score"] for r in kafka.visible(Place("scored", partition))
    ]


RECIPE = Recipe(Taught, Judgement(0.05, 0.1), Decoder, "scored", "dead")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [Crash, Aborted])
def test_feedback_is_learned_once_at_its_offset_whatever_call_is_the_last(
    when: When, error: type[BaseException]
) -> None:
    trap, kafka = Trap(), in_memory()
    run(process(kafka, trap, recipe=RECIPE), kafka)
    writers = {"start", "begin", "send", "settle", "send offsets", "commit"}
    for at, name in enumerate(trap.calls):
        kafka = in_memory()
        if error is Crash:
            with pytest.raises(Crash):
                run(process(kafka, Trap(at, when), recipe=RECIPE), kafka)
            run(process(kafka, Trap(), recipe=RECIPE), kafka)
        elif name in writers:
            run(process(kafka, Trap(at, when, Aborted), recipe=RECIPE), kafka)
        else:
            continue
        for partition in range(PARTITIONS):
            assert emitted(kafka, partition) == expected(stream(EVENTS)), f"{name}, call {at}"


def test_the_history_tells_a_label_from_its_opposite_and_from_an_event() -> None:
    histories = {
        rolled("00" * 16, [Fetched(3, b"{}", headers=headers)])
        for headers in ((), ((HEADER, b"anomaly"),), ((HEADER, b"normal"),))
    }
    assert len(histories) == 3


def test_a_label_on_the_broker_is_learned_and_learned_again_and_gives_no_scored_event(
    broker: Broker, topic: Callable[..., str]
) -> None:
    events = topic()
    scored, values = f"{events}-scored", stream(500)
    for first, last in ((0, 330), (330, 500)):
        fill(broker, events, values[first:last])
        so_far = expected(values[:last])
        source = KafkaSource(events, bootstrap_servers=broker.bootstrap, group=events, **QUICK)
        with running(Pipeline(source, Taught(), KafkaSink(scored))):
            until(lambda: len(scores(broker, scored)) >= len(so_far))  # noqa: B023 - called at once
    assert scores(broker, scored) == expected(values)
    assert read(broker, f"{scored}.dead-letters") == []

    log = open_log(f"kafka://{events}?partition=0", Connection(broker.bootstrap))
    disk = Disk()
    replay = Pipeline(log, Taught(), DiskSink(disk, "again", Fuse()))
    replay.run()
    rows = disk.files["again"].splitlines()
    assert [orjson.loads(row)["score"] for row in rows] == expected(values)
    assert replay.counters.feedback == sum(mark is not None for _, mark in values)


def test_a_label_for_a_detector_that_takes_none_is_in_the_dead_letters_with_that_reason(
    broker: Broker, topic: Callable[..., str]
) -> None:
    events = topic()
    fill(broker, events, [(event(0), None), (event(0), b"anomaly"), (event(1), None)])
    source = KafkaSource(events, bootstrap_servers=broker.bootstrap, group=events, **QUICK)
    sink = KafkaSink(f"{events}-scored")
    with running(Pipeline(source, anomaly.HalfSpaceTrees(seed=1), sink)):
        until(lambda: len(scores(broker, f"{events}-scored")) == 2)
    (letter,) = read(broker, f"{events}-scored.dead-letters")
    headers = dict(letter.headers)
    assert headers["stream-dagmm-reason"].startswith(b"HalfSpaceTrees has no feedback(x, label)")
    assert headers["stream-dagmm-stage"] == b"score"
    assert (headers[HEADER], letter.value) == (b"anomaly", event(0))
    assert headers["stream-dagmm-offset"] == b"1"
