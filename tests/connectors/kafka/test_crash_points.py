"""Every call to Kafka is a crash point, and every call of the writer may fail: the bytes stay."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest

from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.kafka.checkpoint_topic import TopicStore
from stream_dagmm_connectors.kafka.client import (
    Aborted,
    Fetched,
    Listener,
    NotYet,
    Place,
    Reader,
    Undecided,
    Writer,
)
from stream_dagmm_connectors.kafka.loop import Scoring
from stream_dagmm_connectors.kafka.pacing import Kind, Pace, Policy
from stream_dagmm_connectors.kafka.partition import PartitionModel, Recipe
from stream_dagmm_connectors.scoring import Judgement
from tests.connectors.fakes import ZScore
from tests.connectors.kafka.fakes import (
    Crash,
    FakeClients,
    FakeKafka,
    FakeReader,
    FakeWriter,
    Transaction,
    Trap,
    When,
)
from tests.connectors.kafka.streams import event

EVENTS, PARTITIONS = 60, 2
BAD = {7: b"not JSON", 23: None, 41: b'{"a": NaN}'}
RECIPE = Recipe(ZScore, Judgement(0.05, 0.1), Decoder, "scored", "dead")
DONE = Transaction("committed")
TOPICS = {"events": PARTITIONS, "scored": PARTITIONS, "dead": PARTITIONS, "checkpoints": 1}


def fresh() -> FakeKafka:
    kafka = FakeKafka(TOPICS)
    for partition in range(PARTITIONS):
        for number in range(EVENTS):
            value = BAD.get(number, event(number, partition))
            kafka.append(Place("events", partition), value, None, DONE)
    return kafka


def process(
    kafka: FakeKafka,
    trap: Trap,
    *,
    exactly_once: bool = True,
    recipe: Recipe = RECIPE,
    policies: Mapping[Kind, Policy] | None = None,
    clients: type[FakeClients] = FakeClients,
    poll_records: int = 10,
    drain_timeout_s: float = 1e9,
    exit_after_s: float = 1e9,
) -> Scoring:
    made = clients(kafka, trap)
    ticks = itertools.count()
    return Scoring(
        made,
        TopicStore("checkpoints", made.log_reader(), keep=2),
        recipe,
        policies=policies,
        topics=["events"],
        group="group",
        transactional_id="writer" if exactly_once else None,
        # The clock ticks a second a look, so that every turn with records commits.
        pace=Pace(poll_records=poll_records, checkpoint_every=20, commit_every_ms=1,
                  drain_timeout_s=drain_timeout_s, exit_after_s=exit_after_s),
        clock=lambda: float(next(ticks)),
    )  # fmt: skip


def run(one: Scoring, kafka: FakeKafka) -> None:
    turn, turns = one.turn, itertools.count()

    def counted() -> None:
        turn()
        assert next(turns) < 2_000, "stands still"
        ends = [(kafka.offsets.get(Place("events", n)) or (0, ""))[0] for n in range(PARTITIONS)]
        if min(ends) >= EVENTS:
            one.stop()

    one.turn = counted  # type: ignore[method-assign]
    one.run()


def expected(topic: str, partition: int) -> list[bytes | None]:
    place = Place("events", partition)
    model = PartitionModel(RECIPE, place, "id of events", start=0)
    gone: list[bytes | None] = []
    for number in range(EVENTS):
        value = BAD.get(number, event(number, partition))
        out = model.score([Fetched(number, value)])
        gone += [record.value for record in out if record.place.topic == topic]
    return gone


EXPECTED = {
    Place(topic, n): expected(topic, n) for topic in ("scored", "dead") for n in range(PARTITIONS)
}


def emitted(kafka: FakeKafka) -> dict[Place, list[bytes | None]]:
    return {place: [r.value for r in kafka.visible(place)] for place in EXPECTED}


def calls_of_a_whole_run(exactly_once: bool = True) -> list[str]:
    trap, kafka = Trap(), fresh()
    run(process(kafka, trap, exactly_once=exactly_once), kafka)
    assert emitted(kafka) == EXPECTED
    return trap.calls


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_dies_at_any_call_leaves_work_that_the_next_one_finishes(
    when: When,
) -> None:
    for at in range(len(calls_of_a_whole_run())):
        kafka = fresh()
        with pytest.raises(Crash):
            run(process(kafka, Trap(at, when)), kafka)
        run(process(kafka, Trap()), kafka)
        assert emitted(kafka) == EXPECTED, f"died {when} call {at}"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_call_of_the_writer_that_fails_is_made_good_by_the_same_process(when: When) -> None:
    writers = {"start", "begin", "send", "settle", "send offsets", "commit"}
    for at, name in enumerate(calls_of_a_whole_run()):
        if name in writers:
            kafka = fresh()
            run(process(kafka, Trap(at, when, Aborted)), kafka)
            assert emitted(kafka) == EXPECTED, f"{name}, call {at}, failed {when}"


def test_an_answer_that_a_reader_is_not_given_in_time_is_asked_for_again() -> None:
    readers = {"committed", "seek", "beginning", "end", "topic id", "partitions"}
    calls = calls_of_a_whole_run()
    assert readers <= set(calls) | {"end"}
    for at, name in enumerate(calls):
        if name in readers:
            kafka = fresh()
            run(process(kafka, Trap(at, "before", NotYet)), kafka)
            assert emitted(kafka) == EXPECTED, f"{name}, call {at}"


def test_at_least_once_loses_nothing_and_repeats_only_equal_bytes() -> None:
    for at in range(len(calls_of_a_whole_run(exactly_once=False))):
        kafka = fresh()
        with pytest.raises(Crash):
            run(process(kafka, Trap(at, "after"), exactly_once=False), kafka)
        run(process(kafka, Trap(), exactly_once=False), kafka)
        for place, values in emitted(kafka).items():
            assert list(dict.fromkeys(values)) == EXPECTED[place], f"died after call {at}"


class AwayAtFirst(FakeReader):
    """Its broker is away when the process starts."""

    refusals = 2

    def subscribe(self, topics: Sequence[str], listener: Listener) -> None:
        self.refusals -= 1
        if self.refusals >= 0:
            raise NotYet("connection refused")
        super().subscribe(topics, listener)


class ClientsOfOneAway(FakeClients):
    """A process whose reader finds its broker away."""

    def reader(self) -> Reader:
        return AwayAtFirst(self._kafka, self._trap)


def test_a_broker_that_is_away_at_the_start_is_asked_again() -> None:
    kafka = fresh()
    run(process(kafka, Trap(), clients=ClientsOfOneAway), kafka)
    assert emitted(kafka) == EXPECTED


class NeverCommits(FakeWriter):
    """Its broker does not come to an end of any transaction."""

    def commit(self) -> None:
        raise Undecided("no answer")


class ClientsOfOneThatNeverCommits(FakeClients):
    def writer(self, transactional_id: str | None) -> Writer:
        return NeverCommits(self._kafka, self._trap, transactional_id or "")


def test_draining_ends_when_its_time_is_up_and_the_next_process_scores_what_it_left() -> None:
    kafka = fresh()
    one = process(kafka, Trap(), clients=ClientsOfOneThatNeverCommits, drain_timeout_s=50.0)
    turn, turns = one.turn, iter(range(10))

    def counted() -> None:
        turn()
        if next(turns, None) is None:
            one.stop()

    one.turn = counted  # type: ignore[method-assign]
    one.run()
    assert one.delivery.waiting > 0 and not kafka.offsets
    run(process(kafka, Trap()), kafka)
    assert emitted(kafka) == EXPECTED


class JoinsBehindOurBack(FakeReader):
    """Its library joins anew after each poll, as soon as it was asked who it is."""

    asked = False

    def poll(self, timeout_ms: int, at_most: int) -> Mapping[Place, list[Fetched]]:
        got = super().poll(timeout_ms, at_most)
        self.asked = False
        return got

    def membership(self) -> str:
        when = "later" if self.asked else "as the poll ended"
        self.asked = True
        return when


class ClientsOfOneThatJoins(FakeClients):
    def reader(self) -> Reader:
        return JoinsBehindOurBack(self._kafka, self._trap)


def test_offsets_go_out_in_the_name_under_which_their_partitions_were_given() -> None:
    kafka = fresh()
    run(process(kafka, Trap(), clients=ClientsOfOneThatJoins), kafka)
    assert emitted(kafka) == EXPECTED
    assert set(kafka.senders) == {"as the poll ended"}
