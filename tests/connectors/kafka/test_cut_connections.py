"""Connections that are cut at one very call, before or after the broker took it: the bytes stay."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from stream_dagmm_connectors.kafka.checkpoint_topic import TopicStore
from stream_dagmm_connectors.kafka.client import Clients
from stream_dagmm_connectors.kafka.confluent_clients import ConfluentClients
from stream_dagmm_connectors.kafka.connection import Connection, Timing
from stream_dagmm_connectors.kafka.kafka_clients import KafkaClients
from stream_dagmm_connectors.kafka.loop import Scoring
from stream_dagmm_connectors.kafka.pacing import Pace
from tests.broker.broker import Broker
from tests.broker.proxy import Api, How, Proxy, When
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

FIRST, EVENTS = 300, 800
"""The call that fails is one of those that the records after the first ones lead to."""
TURNS_DOWN, MOST_TURNS = 3, 1200
PACE = Pace(poll_timeout_ms=50, poll_records=50, commit_every_ms=20, checkpoint_every=200)
TIMING = Timing(answer_timeout_ms=2_000, request_timeout_ms=11_000, heartbeat_interval_ms=500)

RUNNING: list[tuple[Api, When, How]] = [
    (Api.PRODUCE, "before", "cut"),
    (Api.PRODUCE, "after", "cut"),
    (Api.PRODUCE, "after", "down"),
    (Api.ADD_PARTITIONS_TO_TXN, "before", "cut"),
    (Api.ADD_PARTITIONS_TO_TXN, "after", "down"),
    (Api.ADD_OFFSETS_TO_TXN, "before", "cut"),
    (Api.TXN_OFFSET_COMMIT, "before", "cut"),
    (Api.TXN_OFFSET_COMMIT, "after", "down"),
    (Api.END_TXN, "before", "cut"),
    (Api.END_TXN, "after", "cut"),
    (Api.END_TXN, "before", "down"),
    (Api.END_TXN, "after", "down"),
    (Api.END_TXN, "after", "drop"),
    (Api.END_TXN, "before", "stall"),
    (Api.FETCH, "after", "cut"),
    (Api.FETCH, "after", "down"),
    (Api.HEARTBEAT, "after", "cut"),
]
"""Silence at a fetch is not among them: the bytes were equal there too, but it took from 2 s up to
29 s, by chance, where the producer and the coordinator were caught with it: each of kafka-python's
time-outs passed in turn."""
EACH: list[type[Clients]] = [KafkaClients, ConfluentClients]
CASES = [(kind, *one) for kind in EACH for one in RUNNING]
STARTING: list[tuple[Api, When, How]] = [
    (Api.INIT_PRODUCER_ID, "before", "cut"),
    (Api.INIT_PRODUCER_ID, "after", "cut"),
    (Api.JOIN_GROUP, "after", "cut"),
    (Api.SYNC_GROUP, "after", "cut"),
    (Api.OFFSET_FETCH, "before", "cut"),
    (Api.FIND_COORDINATOR, "after", "cut"),
]
WAITED_FOR = {Api.ADD_OFFSETS_TO_TXN, Api.TXN_OFFSET_COMMIT, Api.END_TXN}
"""A commit waits for their answers; the others go out on a thread of the client, which may well be
through again before a commit is tried."""
COMMITTING: list[tuple[When, How]] = list(itertools.product(("before", "after"), ("cut", "down")))


def named(part: Api | str | type[Clients]) -> str:
    if isinstance(part, str):
        return part
    return part.name.lower() if isinstance(part, Api) else part.__name__


def scoring(
    proxy: Proxy,
    topics: Topics,
    transactional: bool = True,
    kind: Callable[..., Clients] = KafkaClients,
) -> Scoring:
    clients = kind(Connection(proxy.bootstrap), TIMING, group=topics.events)
    return Scoring(
        clients,
        TopicStore(topics.checkpoints, clients.log_reader(), keep=2),
        recipe(topics),
        topics=[topics.events],
        group=topics.events,
        transactional_id=topics.events if transactional else None,
        pace=PACE,
    )


def run_through(one: Scoring, proxy: Proxy, arm: Callable[[], None]) -> None:
    """Run to the end of the stream; a failure that lasts ends after a few turns."""
    turn, armed, down, left = one.turn, [False], iter(range(TURNS_DOWN)), iter(range(MOST_TURNS))

    def counted() -> None:
        turn()
        done = max((one.delivery.stand(place).offset or 0 for place in one.ours.live), default=0)
        if done >= FIRST and not armed[0]:
            armed[0] = True
            arm()
        if proxy.failed.is_set() and (one.delivery.broken or next(down, None) is None):
            proxy.heal()
        if (done >= EVENTS and proxy.failed.is_set()) or next(left, None) is None:
            one.stop()

    one.turn = counted  # type: ignore[method-assign]
    one.run()


def prepared(broker: Broker, *words: str) -> Topics:
    topics = make_topics(broker, "-".join(("cut", *words)).lower())
    fill(broker, topics.events, [event(n) for n in range(FIRST)])
    return topics


def the_others(broker: Broker, topics: Topics) -> None:
    fill(broker, topics.events, [event(n) for n in range(FIRST, EVENTS)])


def assert_exact(broker: Broker, topics: Topics) -> None:
    expected = reference(broker, topics, recipe(topics))[topics.scored]
    assert len(expected) == EVENTS
    assert not differing(rows(read(broker, topics.scored)), expected)


@pytest.mark.parametrize(("kind", "api", "when", "how"), CASES, ids=named)
def test_a_call_that_fails_while_scoring_changes_no_byte(
    broker: Broker, kind: type[Clients], api: Api, when: When, how: How
) -> None:
    topics = prepared(broker, kind.__name__, api.name, when, how)
    with broker.proxy() as proxy:

        def arm() -> None:
            proxy.fail(api, when, how)
            the_others(broker, topics)

        one = scoring(proxy, topics, kind=kind)
        run_through(one, proxy, arm)
        assert proxy.failed.is_set()
    # Of a lone cut the client mends itself; of brokers that stay away it cannot, where we wait.
    assert one.delivery.aborts or api not in WAITED_FOR or how not in ("down", "stall")
    assert_exact(broker, topics)


@pytest.mark.parametrize(("api", "when", "how"), STARTING, ids=named)
@pytest.mark.parametrize("kind", EACH, ids=named)
def test_a_call_that_fails_at_the_start_changes_no_byte(
    broker: Broker, kind: type[Clients], api: Api, when: When, how: How
) -> None:
    topics = prepared(broker, "start", kind.__name__, api.name, when)
    with broker.proxy() as proxy:
        one = scoring(proxy, topics, kind=kind)
        proxy.fail(api, when, how)
        run_through(one, proxy, lambda: the_others(broker, topics))
        assert proxy.failed.is_set()
    assert_exact(broker, topics)


@pytest.mark.parametrize(("when", "how"), COMMITTING)
@pytest.mark.parametrize("kind", EACH, ids=named)
def test_at_least_once_loses_nothing_where_a_commit_fails(
    broker: Broker, kind: type[Clients], when: When, how: How
) -> None:
    topics = prepared(broker, "least", kind.__name__, when, how)
    with broker.proxy() as proxy:
        one = scoring(proxy, topics, transactional=False, kind=kind)

        def arm() -> None:
            proxy.fail(Api.OFFSET_COMMIT, when, how)
            the_others(broker, topics)

        run_through(one, proxy, arm)
        assert proxy.failed.is_set()
    expected = reference(broker, topics, recipe(topics))[topics.scored]
    assert list(dict.fromkeys(rows(read(broker, topics.scored)))) == expected
