"""What happens to the input while it is scored: made anew, offsets gone, partitions added."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
import pytest
from kafka import KafkaAdminClient, TopicPartition

from stream_dagmm_connectors.kafka.client import Clients, Committed
from stream_dagmm_connectors.kafka.confluent_clients import ConfluentClients
from stream_dagmm_connectors.kafka.kafka_clients import KafkaClients
from stream_dagmm_connectors.kafka.loop import Scoring
from stream_dagmm_connectors.kafka.pacing import Pace
from stream_dagmm_connectors.kafka.surprises import Stopped
from tests.broker.broker import Broker
from tests.broker.topics import make_topic
from tests.connectors.kafka.fakes import Trap
from tests.connectors.kafka.streams import (
    Topics,
    differing,
    event,
    fill,
    make_topics,
    read,
    recipe,
    reference,
    rows,
)
from tests.connectors.kafka.test_crash_points import DONE, PARTITIONS, process
from tests.connectors.kafka.test_loop import run_until, scored_up_to, scoring
from tests.connectors.kafka.test_restoring import FIRST, left


def test_a_topic_that_is_made_anew_under_a_fitting_offset_is_told_before_the_next_commit() -> None:
    kafka = left()
    one = process(kafka, Trap())
    stood: list[Committed] = []

    def make_anew() -> None:
        kafka.topic_ids["events"] = "another"
        kafka.append(FIRST, event(61), None, DONE)
        stood.append(kafka.offsets[FIRST])

    when(one, lambda: len(one.ours.live) == PARTITIONS, make_anew)
    with pytest.raises(Stopped, match=r"topic another .*--on-new-topic new-lineage"):
        one.run()
    assert [kafka.offsets[FIRST]] == stood


def test_an_output_that_is_too_narrow_stops_with_the_command_that_widens_it() -> None:
    kafka = left()
    kafka.partitions = {**kafka.partitions, "dead": 1}
    with pytest.raises(Stopped, match=r"events-1 .*--alter --topic dead --partitions 2"):
        process(kafka, Trap()).run()


def test_missing_offsets_are_told_only_where_something_was_committed_before() -> None:
    kafka = left()
    kafka.offsets.clear()
    with pytest.raises(Stopped, match="checkpoints of it reach offset 60") as stopped:
        process(kafka, Trap()).run()
    assert "--on-missing-offsets new-lineage" in str(stopped.value)
    kafka.topic_ids["events"] = "another"
    with pytest.raises(Stopped, match="are of topic id of events, this one is another"):
        process(kafka, Trap()).run()


def admin(broker: Broker, act: Callable[[KafkaAdminClient], object]) -> None:
    client = KafkaAdminClient(**broker.client())
    try:
        act(client)
    finally:
        client.close()


def make_anew(broker: Broker, topic: str, count: int) -> None:
    admin(broker, lambda client: client.delete_topics([topic]))
    until_made = time.monotonic() + 180
    while True:
        try:
            make_topic(broker, topic)
            break
        except Exception:  # it is still being deleted
            if time.monotonic() > until_made:
                raise
    fill(broker, topic, [event(n + 5000) for n in range(count)])


def when(one: Scoring, ready: Callable[[], bool], act: Callable[[], None]) -> None:
    """Do something once between two turns of a loop."""
    turn, done = one.turn, [False]

    def acting() -> None:
        turn()
        if not any(done) and ready():
            done.append(True)
            act()

    one.turn = acting  # type: ignore[method-assign]


@pytest.mark.parametrize("kind", [KafkaClients, ConfluentClients])
@pytest.mark.parametrize("count", [50, 500])
def test_a_topic_made_anew_while_it_is_scored_stops_the_run_and_may_begin_a_new_model(
    broker: Broker, count: int, kind: Callable[..., Clients]
) -> None:
    """Both where the old position is beyond the new log and where it lies within."""
    topics = make_topics(broker, f"anew-{kind.__name__}-{count}")
    made = recipe(topics)
    fill(broker, topics.events, [event(n) for n in range(300)])
    often = Pace(poll_timeout_ms=50, poll_records=100, commit_every_ms=1)
    one = scoring(broker, topics, made, often, kind)
    when(one, scored_up_to(one, topics, 300), lambda: make_anew(broker, topics.events, count))
    with pytest.raises(Stopped, match="--on-new-topic new-lineage"):
        run_until(one, lambda: False)
    assert len(read(broker, topics.scored)) == 300

    with pytest.raises(Stopped, match="--on-new-topic new-lineage"):
        run_until(scoring(broker, topics, made, kind=kind), lambda: False)
    again = scoring(broker, topics, made, kind=kind, policies={"new-topic": "new-lineage"})
    run_until(again, scored_up_to(again, topics, count))
    expected = reference(broker, topics, made)[topics.scored]
    assert not differing(rows(read(broker, topics.scored)[300:]), expected)


def test_offsets_that_were_deleted_stop_the_run_and_may_be_scored_again_in_equal_bytes(
    broker: Broker,
) -> None:
    topics = make_topics(broker, "forgotten")
    made = recipe(topics)
    for count in (500, 100):
        fill(broker, topics.events, [event(n) for n in range(count)])
        one = scoring(broker, topics, made)
        run_until(one, scored_up_to(one, topics, 500 if count == 500 else 600))
    group, place = f"{topics.events}-group", TopicPartition(topics.events, 0)
    admin(broker, lambda client: client.delete_group_offsets(group, [place]))
    with pytest.raises(Stopped, match="--on-missing-offsets new-lineage"):
        run_until(scoring(broker, topics, made), lambda: False)
    again = scoring(broker, topics, made, policies={"missing-offsets": "new-lineage"})
    run_until(again, scored_up_to(again, topics, 600))
    scored = rows(read(broker, topics.scored))
    assert not differing(scored[600:], scored[:600])


def widen(broker: Broker, topic: str, partitions: int) -> None:
    admin(broker, lambda client: client.create_partitions({topic: partitions}))


def widths(topics: Topics, broker: Broker, partitions: int) -> Callable[[], None]:
    def act() -> None:
        widen(broker, topics.events, partitions)
        for partition in range(1, partitions):
            fill(broker, topics.events, [event(n, partition) for n in range(100)], partition)

    return act


@pytest.mark.parametrize("kind", [KafkaClients, ConfluentClients])
def test_partitions_added_to_the_input_are_taken_up_where_the_output_has_them(
    broker: Broker, kind: Callable[..., Clients]
) -> None:
    topics = make_topics(broker, f"wider-{kind.__name__}")
    made = recipe(topics)
    fill(broker, topics.events, [event(n) for n in range(100)])
    one = scoring(broker, topics, made, kind=kind, metadata_max_age_ms=500)

    def all_wider() -> None:
        for topic in (topics.scored, topics.dead):
            widen(broker, topic, 2)
        widths(topics, broker, 2)()

    when(one, scored_up_to(one, topics, 100), all_wider)
    run_until(one, lambda: len(one.ours.live) == 2 and scored_up_to(one, topics, 100)())
    assert [len(read(broker, topics.scored, n)) for n in (0, 1)] == [100, 100]
    last = read(broker, topics.scored, 1)[-1]
    assert orjson.loads(last.value)["learned"] == 99

    when(
        narrow := scoring(broker, topics, made, kind=kind, metadata_max_age_ms=500),
        lambda: len(narrow.ours.live) == 2,
        widths(topics, broker, 3),
    )
    with pytest.raises(Stopped, match=f"--alter --topic {topics.scored} --partitions 3"):
        run_until(narrow, lambda: False)
