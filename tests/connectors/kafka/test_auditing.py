"""`replay --against`: scores reproduced, or which event differs, or what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest
from kafka import KafkaProducer

from stream_dagmm_connectors.kafka.address import Address
from stream_dagmm_connectors.kafka.auditing import DIFFERS, NOT_COMPARED, SAME, Verdict, audit
from stream_dagmm_connectors.kafka.auditing_all import audit_all
from stream_dagmm_connectors.kafka.checkpoint_topic import TopicStore
from stream_dagmm_connectors.kafka.client import Place
from stream_dagmm_connectors.kafka.outside import Outside
from stream_dagmm_connectors.kafka.partition import Recipe
from stream_dagmm_connectors.scoring import Judgement
from tests.broker.broker import Broker
from tests.broker.topics import make_topic
from tests.connectors.kafka.fakes import FakeClients, FakeKafka, Trap
from tests.connectors.kafka.streams import delete_before, event, fill, make_topics, read, recipe
from tests.connectors.kafka.test_crash_points import (
    DONE,
    EVENTS,
    PARTITIONS,
    RECIPE,
    fresh,
    process,
    run,
)
from tests.connectors.kafka.test_loop import run_until, scored_up_to, scoring
from tests.connectors.kafka.test_replay import command

FIRST = Place("events", 0)
SCORED = Place("scored", 0)
ALL = Address("events", 0)


def left(recipe: Recipe = RECIPE) -> FakeKafka:
    """Kafka as a whole run leaves it."""
    kafka = fresh()
    run(process(kafka, Trap(), recipe=recipe), kafka)
    return kafka


def outside(kafka: FakeKafka, group: str = "group", trap: Trap | None = None) -> Outside:
    clients = FakeClients(kafka, trap or Trap())
    store = TopicStore("checkpoints", clients.log_reader())
    return Outside(clients, clients.reader(), store, group)


def audited(kafka: FakeKafka, asked: Address = ALL, recipe: Recipe = RECIPE) -> Verdict:
    return audit(outside(kafka), asked, "scored", recipe)


def changed(kafka: FakeKafka, place: Place, number: int, **changes: object) -> None:
    record, transaction = kafka.logs[place][number]
    kafka.logs[place][number] = (record._replace(**changes), transaction)  # type: ignore[arg-type]


@pytest.mark.parametrize("first", [0, 1, 39, 41, 57])
def test_what_a_run_emitted_is_reproduced_from_any_offset_on(first: int) -> None:
    verdict = audited(left(), Address("events", 0, first))
    assert verdict.code == SAME
    bad = sum(number >= first for number in (7, 23, 41))
    assert verdict.words.startswith(f"same: {EVENTS - first - bad} events")


def test_a_late_range_begins_at_the_newest_checkpoint_before_it() -> None:
    assert "learned again from offset 40" in audited(left(), Address("events", 0, 45)).words


def test_an_embedded_event_makes_no_difference() -> None:
    assert audited(left(replace(RECIPE, include_event=True))).code == SAME


def test_a_changed_score_is_shown_at_its_event() -> None:
    kafka = left()
    row = orjson.loads(kafka.logs[SCORED][30][0].value or b"")
    at = row["position"]["offset"]
    changed(kafka, SCORED, 30, value=orjson.dumps(row | {"score": 99.5}))
    verdict = audited(kafka)
    assert verdict.code == DIFFERS
    assert verdict.words.startswith(f"differs at events-0@{at}\n  emitted   {{")
    assert '"score":99.5' in verdict.words and "\n  replayed  {" in verdict.words


def test_an_event_that_was_never_emitted_and_one_that_should_not_be_differ() -> None:
    kafka = left()
    del kafka.logs[SCORED][10]
    assert "events-0@11: it is not in the output" in audited(kafka).words
    kafka = left()
    name = (kafka.logs[SCORED][10][0].headers[-3][1]).replace(b"@11:", b"@23:")
    headers = [*kafka.logs[SCORED][22][0].headers[:-3], ("stream-dagmm-id", name)]
    kafka.logs[SCORED].insert(22, kafka.logs[SCORED][22])
    changed(kafka, SCORED, 22, headers=headers)
    verdict = audited(kafka)
    assert verdict.code == DIFFERS and "events-0@23: now it is no event" in verdict.words


def cut(kafka: FakeKafka) -> None:
    """Records before the first checkpoint were deleted, and the checkpoints with them."""
    kafka.begins[FIRST] = 5
    kafka.logs.pop(Place("checkpoints", 0))


def compacted(kafka: FakeKafka) -> None:
    del kafka.logs[FIRST][12]


def other_fingerprint(kafka: FakeKafka) -> None:
    was = kafka.offsets[FIRST]
    words = orjson.loads(was.metadata) | {"arithmetic": "0" * 16}
    kafka.offsets[FIRST] = was._replace(metadata=orjson.dumps(words).decode())
    kafka.logs.pop(Place("checkpoints", 0))


def output_cut(kafka: FakeKafka) -> None:
    kafka.begins[SCORED] = 20


def other_lineage(kafka: FakeKafka) -> None:
    was = kafka.offsets[FIRST]
    words = orjson.loads(was.metadata) | {"lineage": "0" * 16}
    kafka.offsets[FIRST] = was._replace(metadata=orjson.dumps(words).decode())
    kafka.logs.pop(Place("checkpoints", 0))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut, "could not compare (history gone): the model must re-learn from offset 0"),
        (compacted, "could not compare (history gone): events-0@12 was emitted"),
        (other_fingerprint, "could not compare (fingerprint): arithmetic 0000000000000000"),
        (other_lineage, "could not compare (lineage): no checkpoint of lineage"),
        (output_cut, "could not compare (history gone): events-0@10 is not in the output any"),
        (lambda kafka: kafka.offsets.clear(), "could not compare (lineage): group group"),
    ],
)
def test_what_cannot_be_compared_says_what_is_missing(
    spoil: Callable[[FakeKafka], object], words: str
) -> None:
    kafka = left()
    spoil(kafka)
    verdict = audited(kafka, Address("events", 0, 10))
    assert verdict.code == NOT_COMPARED
    assert verdict.words.startswith(words)


def test_an_output_that_holds_nothing_differs_and_a_range_of_no_event_is_the_same() -> None:
    kafka = left()
    assert audited(kafka, Address("events", 0, 23, 24)).words.startswith("same: 0 events")
    kafka.logs.pop(SCORED)
    assert "events-0@0: it is not in the output" in audited(kafka).words


def test_what_was_not_scored_yet_is_no_range() -> None:
    kafka = left()
    kafka.append(FIRST, event(60), None, DONE)
    with pytest.raises(ValueError, match="up to offset 60, got from=60"):
        audited(kafka, Address("events", 0, 60))


def test_without_a_checkpoint_the_options_must_be_those_of_the_run() -> None:
    kafka = left()
    kafka.logs.pop(Place("checkpoints", 0))
    assert audited(kafka).code == SAME
    other = replace(RECIPE, judgement=Judgement(0.5, 0.5))
    assert "(lineage)" in audited(kafka, recipe=other).words


def test_without_a_partition_all_are_compared_and_the_worst_is_the_verdict() -> None:
    kafka = left()

    def verdict() -> Verdict:
        return audit_all(outside(kafka), Address("events"), "scored", RECIPE)

    same = verdict()
    assert same.code == SAME
    assert [line.split(" of ")[1][:8] for line in same.words.splitlines()] == [
        f"events-{n}" for n in range(PARTITIONS)
    ]
    cut(kafka)
    kafka.logs.pop(Place("checkpoints", 1), None)
    assert verdict().code == NOT_COMPARED
    changed(kafka, Place("scored", 1), 3, key=b"another")
    differs = verdict()
    assert differs.code == DIFFERS
    assert "could not compare" in differs.words and "differs at events-1@3" in differs.words


def test_on_a_real_broker_the_command_says_same_differs_or_what_is_missing(
    broker: Broker,
) -> None:
    topics = make_topics(broker, "audit", 2)
    made = recipe(topics)
    fill(broker, topics.events, [event(n) for n in range(900)])
    fill(broker, topics.events, [event(n, 1) for n in range(900)], 1)
    one = scoring(broker, topics, made)
    run_until(one, scored_up_to(one, topics, 900))
    name, words = f"kafka://{topics.events}", ["--group", f"{topics.events}-group"]
    # No option says how the run was configured: its checkpoints do.
    for source in (name, f"{name}?from=450&to=700"):
        done = command(broker, ["replay", source, "--against", topics.scored, *words])
        assert done.exit_code == SAME, done.output
        assert done.stdout.startswith("same: ")

    forged = make_topic(broker, "audit-forged")
    producer = KafkaProducer(**broker.client())
    for number, row in enumerate(read(broker, topics.scored)):
        value = row.value.replace(b'"alarm":false', b'"alarm":true') if number == 500 else row.value
        producer.send(forged, value=value, key=row.key, headers=row.headers)
    producer.close()
    words += ["--checkpoints", topics.checkpoints]
    done = command(broker, ["replay", f"{name}?partition=0", "--against", forged, *words])
    assert done.exit_code == DIFFERS, done.output
    assert done.stdout.startswith("differs at audit-0@500\n  emitted   {")

    delete_before(broker, topics.events, 100)
    done = command(broker, ["replay", f"{name}?from=50", "--against", topics.scored, *words])
    assert done.exit_code == NOT_COMPARED
    assert done.stdout.startswith("could not compare (history gone): audit-0 begins at offset 100")
