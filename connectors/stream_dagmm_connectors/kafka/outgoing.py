"""What becomes of a record of the input: the record of the output or of the dead letters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import orjson

from stream_dagmm_connectors.dead_letters import Rejection
from stream_dagmm_connectors.events import KEPT_BYTES, SCHEMA_VERSION, event_id
from stream_dagmm_connectors.kafka.client import Fetched, Headers, Outgoing, Place
from stream_dagmm_connectors.ports import PartitionPosition

PREFIX = "stream-dagmm-"
ID, ARITHMETIC = PREFIX + "id", PREFIX + "arithmetic"
SCHEMA = (PREFIX + "schema", b"%d" % SCHEMA_VERSION)
LETTER_HEADERS = ("id", "topic", "partition", "offset", "stage", "reason", "length", "sha256")
"""What a dead letter's last headers say, in this order, each behind the prefix."""
FORWARDED_BYTES = 900_000
"""Brokers take 1 MiB by default; what is longer with its key and headers goes shortened."""


def scored_record(
    value: bytes, name: str, came: Fetched, to: Place, arithmetic: bytes, include_event: bool
) -> Outgoing:
    """A scored event's JSON and id: under the input's key and headers, at the input's time."""
    if include_event and came.value is not None:
        # The input was read as JSON, so it can stand inside JSON as it is.
        value = value[:-1] + b',"event":' + came.value + b"}"
    headers = passed_on(came.headers) if came.headers else []
    headers += (ID, name.encode()), SCHEMA, (ARITHMETIC, arithmetic)
    return Outgoing(to, value, came.key, headers, came.timestamp_ms)


class About(NamedTuple):
    """Of which event a scored record is, and by which lineage."""

    place: Place
    offset: int
    lineage: str


def about(headers: Headers) -> About:
    """What the id among a record's headers says; offset -1 where there is none of ours."""
    event, _, lineage = dict(headers).get(ID, b"").decode("utf-8", "replace").rpartition(":")
    topic, _, position = event.rpartition(":")
    partition, _, offset = position.partition("@")
    if not (partition.isdigit() and offset.isdigit()):
        return About(Place("", 0), -1, "")
    return About(Place(topic, int(partition)), int(offset), lineage)


def dead_letter_record(
    came: Fetched, source: Place, to: Place, rejection: Rejection, lineage: str
) -> Outgoing:
    """The record as it came, with its place and what was wrong with it in headers."""
    value, key, headers = came.value or b"", came.key, passed_on(came.headers)
    size = len(value) + len(key or b"") + sum(len(name) + len(held) for name, held in headers)
    position = PartitionPosition(source.partition, came.offset)
    ours = {
        "id": event_id(source.topic, position, lineage),
        "topic": source.topic,
        "partition": str(source.partition),
        "offset": str(came.offset),
        "stage": rejection.stage,
        "reason": rejection.reason,
        "length": str(len(value)),
        "sha256": hashlib.sha256(value).hexdigest(),
    }
    if size > FORWARDED_BYTES:
        value = value[:KEPT_BYTES]
        if key is not None and len(key) > KEPT_BYTES:
            key = key[:KEPT_BYTES]
        headers = []
    named = [(PREFIX + name, ours[name].encode("utf-8", "replace")) for name in LETTER_HEADERS]
    return Outgoing(to, value, key, [*headers, *named], came.timestamp_ms)


def passed_on(headers: Headers) -> list[tuple[str, bytes]]:
    """Headers as they can be sent: the client cannot send a null value, which becomes empty."""
    return [(str(name), held or b"") for name, held in headers]


def arithmetic_header(fingerprint: Mapping[str, str]) -> bytes:
    """Eight bytes of the arithmetic fingerprint's hash, in hexadecimal."""
    text = orjson.dumps(dict(fingerprint), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:16].encode()
