"""Processes of one group on a real broker: killed, stopped, woken, told to go, joined by others."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from tests.broker.broker import Broker
from tests.connectors.kafka.member import STOPPED, Member
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

PARTITIONS = 2

each_client = pytest.mark.parametrize("client", ["kafka-python", "confluent"])


def options(broker: Broker, topics: Topics, **more: Any) -> dict[str, Any]:
    return {
        "bootstrap_servers": broker.bootstrap,
        "input": [topics.events],
        "output": topics.scored,
        "group": topics.events,
        "commit_every_ms": 50,
        "poll_records": 100,
        "checkpoint_every": 300,
        "session_timeout_ms": 6_000,
        "transaction_timeout_ms": 3_000,
    } | more


def fill_all(broker: Broker, topics: Topics, first: int, last: int) -> None:
    for partition in range(PARTITIONS):
        numbers = range(first, last)
        fill(broker, topics.events, [event(n, partition) for n in numbers], partition)


def count(broker: Broker, topics: Topics) -> int:
    return sum(len(read(broker, topics.scored, p)) for p in range(PARTITIONS))


def until(done: Callable[[], bool], timeout_s: float = 180.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(f"not done after {timeout_s} s")
        time.sleep(0.2)  # between two looks, not instead of them


def owners(broker: Broker, topics: Topics) -> int:
    """How many members of the group hold a partition."""
    admin = KafkaAdminClient(**broker.client())
    try:
        (group,) = admin.describe_groups([topics.events]).values()
    finally:
        admin.close()
    held = [member["member_assignment"] for member in group["members"]]
    return sum(bool(one and one["assigned_partitions"]) for one in held)


def assert_exact(broker: Broker, topics: Topics, partitions: int = PARTITIONS) -> None:
    for partition in range(partitions):
        expected = reference(broker, topics, recipe(topics), partition)
        assert not differing(rows(read(broker, topics.scored, partition)), expected[topics.scored])


@each_client
def test_sigterm_commits_and_leaves_with_exit_code_0(
    broker: Broker, tmp_path: Path, client: str
) -> None:
    topics = make_topics(broker, f"member-term-{client}", PARTITIONS)
    fill_all(broker, topics, 0, 500)
    with Member(options(broker, topics, client=client), tmp_path / "one") as one:
        until(lambda: count(broker, topics) >= 300)
        one.send(signal.SIGTERM)
        assert one.wait() == 0, one.said()
    fill_all(broker, topics, 500, 600)
    with Member(options(broker, topics, client=client), tmp_path / "two") as two:
        until(lambda: count(broker, topics) >= 1200)
        two.send(signal.SIGTERM)
        assert two.wait() == 0, two.said()
    assert_exact(broker, topics)


def test_a_killed_member_with_all_defaults_scores_again_elsewhere_within_30_s(
    broker: Broker, tmp_path: Path
) -> None:
    topics = make_topics(broker, "member-kill", PARTITIONS)
    fill_all(broker, topics, 0, 1000)
    said = options(broker, topics)
    told = {name: said[name] for name in ("bootstrap_servers", "input", "output", "group")}
    with Member(told, tmp_path / "one") as one, Member(told, tmp_path / "two") as two:
        until(lambda: count(broker, topics) >= 1000 and owners(broker, topics) == PARTITIONS)
        one.send(signal.SIGKILL)
        killed_s = time.monotonic()
        fill_all(broker, topics, 1000, 1200)
        until(lambda: count(broker, topics) >= 2400)
        assert time.monotonic() - killed_s < 30.0
        two.send(signal.SIGTERM)
        assert two.wait() == 0, two.said()
    assert_exact(broker, topics)


@each_client
def test_a_member_that_slept_past_its_session_emits_nothing_of_what_moved(
    broker: Broker, tmp_path: Path, client: str
) -> None:
    topics = make_topics(broker, f"member-zombie-{client}", PARTITIONS)
    fill_all(broker, topics, 0, 600)
    told = options(broker, topics, client=client)
    with Member(told, tmp_path / "one") as one:
        until(lambda: count(broker, topics) >= 200)
        one.send(signal.SIGSTOP)
        with Member(told, tmp_path / "two") as two:
            fill_all(broker, topics, 600, 800)
            until(lambda: count(broker, topics) >= 1600)
            one.send(signal.SIGCONT)
            fill_all(broker, topics, 800, 1000)
            until(lambda: count(broker, topics) >= 2000)
            two.send(signal.SIGTERM)
            assert two.wait() == 0, two.said()
            fill_all(broker, topics, 1000, 1100)
            until(lambda: count(broker, topics) >= 2200)
        one.send(signal.SIGTERM)
        assert one.wait() == 0, one.said()
    assert_exact(broker, topics)


def open_records(broker: Broker, topic: str) -> int:
    """How many records of partition 0 belong to a transaction that is open."""
    place, ends = TopicPartition(topic, 0), []
    for isolation in ("read_uncommitted", "read_committed"):
        consumer = KafkaConsumer(**broker.client(), isolation_level=isolation)
        ends.append(consumer.end_offsets([place])[place])
        consumer.close()
    return int(ends[0] - ends[1])


@each_client
def test_a_member_that_slept_past_its_transaction_and_is_still_in_the_group_sends_it_again(
    broker: Broker, tmp_path: Path, client: str
) -> None:
    topics = make_topics(broker, f"member-sleeper-{client}", PARTITIONS)
    fill_all(broker, topics, 0, 300)
    told = options(
        broker,
        topics,
        client=client,
        commit_every_ms=20_000,
        session_timeout_ms=45_000,
        transaction_timeout_ms=3_000,
        group_instance_id="sleeper",
    )
    with Member(told, tmp_path / "one") as one:
        until(lambda: open_records(broker, topics.scored) > 0)
        one.send(signal.SIGSTOP)
        until(lambda: open_records(broker, topics.scored) == 0)
        assert count(broker, topics) == 0  # the broker has aborted it
        one.send(signal.SIGCONT)
        until(lambda: count(broker, topics) >= 600)
        one.send(signal.SIGTERM)
        assert one.wait() == 0, one.said()
    assert_exact(broker, topics)


@each_client
def test_at_least_once_loses_nothing_to_a_kill_and_repeats_only_equal_records(
    broker: Broker, tmp_path: Path, client: str
) -> None:
    topics = make_topics(broker, f"member-least-{client}", PARTITIONS)
    fill_all(broker, topics, 0, 600)
    told = options(broker, topics, client=client, delivery="at-least-once", group_instance_id="one")
    with Member(told, tmp_path / "one") as one:
        until(lambda: count(broker, topics) >= 300)
        one.send(signal.SIGKILL)
        one.wait()
    with Member(told, tmp_path / "two") as two:
        fill_all(broker, topics, 600, 700)
        until(lambda: ends_with_key(broker, topics, b"key-99"))
        two.send(signal.SIGTERM)
        assert two.wait() == 0, two.said()
    for partition in range(PARTITIONS):
        expected = reference(broker, topics, recipe(topics), partition)[topics.scored]
        got = rows(read(broker, topics.scored, partition))
        assert list(dict.fromkeys(got)) == expected


def ends_with_key(broker: Broker, topics: Topics, key: bytes) -> bool:
    held = [read(broker, topics.scored, partition) for partition in range(PARTITIONS)]
    return all(records and records[-1].key == key and len(records) >= 700 for records in held)


@each_client
def test_members_that_join_and_leave_change_no_byte(
    broker: Broker, tmp_path: Path, client: str
) -> None:
    topics = make_topics(broker, f"member-storm-{client}", PARTITIONS)
    told = options(broker, topics, client=client)
    with Member(told, tmp_path / "stays"):
        for number in range(3):
            fill_all(broker, topics, 300 * number, 300 * number + 150)
            with Member(told, tmp_path / f"comes-{number}") as guest:
                fill_all(broker, topics, 300 * number + 150, 300 * number + 300)
                until(lambda: count(broker, topics) >= 600 * (number + 1))  # noqa: B023 - called at once
                guest.send((signal.SIGTERM, signal.SIGKILL, signal.SIGTERM)[number])
                guest.wait()
    with Member(told, tmp_path / "last"):
        until(lambda: count(broker, topics) >= 1800)
    assert_exact(broker, topics)


@each_client
def test_what_a_named_member_let_go_when_it_was_killed_finds_an_owner(
    broker: Broker, tmp_path: Path, client: str
) -> None:
    topics = make_topics(broker, f"member-letting-go-{client}", PARTITIONS)
    fill_all(broker, topics, 0, 300)
    told = options(broker, topics, client=client, checkpoint_every=10, session_timeout_ms=10_000)
    leaver, stayer = (told | {"group_instance_id": name} for name in ("leaver", "stayer"))
    with Member(leaver, tmp_path / "one") as one:
        until(lambda: count(broker, topics) >= 600)
        with Member(stayer, tmp_path / "two") as two:
            deadline_s = time.monotonic() + 60.0
            while one.pulse.phase != "revoke":  # which lasts a few hundredths of a second
                assert time.monotonic() < deadline_s
            one.send(signal.SIGKILL)
            one.wait()
            assert one.pulse.phase == "revoke"
            with Member(leaver, tmp_path / "again") as again:
                fill_all(broker, topics, 300, 400)
                until(lambda: count(broker, topics) >= 800)
                until(lambda: owners(broker, topics) == PARTITIONS)
                for member in (two, again):
                    member.send(signal.SIGTERM)
                    assert member.wait() == 0, member.said()
    assert_exact(broker, topics)


@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
def test_on_error_fail_stops_at_the_record_and_again_after_a_restart(
    broker: Broker, tmp_path: Path, delivery: str
) -> None:
    topics = make_topics(broker, f"member-fail-{delivery}", 1)
    fill(broker, topics.events, [event(0), event(1), b"not JSON", event(3)])
    told = options(broker, topics, on_error="fail", delivery=delivery)
    for attempt in range(2):
        with Member(told, tmp_path / f"{attempt}") as one:
            assert one.wait() == STOPPED
            assert f"{topics.events}-0@2: not JSON" in one.said()
        assert len(read(broker, topics.scored)) == 2
    with Member(told | {"skip_to": ["0:3"]}, tmp_path / "on"):
        until(lambda: len(read(broker, topics.scored)) == 3)


def test_a_store_of_one_machine_is_refused_to_a_second_member_and_kept_for_a_restart(
    broker: Broker, tmp_path: Path
) -> None:
    topics = make_topics(broker, "member-store", PARTITIONS)
    fill_all(broker, topics, 0, 400)
    told = options(broker, topics, checkpoint_store=str(tmp_path / "store"))
    with Member(told, tmp_path / "one") as one:
        until(lambda: count(broker, topics) >= 800)
        with Member(told, tmp_path / "two") as two:
            assert two.wait() == STOPPED
            assert "group member-store has 1 other members" in two.said()
        one.send(signal.SIGKILL)
        one.wait()
    fill_all(broker, topics, 400, 500)
    with Member(told, tmp_path / "again") as again:
        until(lambda: count(broker, topics) >= 1_000)
        again.send(signal.SIGTERM)
        assert again.wait() == 0, again.said()
    assert_exact(broker, topics)
