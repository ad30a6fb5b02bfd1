"""A look at a group's partitions from outside of it: what audit, list and revert share.

Nothing here joins the group. A model is brought forward by the very calls that a run restores it
with (`restoring.again`, `restoring.load`, `PartitionModel.relearn`), over ranges of the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from stream_dagmm_connectors.kafka.checkpoints import Listed, Store
from stream_dagmm_connectors.kafka.client import Clients, Fetched, LogReader, Place, Reader
from stream_dagmm_connectors.kafka.partition import PartitionModel, Recipe
from stream_dagmm_connectors.kafka.positions import Pointer, Progress, read_metadata
from stream_dagmm_connectors.kafka.remade import remade
from stream_dagmm_connectors.kafka.restoring import (
    ANSWER_MS,
    Surprise,
    again,
    load,
    refuse_lost,
    state_of,
)

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

    def begun(self, place: Place, lineage: str, at_most: int, given: Recipe) -> PartitionModel:
        """A model of a lineage from its newest checkpoint at or before an offset, else from its
        beginning, with the configuration that is in its checkpoints; else with the one given.

        `Surprise` where that is another lineage or arithmetic, or where nothing tells how the
        lineage began; `ValueError` for a checkpoint that is damaged.
        """
        of_it = [one for one in self.listed(place) if one.key.lineage == lineage]
        before = [one for one in of_it if one.offset <= at_most]
        for one in [*reversed(before), *of_it[len(before) :]]:
            found = self.store.load(one.key, one.pointer)
            if found is None:
                continue
            state = state_of(found, f"checkpoint of {place}@{one.offset}")
            was = Progress.from_state(state["progress"])
            model = again(remade(state["run"], given), place, was)
            if one.offset <= at_most:
                load(model, found)
            return model
        committed = self.committed(place)
        if committed is None or committed[0].lineage != lineage:
            raise Surprise(
                "new-configuration",
                f"no checkpoint of lineage {lineage} is kept, and group {self.group} has committed "
                f"{'nothing' if committed is None else 'lineage ' + committed[0].lineage}",
            )
        return again(given, place, committed[0])

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
