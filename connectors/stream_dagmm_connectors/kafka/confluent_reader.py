"""The `Reader` of confluent-kafka: one member of a group; callbacks come on the thread that polls.

The library's own position stops before a transaction's marker, so the positions are kept here: one
beyond the last record, and at the end of a partition where the library says that it is.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

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
from stream_dagmm_connectors.kafka.confluent_asking import Asking
from stream_dagmm_connectors.kafka.confluent_options import (
    LOG,
    member_configuration,
    of,
    sorted_out,
    trouble,
)
from stream_dagmm_connectors.kafka.confluent_records import as_committed, fetched, place_of
from stream_dagmm_connectors.kafka.connection import Member
from stream_dagmm_connectors.kafka.deadline import Deadline

SEEK_S = 5.0
"""A partition that came a moment ago can be sought in once the library's threads know of it."""
WAKE_S = 0.5

GONE = (
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError._LOG_TRUNCATION,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
)
"""Of a position or a topic that is no more, perhaps because it is being made anew."""


class ConfluentReader(Asking):
    """One member of a group. Cooperative: what stays goes on while other partitions move."""

    def __init__(self, member: Member) -> None:
        super().__init__(member.connection)
        self._positions: dict[Place, int] = {}
        self._ended: Fatal | None = None
        self._leaving = self._commit_waits = False
        self._gone: str | None = None
        """What was said of a position that is no more, until another is sought."""
        self._calls = Deadline()
        """For calls that have no time-out of their own and may wait without end."""
        self._consumer = Consumer(
            member_configuration(member) | {"error_cb": self._on_error}, logger=LOG
        )

    def subscribe(self, topics: Sequence[str], listener: Listener) -> None:
        """Join the group at the next poll."""

        def assigned(consumer: Consumer, came: list[TopicPartition]) -> None:
            self._hold(came)
            listener.on_assigned(_places(came))

        def revoked(consumer: Consumer, went: list[TopicPartition]) -> None:
            listener.on_revoked(_places(went))
            self._forget(went)

        def lost(consumer: Consumer, went: list[TopicPartition]) -> None:
            listener.on_lost(_places(went))
            self._forget(went)

        self._consumer.subscribe(list(topics), on_assign=assigned, on_revoke=revoked, on_lost=lost)

    def _hold(self, came: list[TopicPartition]) -> None:
        """Take these on, still.

        They are paused first, or what lies at the number might be fetched, before the log begins,
        and then nothing can be sought in them any more; and known before that, or librdkafka 2.16
        does not pause them. The number is any: `seek` says where to begin. For an end or a
        beginning librdkafka asks, and where the answer comes after `seek` it asks again, goes there
        half a second later, and passes over all between. Paused once more for those that stayed
        unknown.
        """
        places = [TopicPartition(one.topic, one.partition, 0) for one in came]
        for one in places:
            with contextlib.suppress(KafkaException):  # of a topic that is being made anew
                self._consumer.get_watermark_offsets(one, cached=True)
        self._consumer.pause(places)
        self._consumer.incremental_assign(places)
        self._consumer.pause(places)

    def poll(self, timeout_ms: int, at_most: int) -> Mapping[Place, list[Fetched]]:
        """Records by partition; `Fatal`, `OutOfRange`."""
        got: dict[Place, list[Fetched]] = {}
        with sorted_out():
            # One that comes is not held up for others to come.
            first = self._consumer.poll(timeout_ms / 1000)
            messages = [] if first is None else [first]
            if first is not None and at_most > 1:
                messages += self._consumer.consume(at_most - 1, 0)
        for message in messages:
            if (error := message.error()) is None:
                got.setdefault(place_of(message), []).append(fetched(message))
            else:
                self._not_a_record(message, error)
        for place, records in got.items():
            reached = records[-1].offset + 1
            self._positions[place] = max(reached, self._positions.get(place, 0))
        if self._ended is not None:
            raise self._ended
        if self._gone is not None and not got:  # what was read comes first, or it were lost
            raise OutOfRange(self._gone)
        return got

    def _not_a_record(self, message: Message, error: KafkaError) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self._positions[place_of(message)] = message.offset() or 0
        elif error.code() in GONE:
            self._gone = f"{place_of(message)}: {error.str()}"
        elif isinstance(found := trouble(error), Fatal):
            raise found
        # all else the client tries again by itself; the watchdog counts the time

    def _on_error(self, error: KafkaError) -> None:
        found = trouble(error)
        if error.code() in GONE:
            self._gone = error.str()
        elif isinstance(found, Fatal):
            self._ended = found

    def _forget(self, went: list[TopicPartition]) -> None:
        for place in _places(went):
            self._positions.pop(place, None)
        if went:
            self._consumer.incremental_unassign(went)

    def position(self, place: Place) -> int | None:
        """The next offset that poll will look at."""
        return self._positions.get(place)

    def seen_end(self, place: Place) -> int | None:
        """The high watermark of the last fetch."""
        try:
            found: Any = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
        except (KafkaException, RuntimeError):  # not ours, or closed
            return None
        return None if found is None or found[1] < 0 else int(found[1])

    def joined(self) -> bool:
        """Whether the coordinator gave it a member id; not asked while it leaves (`close`)."""
        try:
            return not self._leaving and bool(self._consumer.memberid())
        except RuntimeError:  # closed
            return False

    def seek(self, place: Place, offset: int) -> None:
        """Go on reading there."""
        deadline_s = time.monotonic() + SEEK_S
        while True:
            try:
                self._consumer.seek(TopicPartition(*place, offset))
                break
            except KafkaException as error:
                if of(error).code() != KafkaError._STATE or time.monotonic() > deadline_s:
                    raise trouble(of(error), NotYet) from error
                time.sleep(0.005)
        self._positions[place] = offset
        self._gone = None

    def pause(self, places: Iterable[Place]) -> None:
        """Give no record of these."""
        if asked := [TopicPartition(*place) for place in places]:
            self._consumer.pause(asked)

    def resume(self, places: Iterable[Place]) -> None:
        """Give records of these."""
        if asked := [TopicPartition(*place) for place in places]:
            self._consumer.resume(asked)
            for one in asked:
                self._wake_up(one)

    def _wake_up(self, place: TopicPartition) -> None:
        """librdkafka 2.16 looks once a second whether a broker at rest has anything to fetch, so a
        partition that was sought in while paused waited that long. A question wakes it up."""
        with contextlib.suppress(KafkaException):  # then it is found a second later
            self._consumer.get_watermark_offsets(place, timeout=WAKE_S, cached=False)

    def committed(self, place: Place, timeout_ms: int) -> Committed | None:
        """The stable committed offset."""
        asked = [TopicPartition(*place)]
        with sorted_out():
            (found,) = self._consumer.committed(asked, timeout=timeout_ms / 1000)
        if found.error is not None:
            raise trouble(found.error)
        return as_committed(found)

    def membership(self) -> object:
        """Generation and member id as they are now; `Aborted` without."""
        if self._leaving:
            raise Aborted("leaving the group")
        found = self._consumer.consumer_group_metadata()
        if not self.joined():  # asked second: whoever is a member now was one then
            raise Aborted("not a member of the group any more")
        return found

    def commit(self, offsets: Offsets, timeout_ms: int) -> None:
        """Commit outside any transaction; a stale member is `Aborted`."""
        told = [TopicPartition(*place, c.offset, c.metadata) for place, c in offsets.items()]
        done: list[TopicPartition] = []

        def ask() -> None:
            found: Any = self._consumer.commit(offsets=told, asynchronous=False)
            done.extend(found or ())

        try:
            with sorted_out():
                self._calls.run(ask, timeout_ms / 1000)
        except TimeoutError as error:
            self._calls, self._commit_waits = Deadline(), True  # on the old one's thread
            raise NotYet(str(error)) from error
        for one in done:
            if one.error is not None:
                raise trouble(one.error)

    def close(self, timeout_ms: int) -> None:
        """Leave the group; where brokers do not answer in time, they notice by themselves.

        Partitions go before the library closes: what is asked of librdkafka 2.16 from a callback
        within that may have no answer for ever, while confluent-kafka holds the interpreter's lock
        (one in 50 closings of a member that had just joined), and then no time-out ends anything.
        So does `unsubscribe` beside a commit that waits, which `close` does not.
        """
        self._leaving = True
        deadline_s = time.monotonic() + timeout_ms / 1000
        with contextlib.suppress(KafkaException):
            if not self._commit_waits:
                self._consumer.unsubscribe()
                self._consumer.poll(0.05)
                while self._consumer.assignment() and time.monotonic() < deadline_s:
                    self._consumer.poll(0.05)
        with contextlib.suppress(TimeoutError):
            self._calls.run(self._consumer.close, max(0.0, deadline_s - time.monotonic()))
        self._calls.stop()


def _places(found: Iterable[TopicPartition]) -> list[Place]:
    return [Place(one.topic, one.partition) for one in found]
