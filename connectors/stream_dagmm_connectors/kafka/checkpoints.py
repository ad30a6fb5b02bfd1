"""Where the models' states lie, and what every such place promises.

A checkpoint is bytes under a key and an offset. The pointer that `save` gives is committed beside
the input's offset, in one transaction, so that a restore is a look-up. A checkpoint that was never
pointed to is never used, whatever became of the process that wrote it.

A partition's checkpoints are bounded: the newest few of its lineage, and of the lineages before it
those of its parent, which is committed until the new one is, and of the last `FORMER_LINEAGES`
others, from which `checkpoint revert` and audits may go back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from stream_dagmm_connectors.kafka.client import Writer
from stream_dagmm_connectors.kafka.positions import Pointer

FORMER_LINEAGES = 3
"""So many besides the one that goes on and its parent keep their checkpoints."""


class Key(NamedTuple):
    """Whose state it is."""

    group: str
    topic_id: str
    partition: int
    lineage: str

    def words(self) -> list[str | int]:
        """The key as JSON-able values."""
        return [self.group, self.topic_id, self.partition, self.lineage]


class Save(NamedTuple):
    """A checkpoint to be kept."""

    key: Key
    offset: int
    data: bytes
    parent: str | None = None
    """The lineage before this one."""


class Earlier(NamedTuple):
    """A checkpoint that is still kept: its offset and the number of its parts."""

    offset: int
    parts: int


class Found(NamedTuple):
    """A checkpoint that was read back whole."""

    data: bytes
    offset: int
    kept: list[Earlier]
    """All that are kept, this one last."""


class Listed(NamedTuple):
    """A checkpoint that is there, by all that is known without reading it whole."""

    key: Key
    offset: int
    size_bytes: int
    pointer: Pointer
    parts: int = 1


class Store(Protocol):
    """Keeps the newest few checkpoints of each key, and of few keys of a partition."""

    def save(
        self, writer: Writer, made: Save, kept: Sequence[Earlier]
    ) -> tuple[Pointer, list[Earlier]]:
        """Write a checkpoint, and drop those beyond the number to keep; within the writer's
        transaction, where the place is a topic. Gives the pointer and what is kept now."""

    def load(self, key: Key, pointer: Pointer) -> Found | None:
        """What a pointer points to, checked; None where it is gone and the place may forget.
        `ValueError` where it is damaged; `NotYet`."""

    def search(self, key: Key, at_most: int) -> Found | None:
        """The newest one of a key at or before an offset that is still whole, without a pointer."""

    def listed(self, group: str, topic_id: str, partition: int) -> list[Listed]:
        """All that are there of a partition, of whatever lineage, oldest first by offset."""

    def topic_ids(self, group: str, partition: int) -> set[str]:
        """Of which topics there are checkpoints of partitions of that number."""


def outlived(listed: Iterable[Listed], lineage: str, parent: str | None) -> list[Listed]:
    """Checkpoints of lineages that are too long ago to be kept beside a lineage and its parent;
    `listed` are those of one partition in the order in which they were written.

    >>> old = [Listed(Key("g", "t", 0, f"{n}"), 10, 0, {}) for n in range(9)]
    >>> [one.key.lineage for one in outlived(old, "8", parent="0")]
    ['1', '2', '3', '4']
    """
    former: dict[str, list[Listed]] = {}
    for one in listed:
        if one.key.lineage not in (lineage, parent):
            former[one.key.lineage] = [*former.pop(one.key.lineage, []), one]
    return [one for held in list(former.values())[:-FORMER_LINEAGES] for one in held]
