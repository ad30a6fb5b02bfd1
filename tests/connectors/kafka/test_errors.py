"""Each kind of error of the client, met on a real broker; and every error of it has one."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, errors
from kafka.admin import MemberToRemove

from stream_dagmm_connectors.kafka.client import Fatal
from stream_dagmm_connectors.kafka.errors import ABORTABLE, RETRIABLE, classify
from tests.broker.broker import Broker
from tests.broker.topics import make_topic
from tests.connectors.kafka.member import STOPPED, Member
from tests.connectors.kafka.streams import (
    Topics,
    event,
    fill,
    make_topics,
    names,
    recipe,
)
from tests.connectors.kafka.test_loop import run_until, scored_up_to, scoring
from tests.connectors.kafka.test_members import (
    PARTITIONS,
    assert_exact,
    count,
    each_client,
    fill_all,
    options,
    owners,
    until,
)

ALL = sorted(
    {one for one in vars(errors).values() if isinstance(one, type)
     and issubclass(one, errors.KafkaError)},
    key=lambda one: one.__name__,
)  # fmt: skip


@pytest.mark.parametrize("error", ALL)
def test_every_error_of_the_library_has_one_kind_and_no_right_that_lacks_is_waited_for(
    error: type[errors.KafkaError],
) -> None:
    kind = classify(BaseException.__new__(error))
    assert not (issubclass(error, RETRIABLE) and issubclass(error, ABORTABLE))
    if issubclass(error, errors.RetriableError):
        assert kind == "retriable"
    elif issubclass(error, errors.AuthorizationError):
        assert kind == "fatal"
    elif "Fenced" in error.__name__ and "Instance" not in error.__name__:
        assert kind == ("fatal" if error is errors.FencedStateEpochError else "abortable")


def disturbed(broker: Broker, name: str, disturb: Any) -> Any:
    """A run that is disturbed once half of its events are committed; the loop as it then is."""
    topics = make_topics(broker, name)
    fill(broker, topics.events, [event(n) for n in range(500)])
    one = scoring(broker, topics, recipe(topics))
    half, turn = scored_up_to(one, topics, 500), one.turn
    waiting = [True]

    def turning() -> None:
        turn()
        if waiting[0] and half():
            waiting[0] = False
            disturb(topics)
            fill(broker, topics.events, [event(n) for n in range(500, 1_000)])

    one.turn = turning  # type: ignore[method-assign]
    run_until(one, scored_up_to(one, topics, 1_000))
    assert_exact(broker, topics, 1)
    return one


def test_abortable_a_producer_that_was_fenced_is_followed_by_another(broker: Broker) -> None:
    def fence(topics: Topics) -> None:
        producer = KafkaProducer(**broker.client(), transactional_id=f"{topics.events}-writer")
        producer.init_transactions()
        producer.close()

    assert disturbed(broker, "error-fenced", fence).delivery.aborts >= 1


def test_abortable_a_member_that_was_put_out_of_the_group_joins_again(broker: Broker) -> None:
    def put_out(topics: Topics) -> None:
        admin = KafkaAdminClient(**broker.client())
        group = f"{topics.events}-group"
        (member,) = admin.describe_groups([group])[group]["members"]
        admin.remove_group_members(group, [MemberToRemove(member_id=member["member_id"])])
        admin.close()

    assert disturbed(broker, "error-put-out", put_out).rebalances >= 2


def test_fatal_a_record_that_the_output_does_not_take_ends_the_run_with_its_reason(
    broker: Broker,
) -> None:
    topics = names("error-large")
    for topic in topics:
        small = {"max_message_bytes": "200"} if topic == topics.scored else {}
        make_topic(broker, topic, 1, **small)
    fill(broker, topics.events, [event(n) for n in range(10)])
    with pytest.raises(Fatal, match="MessageSizeTooLarge"):
        run_until(scoring(broker, topics, recipe(topics)), lambda: False)


@each_client
def test_fatal_a_member_that_another_of_its_name_displaced_ends_and_the_other_goes_on(
    broker: Broker, tmp_path: Path, client: str
) -> None:
    topics = make_topics(broker, f"error-displaced-{client}", PARTITIONS)
    fill_all(broker, topics, 0, 200)
    told = options(broker, topics, client=client, group_instance_id="one")
    with Member(told, tmp_path / "one") as one:
        until(lambda: count(broker, topics) >= 400)
        with Member(told, tmp_path / "two") as two:
            fill_all(broker, topics, 200, 300)
            assert one.wait() == STOPPED
            assert "fenced" in one.said().lower() and "instance" in one.said().lower()
            until(lambda: count(broker, topics) >= 600)
            two.send(signal.SIGTERM)
            assert two.wait() == 0, two.said()
    assert_exact(broker, topics)


def test_a_partition_that_goes_is_committed_first_at_least_once_too(
    broker: Broker, tmp_path: Path
) -> None:
    topics = make_topics(broker, "error-revoked", PARTITIONS)
    fill_all(broker, topics, 0, 500)
    told = options(broker, topics, delivery="at-least-once", commit_every_ms=600_000)
    with Member(told, tmp_path / "one") as one:
        until(lambda: count(broker, topics) >= 1_000)
        with Member(told, tmp_path / "two") as two:
            until(lambda: owners(broker, topics) == PARTITIONS)
            fill_all(broker, topics, 500, 600)
            until(lambda: count(broker, topics) >= 1_200)
            for member in (two, one):
                member.send(signal.SIGTERM)
                assert member.wait() == 0, member.said()
    assert_exact(broker, topics)
