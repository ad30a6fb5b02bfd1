"""What the loop asks of a Kafka client; one file behind it for each client library.

Each call says how it fails, in three kinds and no more (`errors.py` sorts a library's own errors):
`Aborted`: what was not committed is not and never will be. `Undecided`: a commit that may have
happened. `Fatal`: nothing that this process can do. A call that is only late raises `NotYet`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes]]


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class Fetched(NamedTuple):
    """A record as it lies in the log; `value` is None for a tombstone."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    timestamp_ms: int = 0


class Outgoing(NamedTuple):
    """A record to be sent, whole, so that it can be sent again unchanged."""

    place: Place
    value: bytes | None
    key: bytes | None
    headers: Headers
    timestamp_ms: int | None


class Committed(NamedTuple):
    """The offset of the next record to be scored, and what was written beside it."""

    offset: int
    metadata: str


Offsets = Mapping[Place, Committed]


class Trouble(Exception):
    """Something that a client reports."""


class NotYet(Trouble):
    """No answer in the time given; asking again is safe."""


class Aborted(Trouble):
    """The open transaction is lost, and nothing of it was or will be committed."""


class Undecided(Trouble):
    """A commit was asked for, and no answer came: it happened or it did not."""


class Fatal(Trouble):
    """This process cannot go on: it was displaced, or it may not do what it must."""


class OutOfRange(Trouble):
    """A record that should be read is no longer in the log."""


class Listener(Protocol):
    """Told of a rebalance, within `poll`, on whatever thread; must return within seconds."""

    def on_assigned(self, places: Iterable[Place]) -> None:
        """These came; they are paused, and give no record before `seek` and `resume`."""

    def on_revoked(self, places: Iterable[Place]) -> None:
        """These go when this returns; offsets of them may still be committed."""

    def on_lost(self, places: Iterable[Place]) -> None:
        """These are gone already, and may belong to another member."""


class Reader(Protocol):
    """A member of a consumer group that reads what was committed, in order."""

    def subscribe(self, topics: Sequence[str], listener: Listener) -> None:
        """Join the group at the next poll."""

    def poll(self, timeout_ms: int, at_most: int) -> Mapping[Place, list[Fetched]]:
        """Records of partitions that are not paused; empty also when the broker is dead."""

    def position(self, place: Place) -> int | None:
        """The next offset that poll will look at; beyond markers that it has passed."""

    def seen_end(self, place: Place) -> int | None:
        """The end of the log as the last fetch told it; None before one. Asks no broker, and may
        be called from any thread."""

    def joined(self) -> bool:
        """Whether this is a member of the group, as far as it knows; from any thread."""

    def seek(self, place: Place, offset: int) -> None:
        """Go on reading there; `NotYet`."""

    def pause(self, places: Iterable[Place]) -> None:
        """Give no record of these."""

    def resume(self, places: Iterable[Place]) -> None:
        """Give records of these."""

    def committed(self, place: Place, timeout_ms: int) -> Committed | None:
        """The group's offset once no transaction is open on it; `NotYet` while one is."""

    def membership(self) -> object:
        """Who this member is at this moment, for `Writer.send_offsets`, which refuses it once the
        group has gone on without it; `Aborted` once it knows that it was put out of the group.
        Brokers take a transaction's offsets from nobody without a question, so one that woke up
        late would overwrite what the next owner has committed."""

    def beginning(self, place: Place, timeout_ms: int) -> int:
        """The first offset that the log still has; `NotYet`."""

    def end(self, place: Place, timeout_ms: int) -> int:
        """The offset after the last committed record; `NotYet`."""

    def topic_id(self, topic: str, timeout_ms: int) -> str:
        """What tells a topic from another of the same name, as it is now; empty where there is
        none. May be asked within a callback. `NotYet`."""

    def partitions(self, topic: str, timeout_ms: int) -> int:
        """How many partitions the topic has now; 0 where there is none. `NotYet`."""

    def commit(self, offsets: Offsets, timeout_ms: int) -> None:
        """Commit outside any transaction. Within a callback it is asked for, in the order of all
        calls, and nobody waits for the answer: what it does not reach is emitted again."""

    def close(self, timeout_ms: int) -> None:
        """Leave the group."""


class Writer(Protocol):
    """A producer; with a transactional id its records and offsets commit together.

    After `Aborted` or `Undecided` a writer is of no more use but to be closed. Without a
    transactional id `begin`, `send_offsets` and `commit` do nothing.
    """

    def start(self) -> None:
        """End whatever transaction the last writer of this transactional id left open."""

    def begin(self) -> None:
        """Open a transaction."""

    def send(self, records: Iterable[Outgoing]) -> None:
        """Hand records over; that they arrived is known after `settle`."""

    def settle(self) -> list[int]:
        """Wait until all that was sent is in the log: its offsets, since the last `settle`."""

    def send_offsets(self, offsets: Offsets, membership: object) -> None:
        """Make the group's offsets part of the transaction; a stale member is `Aborted`."""

    def commit(self) -> None:
        """Commit the transaction; `Undecided` when no answer comes."""

    def abort(self) -> None:
        """Give the transaction up; the writer stays of use. `Aborted` where that failed."""

    def close(self) -> None:
        """Release what is held, at once; an open transaction is aborted by its successor."""


class LogReader(Protocol):
    """Reads ranges of a topic outside any group."""

    def read(self, place: Place, first: int, last: int) -> list[Fetched]:
        """The committed records at offsets from `first` to `last`; `NotYet`, `OutOfRange`."""

    def range(self, place: Place) -> tuple[int, int]:
        """The first offset in the log, and the one after the last."""

    def at_time(self, place: Place, timestamp_ms: int) -> int | None:
        """The first offset whose record is of that time or later; None where none is."""

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has; 0 where there is none."""

    def close(self) -> None:
        """Release what is held."""


class Clients(Protocol):
    """Makes clients that all talk to the same brokers."""

    @property
    def answer_timeout_ms(self) -> int:
        """The longest that one of their calls may hold up the loop."""

    def reader(self) -> Reader:
        """The one member of the group that this process is."""

    def writer(self, transactional_id: str | None) -> Writer:
        """A new producer; of one transactional id the newest fences the others."""

    def log_reader(self) -> LogReader:
        """For checkpoints."""
