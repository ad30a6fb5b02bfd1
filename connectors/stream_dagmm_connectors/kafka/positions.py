"""How far a model has come in its partition: what the committed offset carries beside itself.

The committed offset says what has been emitted. Its metadata, atomic with it, says which model
emitted it (lineage), how many records and events that model had seen, and a rolling hash over all
of them, so that re-learning can prove that it arrived at the same place.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from stream_dagmm_connectors.feedback import mark_of
from stream_dagmm_connectors.kafka.client import Fetched

METADATA_FORMAT = 1
DIGEST_BYTES = 16

Pointer = dict[str, Any]
"""Where a store finds a checkpoint again: JSON-able, and short (a broker keeps 4,096 bytes)."""

Skip = tuple[int, int]
"""Offsets that are left out: the first, and the first that is not."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A model's place in its partition, and its whole history in sixteen bytes.

    >>> fresh = Progress.begin("7c1f", topic_id="t", start=0)
    >>> fresh.after([Fetched(0, b"{}")], learned=1).history
    '296ca1ba262189e29d24fba3a1f35ece'
    """

    lineage: str
    topic_id: str
    start: int
    """The offset that the lineage begins at."""
    parent: str | None
    next_offset: int
    records: int
    learned: int
    arithmetic: str
    """Of the fingerprint that the bits depend on."""
    history: str
    """Rolling hash over (offset, value, mark) of every record since `start`, in hexadecimal."""
    skipped: tuple[Skip, ...] = ()
    """Stretches that this lineage leaves out, as if they had never been in the log."""

    @classmethod
    def begin(
        cls,
        lineage: str,
        *,
        topic_id: str,
        start: int,
        parent: str | None = None,
        arithmetic: str = "",
        skipped: Sequence[Skip] = (),
    ) -> Progress:
        """Before the first record."""
        nothing = "00" * DIGEST_BYTES
        left_out = tuple(skipped)
        return cls(lineage, topic_id, start, parent, start, 0, 0, arithmetic, nothing, left_out)

    def after(self, records: list[Fetched], learned: int) -> Progress:
        """After these records too, `learned` being all the events learned by then."""
        if not records:
            return self
        return replace(
            self,
            next_offset=records[-1].offset + 1,
            records=self.records + len(records),
            learned=learned,
            history=rolled(self.history, records),
        )

    def counted(self, records: list[Fetched]) -> list[Fetched]:
        """Those that this lineage does not leave out."""
        skips = self.skipped
        return [r for r in records if not any(first <= r.offset < end for first, end in skips)]

    def parted_at(self, other: Progress) -> float:
        """The offset up to which models of both have learned the same, infinity if that is all;
        -1 if they began or reckon differently."""
        if (self.topic_id, self.start, self.arithmetic) != (
            other.topic_id,
            other.start,
            other.arithmetic,
        ):
            return -1
        return min((first for first, _ in {*self.skipped} ^ {*other.skipped}), default=math.inf)

    def come_to(self, other: Progress) -> Progress:
        """As far as another lineage had come that had seen the same so far."""
        return replace(
            self,
            next_offset=other.next_offset,
            records=other.records,
            learned=other.learned,
            history=other.history,
        )

    def same_history(self, other: Progress) -> bool:
        """Whether both have seen the same records, whatever markers lie behind the last."""
        return (self.lineage, self.records, self.learned, self.history) == (
            other.lineage,
            other.records,
            other.learned,
            other.history,
        )

    def metadata(self, pointer: Pointer | None) -> str:
        """What is committed beside the offset."""
        words = {
            "v": METADATA_FORMAT,
            "lineage": self.lineage,
            "topic_id": self.topic_id,
            "start": self.start,
            "parent": self.parent,
            "records": self.records,
            "learned": self.learned,
            "arithmetic": self.arithmetic,
            "hash": self.history,
            "checkpoint": pointer,
        }
        if self.skipped:
            words["skipped"] = self.skipped
        return orjson.dumps(words).decode()

    def to_state(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        held = {name: getattr(self, name) for name in self.__slots__}
        return held | {"skipped": [list(skip) for skip in self.skipped]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Progress:
        """Back from `to_state`, of a version that left nothing out too."""
        return cls(**{**state, "skipped": skips(state.get("skipped", ()))})


def read_metadata(offset: int, metadata: str) -> tuple[Progress, Pointer | None] | None:
    """What `Progress.metadata` wrote beside `offset`; None if somebody else moved the offset."""
    try:
        words = orjson.loads(metadata)
        if words["v"] != METADATA_FORMAT:
            return None
        progress = Progress(
            lineage=str(words["lineage"]),
            topic_id=str(words["topic_id"]),
            start=int(words["start"]),
            parent=words["parent"],
            next_offset=offset,
            records=int(words["records"]),
            learned=int(words["learned"]),
            arithmetic=str(words["arithmetic"]),
            history=str(words["hash"]),
            skipped=skips(words.get("skipped", ())),
        )
        return progress, words["checkpoint"]
    except (ValueError, KeyError, TypeError):
        return None


def skips(said: Iterable[Sequence[int]]) -> tuple[Skip, ...]:
    """Stretches from plain values."""
    return tuple((int(first), int(end)) for first, end in said)


def rolled(history: str, records: list[Fetched]) -> str:
    """The rolling hash after further records; a tombstone differs from an empty value, and feedback
    from the event that it is about."""
    digest = bytes.fromhex(history)
    for record in records:
        head = b"%d:%d:" % (record.offset, -1 if record.value is None else len(record.value))
        if record.headers and (mark := mark_of(record.headers)) is not None:
            head += b"feedback:%s:" % mark
        digest = hashlib.blake2b(
            digest + head + (record.value or b""), digest_size=DIGEST_BYTES
        ).digest()
    return digest.hex()
