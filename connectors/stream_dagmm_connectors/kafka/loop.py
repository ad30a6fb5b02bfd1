"""The loop: one event from poll to commit, and what happens when partitions come and go.

    poll -> (re-learn up to the committed offset) -> score and learn -> send
    every so often: settle, checkpoint if due, offsets, commit

Everything happens on one thread, a bounded piece a turn, so `poll` is never far: learning ends with
the records of one poll, a restore (`moving`) reads one partition's checkpoint a turn while that
partition is paused. Rebalances call in from within `poll`. They commit what goes and note what
comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from stream_dagmm_connectors.kafka.checkpoints import Store
from stream_dagmm_connectors.kafka.client import Clients, Fatal, Fetched, NotYet, OutOfRange, Place
from stream_dagmm_connectors.kafka.committing import Committing
from stream_dagmm_connectors.kafka.delivery import Delivery
from stream_dagmm_connectors.kafka.meter import Meter
from stream_dagmm_connectors.kafka.moving import Moving
from stream_dagmm_connectors.kafka.ours import Ours
from stream_dagmm_connectors.kafka.pacing import Kind, Pace, Policy
from stream_dagmm_connectors.kafka.partition import Recipe
from stream_dagmm_connectors.kafka.phases import Enter, Phase, unwatched
from stream_dagmm_connectors.kafka.restoring import Restorer
from stream_dagmm_connectors.kafka.surprises import Stopped
from stream_dagmm_connectors.kafka.watchdog import Watchdog

RETRY_S = 0.2


class Scoring:
    """A member of a group that scores the partitions it is given."""

    def __init__(
        self,
        clients: Clients,
        store: Store | None,
        recipe: Recipe,
        *,
        topics: Sequence[str],
        group: str,
        transactional_id: str | None,
        pace: Pace | None = None,
        policies: Mapping[Kind, Policy] | None = None,
        enter: Enter = unwatched,
        meter: Meter | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pace = pace = Pace() if pace is None else pace
        self._reader = reader = clients.reader()
        self._entering = enter
        self.meter = meter = Meter() if meter is None else meter
        self._clock = clock
        self._topics = list(topics)
        restorer = Restorer(reader, store, recipe, group, policies or {}, self._topics)
        self.delivery = Delivery(
            clients, reader, store, transactional_id, enter=self._enter, emitted=meter.emitted
        )
        self.ours = Ours()
        self.watchdog = Watchdog(
            clock,
            unready_after_s=pace.unready_after_s,
            exit_after_s=pace.exit_after_s,
            commit_every_s=pace.commit_every_ms / 1000,
        )
        self.rebalances = 0
        self._moving = Moving(
            self.ours,
            reader,
            restorer,
            self.delivery,
            meter=meter,
            heard=self.watchdog.heard,
            enter=self._enter,
        )
        self._committing = Committing(
            self.ours,
            self.delivery,
            reader,
            pace,
            clock,
            key=restorer.key,
            same_topics=self._moving.same_topics,
            heard=self.watchdog.emitted,
            keeps=store is not None,
            saved=meter.saved,
        )
        self._stopping = False
        self._fatal: Fatal | Stopped | None = None
        """What went wrong in a callback, whose errors the client keeps to itself."""

    def _enter(self, phase: Phase) -> None:
        """A commit of what goes is part of the revocation, to whoever watches."""
        if not self._committing.revoking:
            self.meter.enter(phase)
            self._entering(phase)

    @property
    def joined(self) -> bool:
        """Whether this process is a member of its group; from any thread."""
        return self._reader.joined()

    def lag(self, place: Place) -> int | None:
        """Records of a partition of ours behind the committed offset, as far as fetches told; None
        before the first. From any thread."""
        return self._moving.lag(place)

    def stop(self) -> None:
        """Finish the turn in hand, commit, save, leave; safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Score until `stop`. `Stopped` and `Fatal` say why it cannot go on."""
        try:
            self._subscribe()
            while not self._stopping:
                self.turn()
            self._drain()
        finally:
            self.delivery.close()
            self._stopping = True
            self._reader.close(self._pace.close_timeout_ms)

    def _subscribe(self) -> None:
        while not self._stopping:
            try:
                self._reader.subscribe(self._topics, self)
                return
            except NotYet:  # a broker is away, and the client did not ask another one
                self._watch()
                time.sleep(RETRY_S)

    def turn(self) -> None:
        """One poll and what follows from it."""
        if self.delivery.broken is not None and not self._recovered():
            self._watch()
            return
        self._moving.begin_one()
        self._enter("poll")
        self._poll(self._pace.poll_records)
        self._watch()
        self._committing.if_due()

    def _drain(self) -> None:
        """Commit and save what was scored, as far as the brokers answer in time; what is not
        committed then is scored again by the next owner, in equal bytes."""
        deadline_s = self._clock() + self._pace.drain_timeout_s
        while not self._committing.now(save=self.ours.live) and self._clock() < deadline_s:
            self._recovered()

    # -- partitions come and go; called from within `poll` --------------------------------------

    def on_assigned(self, places: Iterable[Place]) -> None:
        """Begin them one a turn; they are paused until then."""
        self.rebalances += 1
        self._moving.expect(places)

    def on_revoked(self, places: Iterable[Place]) -> None:
        """Commit what was scored of them, with a checkpoint, and let go."""
        self.rebalances += 1
        self._enter("revoke")
        going = list(places)
        if not self._stopping:
            self.delivery.belong()
            self._committing.revoking = True
            try:
                self._committing.now(save=[place for place in going if place in self.ours.live])
            except (Fatal, Stopped) as error:
                self._fatal = error
            finally:
                self._committing.revoking = False
        self._moving.let_go(going)

    def on_lost(self, places: Iterable[Place]) -> None:
        """They may have another owner by now: emit nothing of them."""
        self._moving.let_go(places)

    # -- one partition ------------------------------------------------------------------------

    def _take(self, place: Place, records: list[Fetched]) -> None:
        model = self.ours.models.get(place)
        if model is None or self._committing.stopped:
            return
        if place in self.ours.targets:
            records = self._moving.relearned(place, records)
        if records:
            self._enter("score")
            began_s = self.meter.now_s()
            outgoing = model.score(records)
            self.meter.stepped(began_s)
            self.delivery.take(place, outgoing)
            if model.stopped_by is not None:
                self._stop_at(model.stopped_by)

    def _stop_at(self, why: str) -> None:
        """What was scored before the record is emitted; then the process ends there."""
        self._committing.stopped = True
        while not self._committing.now(save=self.ours.live):
            if not self._recovered():
                self._watch()
        raise Stopped(why)

    def _poll(self, at_most: int) -> None:
        batches: Mapping[Place, list[Fetched]] = {}
        try:
            batches = self._reader.poll(self._pace.poll_timeout_ms, at_most)
        except OutOfRange as error:
            self._moving.out_of_range(str(error))
        self.delivery.belong()
        if self._fatal is not None:
            raise self._fatal
        for place, records in batches.items():
            self._take(place, records)
        self._moving.arrive()
        if batches:
            self.watchdog.heard()

    # -- commit and recover ---------------------------------------------------------------------

    def _recovered(self) -> bool:
        """Make the delivery whole again. The poll before keeps the membership alive, or shows that
        it is lost; what it gives waits with the rest, record by record once that is much."""
        self.watchdog.failing(self.delivery.broken or "")
        full = self.delivery.waiting >= self._pace.commit_every_records
        self._poll(1 if full else self._pace.poll_records)
        strangers = self.delivery.recover()
        if strangers is None:
            return False
        self.watchdog.heard()
        if not self.delivery.dirty:
            self.watchdog.emitted()
        self._moving.begin_again(strangers)
        return True

    def _watch(self) -> None:
        self.watchdog.look(self._ask_anything)

    def _ask_anything(self) -> None:
        """A member may have no partition for hours: more members than partitions, or a rebalance
        that waits for another one's session."""
        if self.ours.models:
            self._reader.end(next(iter(self.ours.models)), 1_000)
        else:
            self._reader.partitions(self._topics[0], 1_000)
