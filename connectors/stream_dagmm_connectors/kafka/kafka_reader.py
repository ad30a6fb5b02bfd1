"""The `Reader` and `LogReader` of kafka-python.

Its consumer belongs to one thread. Rebalance callbacks come on its own network thread, but only
while our thread waits inside `poll`, so nothing of ours ever runs twice at once; they must not ask
the consumer anything that waits for that network thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from kafka import (
    ConsumerRebalanceListener,
    KafkaAdminClient,
    KafkaConsumer,
    TopicPartition,
)
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError

from stream_dagmm_connectors.kafka.client import (
    Aborted,
    Committed,
    Fatal,
    Fetched,
    Listener,
    NotYet,
    Offsets,
    OutOfRange,
    Place,
)
from stream_dagmm_connectors.kafka.connection import Connection, Timing
from stream_dagmm_connectors.kafka.errors import classify, told
from stream_dagmm_connectors.kafka.kafka_offsets import as_committed, to_commit

Answer = TypeVar("Answer")

WAIT_MS = 500
"""A poll for a range of the log waits this long for each answer."""
EMPTY_POLLS = 20
ADMIN_MS = 5_000


class KafkaReader:
    """One member of a group. Cooperative: what stays goes on while other partitions move."""

    def __init__(
        self, connection: Connection, timing: Timing, group: str, instance: str | None
    ) -> None:
        self._connection = connection
        self._timing = timing
        self._instance = instance
        self._admin: KafkaAdminClient | None = None
        self._relay: _Relay | None = None
        self._lost: str | None = None
        self._consumer = KafkaConsumer(
            **connection.options(),
            group_id=group,
            group_instance_id=instance,
            # Of read_committed consumers alone kafka-python asks for stable offsets.
            isolation_level="read_committed",
            enable_auto_commit=False,
            metrics_enabled=False,
            # A jump of the position is for us to decide, never for the client.
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            partition_assignment_strategy=(CooperativeStickyAssignor,),
            session_timeout_ms=timing.session_timeout_ms,
            heartbeat_interval_ms=timing.heartbeat_interval_ms,
            max_poll_interval_ms=timing.max_poll_interval_ms,
            request_timeout_ms=timing.request_timeout_ms,
            metadata_max_age_ms=timing.metadata_max_age_ms,
        )

    def subscribe(self, topics: Sequence[str], listener: Listener) -> None:
        """Join the group at the next poll."""
        self._relay = _Relay(self._consumer, listener)
        self._consumer.subscribe(topics=list(topics), listener=self._relay)
        # A leader that joins before it knows the topics gives everyone nothing, and may not notice.
        for topic in topics:
            self._ask(lambda name=topic: self._consumer.partitions_for_topic(name))  # type: ignore[misc]

    def poll(self, timeout_ms: int, at_most: int) -> Mapping[Place, list[Fetched]]:
        """Records by partition; `Fatal`, `OutOfRange`."""
        if self._instance is not None and self._displaced():
            raise Fatal(
                f"FencedInstanceIdError: another process took the name {self._instance} in the "
                "group; give each process a --group-instance-id of its own"
            )
        self._finish_joining()
        lost, self._lost = self._lost, None
        if lost is not None:
            raise OutOfRange(lost)
        try:
            got = self._consumer.poll(timeout_ms=timeout_ms, max_records=at_most)
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            raise OutOfRange(str(error)) from error
        except KafkaError as error:
            if classify(error) == "fatal":
                raise Fatal(told(error)) from error
            return {}  # the client tries again by itself; the watchdog counts the time
        return {
            Place(place.topic, place.partition): [_fetched(record) for record in records]
            for place, records in got.items()
        }

    def _finish_joining(self) -> None:
        """A rebalance that began must be brought to its end. One that begins because partitions
        were added is forgotten by kafka-python 3.0 when a poll ends before the answer comes: it
        looks as if nothing had changed, no heart beats, and the partitions never arrive."""
        coordinator = self._consumer._coordinator
        with coordinator._lock:
            if coordinator.rejoining:
                coordinator.request_rejoin()

    def _displaced(self) -> bool:
        """Whether the coordinator said so to a heartbeat. kafka-python 3.0 then stops beating
        without a word, and goes on fetching what belongs to another."""
        coordinator = self._consumer._coordinator
        with coordinator._lock:
            member = coordinator.stable() and not coordinator.need_rejoin()
            return bool(member and not coordinator._heartbeat_enabled)

    def position(self, place: Place) -> int | None:
        """The next offset that poll will look at."""
        try:
            position: int | None = self._consumer.position(TopicPartition(*place), timeout_ms=100)
        except LogTruncationError as error:
            self._lost = str(error)  # said only once; the next poll passes it on
            return None
        return position

    def seen_end(self, place: Place) -> int | None:
        """The high watermark of the last fetch."""
        state = self._consumer._subscription.assignment.get(TopicPartition(*place))
        end: int | None = None if state is None else state.highwater
        return end

    def joined(self) -> bool:
        """Whether the coordinator gave it a member id and a generation."""
        return bool(self._consumer.group_metadata().generation_id >= 0)

    def seek(self, place: Place, offset: int) -> None:
        """Go on reading there."""
        asked = TopicPartition(*place)
        self._consumer.seek(asked, offset)
        # kafka-python 3.0 parks what it had parsed of a partition when that was paused, takes it
        # up again only where nothing else was ever parsed, and fetches nothing of it meanwhile.
        self._consumer._fetcher._paused_partition_records.pop(asked, None)

    def pause(self, places: Iterable[Place]) -> None:
        """Give no record of these."""
        self._consumer.pause(*[TopicPartition(*place) for place in places])

    def resume(self, places: Iterable[Place]) -> None:
        """Give records of these."""
        self._consumer.resume(*[TopicPartition(*place) for place in places])

    def committed(self, place: Place, timeout_ms: int) -> Committed | None:
        """The stable committed offset."""
        found = self._ask(
            lambda: self._consumer.committed(
                TopicPartition(*place), metadata=True, timeout_ms=timeout_ms
            )
        )
        return as_committed(found)

    def membership(self) -> object:
        """Generation and member id as they are now; `Aborted` without."""
        found = self._consumer.group_metadata()
        if found.generation_id < 0 or not found.member_id:
            raise Aborted("not a member of the group any more")
        return found

    def beginning(self, place: Place, timeout_ms: int) -> int:
        """The log's first offset."""
        return self._offset(self._consumer.beginning_offsets, place, timeout_ms)

    def end(self, place: Place, timeout_ms: int) -> int:
        """The offset after the last committed record."""
        return self._offset(self._consumer.end_offsets, place, timeout_ms)

    def _offset(self, ask: Callable[..., Any], place: Place, timeout_ms: int) -> int:
        asked = TopicPartition(*place)
        return int(self._ask(lambda: ask([asked], timeout_ms=timeout_ms))[asked])

    def topic_id(self, topic: str, timeout_ms: int) -> str:
        """The topic's UUID, asked anew each time: a topic may be made anew at any."""
        return str(self._described(topic)["topic_id"] or "")

    def partitions(self, topic: str, timeout_ms: int) -> int:
        """How many it has, asked anew each time."""
        return len(self._described(topic)["partitions"])

    def _described(self, topic: str) -> dict[str, Any]:
        # An admin client has connections of its own, so it may be asked within a callback.
        if self._admin is None:
            bounded = {"request_timeout_ms": ADMIN_MS, "bootstrap_timeout_ms": ADMIN_MS}
            self._admin = self._ask(
                lambda: KafkaAdminClient(**self._connection.options(), **bounded)
            )
        admin = self._admin
        (described,) = self._ask(lambda: admin.describe_topics([topic]))
        return dict(described)

    def commit(self, offsets: Offsets, timeout_ms: int) -> None:
        """Commit outside any transaction; a stale member is `Aborted`."""
        told_offsets = to_commit(offsets)
        if self._relay is not None and self._relay.calling:
            # The network thread is the one that calls: it cannot wait for itself.
            self._consumer.commit_async(told_offsets)
            return
        self._ask(lambda: self._consumer.commit(told_offsets, timeout_ms=timeout_ms))

    def close(self, timeout_ms: int) -> None:
        """Leave the group."""
        self._consumer.close(autocommit=False, timeout_ms=timeout_ms)
        if self._admin is not None:
            self._admin.close()

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except KafkaError as error:
            _sort(error)


class _Relay(ConsumerRebalanceListener):  # type: ignore[misc]
    """Holds new partitions still before anything of them can be fetched, then passes on."""

    def __init__(self, consumer: Any, listener: Listener) -> None:
        self._consumer = consumer
        self._listener = listener
        self.calling = False
        """Whether partitions are being revoked at this moment."""

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        for place in assigned:
            self._consumer.pause(place)
            # Some position, or this very poll would ask for one and find none committed.
            self._consumer.seek(place, 0)
        self._listener.on_assigned([Place(*place) for place in assigned])

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        self.calling = True
        try:
            self._listener.on_revoked([Place(*place) for place in revoked])
        finally:
            self.calling = False

    def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        self._listener.on_lost([Place(*place) for place in lost])


class KafkaLogReader:
    """Ranges of a topic, read_committed, outside any group."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._consumer = KafkaConsumer(
            **connection.options(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            metrics_enabled=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
        )

    def read(self, place: Place, first: int, last: int) -> list[Fetched]:
        """The committed records from `first` to `last`."""
        asked, empty = TopicPartition(*place), 0
        got: list[Fetched] = []
        try:
            self._go_to(asked, first)
            while empty < EMPTY_POLLS:
                room = last + 1 - first - len(got)  # what is beyond waits for the next range
                polled = self._consumer.poll(timeout_ms=WAIT_MS, max_records=max(room, 1))
                records = polled.get(asked, [])
                got += [_fetched(record) for record in records if record.offset <= last]
                if (self._consumer.position(asked, timeout_ms=WAIT_MS) or 0) > last:
                    return got
                empty += not records
        except OffsetOutOfRangeError as error:
            raise OutOfRange(str(error)) from error
        except KafkaError as error:
            _sort(error)
        raise NotYet(f"{place}: no answer for offsets {first} to {last}")

    def _go_to(self, place: TopicPartition, offset: int) -> None:
        """Seek, unless the last range ended there: what was fetched beyond it is still in hand."""
        here = self._consumer.assignment() == {place}
        if not here:
            self._consumer.assign([place])
        if not here or self._consumer.position(place, timeout_ms=WAIT_MS) != offset:
            self._consumer.seek(place, offset)

    def at_time(self, place: Place, timestamp_ms: int) -> int | None:
        """The first offset of that time or later."""
        asked = TopicPartition(*place)
        try:
            found = self._consumer.offsets_for_times({asked: timestamp_ms}, timeout_ms=5_000)
        except KafkaError as error:
            _sort(error)
        return None if found.get(asked) is None else int(found[asked].offset)

    def range(self, place: Place) -> tuple[int, int]:
        """First offset, and the one after the last."""
        asked = TopicPartition(*place)
        try:
            first = self._consumer.beginning_offsets([asked], timeout_ms=5_000)[asked]
            last = self._consumer.end_offsets([asked], timeout_ms=5_000)[asked]
        except KafkaError as error:
            _sort(error)
        return int(first), int(last)

    def partitions(self, topic: str) -> int:
        """How many there are."""
        return len(self._consumer.partitions_for_topic(topic) or ())

    def close(self) -> None:
        """Release it."""
        self._consumer.close(autocommit=False)


def topic_id(connection: Connection, topic: str) -> str:
    """What tells a topic from a later one of the same name."""
    admin = KafkaAdminClient(**connection.options())
    try:
        (described,) = admin.describe_topics([topic])
    finally:
        admin.close()
    return str(described["topic_id"])


def _fetched(record: Any) -> Fetched:
    return Fetched(
        record.offset, record.value, record.key, tuple(record.headers or ()), record.timestamp
    )


def _sort(error: KafkaError) -> NoReturn:
    kind = {"retriable": NotYet, "abortable": Aborted, "fatal": Fatal}[classify(error)]
    raise kind(told(error)) from error
