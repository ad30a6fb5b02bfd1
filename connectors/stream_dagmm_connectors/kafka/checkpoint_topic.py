"""Checkpoints in a compacted topic: chunks first, the manifest last, all in one transaction.

    key   [group, topic id, partition, lineage, offset, number of the chunk or "manifest"]
    value a chunk of at most 512 KiB, or the manifest: JSON that lists every chunk's partition,
          offset and hash, and the checkpoints that are still kept

The pointer is the manifest's own offset, so a restore is one look-up and one ranged read. Older
checkpoints get tombstones in the transaction that makes them superfluous.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from stream_dagmm_connectors.kafka.checkpoints import Earlier, Found, Key, Listed, Save, outlived
from stream_dagmm_connectors.kafka.client import (
    Fetched,
    LogReader,
    Outgoing,
    OutOfRange,
    Place,
    Writer,
)
from stream_dagmm_connectors.kafka.positions import Pointer

CHUNK_BYTES = 500_000
"""Below 512 KiB with its key, half of what a broker takes by default."""
MANIFEST = "manifest"
FORMAT = 1
SCAN_RECORDS = 200
"""A scan reads so many offsets at a time, which bounds its memory to their chunks."""

TOPIC_CONFIGURATION = {
    "cleanup.policy": "compact",
    # Restores read by offset, so nothing of the newest segment's may be cleaned under them, and
    # tombstones outlive any reader.
    "segment.bytes": str(64 << 20),
    "segment.ms": str(60 * 60 * 1000),
    "min.compaction.lag.ms": str(10 * 60 * 1000),
    "delete.retention.ms": str(24 * 60 * 60 * 1000),
    "max.message.bytes": str(1 << 20),
}


class TopicStore:
    """A `Store` in a topic; partition `p` of the input has its checkpoints in `p` modulo `P`."""

    def __init__(self, topic: str, reader: LogReader, *, keep: int = 10) -> None:
        if keep < 1:
            raise ValueError(f"keep must be at least 1 checkpoint, got {keep}")
        self._topic = topic
        self._reader = reader
        self._keep = keep
        self._count: int | None = None

    def save(
        self, writer: Writer, made: Save, kept: Sequence[Earlier]
    ) -> tuple[Pointer, list[Earlier]]:
        """Chunks, then the manifest with their offsets, then tombstones; the first one of a
        lineage looks for those that are too long ago, by a scan."""
        key, offset, data, _ = made
        place = self._place(key.partition)
        chunks = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)] or [b""]
        names = range(len(chunks))
        writer.send(_record(place, key, offset, n, chunks[n]) for n in names)
        offsets = writer.settle()[-len(chunks) :]
        now = [*[e for e in kept if e.offset != offset], Earlier(offset, len(chunks))]
        stay, go = now[-self._keep :], now[: -self._keep]
        manifest = {
            "format": FORMAT,
            "key": key.words(),
            "offset": offset,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "chunks": [
                [place.partition, offsets[n], hashlib.sha256(chunks[n]).hexdigest()] for n in names
            ],
            "kept": [list(earlier) for earlier in stay],
        }
        writer.send([_record(place, key, offset, MANIFEST, orjson.dumps(manifest))])
        (at,) = writer.settle()[-1:]
        gone = [(key, old) for old in go] + ([] if kept else self._outlived(made))
        writer.send(
            _record(place, whose, old.offset, name, None)
            for whose, old in gone
            for name in [MANIFEST, *range(old.parts)]
        )
        return {"partition": place.partition, "offset": at}, stay

    def _outlived(self, made: Save) -> list[tuple[Key, Earlier]]:
        key = made.key
        there = self.listed(key.group, key.topic_id, key.partition)
        written = sorted(there, key=lambda one: int(one.pointer["offset"]))
        old = outlived(written, key.lineage, made.parent)
        return [(one.key, Earlier(one.offset, one.parts)) for one in old]

    def load(self, key: Key, pointer: Pointer) -> Found | None:
        """The checkpoint whose manifest lies where the pointer says."""
        place = Place(self._topic, int(pointer["partition"]))
        at = int(pointer["offset"])
        try:
            found = [r for r in self._reader.read(place, at, at) if r.offset == at]
        except OutOfRange:
            return None
        if not found or found[0].value is None:
            return None
        return self._assembled(key, _manifest(found[0]))

    def search(self, key: Key, at_most: int) -> Found | None:
        """By a scan of the partition for manifests of the key."""
        for listed in reversed(self.listed(key.group, key.topic_id, key.partition)):
            if listed.key == key and listed.offset <= at_most:
                found = self.load(key, listed.pointer)
                if found is not None:
                    return found
        return None

    def listed(self, group: str, topic_id: str, partition: int) -> list[Listed]:
        """By a scan of the partition for manifests; those that got tombstones are left out."""
        place = self._place(partition)
        there = [
            Listed(
                Key(*manifest["key"]),
                int(manifest["offset"]),
                int(manifest["bytes"]),
                {"partition": place.partition, "offset": at},
                len(manifest["chunks"]),
            )
            for at, manifest in self._manifests(place)
            if manifest["key"][:3] == [group, topic_id, partition]
        ]
        return sorted(there, key=lambda listed: listed.offset)

    def topic_ids(self, group: str, partition: int) -> set[str]:
        """By a scan of the partition for manifests."""
        keys = [Key(*m["key"]) for _, m in self._manifests(self._place(partition))]
        return {k.topic_id for k in keys if (k.group, k.partition) == (group, partition)}

    def _manifests(self, place: Place) -> list[tuple[int, dict[str, Any]]]:
        """Offset and content of every manifest that a partition still holds."""
        first, end = self._reader.range(place)
        there: dict[bytes | None, tuple[int, dict[str, Any]]] = {}
        for start in range(first, end, SCAN_RECORDS):
            last = min(start + SCAN_RECORDS, end) - 1
            for record in self._reader.read(place, start, last):
                there.pop(record.key, None)
                if manifest := _manifest(record):
                    there[record.key] = (record.offset, manifest)
        return list(there.values())

    def _place(self, partition: int) -> Place:
        if self._count is None:
            self._count = self._reader.partitions(self._topic)
            if not self._count:
                raise ValueError(
                    f"checkpoint topic {self._topic} is not there; make it with "
                    "`stream-dagmm topics create`"
                )
        return Place(self._topic, partition % self._count)

    def _assembled(self, key: Key, manifest: dict[str, Any]) -> Found | None:
        where = f"checkpoint of {key.topic_id}-{key.partition}@{manifest.get('offset')}"
        if manifest.get("format") != FORMAT or manifest.get("key") != key.words():
            raise ValueError(
                f"{where} in {self._topic} is of {manifest.get('key')} in format "
                f"{manifest.get('format')}, expected {key.words()} in format {FORMAT}; "
                "restore the topic, or go on with --on-lost-history new-lineage"
            )
        parts = manifest["chunks"]
        place = Place(self._topic, int(parts[0][0]))
        wanted = {int(part[1]): str(part[2]) for part in parts}
        try:
            records = self._reader.read(place, min(wanted), max(wanted))
        except OutOfRange:
            return None
        held = {r.offset: r.value or b"" for r in records if r.offset in wanted}
        if set(held) != set(wanted):
            return None  # cleaned away: it was not among those to keep any more
        if any(hashlib.sha256(held[o]).hexdigest() != digest for o, digest in wanted.items()):
            raise ValueError(f"{where} in {self._topic} is damaged: a chunk's hash does not match")
        data = b"".join(held[offset] for offset in sorted(held))
        kept = [Earlier(*pair) for pair in manifest["kept"]]
        return Found(data, int(manifest["offset"]), kept)


def _record(place: Place, key: Key, offset: int, name: int | str, value: bytes | None) -> Outgoing:
    return Outgoing(place, value, orjson.dumps([*key.words(), offset, name]), (), None)


def _manifest(record: Fetched) -> dict[str, Any]:
    """The manifest in a record, or nothing if it is a chunk or a tombstone."""
    if record.value is None or not (record.key or b"").endswith(b'"manifest"]'):
        return {}
    found = orjson.loads(record.value)
    return found if isinstance(found, dict) else {}
