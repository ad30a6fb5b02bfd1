"""The loop on a real broker: exactly once, in order, byte for byte, wherever it is cut off."""

from collections.abc import Callable
from typing import Any

from stream_dagmm_connectors.kafka.checkpoint_topic import TopicStore
from stream_dagmm_connectors.kafka.connection import Connection
from stream_dagmm_connectors.kafka.kafka_clients import KafkaClients
from stream_dagmm_connectors.kafka.loop import Scoring
from stream_dagmm_connectors.kafka.pacing import Pace
from stream_dagmm_connectors.kafka.partition import Recipe
from tests.broker.broker import Broker
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

QUICK = Pace(poll_timeout_ms=50, poll_records=200, commit_every_ms=50, checkpoint_every=400)


def scoring(
    broker: Broker, topics: Topics, made: Recipe, pace: Pace = QUICK, **options: Any
) -> Scoring:
    connection = Connection(broker.bootstrap)
    clients = KafkaClients(connection, group=f"{topics.events}-group")
    return Scoring(
        clients,
        TopicStore(topics.checkpoints, clients.log_reader(), keep=2),
        made,
        topics=[topics.events],
        group=f"{topics.events}-group",
        transactional_id=f"{topics.events}-writer",
        pace=pace,
        **options,
    )


def run_until(one: Scoring, done: Callable[[], bool], turns: int = 600) -> None:
    """Run it, and stop it in the turn after which `done` says so."""
    turn, left = one.turn, iter(range(turns))

    def counted() -> None:
        turn()
        if done():
            one.stop()
        elif next(left, None) is None:
            one.stop()
            raise AssertionError(f"not done after {turns} turns")

    one.turn = counted  # type: ignore[method-assign]
    one.run()


def scored_up_to(one: Scoring, topics: Topics, offset: int) -> Callable[[], bool]:
    def done() -> bool:
        stands = [one.delivery.stand(place).offset or 0 for place in one.ours.live]
        return bool(stands) and min(stands) >= offset

    return done


def test_each_event_is_scored_once_in_order_and_as_the_reference_says(
    broker: Broker, topic: Callable[..., str]
) -> None:
    topics = make_topics(broker, "loop-plain")
    fill(broker, topics.events, [event(n) for n in range(1500)])
    made = recipe(topics)
    one = scoring(broker, topics, made)
    run_until(one, scored_up_to(one, topics, 1500))

    expected = reference(broker, topics, made)
    assert not differing(rows(read(broker, topics.scored)), expected[topics.scored])
    assert len(expected[topics.scored]) == 1500


def test_a_second_process_goes_on_where_the_first_one_stopped(broker: Broker) -> None:
    topics = make_topics(broker, "loop-again")
    made = recipe(topics)
    for count in (700, 900):
        fill(broker, topics.events, [event(n) for n in range(count)])
        one = scoring(broker, topics, made)
        end = 700 if count == 700 else 1600
        run_until(one, scored_up_to(one, topics, end))

    expected = reference(broker, topics, made)
    assert not differing(rows(read(broker, topics.scored)), expected[topics.scored])
