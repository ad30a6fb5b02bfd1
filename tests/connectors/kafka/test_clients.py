"""What every client library behind the port must do, on a real broker."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from kafka import KafkaAdminClient
from kafka.admin import MemberToRemove

from stream_dagmm_connectors.kafka import confluent_reader
from stream_dagmm_connectors.kafka.client import (
    Aborted,
    Clients,
    Committed,
    Fatal,
    Fetched,
    NotYet,
    Outgoing,
    OutOfRange,
    Place,
    Reader,
    Writer,
)
from stream_dagmm_connectors.kafka.confluent_clients import ConfluentClients
from stream_dagmm_connectors.kafka.connection import Connection, Timing
from stream_dagmm_connectors.kafka.kafka_clients import KafkaClients
from tests.broker.broker import Broker
from tests.broker.proxy import Api
from tests.connectors.kafka.streams import delete_before, fill
from tests.connectors.kafka.test_members import until

KINDS: dict[str, Callable[..., Clients]] = {
    "kafka-python": KafkaClients,
    "confluent": ConfluentClients,
}
NUMBERS = itertools.count()
TIMING = Timing(answer_timeout_ms=10_000)
ANSWER_MS = 60_000
"""What must succeed may take its time on a busy machine."""


class Noting:
    """A listener that notes what it is told."""

    def __init__(self) -> None:
        self.came: list[Place] = []
        self.went: list[Place] = []

    def on_assigned(self, places: Iterable[Place]) -> None:
        self.came += places

    def on_revoked(self, places: Iterable[Place]) -> None:
        self.went += places

    def on_lost(self, places: Iterable[Place]) -> None:
        self.went += places


@pytest.fixture
def group() -> str:
    return f"clients-{next(NUMBERS)}"


@pytest.fixture(params=KINDS)
def clients(request: pytest.FixtureRequest, broker: Broker, group: str) -> Clients:
    return KINDS[request.param](Connection(broker.bootstrap), TIMING, group=group)


@pytest.fixture
def place(topic: Callable[..., str]) -> Place:
    return Place(topic(), 0)


@pytest.fixture
def writer(clients: Clients) -> Iterator[Writer]:
    one = clients.writer(f"clients-{next(NUMBERS)}")
    one.start()
    yield one
    one.close()


@pytest.fixture
def reader(clients: Clients, place: Place) -> Iterator[Reader]:
    one, noting = clients.reader(), Noting()
    one.subscribe([place.topic], noting)
    for _ in range(300):
        one.poll(100, 10)
        if noting.came:
            break
    assert noting.came == [place]
    yield one
    one.close(5_000)


def record(place: Place, number: int, **more: Any) -> Outgoing:
    return Outgoing(place, b"%d" % number, None, (), 1_700_000_000_000 + number)._replace(**more)


def put(writer: Writer, records: list[Outgoing]) -> list[int]:
    writer.begin()
    writer.send(records)
    offsets = writer.settle()
    writer.commit()
    return offsets


def take(reader: Reader, place: Place, count: int) -> list[Fetched]:
    got: list[Fetched] = []
    for _ in range(300):
        got += reader.poll(100, 1_000).get(place, [])
        if len(got) >= count:
            break
    return got


def begin(reader: Reader, place: Place, offset: int = 0) -> None:
    reader.seek(place, offset)
    reader.resume([place])


def test_records_come_as_they_went(reader: Reader, writer: Writer, place: Place) -> None:
    sent = [
        record(place, 0, key=b"key", headers=(("a", b"1"), ("a", b""), ("b", b"\xff"))),
        record(place, 1, value=None, key=b"tombstone"),
        record(place, 2, value=b"", key=b""),
    ]
    assert put(writer, sent) == [0, 1, 2]
    begin(reader, place)
    got = take(reader, place, 3)
    assert [(r.offset, r.value, r.key, tuple(r.headers), r.timestamp_ms) for r in got] == [
        (n, one.value, one.key, tuple(one.headers), one.timestamp_ms) for n, one in enumerate(sent)
    ]


def test_offsets_come_in_the_order_of_what_was_sent(
    writer: Writer, topic: Callable[..., str]
) -> None:
    name = topic(2)
    places = [Place(name, n % 2) for n in range(6)]
    assert put(writer, [record(place, n) for n, place in enumerate(places)]) == [0, 0, 1, 1, 2, 2]


def test_nothing_of_an_open_or_aborted_transaction_is_read_and_positions_pass_beyond_it(
    reader: Reader, writer: Writer, place: Place
) -> None:
    put(writer, [record(place, 0)])
    writer.begin()
    writer.send([record(place, 1)])
    writer.settle()
    begin(reader, place)
    assert [r.value for r in take(reader, place, 1)] == [b"0"]
    assert reader.end(place, ANSWER_MS) == 2  # a record and its marker
    writer.abort()
    put(writer, [record(place, 2)])
    assert [r.value for r in take(reader, place, 1)] == [b"2"]
    for _ in range(100):
        reader.poll(100, 10)
        if reader.position(place) == 6:
            break
    assert reader.position(place) == 6 == reader.end(place, ANSWER_MS)
    assert reader.seen_end(place) == 6


def test_paused_partitions_give_nothing_and_go_on_where_they_were(
    reader: Reader, writer: Writer, place: Place
) -> None:
    put(writer, [record(place, n) for n in range(10)])
    for _ in range(5):
        assert not reader.poll(50, 100)  # it came paused
    begin(reader, place, 4)
    assert [r.offset for r in take(reader, place, 6)] == [4, 5, 6, 7, 8, 9]
    reader.pause([place])
    put(writer, [record(place, 10)])
    for _ in range(5):
        assert not reader.poll(50, 100)
    reader.resume([place])
    assert [r.value for r in take(reader, place, 1)] == [b"10"]


def test_offsets_and_records_commit_together_and_are_not_told_while_open(
    reader: Reader, writer: Writer, place: Place
) -> None:
    assert reader.committed(place, ANSWER_MS) is None
    writer.begin()
    writer.send([record(place, 0)])
    writer.settle()
    writer.send_offsets({place: Committed(7, "so far")}, reader.membership())
    with pytest.raises(NotYet):
        reader.committed(place, 1_000)
    writer.commit()
    assert reader.committed(place, ANSWER_MS) == Committed(7, "so far")
    reader.commit({place: Committed(8, "further")}, ANSWER_MS)
    assert reader.committed(place, ANSWER_MS) == Committed(8, "further")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_silent_broker_does_not_answer_is_given_up_in_the_time_that_was_said(
    broker: Broker, place: Place, group: str, kind: str
) -> None:
    with broker.proxy() as proxy:
        reader, noting = (
            KINDS[kind](Connection(proxy.bootstrap), TIMING, group=group).reader(),
            Noting(),
        )
        reader.subscribe([place.topic], noting)
        while not noting.came:
            reader.poll(100, 10)
        proxy.fail(Api.OFFSET_COMMIT, "before", "stall")
        began_s = time.monotonic()
        with pytest.raises(NotYet):
            reader.commit({place: Committed(1, "")}, 1_000)
        reader.close(1_000)
        assert proxy.failed.is_set()
        assert time.monotonic() - began_s < 8.0  # where the library itself would wait for minutes
        proxy.heal()


def test_whoever_is_in_no_group_has_no_offsets_to_send(clients: Clients) -> None:
    outsider = clients.reader()
    with pytest.raises(Aborted, match="not a member"):
        outsider.membership()
    outsider.close(5_000)


class AskingWhoItIs(Noting):
    """Asks, as its partitions go, what librdkafka may never answer a member that leaves."""

    reader: Reader
    answers: list[object]

    def on_revoked(self, places: Iterable[Place]) -> None:
        super().on_revoked(places)
        try:
            self.answers = [self.reader.joined(), self.reader.membership()]
        except Aborted as error:
            self.answers = [self.reader.joined(), str(error)]


def test_a_confluent_member_that_leaves_does_not_ask_who_it_is(
    broker: Broker, place: Place, group: str
) -> None:
    asking = AskingWhoItIs()
    asking.reader = ConfluentClients(Connection(broker.bootstrap), TIMING, group=group).reader()
    asking.reader.subscribe([place.topic], asking)
    until(lambda: bool(asking.reader.poll(100, 10) or asking.came))
    assert asking.reader.joined()
    asking.reader.close(5_000)
    assert (asking.went, asking.answers) == ([place], [False, "leaving the group"])


def test_a_member_that_was_put_out_has_none_to_send_either_nor_in_its_former_name(
    reader: Reader, writer: Writer, place: Place, broker: Broker, group: str
) -> None:
    admin = KafkaAdminClient(**broker.client())
    (member,) = admin.describe_groups([group])[group]["members"]
    former = reader.membership()
    admin.remove_group_members(group, [MemberToRemove(member_id=member["member_id"])])
    admin.close()

    def is_out() -> bool:  # a heartbeat says so, whether anybody polls or not
        try:
            reader.membership()
        except Aborted:
            return True
        return False

    until(is_out)
    writer.begin()
    writer.send([record(place, 0)])
    writer.settle()
    with pytest.raises(Aborted):
        writer.send_offsets({place: Committed(1, "")}, former)


def sends_offsets(old: Writer, reader: Reader, place: Place) -> None:
    old.send_offsets({place: Committed(1, "")}, reader.membership())


def sends_records(old: Writer, reader: Reader, place: Place) -> None:
    old.send([record(place, n) for n in range(1, 500)])
    old.settle()


@pytest.mark.parametrize("goes_on", [sends_offsets, sends_records])
def test_a_new_writer_of_the_same_id_fences_the_old_one_of_which_nothing_arrives(
    clients: Clients, reader: Reader, place: Place, goes_on: Callable[[Writer, Reader, Place], None]
) -> None:
    name = f"clients-{next(NUMBERS)}"
    old, new = clients.writer(name), clients.writer(name)
    old.start()
    old.begin()
    old.send([record(place, 0)])
    old.settle()
    new.start()
    with pytest.raises(Aborted):
        goes_on(old, reader, place)
    old.close()
    put(new, [record(place, 500)])
    new.close()
    begin(reader, place)
    assert [r.value for r in take(reader, place, 1)] == [b"500"]


def test_records_of_many_requests_come_whole_and_in_order(
    reader: Reader, writer: Writer, place: Place
) -> None:
    sent = [record(place, n, headers=(("n", b"%d" % n),), key=b"x" * 1_000) for n in range(2_000)]
    assert put(writer, sent) == [*range(2_000)]
    begin(reader, place)
    got = take(reader, place, 2_000)
    assert [(r.value, tuple(r.headers)) for r in got] == [(r.value, r.headers) for r in sent]


def test_nothing_is_passed_over_where_brokers_are_slow_to_say_where_a_log_ends(
    broker: Broker, clients: Clients, group: str, place: Place, writer: Writer
) -> None:
    """Of an answer after `seek` librdkafka 2.16 makes another question, and then goes there."""
    with broker.proxy() as proxy:
        proxy.hold(Api.LIST_OFFSETS, late_s=0.3)
        behind = type(clients)(Connection(proxy.bootstrap), TIMING, group=group)  # type: ignore[call-arg]
        one = behind.reader()
        one.subscribe([place.topic], noting := Noting())
        put(writer, [record(place, 0)])
        until(lambda: one.poll(20, 10) is not None and noting.came == [place])
        begin(one, place)
        got: list[Fetched] = []
        sent, began_s = 1, time.monotonic()
        while time.monotonic() < began_s + 3.0:
            put(writer, [record(place, sent)])
            sent += 1
            got += one.poll(20, 1_000).get(place, [])
        got += take(one, place, sent - len(got))
        one.close(5_000)
    assert [int(r.value or b"-1") for r in got] == [*range(sent)]


class Slow(Consumer):
    """Takes its time between what a callback does."""

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        super().incremental_assign(partitions)
        time.sleep(0.3)


def test_a_member_begins_in_a_log_whose_first_records_are_gone(
    broker: Broker, group: str, topic: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition that librdkafka fetches before its log begins cannot be sought in any more."""
    monkeypatch.setattr(confluent_reader, "Consumer", Slow)
    place = Place(topic(), 0)
    fill(broker, place.topic, [b"%d" % number for number in range(10)])
    delete_before(broker, place.topic, 5)
    one = ConfluentClients(Connection(broker.bootstrap), TIMING, group=group).reader()
    one.subscribe([place.topic], noting := Noting())
    until(lambda: one.poll(20, 10) is not None and noting.came == [place])
    begin(one, place, 7)
    assert [r.value for r in take(one, place, 3)] == [b"7", b"8", b"9"]
    one.close(5_000)


def test_an_offset_that_the_log_never_had_is_told(reader: Reader, place: Place) -> None:
    begin(reader, place, 1_000)
    with pytest.raises(OutOfRange):
        take(reader, place, 1)


def test_a_range_of_the_log_is_read_whole_and_the_next_goes_on(
    clients: Clients, writer: Writer, place: Place
) -> None:
    put(writer, [record(place, n) for n in range(10)])
    log = clients.log_reader()
    try:
        # A commit is answered before its marker is in the log.
        until(lambda: log.range(place) == (0, 11))
        assert [r.offset for r in log.read(place, 2, 5)] == [2, 3, 4, 5]
        assert [r.offset for r in log.read(place, 6, 10)] == [6, 7, 8, 9]
        assert [r.offset for r in log.read(place, 0, 0)] == [0]
        assert log.at_time(place, 1_700_000_000_004) == 4
        assert log.at_time(place, 1_800_000_000_000) is None
        assert (log.partitions(place.topic), log.partitions("nowhere")) == (1, 0)
    finally:
        log.close()


def test_a_record_that_is_too_large_and_a_partition_that_is_not_there_are_fatal(
    clients: Clients, topic: Callable[..., str]
) -> None:
    small = topic(max_message_bytes="200")
    here, large = record(Place(small, 0), 0), record(Place(small, 0), 1, value=b"x" * 1_000)
    for bad in ([large], [here, large], [record(Place(small, 7), 0)]):
        writer = clients.writer(f"clients-{next(NUMBERS)}")
        writer.start()
        with pytest.raises(Fatal):
            put(writer, bad)
        writer.close()


PAIRS = list(itertools.product(KINDS.values(), repeat=2))


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].__name__}-")
def test_either_client_reads_what_the_other_has_committed(
    broker: Broker, place: Place, pair: tuple[Callable[..., Clients], ...]
) -> None:
    group, metadata = f"clients-{next(NUMBERS)}", '{"x": "' + "y" * 257 + '"}'
    first, second = (kind(Connection(broker.bootstrap), TIMING, group=group) for kind in pair)
    reader, writer, noting = first.reader(), first.writer(group), Noting()
    reader.subscribe([place.topic], noting)
    while not noting.came:
        reader.poll(100, 10)
    writer.start()
    for offset in (5, 6):
        if offset == 5:
            reader.commit({place: Committed(offset, metadata)}, ANSWER_MS)
        else:
            writer.begin()
            writer.send_offsets({place: Committed(offset, metadata)}, reader.membership())
            writer.commit()
        other = second.reader()
        assert other.committed(place, ANSWER_MS) == Committed(offset, metadata)
        other.close(1_000)
    writer.close()
    reader.close(5_000)


def test_what_both_say_of_a_topic_is_the_same(broker: Broker, topic: Callable[..., str]) -> None:
    name, said = topic(3), list[list[tuple[str, int]]]()
    for kind in KINDS.values():
        reader = kind(Connection(broker.bootstrap), TIMING, group="clients-topic").reader()
        asked = ((one, ANSWER_MS) for one in (name, "none"))
        said.append([(reader.topic_id(*one), reader.partitions(*one)) for one in asked])
        reader.close(1_000)
    assert said[0] == said[1]
    assert (said[0][0][1], said[0][1]) == (3, ("", 0))
