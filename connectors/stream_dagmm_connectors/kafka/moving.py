"""A partition comes, is restored, re-learns up to what was emitted, goes live, and goes."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Iterable

from stream_dagmm_connectors.kafka.client import Committed, Fetched, NotYet, Place, Reader
from stream_dagmm_connectors.kafka.delivery import Delivery
from stream_dagmm_connectors.kafka.meter import Meter
from stream_dagmm_connectors.kafka.ours import Ours
from stream_dagmm_connectors.kafka.phases import Enter
from stream_dagmm_connectors.kafka.restoring import Begun, Restorer
from stream_dagmm_connectors.kafka.surprises import Stopped, Surprise

LOG = logging.getLogger("stream_dagmm")


class Moving:
    """Brings this process's partitions to where the output stands, and lets them go."""

    def __init__(
        self,
        ours: Ours,
        reader: Reader,
        restorer: Restorer,
        delivery: Delivery,
        *,
        meter: Meter,
        heard: Callable[[], None],
        enter: Enter,
    ) -> None:
        self._ours = ours
        self._reader = reader
        self._restorer = restorer
        self._delivery = delivery
        self._meter = meter
        self._heard = heard
        self._enter = enter

    def begin_one(self) -> None:
        """Restore one of those that came; the others wait, and everything live goes on."""
        for place in sorted(self._ours.coming):
            self._enter("restore")
            try:
                self._install(place, self._restorer.begin(place))
            except NotYet:
                continue  # an open transaction of its last owner, or a slow broker
            self._heard()
            return

    def _install(self, place: Place, begun: Begun) -> None:
        self._reader.seek(place, begun.seek_to)  # first: where it is `NotYet`, nothing has changed
        self._reader.resume([place])
        self._ours.coming.discard(place)
        self._ours.models[place] = begun.model
        self._ours.saved[place] = begun.model.progress.records
        self._delivery.own(place, begun.stand)
        if begun.target is not None:
            self._ours.targets[place] = begun.target
            self._arrive(place)
        else:
            self._live(place)

    def let_go(self, places: Iterable[Place]) -> None:
        """Forget these, and what is sent of them and not committed."""
        going = list(places)
        for place in self._ours.models.keys() & going:
            LOG.info("%s: let go", place)
        self._ours.drop(going)
        for place in going:
            self._meter.dropped(place)
        self._delivery.drop(going)

    def expect(self, places: Iterable[Place]) -> None:
        """These came, paused; `begin_one` takes them up."""
        coming = set(places)
        self._ours.coming |= coming
        self._meter.came(coming)

    def begin_again(self, places: Collection[Place]) -> None:
        """These stay with this process, and their models must be restored."""
        self.let_go(places)
        self._reader.pause(places)
        self.expect(places)

    def lag(self, place: Place) -> int | None:
        """Records behind the committed offset; None before a fetch told. From any thread."""
        model, end = self._ours.models.get(place), self._reader.seen_end(place)
        stand = self._delivery.stand_of(place)
        if model is None or end is None or stand is None:
            return None
        return max(0, end - (model.progress.start if stand.offset is None else stand.offset))

    def relearned(self, place: Place, records: list[Fetched]) -> list[Fetched]:
        """Learn those of the records that were emitted before, silently; gives the others, unless
        the model must begin again, for which they are read again."""
        target, model = self._ours.targets[place], self._ours.models[place]
        self._enter("re-learn")
        old = [record for record in records if record.offset < target.next_offset]
        new = records[len(old) :]
        model.relearn(old)
        self._meter.relearned += len(old)
        if new:
            self._arrive(place, reached=True)
        return new if self._ours.models.get(place) is model else []

    def arrive(self) -> None:
        """Let those go live whose position has reached the committed offset."""
        for place in list(self._ours.targets):
            self._arrive(place)

    def _arrive(self, place: Place, reached: bool = False) -> None:
        """Go live once the position has reached the committed offset, if history is the same."""
        target = self._ours.targets[place]
        position = self._reader.position(place) or 0
        if not reached and position < target.next_offset:
            return
        del self._ours.targets[place]
        model = self._ours.models[place]
        if not model.progress.same_history(target):
            surprise = Surprise(
                "lost-history",
                f"re-learning up to offset {target.next_offset} met {model.progress.records} "
                f"records and {model.progress.learned} events, expected {target.records} and "
                f"{target.learned} (deleted, compacted or changed)",
            )
            stand = self._delivery.stand(place)
            committed = Committed(target.next_offset, target.metadata(stand.pointer))
            try:
                self._install(place, self._restorer.anew(place, committed, surprise))
            except NotYet:  # no answer now: to be restored, and surprised, once more
                self.begin_again([place])
            return
        self._live(place)

    def _live(self, place: Place) -> None:
        self._meter.live(place)
        at = self._ours.models[place].progress
        told = "%s: scoring from offset %d on, with %d events learned, lineage %s"
        LOG.info(told, place, at.next_offset, at.learned, at.lineage)

    def out_of_range(self, said: str) -> None:
        """Say which records are gone. What the brokers cannot answer now, the next poll asks."""
        try:
            self.same_topics(list(self._ours.models))
        except NotYet:
            return
        for place, model in self._ours.models.items():
            at = model.progress.next_offset
            with contextlib.suppress(NotYet):
                first, end = self._reader.beginning(place, 1_000), self._reader.end(place, 1_000)
                if not first <= at <= end:
                    raise Stopped(
                        f"{place}: the log is from {first} to {end}, and the next to score is "
                        f"{at}: records were deleted or lost ({said}); start again with "
                        "--on-lost-history new-lineage to go on with those that are left"
                    )

    def same_topics(self, places: Collection[Place]) -> bool:
        """Whether the topics are the ones that these partitions' models learn; `NotYet`. Asked
        before each commit, since nothing else tells a topic made anew while its offsets fit: a
        client goes on in the new log where it stood in the old one."""
        ids = {topic: self._reader.topic_id(topic, 1_000) for topic in {p.topic for p in places}}
        other = [p for p in places if ids[p.topic] != self._ours.models[p].progress.topic_id]
        for place in other:
            was, now = self._ours.models[place].progress.topic_id, ids[place.topic]
            found = f"topic {now} of that name" if now else "no topic of that name"
            surprise = Surprise(
                "new-topic",
                f"its model learned topic {was}, and there is {found} now (deleted, or deleted and "
                "made again); nothing of the new one was committed",
            )
            self._restorer.allow(place, surprise)
        self.begin_again(other)
        return not other
