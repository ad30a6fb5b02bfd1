"""The `Reader` of kafka-python.

Its consumer belongs to one thread. Rebalance callbacks come on its own network thread, but only
while our thread waits inside `poll`, so nothing of ours ever runs twice at once; they must not ask
the consumer anything that waits for that network thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kafka import (
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
    Offsets,
    OutOfRange,
    Place,
)
from stream_dagmm_connectors.kafka.connection import Member
from stream_dagmm_connectors.kafka.errors import classify, told
from stream_dagmm_connectors.kafka.kafka_membership import Relay, displaced, finish_joining
from stream_dagmm_connectors.kafka.kafka_records import (
    as_committed,
    fetched,
    sorted_out,
    to_commit,
)

ADMIN_MS = 5_000


class KafkaReader:
    """One member of a group. Cooperative: what stays goes on while other partitions move."""

    def __init__(self, member: Member) -> None:
        connection, timing, instance = member.connection, member.timing, member.instance
        self._connection = connection
        self._instance = instance
        self._admin: KafkaAdminClient | None = None
        self._relay: Relay | None = None
        self._lost: str | None = None
        self._consumer = KafkaConsumer(
            **connection.options(),
            group_id=member.group,
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
        self._relay = Relay(self._consumer, listener)
        self._consumer.subscribe(topics=list(topics), listener=self._relay)
        # A leader that joins before it knows the topics gives everyone nothing, and may not notice.
        for topic in topics:
            with sorted_out():
                self._consumer.partitions_for_topic(topic)

    def poll(self, timeout_ms: int, at_most: int) -> Mapping[Place, list[Fetched]]:
        """Records by partition; `Fatal`, `OutOfRange`."""
        if self._instance is not None and displaced(self._consumer):
            raise Fatal(
                f"FencedInstanceIdError: another process took the name {self._instance} in the "
                "group; give each process a --group-instance-id of its own"
            )
        finish_joining(self._consumer)
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
            Place(place.topic, place.partition): [*map(fetched, records)]
            for place, records in got.items()
        }

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
        asked = TopicPartition(*place)
        with sorted_out():
            found = self._consumer.committed(asked, metadata=True, timeout_ms=timeout_ms)
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
        with sorted_out():
            return int(ask([asked], timeout_ms=timeout_ms)[asked])

    def topic_id(self, topic: str, timeout_ms: int) -> str:
        """The topic's UUID, asked anew each time: a topic may be made anew at any."""
        return str(self._described(topic)["topic_id"] or "")

    def partitions(self, topic: str, timeout_ms: int) -> int:
        """How many it has, asked anew each time."""
        return len(self._described(topic)["partitions"])

    def _described(self, topic: str) -> dict[str, Any]:
        # An admin client has connections of its own, so it may be asked within a callback.
        with sorted_out():
            if self._admin is None:
                bounded = {"request_timeout_ms": ADMIN_MS, "bootstrap_timeout_ms": ADMIN_MS}
                self._admin = KafkaAdminClient(**self._connection.options(), **bounded)
            (described,) = self._admin.describe_topics([topic])
        return dict(described)

    def commit(self, offsets: Offsets, timeout_ms: int) -> None:
        """Commit outside any transaction; a stale member is `Aborted`."""
        told_offsets = to_commit(offsets)
        if self._relay is not None and self._relay.calling:
            # The network thread is the one that calls: it cannot wait for itself.
            self._consumer.commit_async(told_offsets)
            return
        with sorted_out():
            self._consumer.commit(told_offsets, timeout_ms=timeout_ms)

    def close(self, timeout_ms: int) -> None:
        """Leave the group."""
        self._consumer.close(autocommit=False, timeout_ms=timeout_ms)
        if self._admin is not None:
            self._admin.close()
