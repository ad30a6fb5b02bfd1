"""`checkpoint revert`: a stretch is un-learned, and nothing is emitted twice or scored anew."""

from __future__ import annotations

import contextlib
import copy
import signal
from pathlib import Path

import orjson
import pytest

from stream_dagmm_connectors.commands.looking import looking
from stream_dagmm_connectors.kafka import outside as looked_at
from stream_dagmm_connectors.kafka.address import Address
from stream_dagmm_connectors.kafka.auditing import SAME
from stream_dagmm_connectors.kafka.checkpoints import FORMER_LINEAGES
from stream_dagmm_connectors.kafka.client import Aborted, Fetched, Place, Undecided
from stream_dagmm_connectors.kafka.options import RunOptions
from stream_dagmm_connectors.kafka.partition import PartitionModel
from stream_dagmm_connectors.kafka.reverting import Reverted, revert
from stream_dagmm_connectors.kafka.surprises import Stopped, Surprise
from tests.broker.broker import Broker
from tests.broker.topics import make_topic
from tests.connectors.kafka.fakes import Crash, FakeKafka, Trap, When
from tests.connectors.kafka.member import Member
from tests.connectors.kafka.streams import event, fill, make_topics, read, recipe
from tests.connectors.kafka.test_auditing import FIRST, SCORED, audited, left, outside
from tests.connectors.kafka.test_crash_points import BAD, DONE, EVENTS, RECIPE, process
from tests.connectors.kafka.test_members import options, until
from tests.connectors.kafka.test_replay import command

POISON = (20, 30)
MORE = 15


def reverted(kafka: FakeKafka, skip: tuple[int, int] = POISON, **more: str) -> Reverted:
    return revert(outside(kafka), FIRST, skip, RECIPE, **more)


def run_on(kafka: FakeKafka) -> list[bytes | None]:
    """More events come, and a process scores them; what it emitted of the first partition."""
    before = len(kafka.visible(SCORED))
    end = kafka.logs[FIRST][-1][0].offset + 1
    for number in range(end, end + MORE):
        kafka.append(FIRST, event(number), None, DONE)
    one = process(kafka, Trap())
    turn = one.turn

    def counted() -> None:
        turn()
        if kafka.offsets[FIRST].offset >= end + MORE:
            one.stop()

    one.turn = counted  # type: ignore[method-assign]
    one.run()
    return [record.value for record in kafka.visible(SCORED)[before:]]


def never_poisoned(parent: str, *skips: tuple[int, int]) -> list[bytes | None]:
    """The reference: a model that learned the log without the stretches, record by record."""
    model = PartitionModel(RECIPE, FIRST, "id of events", 0, parent, skips)
    for number in range(EVENTS):
        if not any(first <= number < end for first, end in skips):
            model.relearn([Fetched(number, BAD.get(number, event(number)))])
    records = [Fetched(number, event(number)) for number in range(EVENTS, EVENTS + MORE)]
    return [out.value for record in records for out in model.score([record])]


def test_after_a_revert_scores_are_as_if_the_stretch_had_never_been_and_none_is_repeated() -> None:
    kafka = left()
    before = kafka.visible(SCORED)
    done = reverted(kafka)
    assert kafka.visible(SCORED) == before
    assert kafka.offsets[FIRST].offset == EVENTS
    assert done.after.learned == done.before.learned - 9  # one of the ten was bad
    assert run_on(kafka) == never_poisoned(done.before.lineage, POISON)


def test_a_restore_without_any_checkpoint_leaves_the_stretch_out_too() -> None:
    kafka = left()
    done = reverted(kafka)
    words = orjson.loads(kafka.offsets[FIRST].metadata) | {"checkpoint": None}
    was = kafka.offsets[FIRST]
    kafka.offsets[FIRST] = was._replace(metadata=orjson.dumps(words).decode())
    kafka.logs.pop(Place("checkpoints", 0))
    assert run_on(kafka) == never_poisoned(done.before.lineage, POISON)


def test_an_audit_of_what_came_after_leaves_the_stretch_out_too() -> None:
    kafka = left()
    reverted(kafka)
    run_on(kafka)
    assert audited(kafka, Address("events", 0, EVENTS)).code == SAME
    assert audited(kafka, Address("events", 0, 0, EVENTS)).code == SAME
    kafka.logs.pop(Place("checkpoints", 0))
    assert audited(kafka, Address("events", 0, EVENTS)).code == SAME


def test_a_second_revert_may_go_further_back_and_keeps_the_first() -> None:
    kafka = left()
    first = reverted(kafka, (50, 55))
    assert first.began_at == 40
    second = reverted(kafka, (42, 44))
    assert second.began_at == 40  # the checkpoint of the first lineage serves both
    assert second.after.skipped == ((50, 55), (42, 44))
    assert run_on(kafka) == never_poisoned(first.after.lineage, (50, 55), (42, 44))


def test_corrected_scores_go_elsewhere_from_the_end_of_the_stretch_on() -> None:
    kafka = left()
    done = reverted(kafka, rescore="corrected")
    rows = [orjson.loads(r.value or b"") for r in kafka.visible(Place("corrected", 0))]
    assert [row["position"]["offset"] for row in rows] == [n for n in range(30, 60) if n != 41]
    assert done.rescored == len(rows) == 29
    assert {row["lineage"] for row in rows} == {done.after.lineage}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("raising", [Crash, Aborted])
def test_a_crash_or_failure_at_any_call_leaves_each_corrected_score_to_be_there_once(
    when: When, raising: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looked_at, "PIECE", 7)  # so that there are several transactions
    whole, calls, start = left(), Trap(), left()

    def rescored(kafka: FakeKafka, trap: Trap) -> list[Fetched]:
        revert(outside(kafka, trap=trap), FIRST, POISON, RECIPE, rescore="corrected")
        return kafka.visible(Place("corrected", 0))

    expected = [(row.value, row.headers) for row in rescored(whole, calls)]
    assert calls.calls.count("commit") == 5
    for at in range(len(calls.calls)):
        kafka = copy.deepcopy(start)
        with contextlib.suppress(Crash, Aborted, Undecided, Stopped):
            rescored(kafka, Trap(at, when, raising))
        with contextlib.suppress(ValueError):  # left out already: it failed as it ended
            rescored(kafka, Trap())
        rows = kafka.visible(Place("corrected", 0))
        assert [(row.value, row.headers) for row in rows] == expected, f"{when} call {at}"
        # Whatever happened, it is done now.
        with pytest.raises(ValueError, match=r"leaves 20\.\.30 out already"):
            rescored(kafka, Trap())


@pytest.mark.parametrize("skip", [(30, 20), (20, 20), (50, 61)])
def test_a_stretch_that_was_not_learned_is_refused(skip: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="from offset 0 up to and without 60"):
        reverted(left(), skip)


def test_history_that_is_gone_is_refused_and_nothing_changes() -> None:
    kafka = left()
    kafka.begins[FIRST] = 5
    kafka.logs.pop(Place("checkpoints", 0))
    was = kafka.offsets[FIRST]
    with pytest.raises(Surprise, match="must re-learn from offset 0, the log begins at 5"):
        reverted(kafka)
    assert kafka.offsets[FIRST] == was


def test_a_group_that_goes_on_meanwhile_is_not_set_back() -> None:
    kafka = left()
    looked = outside(kafka)
    ask = looked.reader.topic_id

    def moves(topic: str, timeout_ms: int) -> str:
        kafka.offsets[FIRST] = kafka.offsets[FIRST]._replace(offset=99)
        return ask(topic, timeout_ms)

    looked.reader.topic_id = moves  # type: ignore[method-assign]
    with pytest.raises(Stopped, match="went on meanwhile"):
        revert(looked, FIRST, POISON, RECIPE)
    assert kafka.offsets[FIRST].offset == 99


def test_on_a_real_broker_revert_is_refused_beside_members_and_run_goes_on_after_it(
    broker: Broker, tmp_path: Path
) -> None:
    topics = make_topics(broker, "revert")
    make_topic(broker, "revert-corrected")
    fill(broker, topics.events, [event(n) for n in range(700)])
    told = options(broker, topics)
    words = ["--input", topics.events, "--output", topics.scored, "--group", topics.events]
    undo = ["checkpoint", "revert", "--partition", "0", "--skip", "400..450", *words]
    with Member(told, tmp_path / "one") as one:
        until(lambda: len(read(broker, topics.scored)) == 700)
        refused = command(broker, undo)
        assert refused.exit_code == 2 and "has 1 members" in refused.stderr
        # Whoever joins after that look is seen by the brokers.
        with looking(RunOptions(**told)) as late, pytest.raises(Stopped, match="was changed"):
            revert(late, Place(topics.events, 0), (400, 450), recipe(topics))
        one.send(signal.SIGTERM)
        assert one.wait() == 0, one.said()

    nowhere = command(broker, ["checkpoint", "list", *words, "--partition", "7"])
    assert nowhere.exit_code == 2 and "has 1 partitions" in nowhere.stderr
    done = command(broker, [*undo, "--rescore", "revert-corrected"])
    assert done.exit_code == 0, done.output
    assert "without 400..450: 650 events instead of 700" in done.stdout
    listed = command(broker, ["checkpoint", "list", *words]).stdout
    assert "650 events learned, without 400..450" in listed and "<- a restore" in listed
    shown = command(broker, ["checkpoint", "show", "--partition", "0", *words])
    assert orjson.loads(shown.stdout)["progress"]["skipped"] == [[400, 450]]

    fill(broker, topics.events, [event(n) for n in range(700, 800)])
    with Member(told, tmp_path / "two") as two:
        until(lambda: len(read(broker, topics.scored)) == 800)
        two.send(signal.SIGTERM)
        assert two.wait() == 0, two.said()
    rows = [orjson.loads(record.value) for record in read(broker, topics.scored)]
    assert [row["position"]["offset"] for row in rows] == list(range(800))
    assert [rows[699]["learned"], rows[700]["learned"]] == [699, 650]
    corrected = [orjson.loads(r.value) for r in read(broker, "revert-corrected")]
    assert [row["position"]["offset"] for row in corrected] == list(range(450, 700))
    audit = [f"kafka://{topics.events}?from=720", "--against", topics.scored]
    done = command(broker, ["replay", *audit, "--group", topics.events])
    assert done.exit_code == SAME, done.output


def test_on_a_real_broker_many_reverts_leave_checkpoints_of_few_lineages(
    broker: Broker, tmp_path: Path
) -> None:
    topics = make_topics(broker, "revert-often")
    fill(broker, topics.events, [event(n) for n in range(700)])
    told, place = options(broker, topics), Place(topics.events, 0)
    with Member(told, tmp_path / "one") as one:
        until(lambda: len(read(broker, topics.scored)) == 700)
        one.send(signal.SIGTERM)
        assert one.wait() == 0, one.said()
    with looking(RunOptions(**told)) as outside_of_it:
        made = [
            revert(outside_of_it, place, (first, first + 1), recipe(topics)).after.lineage
            for first in range(100, 100 + FORMER_LINEAGES + 4)
        ]
        there = [listed.key.lineage for listed in outside_of_it.listed(place)]
    newest = made[-(FORMER_LINEAGES + 2) :]  # the last one, its parent, and the others
    assert sorted(there) == sorted(newest)
    fill(broker, topics.events, [event(n) for n in range(700, 750)])
    with Member(told, tmp_path / "two") as two:
        until(lambda: len(read(broker, topics.scored)) == 750)
        two.send(signal.SIGTERM)
        assert two.wait() == 0, two.said()
    rows = [orjson.loads(record.value) for record in read(broker, topics.scored)]
    assert rows[700]["learned"] == 700 - len(made) and rows[700]["lineage"] == made[-1]
