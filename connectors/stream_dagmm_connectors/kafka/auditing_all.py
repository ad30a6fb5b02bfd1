"""The audit of a topic of several partitions: each by itself, since each has a model of its own."""

from __future__ import annotations

from stream_dagmm_connectors.kafka.address import Address, meant
from stream_dagmm_connectors.kafka.auditing import DIFFERS, NOT_COMPARED, SAME, Verdict, audit
from stream_dagmm_connectors.kafka.outside import Outside
from stream_dagmm_connectors.kafka.partition import Recipe

WORST_FIRST = (DIFFERS, NOT_COMPARED, SAME)


def audit_all(outside: Outside, asked: Address, against: str, given: Recipe) -> Verdict:
    """The verdict on the partition that was named, or on all that hold anything, in the order of
    their numbers: it differs where one differs, and is the same only where all are."""
    log = outside.clients.log_reader()
    try:
        numbers = meant(asked, log)
    finally:
        log.close()
    found = [audit(outside, asked._replace(partition=n), against, given) for n in numbers]
    worst = min((verdict.code for verdict in found), key=WORST_FIRST.index)
    return Verdict(worst, "\n".join(verdict.words for verdict in found))
