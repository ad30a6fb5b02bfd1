"""`kafka://TOPIC?partition=..&from=..&to=..`: a range of a logged topic, in one word."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from stream_dagmm_connectors.kafka.client import LogReader, Place

SCHEME = "kafka://"
Bound = int | datetime
"""An offset, or the time of the first record that is meant."""


class Address(NamedTuple):
    """What was asked for; None where nothing was said."""

    topic: str
    partition: int | None = None
    first: Bound | None = None
    end: Bound | None = None
    """The first offset that is not meant any more."""


class Range(NamedTuple):
    """Offsets of one partition, from `first` up to and without `end`."""

    place: Place
    first: int
    end: int


class Gone(ValueError):
    """The log held what was asked for, and does not any more."""


def is_address(said: str | None) -> bool:
    """Whether a source or an output is a topic."""
    return said is not None and said.startswith(SCHEME)


def parse(said: str) -> Address:
    """The address in a text; `ValueError` names the part that cannot be read.

    >>> parse("kafka://events?partition=3&from=100&to=2026-11-21T12:00Z").first
    100
    """
    parts = urlsplit(said)
    # In a query a plus is a space, and in a time it is the zone.
    words = dict(parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True))
    unknown = sorted(set(words) - {"partition", "from", "to"})
    if not parts.netloc or parts.path.strip("/") or unknown:
        got = f"{', '.join(unknown)} in " if unknown else ""
        raise ValueError(
            f"got {got}{said!r}, expected kafka://TOPIC?partition=N&from=OFFSET|TIME&to=OFFSET|TIME"
        )
    partition = words.get("partition")
    if partition is not None and not partition.isdigit():
        raise ValueError(f"partition is {partition!r} in {said!r}, expected a number from 0")
    return Address(
        parts.netloc,
        None if partition is None else int(partition),
        _bound(words.get("from"), "from"),
        _bound(words.get("to"), "to"),
    )


def resolve_all(asked: Address, log: LogReader) -> list[Range]:
    """The ranges of all partitions that were meant; `ValueError` as of `resolve`."""
    return [resolve(asked._replace(partition=number), log) for number in meant(asked, log)]


def meant(asked: Address, log: LogReader) -> list[int]:
    """The partition that was named, or all whose log has ever held a record, the first if none."""
    if asked.partition is not None:
        return [asked.partition]
    count, topic = log.partitions(asked.topic), asked.topic
    return [n for n in range(count) if log.range(Place(topic, n))[1] > 0] or [0]


def resolve(asked: Address, log: LogReader) -> Range:
    """The very offsets of one partition, the first if none was named, as the log stands;
    `ValueError` where it does not hold all of them.

    Only what is committed counts, so the same range holds the same records for good.
    """
    place = Place(asked.topic, _partition(asked, log))
    begins, ends = log.range(place)
    first = begins if asked.first is None else _offset(asked.first, place, log, ends)
    end = ends if asked.end is None else _offset(asked.end, place, log, ends)
    if first < begins:
        raise Gone(
            f"{place} begins at offset {begins} (retention or deleted records), got from={first}; "
            f"take a later one, or leave it out"
        )
    if end > ends:
        raise ValueError(f"{place} ends at offset {ends}, got to={end}; take an earlier one")
    if first > end:
        raise ValueError(f"{place}: got from={first}, expected at most the end {end}")
    return Range(place, first, end)


def _partition(asked: Address, log: LogReader) -> int:
    count = log.partitions(asked.topic)
    if not count:
        raise ValueError(f"topic {asked.topic} is not there; correct its name")
    partition = asked.partition or 0
    if partition >= count:
        raise ValueError(f"topic {asked.topic} has {count} partitions, got partition={partition}")
    return partition


def _offset(bound: Bound, place: Place, log: LogReader, ends: int) -> int:
    if isinstance(bound, int):
        return bound
    found = log.at_time(place, round(bound.timestamp() * 1000))
    return ends if found is None else min(found, ends)


def _bound(said: str | None, name: str) -> Bound | None:
    if said is None or said.isdigit():
        return None if said is None else int(said)
    try:
        time = datetime.fromisoformat(said)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ValueError(
            f"{name} is {said!r}, expected an offset as in 1842 or a time with its zone as in "
            "2026-11-21T12:00:00Z"
        )
    return time
