"""Checkpoints in a directory: immutable files named by their hash, written before any pointer."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from stream_dagmm import checkpoint
from stream_dagmm_connectors.kafka.checkpoints import Earlier, Found, Key, Listed
from stream_dagmm_connectors.kafka.client import Writer
from stream_dagmm_connectors.kafka.positions import Pointer

ORPHAN_AGE_S = 7 * 24 * 60 * 60
"""A file that no pointer of the newest few names goes after so long."""

SUFFIX = ".checkpoint"


class DirectoryStore:
    """A `Store` in a directory of one machine, or one that all members of the group share.

    The file is on disk before the transaction that points to it commits, and its name is its
    hash, so a retry writes the same file and a crash leaves at most one that nobody names.
    """

    def __init__(
        self, directory: Path, *, keep: int = 10, now_s: Callable[[], float] = time.time
    ) -> None:
        if keep < 1:
            raise ValueError(f"keep must be at least 1 checkpoint, got {keep}")
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._keep = keep
        self._now_s = now_s

    def save(
        self, writer: Writer, key: Key, offset: int, data: bytes, kept: Sequence[Earlier]
    ) -> tuple[Pointer, list[Earlier]]:
        """Write the file durably, and remove the orphans of this key."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(key, offset, digest)
        if not path.exists():
            _write(path, data)
        now = [*[e for e in kept if e.offset != offset], Earlier(offset, 1)][-self._keep :]
        self._remove_orphans(key, {e.offset for e in now})
        return {"file": path.name, "offset": offset}, now

    def load(self, key: Key, pointer: Pointer) -> Found | None:
        """The file that a pointer names; `ValueError` if it is missing or damaged."""
        path = self._directory / str(pointer["file"])
        offset = int(pointer["offset"])
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ValueError(
                f"checkpoint {path} cannot be read ({error.strerror}); mount the directory that "
                "wrote it, or give all members of the group the same one"
            ) from error
        return self._checked(key, path, offset, data)

    def search(self, key: Key, at_most: int) -> Found | None:
        """The newest file of the key at or before an offset."""
        held = [(_offset_of(path), path) for path in self._of(key)]
        usable = sorted(pair for pair in held if pair[0] <= at_most)
        if not usable:
            return None
        offset, path = usable[-1]
        return self._checked(key, path, offset, path.read_bytes())

    def listed(self, group: str, topic_id: str, partition: int) -> list[Listed]:
        """By reading all files: their names tell no lineage."""
        there = [one for one in self._listed(group, partition) if one.key.topic_id == topic_id]
        return sorted(there, key=lambda listed: listed.offset)

    def topic_ids(self, group: str, partition: int) -> set[str]:
        """By reading all files."""
        return {listed.key.topic_id for listed in self._listed(group, partition)}

    def _listed(self, group: str, partition: int) -> Iterator[Listed]:
        for path in sorted(self._directory.glob(f"*{SUFFIX}")):
            data = path.read_bytes()
            try:
                state: Any = checkpoint.loads(data, name=str(path))
                progress = state["progress"]
            except (ValueError, TypeError, KeyError):
                continue  # not a model of ours; who needs it is told by `load`
            key = Key(group, progress["topic_id"], partition, progress["lineage"])
            if path.name.startswith(_prefix(key)):
                offset = _offset_of(path)
                yield Listed(key, offset, len(data), {"file": path.name, "offset": offset})

    def _checked(self, key: Key, path: Path, offset: int, data: bytes) -> Found:
        if not path.name.endswith(hashlib.sha256(data).hexdigest() + SUFFIX):
            raise ValueError(f"checkpoint {path} is damaged: its hash is not in its name")
        offsets = sorted({_offset_of(other) for other in self._of(key)} | {offset})
        kept = [Earlier(other, 1) for other in offsets if other <= offset]
        return Found(data, offset, kept[-self._keep :])

    def _remove_orphans(self, key: Key, kept: set[int]) -> None:
        for path in self._of(key):
            if _offset_of(path) not in kept:
                try:
                    old = self._now_s() - path.stat().st_mtime > ORPHAN_AGE_S
                    if old:
                        path.unlink()
                except FileNotFoundError:
                    continue  # another member was quicker

    def _of(self, key: Key) -> list[Path]:
        return list(self._directory.glob(f"{_prefix(key)}-*{SUFFIX}"))

    def _path(self, key: Key, offset: int, digest: str) -> Path:
        return self._directory / f"{_prefix(key)}-{offset}-{digest}{SUFFIX}"


def _prefix(key: Key) -> str:
    """Names of groups may hold anything; a hash may not."""
    words = "\n".join(map(str, key.words()))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def _offset_of(path: Path) -> int:
    return int(path.name.split("-")[1])


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
