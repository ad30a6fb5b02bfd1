"""Silence of the brokers, told from having nothing to do."""

import itertools
from dataclasses import replace

import pytest

from stream_dagmm_connectors.kafka.client import NotYet
from stream_dagmm_connectors.kafka.loop import Scoring
from stream_dagmm_connectors.kafka.pacing import Pace
from stream_dagmm_connectors.kafka.surprises import Stopped
from tests.connectors.kafka.fakes import FakeClients, FakeKafka, FakeReader, Trap
from tests.connectors.kafka.test_crash_points import (
    EXPECTED,
    RECIPE,
    TOPICS,
    ClientsOfOneThatNeverCommits,
    emitted,
    fresh,
    process,
    run,
)

TURNS = 200


class Silent(FakeReader):
    def partitions(self, topic: str, timeout_ms: int) -> int:
        raise NotYet("no broker answers")


class SilentClients(FakeClients):
    def reader(self) -> Silent:
        return Silent(self._kafka, self._trap)


def standing_by(clients: type[FakeClients]) -> Scoring:
    """A member of a group that has more members than the input has partitions."""
    ticks = itertools.count()
    return Scoring(
        clients(FakeKafka({**TOPICS, "events": 0}), Trap()),
        None,
        RECIPE,
        topics=["events"],
        group="group",
        transactional_id="writer",
        pace=replace(Pace(), unready_after_s=30.0, exit_after_s=60.0),
        clock=lambda: float(next(ticks)),
    )


def test_a_member_without_partitions_stands_by_ready_as_long_as_brokers_answer() -> None:
    one = standing_by(FakeClients)
    for _ in range(TURNS):
        one.turn()
        assert one.watchdog.ready


def test_a_member_that_can_never_commit_is_unready_and_then_ends_though_brokers_answer() -> None:
    kafka = fresh()
    one = process(kafka, Trap(), clients=ClientsOfOneThatNeverCommits, exit_after_s=60.0)
    turn, readiness = one.turn, list[bool]()

    def noted() -> None:
        turn()
        readiness.append(one.watchdog.ready)

    one.turn = noted  # type: ignore[method-assign]
    with pytest.raises(Stopped, match=r"nothing could be committed for \d+ s \(no answer\)"):
        one.run()
    assert readiness[0] and not readiness[-1]
    run(process(kafka, Trap()), kafka)
    assert emitted(kafka) == EXPECTED


def test_a_member_without_partitions_ends_too_where_no_broker_answers() -> None:
    one = standing_by(SilentClients)
    with pytest.raises(Stopped, match="no broker answered"):
        for _ in range(TURNS):
            one.turn()
