"""A Kafka of a few lines, in memory, whose every call can be the last one.

It keeps what the loop's argument rests on: offsets are dense, transactions are read when they are
committed, offsets commit with them, a new writer of the same transactional id ends what the last
one left open. It is for trying every call as a crash point; what Kafka does is tested on Kafka.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from stream_dagmm_connectors.kafka.client import (
    Aborted,
    Committed,
    Fetched,
    Headers,
    Listener,
    LogReader,
    Offsets,
    Outgoing,
    OutOfRange,
    Place,
    Reader,
    Undecided,
    Writer,
)

When = Literal["before", "after"]


class Crash(BaseException):
    """The process is gone; nothing of ours catches it."""


@dataclass
class Transaction:
    state: Literal["open", "committed", "aborted"] = "open"
    offsets: dict[Place, Committed] = field(default_factory=dict)


@dataclass
class FakeKafka:
    """The brokers: they outlive the processes that die."""

    partitions: Mapping[str, int]
    logs: dict[Place, list[tuple[Fetched, Transaction]]] = field(default_factory=dict)
    offsets: dict[Place, Committed] = field(default_factory=dict)
    epochs: dict[str, tuple[int, Transaction]] = field(default_factory=dict)
    topic_ids: dict[str, str] = field(default_factory=dict)
    begins: dict[Place, int] = field(default_factory=dict)
    """First offsets that are left, where records were deleted."""
    senders: list[object] = field(default_factory=list)
    """In whose name offsets were sent."""

    def append(
        self,
        place: Place,
        value: bytes | None,
        key: bytes | None,
        transaction: Transaction,
        headers: Headers = (),
    ) -> int:
        log = self.logs.setdefault(place, [])
        log.append((Fetched(len(log), value, key, headers), transaction))
        return len(log) - 1

    def visible(self, place: Place) -> list[Fetched]:
        first = self.begins.get(place, 0)
        log = self.logs.get(place, [])
        return [r for r, t in log if t.state == "committed" and r.offset >= first]


class Trap:
    """Counts calls, and springs at one of them, before or after it has done its work."""

    def __init__(
        self, at: int | None = None, when: When = "before", raising: type[BaseException] = Crash
    ) -> None:
        self.calls: list[str] = []
        self._at, self._when, self._raising = at, when, raising

    def around(self, name: str, act: Callable[[], object]) -> object:
        here = len(self.calls) == self._at
        self.calls.append(name)
        error = self._raising
        if error is Aborted and name == "commit":
            error = Undecided  # of a commit no client can say more
        if here and self._when == "before":
            raise error(f"before {name}")
        result = act()
        if here:
            raise error(f"after {name}")
        return result


class FakeClients:
    """One process's clients."""

    def __init__(self, kafka: FakeKafka, trap: Trap) -> None:
        self._kafka, self._trap = kafka, trap
        self.answer_timeout_ms = 8_000

    def reader(self) -> Reader:
        return FakeReader(self._kafka, self._trap)

    def writer(self, transactional_id: str | None) -> Writer:
        return FakeWriter(self._kafka, self._trap, transactional_id or "")

    def log_reader(self) -> LogReader:
        return FakeLogReader(self._kafka)


class FakeReader:
    def __init__(self, kafka: FakeKafka, trap: Trap) -> None:
        self._kafka, self._trap = kafka, trap
        self._positions: dict[Place, int] = {}
        self._paused: set[Place] = set()
        self._listener: Listener | None = None
        self._coming: list[Place] = []

    def subscribe(self, topics: Sequence[str], listener: Listener) -> None:
        counts = self._kafka.partitions
        self._coming = [Place(topic, n) for topic in topics for n in range(counts[topic])]
        self._listener = listener

    def poll(self, timeout_ms: int, at_most: int) -> Mapping[Place, list[Fetched]]:
        return self._trap.around("poll", lambda: self._poll(at_most))  # type: ignore[return-value]

    def _poll(self, at_most: int) -> dict[Place, list[Fetched]]:
        if self._coming and self._listener is not None:
            coming, self._coming = self._coming, []
            self._positions |= dict.fromkeys(coming, 0)
            self._paused |= set(coming)
            self._listener.on_assigned(coming)
        got: dict[Place, list[Fetched]] = {}
        for place in sorted(set(self._positions) - self._paused):
            after = [r for r in self._kafka.visible(place) if r.offset >= self._positions[place]]
            if after[:at_most]:
                got[place] = after[:at_most]
                self._positions[place] = got[place][-1].offset + 1
        return got

    def position(self, place: Place) -> int | None:
        return self._positions[place]

    def seen_end(self, place: Place) -> int | None:
        return len(self._kafka.logs.get(place, [])) if place in self._positions else None

    def joined(self) -> bool:
        return self._listener is not None and not self._coming

    def seek(self, place: Place, offset: int) -> None:
        self._trap.around("seek", lambda: self._positions.update({place: offset}))

    def pause(self, places: Iterable[Place]) -> None:
        self._paused |= set(places)

    def resume(self, places: Iterable[Place]) -> None:
        self._paused -= set(places)

    def committed(self, place: Place, timeout_ms: int) -> Committed | None:
        found = self._trap.around("committed", lambda: self._kafka.offsets.get(place))
        return found  # type: ignore[return-value]

    def membership(self) -> object:
        return "member"

    def beginning(self, place: Place, timeout_ms: int) -> int:
        found = self._trap.around("beginning", lambda: self._kafka.begins.get(place, 0))
        return found  # type: ignore[return-value]

    def end(self, place: Place, timeout_ms: int) -> int:
        found = self._trap.around("end", lambda: len(self._kafka.logs.get(place, [])))
        return found  # type: ignore[return-value]

    def topic_id(self, topic: str, timeout_ms: int) -> str:
        ids = self._kafka.topic_ids
        found = self._trap.around("topic id", lambda: ids.get(topic, f"id of {topic}"))
        return found  # type: ignore[return-value]

    def partitions(self, topic: str, timeout_ms: int) -> int:
        found = self._trap.around("partitions", lambda: self._kafka.partitions[topic])
        return found  # type: ignore[return-value]

    def commit(self, offsets: Offsets, timeout_ms: int) -> None:
        self._trap.around("commit offsets", lambda: self._kafka.offsets.update(offsets))

    def close(self, timeout_ms: int) -> None:
        pass


class FakeWriter:
    def __init__(self, kafka: FakeKafka, trap: Trap, transactional_id: str) -> None:
        self._kafka, self._trap, self._id = kafka, trap, transactional_id
        self._epoch = -1
        self._sent: list[int] = []

    def start(self) -> None:
        self._trap.around("start", self._start)

    def _start(self) -> None:
        epoch, last = self._kafka.epochs.get(self._id, (-1, Transaction("committed")))
        if last.state == "open" and self._id:
            last.state = "aborted"
        self._epoch = epoch + 1
        self._kafka.epochs[self._id] = (self._epoch, Transaction("committed"))

    def begin(self) -> None:
        self._trap.around("begin", self._begin)

    def _begin(self) -> None:
        self._transaction()
        state: Literal["open", "committed"] = "open" if self._id else "committed"
        self._kafka.epochs[self._id] = (self._epoch, Transaction(state))

    def send(self, records: Iterable[Outgoing]) -> None:
        for record in records:
            self._trap.around("send", lambda out=record: self._send(out))  # type: ignore[misc]

    def _send(self, record: Outgoing) -> None:
        offset = self._kafka.append(
            record.place, record.value, record.key, self._transaction(), record.headers
        )
        self._sent.append(offset)

    def settle(self) -> list[int]:
        return self._trap.around("settle", self._settle)  # type: ignore[return-value]

    def _settle(self) -> list[int]:
        sent, self._sent = self._sent, []
        return sent

    def send_offsets(self, offsets: Offsets, membership: object) -> None:
        self._kafka.senders.append(membership)
        if self._id:
            add = self._transaction().offsets.update
            self._trap.around("send offsets", lambda: add(offsets))

    def commit(self) -> None:
        if self._id:
            self._trap.around("commit", self._commit)

    def _commit(self) -> None:
        transaction = self._transaction()
        transaction.state = "committed"
        self._kafka.offsets.update(transaction.offsets)

    def abort(self) -> None:
        self._transaction().state = "aborted"

    def close(self) -> None:
        pass

    def _transaction(self) -> Transaction:
        epoch, transaction = self._kafka.epochs[self._id]
        if epoch != self._epoch:
            raise Aborted("fenced by a newer writer")
        return transaction


class FakeLogReader:
    def __init__(self, kafka: FakeKafka) -> None:
        self._kafka = kafka

    def read(self, place: Place, first: int, last: int) -> list[Fetched]:
        if last >= self.range(place)[1]:
            raise OutOfRange(f"{place} ends before {last}")
        return [r for r in self._kafka.visible(place) if first <= r.offset <= last]

    def range(self, place: Place) -> tuple[int, int]:
        log = self._kafka.logs.get(place, [])
        return self._kafka.begins.get(place, 0), log[-1][0].offset + 1 if log else 0

    def at_time(self, place: Place, timestamp_ms: int) -> int | None:
        later = [r for r in self._kafka.visible(place) if r.timestamp_ms >= timestamp_ms]
        return later[0].offset if later else None

    def partitions(self, topic: str) -> int:
        return self._kafka.partitions[topic]

    def close(self) -> None:
        pass
