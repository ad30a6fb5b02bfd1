"""When to commit, which offset of each partition, and which checkpoints with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from stream_dagmm import checkpoint
from stream_dagmm_connectors.kafka.checkpoints import Key, Save
from stream_dagmm_connectors.kafka.client import NotYet, Place, Reader
from stream_dagmm_connectors.kafka.delivery import Delivery
from stream_dagmm_connectors.kafka.ours import Ours
from stream_dagmm_connectors.kafka.pacing import Pace
from stream_dagmm_connectors.kafka.positions import Progress


class Committing:
    """Commits the live partitions together; those that re-learn have nothing to say yet."""

    def __init__(
        self,
        ours: Ours,
        delivery: Delivery,
        reader: Reader,
        pace: Pace,
        clock: Callable[[], float],
        *,
        key: Callable[[Place, Progress], Key],
        heard: Callable[[], None],
        same_topics: Callable[[Collection[Place]], bool],
        saved: Callable[[Place, int], None],
        keeps: bool = True,
    ) -> None:
        self._ours = ours
        self._delivery = delivery
        self._reader = reader
        self._pace = pace
        self._clock = clock
        self._key = key
        self._heard = heard
        self._same_topics = same_topics
        self._keeps = keeps
        """Whether models are saved at all; without, a restore learns from the log's start."""
        self._saved = saved
        self._committed_s = clock()
        self.revoking = False
        """Within a rebalance callback, where the reader must not be asked anything."""
        self.stopped = False
        """A record was met that must not be passed."""

    def if_due(self) -> None:
        """Commit when enough has gathered or enough time has passed, with the checkpoints due."""
        waited_ms = 1000 * (self._clock() - self._committed_s)
        full = self._delivery.waiting >= self._pace.commit_every_records
        if full or waited_ms >= self._pace.commit_every_ms:
            self.now(save=[place for place in self._ours.live if self._due(place)])

    def _due(self, place: Place) -> bool:
        """Whether a checkpoint is: after so many records, and soon after the first commit, so that
        something is left to show that the group was here."""
        records = self._ours.models[place].progress.records - self._ours.saved[place]
        return records >= self._pace.checkpoint_every or self._delivery.stand(place).pointer is None

    def _behind(self) -> bool:
        """Whether committing would say anything new, markers that were passed included: else the
        lag behind a transactional producer would stay at 1."""
        if self._delivery.dirty:
            return True
        stands = {place: self._delivery.stand(place).offset for place in self._ours.live}
        return any(self._reached(place) > (at or 0) for place, at in stands.items())

    def _reached(self, place: Place) -> int:
        """The offset to commit: beyond the last record, and beyond markers where that is known.

        Within a callback the reader must not be asked; at a stop it has given records that were
        not passed.
        """
        after = self._ours.models[place].progress.next_offset
        if self.revoking or self.stopped:
            return after
        return max(after, self._reader.position(place) or 0)

    def now(self, save: Sequence[Place]) -> bool:
        """Commit what there is, and checkpoints of these; whether nothing is left to commit."""
        # A checkpoint shows that something was committed before, whatever became of the offsets.
        save = [p for p in save if self._keeps and self._delivery.stand(p).offset is not None]
        if not save and not self.revoking and not self._behind():
            return True
        progress = {}
        for place in self._ours.live:
            reached = self._reached(place)
            if reached != self._delivery.stand(place).offset or place in save:
                progress[place] = (self._ours.models[place].progress, reached)
        if not progress and not self._delivery.dirty:
            return True
        try:
            if not self._same_topics(progress):
                return False
        except NotYet:
            return False
        saves = {place: self._save(place) for place in save}
        done = self._delivery.commit(progress, saves)
        if done:
            self._committed_s = self._clock()
            self._heard()
            self._ours.saved |= {p: self._ours.models[p].progress.records for p in save}
            for place, made in saves.items():
                self._saved(place, len(made.data))
        return done

    def _save(self, place: Place) -> Save:
        model = self._ours.models[place]
        progress, data = model.progress, checkpoint.dumps(model.to_state())
        return Save(self._key(place, progress), progress.next_offset, data, progress.parent)
