"""A look at a group's partitions from outside of it: what audit, list and revert share.

Nothing here joins the group. A model is brought forward by the very calls that a run restores it
with (`surprises.again`, `PartitionModel.restore`, `.relearn`), over ranges of the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from stream_dagmm_connectors.kafka.checkpoints import Listed, Store
from stream_dagmm_connectors.kafka.client import Clients, Fetched, LogReader, Place, Reader
from stream_dagmm_connectors.kafka.partition import PartitionModel, Recipe
from stream_dagmm_connectors.kafka.positions import Pointer, Progress, read_metadata
from stream_dagmm_connectors.kafka.remade import remade
from stream_dagmm_connectors.kafka.restoring import ANSWER_MS
from stream_dagmm_connectors.kafka.surprises import Surprise, refuse_lost, state_of

PIECE = 1_000
"""Offsets of a log that are read at once."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The brokers, and the group that is looked at."""

    clients: Clients
    reader: Reader
    """A client of the group that never joins it."""
    store: Store
    group: str

    def topic_id(self, place: Place) -> str:
        """Of the topic as it is now."""
        return self.reader.topic_id(place.topic, ANSWER_MS)

    def committed(self, place: Place) -> tuple[Progress, Pointer | None] | None:
        """What the group committed for a partition; None if nothing, or nothing of ours."""
        found = self.reader.committed(place, ANSWER_MS)
        return None if found is None else read_metadata(*found)

    def listed(self, place: Place) -> list[Listed]:
        """The checkpoints of a partition of the topic as it is now."""
        return self.store.listed(self.group, self.topic_id(place), place.partition)

    def lineage(self, place: Place, lineage: str, given: Recipe) -> tuple[Recipe, Progress]:
        """How the models of a lineage are made: by the configuration in its checkpoints, else by
        the one given. `Surprise` where nothing tells how it began; `ValueError` for a checkpoint
        that is damaged."""
        for one in reversed(self.listed(place)):
            if one.key.lineage == lineage and (state := self.state(place, one)) is not None:
                return remade(state["run"], given), Progress.from_state(state["progress"])
        committed = self.committed(place)
        if committed is None or committed[0].lineage != lineage:
            raise Surprise(
                "new-configuration",
                f"no checkpoint of lineage {lineage} is kept, and group {self.group} has committed "
                f"{'nothing' if committed is None else 'lineage ' + committed[0].lineage}",
            )
        return given, committed[0]

    def forward(self, model: PartitionModel, recipe: Recipe, at_most: int) -> None:
        """Take a model from its beginning to the newest checkpoint at or before an offset that
        had the same history: its own lineage's, or one's that parted from it later."""
        for one in reversed(self.listed(model.place)):
            state = self.state(model.place, one) if one.offset <= at_most else None
            if state is not None and state["run"] == recipe.configuration():
                had = Progress.from_state(state["progress"])
                if had.parted_at(model.progress) >= one.offset:
                    model.restore(state)
                    return

    def state(self, place: Place, listed: Listed) -> dict[str, Any] | None:
        """What a checkpoint holds; None where it went meanwhile."""
        found = self.store.load(listed.key, listed.pointer)
        name = f"checkpoint of {place}@{listed.offset}"
        return None if found is None else state_of(found, name)

    def relearn(self, model: PartitionModel, end: int) -> None:
        """Bring a model to an offset, silently; `Surprise` where the log has lost what it needs."""
        log = self.clients.log_reader()
        try:
            refuse_lost(model, log.range(model.place)[0], end)
            for records in pieces(log, model.place, model.progress.next_offset, end):
                model.relearn(records)
        finally:
            log.close()


def pieces(log: LogReader, place: Place, first: int, end: int) -> Iterator[list[Fetched]]:
    """The committed records of a range, a bounded number at a time."""
    for start in range(first, end, PIECE):
        yield log.read(place, start, min(start + PIECE, end) - 1)


def unstoppable(recipe: Recipe, output: str) -> Recipe:
    """The same for records that were passed before: no bad one stops it now."""
    return replace(
        recipe,
        output=output,
        dead_letters="",
        on_error="dead-letter",
        largest_bad_share=1.0,
        include_event=False,
    )
