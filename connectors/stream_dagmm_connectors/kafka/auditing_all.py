"""The audit of a topic of several partitions: each by itself, since each has a model of its own."""

from __future__ import annotations

from stream_dagmm_connectors.kafka.address import Address
from stream_dagmm_connectors.kafka.auditing import DIFFERS, NOT_COMPARED, SAME, Verdict, audit
from stream_dagmm_connectors.kafka.client import Place
from stream_dagmm_connectors.kafka.outside import Outside
from stream_dagmm_connectors.kafka.partition import Recipe

WORST_FIRST = (DIFFERS, NOT_COMPARED, SAME)


def audit_all(outside: Outside, asked: Address, against: str, given: Recipe) -> Verdict:
    """The verdict on the partition that was named, or on all that hold anything, in the order of
    their numbers: it differs where one differs, and is the same only where all are."""
    if asked.partition is not None:
        return audit(outside, asked, against, given)
    found = [
        audit(outside, asked._replace(partition=number), against, given)
        for number in _filled(outside, asked.topic)
    ]
    if not found:
        return audit(outside, asked, against, given)  # which says what there is to say
    worst = min((verdict.code for verdict in found), key=WORST_FIRST.index)
    return Verdict(worst, "\n".join(verdict.words for verdict in found))


def _filled(outside: Outside, topic: str) -> list[int]:
    """The partitions whose log has ever held a record."""
    log = outside.clients.log_reader()
    try:
        count = log.partitions(topic)
        return [n for n in range(count) if log.range(Place(topic, n))[1] > 0]
    finally:
        log.close()
