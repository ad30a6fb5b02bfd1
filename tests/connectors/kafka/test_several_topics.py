"""Several inputs of one run: a model for each partition of each, and none knows of another."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from stream_dagmm_connectors.kafka.client import Place
from stream_dagmm_connectors.kafka.options import RunOptions
from tests.broker.broker import Broker
from tests.broker.topics import make_topic
from tests.connectors.kafka.member import Member
from tests.connectors.kafka.streams import (
    Row,
    differing,
    event,
    fill,
    make_topics,
    read,
    recipe,
    reference,
    rows,
)
from tests.connectors.kafka.test_members import options, until

WIDTHS = {"several-one": 2, "several-two": 1}


def source_of(row: Row) -> str:
    headers = dict(row.headers)
    if "stream-dagmm-topic" in headers:
        return headers["stream-dagmm-topic"].decode()
    said: str = orjson.loads(row.value or b"")["source"]
    return said


def test_two_topics_in_one_run_equal_their_references_also_after_a_kill(
    broker: Broker, tmp_path: Path
) -> None:
    topics = make_topics(broker, "several-one", 2)
    make_topic(broker, "several-two", 1)
    places = [Place(topic, p) for topic, width in WIDTHS.items() for p in range(width)]
    told = options(broker, topics, input=list(WIDTHS), group_instance_id="one")
    lives = ((0, 700, signal.SIGKILL), (700, 1000, signal.SIGTERM))
    for life, (first, last, how) in enumerate(lives, start=1):
        for number, place in enumerate(places):
            values = [event(n, number) for n in range(first, last)]
            values[50] = b"not JSON"
            fill(broker, place.topic, values, place.partition)
        good = len(places) * (last - life)
        with Member(told, tmp_path / how.name) as one:
            until(lambda: scored(broker, topics.scored) == good)  # noqa: B023 - called at once
            one.send(how)
            assert one.wait() == (0 if how is signal.SIGTERM else -how), one.said()
    for place in places:
        expected = reference(
            broker, topics._replace(events=place.topic), recipe(topics), place.partition
        )
        for topic in (topics.scored, topics.dead):
            found = rows(read(broker, topic, place.partition))
            ours = [row for row in found if source_of(row) == place.topic]
            assert not differing(ours, expected[topic])


def scored(broker: Broker, topic: str) -> int:
    return sum(len(read(broker, topic, p)) for p in range(2))


def told(**more: Any) -> RunOptions:
    return RunOptions(bootstrap_servers="127.0.0.1:1", output="scored", **more)


def test_what_to_skip_names_the_topic_where_there_are_several() -> None:
    assert told(input=("a",), skip_to=("0:7",)).skips() == {Place("a", 0): 7}
    assert told(input=("a", "b"), skip_to=("b:2:7",)).skips() == {Place("b", 2): 7}
    for wrong in ("0:7", "c:0:7", "a:0", "a:0:x"):
        with pytest.raises(ValidationError, match="with the topic in front"):
            told(input=("a", "b"), skip_to=(wrong,))
