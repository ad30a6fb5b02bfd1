"""`dlq list|replay`: dead letters go back to where they came from, each once."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from stream_dagmm_connectors.events import KEPT_BYTES
from stream_dagmm_connectors.kafka.client import Aborted, Place, Undecided
from stream_dagmm_connectors.kafka.redriving import Sent, send_back, waiting
from tests.broker.broker import Broker
from tests.connectors.kafka.fakes import Crash, FakeClients, FakeKafka, FakeLogReader, Trap, When
from tests.connectors.kafka.member import Member
from tests.connectors.kafka.streams import event, fill, make_topics, read
from tests.connectors.kafka.test_auditing import FIRST
from tests.connectors.kafka.test_crash_points import DONE, EVENTS, RECIPE, fresh, process, run
from tests.connectors.kafka.test_members import options, until
from tests.connectors.kafka.test_replay import command

DEAD = Place("dead", 0)
LETTERS = [b"not JSON", b'{"a": NaN}']


def left(*more: bytes) -> FakeKafka:
    """Kafka as a whole run over these and two other bad records leaves it."""
    kafka = fresh()
    for number, value in enumerate(more):
        record, _ = kafka.logs[FIRST][50 + number]
        kafka.logs[FIRST][50 + number] = (record._replace(value=value), DONE)
    run(process(kafka, Trap(), recipe=replace(RECIPE, largest_bad_share=1.0)), kafka)
    return kafka


def came_back(kafka: FakeKafka) -> list[bytes | None]:
    return [record.value for record in kafka.visible(FIRST) if record.offset >= EVENTS]


def test_letters_are_listed_with_place_stage_length_and_reason() -> None:
    listed = [str(letter) for letter in waiting(FakeLogReader(left()), DEAD)]
    assert listed[0].startswith("events-0@7  decode  8 bytes  not JSON: found 'not JSON'")
    assert len(listed) == 2


def test_letters_go_back_once_with_key_and_headers_as_they_came() -> None:
    kafka = left()
    clients = FakeClients(kafka, Trap())
    assert send_back(clients, DEAD, "dlq") == Sent(2, 0)
    assert came_back(kafka) == LETTERS
    assert kafka.visible(FIRST)[-1].headers == [("stream-dagmm-first-place", b"events-0@41")]
    assert send_back(clients, DEAD, "dlq") == Sent(0, 0)
    log = FakeLogReader(kafka)
    assert list(waiting(log, DEAD)) == []
    assert len(list(waiting(log, DEAD, everything=True))) == 2


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("raising", [Crash, Aborted])
def test_a_crash_or_failure_at_any_call_leaves_each_letter_to_be_sent_once(
    when: When, raising: type[BaseException]
) -> None:
    calls = Trap()
    send_back(FakeClients(left(), calls), DEAD, "dlq")
    for at in range(len(calls.calls)):
        kafka = left()
        with pytest.raises((Crash, Aborted, Undecided)):
            send_back(FakeClients(kafka, Trap(at, when, raising)), DEAD, "dlq")
        send_back(FakeClients(kafka, Trap()), DEAD, "dlq")
        assert came_back(kafka) == LETTERS, f"{when} call {at}"


def test_a_letter_that_was_shortened_is_not_sent_and_is_said() -> None:
    kafka = left(b"x" * (1 << 20))
    assert send_back(FakeClients(kafka, Trap()), DEAD, "dlq") == Sent(2, 1)
    assert came_back(kafka) == LETTERS
    letters = list(waiting(FakeLogReader(kafka), DEAD, everything=True))
    assert len(letters[2].record.value or b"") == KEPT_BYTES
    assert f"{1 << 20} bytes, shortened" in str(letters[2])


def test_on_a_real_broker_a_letter_goes_back_and_comes_again_if_it_is_still_no_event(
    broker: Broker, tmp_path: Path
) -> None:
    topics = make_topics(broker, "dlq")
    good = [event(n) for n in range(200)]
    fill(broker, topics.events, [*good[:100], b"never", *good[100:]])
    told = options(broker, topics)
    words = ["--input", topics.events, "--output", topics.scored, "--group", topics.events]
    with Member(told, tmp_path / "one") as one:
        until(lambda: len(read(broker, topics.scored)) == 200)
        done = command(broker, ["dlq", "list", *words])
        assert done.stdout.startswith(f"{topics.events}-0@100  decode  5 bytes  not JSON")
        done = command(broker, ["dlq", "replay", *words])
        assert done.stdout == f"{topics.dead}-0: 1 sent back\n", done.output
        fill(broker, topics.events, [event(200)])
        until(lambda: len(read(broker, topics.scored)) == 201)
        one.send(signal.SIGTERM)
        assert one.wait() == 0, one.said()
    back = next(r for r in read(broker, topics.events) if r.offset > 200 and r.value == b"never")
    headers = [
        ("trace", b"100"),
        ("stream-dagmm-first-place", b"%s-0@100" % topics.events.encode()),
    ]
    assert (back.key, back.headers) == (b"key-100", headers)
    # Still no event, so it came back; and it is the only one that waits.
    again = command(broker, ["dlq", "list", *words]).stdout
    assert again.count("\n") == 1 and again.startswith(f"{topics.events}-0@{back.offset}  decode")
