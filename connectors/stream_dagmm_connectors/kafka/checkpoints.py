"""Where the models' states lie, and what every such place promises.

A checkpoint is bytes under a key and an offset. The pointer that `save` gives is committed beside
the input's offset, in one transaction, so that a restore is a look-up. A checkpoint that was never
pointed to is never used, whatever became of the process that wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from stream_dagmm_connectors.kafka.client import Writer
from stream_dagmm_connectors.kafka.positions import Pointer


class Key(NamedTuple):
    """Whose state it is."""

    group: str
    topic_id: str
    partition: int
    lineage: str

    def words(self) -> list[str | int]:
        """The key as JSON-able values."""
        return [self.group, self.topic_id, self.partition, self.lineage]


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


class Store(Protocol):
    """Keeps the newest few checkpoints of each key."""

    def save(
        self, writer: Writer, key: Key, offset: int, data: bytes, kept: Sequence[Earlier]
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
