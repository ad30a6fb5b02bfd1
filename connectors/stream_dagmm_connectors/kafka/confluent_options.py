"""How confluent-kafka is told what `Connection` says, and what its errors are to us."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from stream_dagmm_connectors.kafka.client import Aborted, Fatal, NotYet, Trouble
from stream_dagmm_connectors.kafka.connection import Connection, Member

# Below "kafka", so that whoever quiets one client quiets the other.
LOG = logging.getLogger("kafka.confluent")

QUEUED_KILOBYTES = 32 << 10
"""What a member may fetch ahead, whatever the lag."""

_NAMES = {
    "security_protocol": "security.protocol",
    "reconnect_backoff_max_ms": "reconnect.backoff.max.ms",
    "ssl_cafile": "ssl.ca.location",
    "ssl_certfile": "ssl.certificate.location",
    "ssl_keyfile": "ssl.key.location",
    "sasl_mechanism": "sasl.mechanism",
    "sasl_plain_username": "sasl.username",
    "sasl_plain_password": "sasl.password",
}

FATAL = frozenset(
    getattr(KafkaError, name)
    for name in (
        "_AUTHENTICATION",
        "_FATAL",
        "_INVALID_ARG",
        "_SSL",
        "_UNKNOWN_PARTITION",
        "_UNKNOWN_TOPIC",
        "_UNSUPPORTED_FEATURE",
        "CLUSTER_AUTHORIZATION_FAILED",
        "FENCED_INSTANCE_ID",
        "GROUP_AUTHORIZATION_FAILED",
        "GROUP_MAX_SIZE_REACHED",
        "INCONSISTENT_GROUP_PROTOCOL",
        "INVALID_GROUP_ID",
        "INVALID_MSG",
        "INVALID_RECORD",
        "INVALID_SESSION_TIMEOUT",
        "INVALID_TIMESTAMP",
        "INVALID_TRANSACTION_TIMEOUT",
        "MSG_SIZE_TOO_LARGE",
        "OFFSET_METADATA_TOO_LARGE",
        "POLICY_VIOLATION",
        "RECORD_LIST_TOO_LARGE",
        "SASL_AUTHENTICATION_FAILED",
        "TOPIC_AUTHORIZATION_FAILED",
        "TOPIC_EXCEPTION",
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        "UNSUPPORTED_VERSION",
    )
)
"""Nothing here passes with time, and a new producer would meet it again."""

RETRIABLE = frozenset(
    getattr(KafkaError, name)
    for name in (
        "_ALL_BROKERS_DOWN",
        "_RESOLVE",
        "_TIMED_OUT",
        "_TRANSPORT",
        "_WAIT_COORD",
        "COORDINATOR_LOAD_IN_PROGRESS",
        "COORDINATOR_NOT_AVAILABLE",
        "LEADER_NOT_AVAILABLE",
        "NOT_COORDINATOR",
        "NOT_LEADER_FOR_PARTITION",
        "REQUEST_TIMED_OUT",
        "UNSTABLE_OFFSET_COMMIT",
    )
)


def configuration(connection: Connection) -> dict[str, Any]:
    """The options of every client of confluent-kafka.

    >>> configuration(Connection("127.0.0.1:9092"))["bootstrap.servers"]
    '127.0.0.1:9092'
    """
    said = connection.options()
    told = {name: said[key] for key, name in _NAMES.items() if key in said}
    return {
        "bootstrap.servers": ",".join(said["bootstrap_servers"]),
        "allow.auto.create.topics": False,
        **told,
    }


def member_configuration(member: Member) -> dict[str, Any]:
    """The options of a group's member."""
    timing, instance = member.timing, member.instance
    return {
        **configuration(member.connection),
        "group.id": member.group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        # A jump of the position is for us to decide, never for the client.
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": timing.session_timeout_ms,
        "heartbeat.interval.ms": timing.heartbeat_interval_ms,
        "max.poll.interval.ms": timing.max_poll_interval_ms,
        "topic.metadata.refresh.interval.ms": timing.metadata_max_age_ms,
        "queued.max.messages.kbytes": QUEUED_KILOBYTES,
        **({} if instance is None else {"group.instance.id": instance}),
    }


def trouble(error: KafkaError, otherwise: type[Trouble] = Aborted) -> Trouble:
    """An error of the library as one of ours; `otherwise` what is neither fatal nor passes.

    A fenced producer is "fatal" to the library, which means the producer, not the process.
    """
    said = f"{error.name()}: {error.str()}"
    if error.code() in FATAL:
        return Fatal(said)
    if error.code() in RETRIABLE:
        return NotYet(said)
    return otherwise(said)


def of(error: KafkaException) -> KafkaError:
    """What an exception carries."""
    held: KafkaError = error.args[0]
    return held


@contextmanager
def sorted_out(otherwise: type[Trouble] = Aborted) -> Iterator[None]:
    """What the library raises within, as one of ours.

    A fatal error of a client comes out of whatever polls next; where a callback ran meanwhile, as
    a `SystemError` on top of it, or with nothing below (seen at a flush of a fenced producer).
    """
    try:
        yield
    except KafkaException as error:
        raise trouble(of(error), otherwise) from error
    except SystemError as error:
        cause = error.__cause__
        if isinstance(cause, KafkaException):
            raise trouble(of(cause), otherwise) from error
        if cause is not None:
            raise
        raise otherwise(f"the client failed without a word ({error})") from error
