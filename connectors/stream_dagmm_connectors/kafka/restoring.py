"""A partition that came: which model it had, where its state lies, and what must be re-learned.

Restore = load the newest usable checkpoint, seek to its offset, re-learn silently until the
reader's position reaches the committed offset, go on. A checkpoint ahead of the committed offset
is never used. Whatever does not fit (history gone, another topic, another configuration, another
arithmetic, an offset that somebody moved) is a `Surprise` with a policy: stop and say so, or begin
a new lineage there. Nothing jumps quietly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stream_dagmm_connectors.kafka.checkpoints import Found, Key, Store
from stream_dagmm_connectors.kafka.client import Committed, Place, Reader
from stream_dagmm_connectors.kafka.pacing import Kind, Policy
from stream_dagmm_connectors.kafka.partition import PartitionModel, Recipe
from stream_dagmm_connectors.kafka.positions import Pointer, Progress, read_metadata
from stream_dagmm_connectors.kafka.stands import Stand
from stream_dagmm_connectors.kafka.surprises import (
    Stopped,
    Surprise,
    again,
    refuse_lost,
    state_of,
)

ANSWER_MS = 1_000


class Begun(NamedTuple):
    """A model at `model.progress.next_offset`, and how far it must re-learn."""

    model: PartitionModel
    target: Progress | None
    """What the model must have become when it reaches the committed offset; None if it has."""
    stand: Stand
    seek_to: int


class Restorer:
    """Begins the models of partitions that came."""

    def __init__(
        self,
        reader: Reader,
        store: Store | None,
        recipe: Recipe,
        group: str,
        policies: Mapping[Kind, Policy],
        topics: Sequence[str] = (),
    ) -> None:
        self._reader = reader
        self._store = store
        self._recipe = recipe
        self._group = group
        self._policies = policies
        self._topics = topics
        self._seen: dict[str, str] = {}

    def begin(self, place: Place) -> Begun:
        """The model of a partition; `NotYet` while a transaction on it is open or brokers do not
        answer, `Stopped` for a surprise whose policy is to fail."""
        topic_id = self._reader.topic_id(place.topic, ANSWER_MS)
        self._refuse_narrow(place)
        committed = self._reader.committed(place, ANSWER_MS)
        first = self._reader.beginning(place, ANSWER_MS)
        try:
            if committed is None:
                self._refuse_forgotten(place, topic_id, first)
                return self._fresh(place, topic_id, first)
            return self._continued(place, topic_id, committed, first)
        except Surprise as surprise:
            return self.anew(place, committed, surprise)

    def anew(self, place: Place, committed: Committed | None, surprise: Surprise) -> Begun:
        """A model of a new lineage, from the committed offset on or from the first that is left, if
        the policy says so."""
        self.allow(place, surprise)
        topic_id = self._reader.topic_id(place.topic, ANSWER_MS)
        first = self._reader.beginning(place, ANSWER_MS)
        if committed is None:
            return self._fresh(place, topic_id, first)
        read = read_metadata(*committed)
        parent = None if read is None else read[0].lineage
        start = max(first, min(committed.offset, self._reader.end(place, ANSWER_MS)))
        model = PartitionModel(self._recipe, place, topic_id, start, parent)
        return Begun(model, None, Stand(committed.offset, None, []), start)

    def allow(self, place: Place, surprise: Surprise) -> None:
        """`Stopped` unless the policy is to go on with a new lineage."""
        if self._policies.get(surprise.kind, "fail") == "fail":
            raise Stopped(
                f"{place}: {surprise}; to begin a new model there, say "
                f"--on-{surprise.kind} new-lineage"
            ) from surprise

    def _fresh(self, place: Place, topic_id: str, first: int) -> Begun:
        model = PartitionModel(self._recipe, place, topic_id, first)
        return Begun(model, None, Stand(None, None, []), first)

    def _refuse_narrow(self, place: Place) -> None:
        """Partitions may be added to the input at any time; the outputs must be as wide."""
        for topic in (self._recipe.output, self._recipe.dead_letters):
            count = self._reader.partitions(topic, ANSWER_MS)
            if count <= place.partition:
                raise Stopped(
                    f"{place} goes to the partition of its number, and {topic} has {count} "
                    f"partitions; give it more, then start again: kafka-topics.sh --alter --topic "
                    f"{topic} --partitions {place.partition + 1}"
                )

    def _refuse_forgotten(self, place: Place, topic_id: str, first: int) -> None:
        """A group without offsets that has checkpoints did not come for the first time, and a topic
        that this process knew as another one did not either."""
        before = self._seen.setdefault(place.topic, topic_id)
        if before != topic_id:
            raise Surprise(
                "new-topic",
                f"this process learned topic {before}, this one of the same name is {topic_id} "
                f"(deleted and made again); it would begin at offset {first}",
            )
        if self._store is None:
            return
        kept = self._store.listed(self._group, topic_id, place.partition)
        if kept:
            raise Surprise(
                "missing-offsets",
                f"group {self._group} has committed nothing, and checkpoints of it reach offset "
                f"{kept[-1].offset} (its offsets expired or were deleted); it would score the log "
                f"again from offset {first}",
            )
        known = {self._reader.topic_id(topic, ANSWER_MS) for topic in self._topics}
        others = self._store.topic_ids(self._group, place.partition) - known
        if others:
            raise Surprise(
                "new-topic",
                f"group {self._group} has committed nothing, and its checkpoints of partition "
                f"{place.partition} are of topic {', '.join(sorted(others))}, this one is "
                f"{topic_id} (deleted and made again, or another input before); it would begin at "
                f"offset {first}",
            )

    def key(self, place: Place, progress: Progress) -> Key:
        """The name of a model's checkpoints."""
        return Key(self._group, progress.topic_id, place.partition, progress.lineage)

    def _continued(self, place: Place, topic_id: str, committed: Committed, first: int) -> Begun:
        was, pointer = self._read(place, topic_id, committed, first)
        try:
            model = again(self._recipe, place, was)
        except Surprise as surprise:
            words = f"{surprise}{self._differences(place, was, pointer)}"
            raise Surprise(surprise.kind, words) from surprise
        try:
            found = self._found(place, was, pointer)
            # None ahead of what went out.
            if found is not None and found.offset <= committed.offset:
                model.restore(state_of(found, f"checkpoint at offset {found.offset}"))
        except ValueError as error:
            raise Stopped(f"{place}: {error}") from error
        refuse_lost(model, first, committed.offset)
        kept = [] if found is None else found.kept
        stand = Stand(committed.offset, pointer if found is not None else None, kept)
        return Begun(model, was, stand, model.progress.next_offset)

    def _read(
        self, place: Place, topic_id: str, committed: Committed, first: int
    ) -> tuple[Progress, Pointer | None]:
        read = read_metadata(*committed)
        if read is None:
            raise Surprise(
                "moved-offsets",
                f"the committed offset {committed.offset} is not one of ours (somebody moved it: "
                f"its metadata is {committed.metadata[:40]!r}); move it back",
            )
        if read[0].topic_id != topic_id:
            raise Surprise(
                "new-topic",
                f"offset {committed.offset} was committed for topic {read[0].topic_id}, this one "
                f"of the same name is {topic_id} (deleted and made again)",
            )
        if committed.offset < first or committed.offset > self._reader.end(place, ANSWER_MS):
            raise Surprise(
                "lost-history",
                f"the committed offset {committed.offset} is not in the log any more, which "
                f"begins at {first}; events between were never scored",
            )
        return read

    def _found(self, place: Place, was: Progress, pointer: Pointer | None) -> Found | None:
        if pointer is None or self._store is None:
            return None
        key = self.key(place, was)
        found = self._store.load(key, pointer)
        return self._store.search(key, was.next_offset) if found is None else found

    def _differences(self, place: Place, was: Progress, pointer: Pointer | None) -> str:
        """In what its checkpoint is of another run, for a message; empty where nothing tells."""
        model = PartitionModel(self._recipe, place, was.topic_id, was.start)
        try:
            found = self._found(place, was, pointer)
            differ = [] if found is None else model.differences(state_of(found, "checkpoint"))
        except ValueError:
            return ""
        return f" ({'; '.join(differ)})" if differ else ""
