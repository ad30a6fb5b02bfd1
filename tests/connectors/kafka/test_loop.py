"""The loop on a real broker: exactly once, in order, byte for byte, wherever it is cut off."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from stream_dagmm_connectors.kafka.checkpoint_topic import TopicStore
from stream_dagmm_connectors.kafka.client import Clients
from stream_dagmm_connectors.kafka.confluent_clients import ConfluentClients
from stream_dagmm_connectors.kafka.connection import Connection, Timing
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
    broker: Broker,
    topics: Topics,
    made: Recipe,
    pace: Pace = QUICK,
    kind: Callable[..., Clients] = KafkaClients,
    metadata_max_age_ms: int = 30_000,
    **options: Any,
) -> Scoring:
    timing = Timing(metadata_max_age_ms=metadata_max_age_ms)
    clients = kind(Connection(broker.bootstrap), timing, group=f"{topics.events}-group")
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


def run_until(one: Scoring, done: Callable[[], bool], turns: int = 3_000) -> None:
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


@pytest.mark.parametrize("kind", [KafkaClients, ConfluentClients])
def test_each_event_is_scored_once_in_order_and_as_the_reference_says(
    broker: Broker, kind: type[Clients]
) -> None:
    topics = make_topics(broker, f"loop-plain-{kind.__name__}")
    fill(broker, topics.events, [event(n) for n in range(1500)])
    made = recipe(topics)
    one = scoring(broker, topics, made, kind=kind)
    run_until(one, scored_up_to(one, topics, 1500))

    expected = reference(broker, topics, made)
    assert not differing(rows(read(broker, topics.scored)), expected[topics.scored])
    assert len(expected[topics.scored]) == 1500


EACH_AFTER_EACH = list(itertools.product([KafkaClients, ConfluentClients], repeat=2))


@pytest.mark.parametrize("kinds", EACH_AFTER_EACH, ids=lambda kinds: kinds[0].__name__)
def test_a_second_process_goes_on_where_the_first_one_stopped_with_whichever_client(
    broker: Broker, kinds: tuple[type[Clients], ...]
) -> None:
    topics = make_topics(broker, "loop-again-" + "-".join(kind.__name__ for kind in kinds))
    made = recipe(topics)
    for count, kind in zip((700, 900), kinds, strict=True):
        fill(broker, topics.events, [event(n) for n in range(count)])
        one = scoring(broker, topics, made, kind=kind)
        end = 700 if count == 700 else 1600
        run_until(one, scored_up_to(one, topics, end))

    expected = reference(broker, topics, made)
    assert not differing(rows(read(broker, topics.scored)), expected[topics.scored])
