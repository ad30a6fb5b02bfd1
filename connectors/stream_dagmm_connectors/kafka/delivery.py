"""The open transaction: what was sent and not committed, and how it is ended or done again.

One transaction holds scored events, dead letters, the input's offsets and, when one is due, the
checkpoint. Its records are kept, whole, until it is known to be committed; so after an abort they
are sent again unchanged, and nothing is scored or learned twice. The same without a transactional
id is at-least-once: what is sent again then lies in the output twice, in equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from stream_dagmm_connectors.kafka.checkpoints import Save, Store
from stream_dagmm_connectors.kafka.client import (
    Aborted,
    Clients,
    Committed,
    NotYet,
    Outgoing,
    Place,
    Reader,
    Undecided,
    Writer,
)
from stream_dagmm_connectors.kafka.phases import Enter, unwatched
from stream_dagmm_connectors.kafka.positions import Progress
from stream_dagmm_connectors.kafka.stands import Asked, Stand


def _nobody_counts(records: list[Outgoing]) -> None:
    """Nobody does."""


class Delivery:
    """Sends what partitions give, and commits it with their offsets.

    `broken` says that a call failed: then nothing but `recover` (or `drop`) may follow.
    """

    def __init__(
        self,
        clients: Clients,
        reader: Reader,
        store: Store | None,
        transactional_id: str | None,
        *,
        enter: Enter = unwatched,
        emitted: Callable[[list[Outgoing]], None] = _nobody_counts,
    ) -> None:
        self._clients = clients
        self._reader = reader
        self._store = store
        self._transactional_id = transactional_id
        self._enter = enter
        self._emitted = emitted
        self._timeout_ms = clients.answer_timeout_ms
        self._writer: Writer | None = None
        self._stands: dict[Place, Stand] = {}
        self._pending: dict[Place, list[Outgoing]] = {}
        self._asked: dict[Place, Asked] = {}
        """Of a commit whose outcome is unknown."""
        self._open = False
        self._membership: object | None = None
        self.broken: str | None = "not started"
        self.commits = 0
        self.aborts = 0

    @property
    def waiting(self) -> int:
        """Records that are sent and not committed."""
        return sum(map(len, self._pending.values()))

    @property
    def dirty(self) -> bool:
        """Whether there is something to commit."""
        return bool(self._pending)

    def stand(self, place: Place) -> Stand:
        """What is committed of a partition of ours."""
        return self._stands[place]

    def stand_of(self, place: Place) -> Stand | None:
        """The same, or None of a partition that is not ours; from any thread."""
        return self._stands.get(place)

    def belong(self) -> None:
        """Note who this member is, at a moment when everything that it was told of its partitions
        has been heeded: within a rebalance's call, and when a poll has ended.

        A client may join its group again behind our back, under a generation in which partitions
        of ours belong to another. Brokers look at the generation alone (KIP-447), not at whose a
        partition is, and would take their offsets under the new one; under the old they refuse.
        """
        if self._transactional_id is None:
            return
        try:
            self._membership = self._reader.membership()
        except Aborted:
            self._membership = None

    def own(self, place: Place, stand: Stand) -> None:
        """A partition came; from here on its records may be taken."""
        self._stands[place] = stand

    def take(self, place: Place, records: list[Outgoing]) -> None:
        """Send what a partition gave, in the open transaction or a new one."""
        self._pending.setdefault(place, []).extend(records)
        if self.broken is None:
            self._try(lambda: self._send(records))

    def commit(
        self, progress: Mapping[Place, tuple[Progress, int]], saves: Mapping[Place, Save]
    ) -> bool:
        """Commit all that was taken, with (progress, offset) of the partitions named; whether it
        is known to have happened."""
        if self.broken is not None:
            return False
        return self._try(lambda: self._commit(progress, saves))

    def drop(self, places: Iterable[Place]) -> None:
        """Partitions went: the open transaction must not be committed if it holds of them."""
        for place in places:
            self._stands.pop(place, None)
            self._asked.pop(place, None)
            if self._pending.pop(place, None) is not None and self.broken is None:
                self.broken = f"{place} was lost with records of it in the open transaction"

    def recover(self) -> set[Place] | None:
        """A new writer, and what was not committed sent again; None while brokers do not answer.

        Gives the partitions whose offset is neither what it was nor what was asked for: somebody
        else moved it, and their models must be restored.
        """
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self.aborts += 1
        try:
            self._writer = self._clients.writer(self._transactional_id)
            self._writer.start()
            touched = {*self._pending, *self._asked}
            strangers = {place for place in touched if not self._understood(place)}
        except (NotYet, Aborted):
            return None
        self._asked.clear()
        self._open = False
        self.broken = None
        left = [record for records in self._pending.values() for record in records]
        if left:
            self._try(lambda: self._send(left))
        return strangers

    def close(self) -> None:
        """Give up what is open."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.broken = "closed"

    def _understood(self, place: Place) -> bool:
        """Whether the open transaction's part of a partition was committed (then it is done) or
        was not (then it is kept). Anything else is somebody else's doing."""
        found = self._reader.committed(place, self._timeout_ms)
        asked = self._asked.get(place)
        if asked is not None and found == asked.committed:
            del self._asked[place]
            self._stands[place] = asked.after
            pending = self._pending.pop(place, [])
            self._emitted(pending[: asked.records])
            if later := pending[asked.records :]:
                self._pending[place] = later
            return True
        if (None if found is None else found.offset) == self._stands[place].offset:
            return True
        self._pending.pop(place, None)
        return False

    def _send(self, records: list[Outgoing]) -> None:
        writer = self._ready()
        if not self._open:
            writer.begin()
            self._open = True
            self._enter("open transaction")
        writer.send(records)

    def _commit(
        self, progress: Mapping[Place, tuple[Progress, int]], saves: Mapping[Place, Save]
    ) -> None:
        writer = self._ready()
        if not self._open:
            writer.begin()
            self._open = True
        self._enter("before commit")
        writer.settle()
        after = {place: self._saved(place, saves.get(place)) for place in progress}
        writer.settle()
        offsets = {
            place: Committed(offset, reached.metadata(after[place].pointer))
            for place, (reached, offset) in progress.items()
        }
        if self._transactional_id is not None:
            if self._membership is None:
                raise Aborted("not a member of the group any more")
            writer.send_offsets(offsets, self._membership)
        self._asked = {
            place: Asked(
                committed,
                after[place]._replace(offset=committed.offset),
                len(self._pending.get(place, ())),
            )
            for place, committed in offsets.items()
        }
        self._enter("commit in flight")
        if self._transactional_id is None:
            self._reader.commit(offsets, self._timeout_ms)
        writer.commit()
        self._committed()

    def _committed(self) -> None:
        self._stands |= {place: asked.after for place, asked in self._asked.items()}
        for records in self._pending.values():
            self._emitted(records)
        self._pending.clear()
        self._asked.clear()
        self._open = False
        self.commits += 1

    def _saved(self, place: Place, save: Save | None) -> Stand:
        stand = self._stands[place]
        if save is None or self._store is None:
            return stand
        self._enter("chunk write")
        pointer, kept = self._store.save(self._ready(), save, stand.kept)
        return stand._replace(pointer=pointer, kept=kept)

    def _ready(self) -> Writer:
        if self._writer is None:
            raise Aborted("no writer yet")
        return self._writer

    def _try(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except (Aborted, NotYet, Undecided) as error:
            self.broken = str(error)
            return False
        return True
