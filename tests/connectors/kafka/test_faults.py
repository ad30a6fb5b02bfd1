"""What brokers and producers do to a run: a node dies, bytes are hostile, rights are few."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.broker.broker import Broker
from tests.connectors.kafka.member import STOPPED, Member
from tests.connectors.kafka.streams import (
    differing,
    event,
    fill,
    make_topics,
    read,
    recipe,
    reference,
    rows,
)
from tests.connectors.kafka.test_members import each_client, options, until

HOSTILE = (
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b"\xff\xfe{}",
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b"[" * 5000,
    b'{"a":' * 200 + b"1" + b"}" * 200,
    b"\x00" * 100,
)


def payload(chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.5:
        return chance.choice(HOSTILE)
    good = bytearray(event(chance.randrange(1000)))
    if kind < 0.8:
        return bytes(good[: chance.randrange(1, len(good))])
    return chance.randbytes(chance.randrange(1, 200))


def test_hostile_payloads_are_in_the_dead_letters_once_and_change_no_score(
    broker: Broker, tmp_path: Path
) -> None:
    topics = make_topics(broker, "fault-poison")
    chance = random.Random(3)
    values = [payload(chance) if n % 2 else event(n) for n in range(20_000)]
    fill(broker, topics.events, values)
    told = options(broker, topics, poll_records=1_000, largest_bad_share=1.0)
    made = recipe(topics, largest_bad_share=1.0)
    expected = reference(broker, topics, made)
    with Member(told, tmp_path / "one") as one:
        until(lambda: len(read(broker, topics.dead)) >= len(expected[topics.dead]))
        until(lambda: len(read(broker, topics.scored)) >= len(expected[topics.scored]))
        one.send(signal.SIGTERM)
        assert one.wait() == 0, one.said()
    assert len(expected[topics.dead]) > 9_900
    assert not differing(rows(read(broker, topics.dead)), expected[topics.dead])
    assert not differing(rows(read(broker, topics.scored)), expected[topics.scored])


def test_the_breaker_stops_a_stream_whose_producer_has_changed(
    broker: Broker, tmp_path: Path
) -> None:
    topics = make_topics(broker, "fault-breaker")
    fill(broker, topics.events, [event(n) for n in range(400)] + [b"changed"] * 400)
    with Member(options(broker, topics), tmp_path / "one") as one:
        assert one.wait() == STOPPED
        assert "of the last records of fault-breaker-0 were bad" in one.said()
    letters = len(read(broker, topics.dead))
    assert 0 < letters < 200
    with Member(options(broker, topics), tmp_path / "two") as two:
        assert two.wait() == STOPPED
        assert two.said() == one.said()
    assert len(read(broker, topics.dead)) == letters


@each_client
def test_a_broker_that_dies_of_three_changes_no_byte(
    three_brokers: Broker, tmp_path: Path, client: str
) -> None:
    topics = make_topics(three_brokers, "fault-node", 2)
    for partition in range(2):
        fill(three_brokers, topics.events, [event(n) for n in range(1_000)], partition)
    with Member(options(three_brokers, topics, client=client), tmp_path / "one") as one:
        until(lambda: len(read(three_brokers, topics.scored)) > 100)
        three_brokers.kill(2)
        for partition in range(2):
            fill(three_brokers, topics.events, [event(n) for n in range(500)], partition)
        until(lambda: len(read(three_brokers, topics.scored, 0)) == 1_500)
        until(lambda: len(read(three_brokers, topics.scored, 1)) == 1_500)
        one.send(signal.SIGTERM)
        assert one.wait() == 0, one.said()
    for partition in range(2):
        expected = reference(three_brokers, topics, recipe(topics), partition)
        assert not differing(
            rows(read(three_brokers, topics.scored, partition)), expected[topics.scored]
        )


@each_client
def test_a_single_broker_that_dies_ends_the_process_and_its_return_finishes_the_work(
    tmp_path: Path, client: str
) -> None:
    with Broker() as alone:
        topics = make_topics(alone, "fault-alone")
        fill(alone, topics.events, [event(n) for n in range(500)])
        # A store of this machine: the group is asked for on a cluster that never had one.
        store = str(tmp_path / "store")
        told = options(alone, topics, unready_after=2, exit_after=10, checkpoint_store=store)
        told |= {"client": client}
        with Member(told, tmp_path / "one") as one:
            until(lambda: len(read(alone, topics.scored)) == 500)
            alone.kill(0)
            assert one.wait() == STOPPED
            assert "no broker answered for 1" in one.said()
        alone.start(0)
        fill(alone, topics.events, [event(n) for n in range(100)])
        with Member(told, tmp_path / "two"):
            until(lambda: len(read(alone, topics.scored)) == 600)
        expected = reference(alone, topics, recipe(topics))
        assert not differing(rows(read(alone, topics.scored)), expected[topics.scored])


LEAST = (
    (ResourceType.TOPIC, "events", (ACLOperation.READ, ACLOperation.DESCRIBE)),
    (ResourceType.TOPIC, "scored", (ACLOperation.WRITE, ACLOperation.DESCRIBE)),
    (ResourceType.TOPIC, "dead", (ACLOperation.WRITE, ACLOperation.DESCRIBE)),
    (
        ResourceType.TOPIC,
        "checkpoints",
        (ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE),
    ),
    (ResourceType.GROUP, "events", (ACLOperation.READ,)),
    (
        ResourceType.TRANSACTIONAL_ID,
        "events-one",
        (ACLOperation.WRITE, ACLOperation.DESCRIBE),
    ),
)
"""The rights that a run needs, by what its topics, group and transactional id are for."""


@pytest.mark.parametrize(
    ("lacking", "operation", "said"),
    [
        ("events-one", ACLOperation.WRITE, "TransactionalIdAuthorizationFailed"),
        ("scored", ACLOperation.WRITE, "TopicAuthorizationFailed"),
        ("checkpoints", ACLOperation.WRITE, "TopicAuthorizationFailed"),
        ("events", ACLOperation.READ, "AuthorizationFailed"),
    ],
    ids=["transactional-id", "output", "checkpoints", "input"],
)
@each_client
def test_the_least_rights_suffice_and_one_less_is_told(
    secure_broker: Broker,
    tmp_path: Path,
    lacking: str,
    operation: ACLOperation,
    said: str,
    client: str,
) -> None:
    topics = make_topics(secure_broker, f"fault-rights-{lacking}-{client}")
    names = {"events": topics.events, "scored": topics.scored, "dead": topics.dead}
    names |= {"checkpoints": topics.checkpoints, "events-one": f"{topics.events}-one"}
    admin = KafkaAdminClient(**secure_broker.client())
    admin.alter_user_scram_credentials(
        [UserScramCredentialUpsertion("scorer", ScramMechanism.SCRAM_SHA_256, "secret")]
    )
    rights = {
        (n, kind, allowed): ACL(
            "User:scorer", "*", allowed, ACLPermissionType.ALLOW, ResourcePattern(kind, names[n])
        )
        for kind, n, operations in LEAST
        for allowed in operations
    }
    less = {place: right for place, right in rights.items() if place[::2] != (lacking, operation)}
    admin.create_acls(list(less.values()))
    producer = KafkaProducer(**secure_broker.client())
    for number in range(50):
        producer.send(topics.events, event(number), partition=0)
    producer.close()
    password = tmp_path / "password"
    password.write_text("secret\n")
    told = options(
        secure_broker, topics, group_instance_id="one", create_topics=False, checkpoint_every=20
    ) | {
        "security_protocol": "SASL_SSL",
        "client": client,
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_username": "scorer",
        "sasl_password_file": str(password),
        "ssl_cafile": str(secure_broker.certificate),
    }
    with Member(told, tmp_path / "refused") as one:
        assert one.wait(60.0) == STOPPED
        # Each library has its own spelling of the same error.
        assert said.lower() in one.said().replace("_", "").lower()
        assert "secret" not in one.said()
    admin.create_acls(list(rights.values()))
    admin.close()
    # One more event: what was refused may have come as far as its first checkpoint.
    producer = KafkaProducer(**secure_broker.client())
    producer.send(topics.events, event(50), partition=0)
    producer.close()
    with Member(told, tmp_path / "allowed") as two:
        until(lambda: len(read(secure_broker, topics.scored)) == 51)
        two.send(signal.SIGTERM)
        assert two.wait() == 0, two.said()
