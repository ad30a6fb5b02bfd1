"""Checkpoints as blobs: immutable, named by their hash, written before any pointer to them.

A directory or an object store, whatever fsspec has a protocol for: `/var/lib/scorer`,
`s3://bucket/scorer`, `memory://tests`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from stream_dagmm import checkpoint
from stream_dagmm_connectors.kafka.checkpoints import Earlier, Found, Key, Listed, Save, outlived
from stream_dagmm_connectors.kafka.client import Writer
from stream_dagmm_connectors.kafka.positions import Pointer

ORPHAN_AGE_S = 7 * 24 * 60 * 60
"""A blob that is not among those to keep goes after so long."""

SUFFIX = ".checkpoint"


class BlobStore:
    """A `Store` below a URL.

    A blob is there, on disk where that is local, before the transaction that points to it commits,
    and its name is its hash: a retry writes the same blob, and a crash leaves at most one that
    nobody names. Raises `ValueError` for a URL that no installed protocol opens.
    """

    def __init__(self, url: str, *, keep: int = 10, now_s: Callable[[], float] = time.time) -> None:
        if keep < 1:
            raise ValueError(f"keep must be at least 1 checkpoint, got {keep}")
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
            self._files.makedirs(self._root, exist_ok=True)
        except (ImportError, ValueError, OSError) as error:
            raise ValueError(
                f"checkpoint store {url} cannot be opened ({error}); name a directory, or install "
                "what fsspec asks for that protocol (s3fs, gcsfs, adlfs)"
            ) from error
        self._keep = keep
        self._now_s = now_s

    @property
    def local(self) -> bool:
        """Whether only this machine sees it."""
        return isinstance(self._files, LocalFileSystem)

    def save(
        self, writer: Writer, made: Save, kept: Sequence[Earlier]
    ) -> tuple[Pointer, list[Earlier]]:
        """Write the blob durably, and remove the orphans of its partition."""
        key, offset, data, parent = made
        name = f"{_prefix(key)}{offset}-{hashlib.sha256(data).hexdigest()}{SUFFIX}"
        if not self._files.exists(self._at(name)):
            self._write(name, data)
        now = [*[e for e in kept if e.offset != offset], Earlier(offset, 1)][-self._keep :]
        self._remove_orphans(key, {e.offset for e in now}, parent)
        return {"file": name, "offset": offset}, now

    def load(self, key: Key, pointer: Pointer) -> Found | None:
        """The blob that a pointer names; `ValueError` if it is missing or damaged."""
        name = str(pointer["file"])
        try:
            data = self._files.cat_file(self._at(name))
        except OSError as error:
            raise ValueError(
                f"checkpoint {self._at(name)} cannot be read ({type(error).__name__}); give all "
                "members of the group the store that wrote it, or go on without by --on-"
                "lost-history new-lineage and another store"
            ) from error
        return self._checked(key, name, data)

    def search(self, key: Key, at_most: int) -> Found | None:
        """The newest blob of the key at or before an offset."""
        usable = [one for one in self._of(key) if one.offset <= at_most]
        if not usable:
            return None
        name = str(max(usable, key=lambda one: one.offset).pointer["file"])
        return self._checked(key, name, self._files.cat_file(self._at(name)))

    def listed(self, group: str, topic_id: str, partition: int) -> list[Listed]:
        """By their names."""
        return sorted(self._of(Key(group, topic_id, partition, "")), key=lambda one: one.offset)

    def topic_ids(self, group: str, partition: int) -> set[str]:
        """By reading all blobs: their names tell no topic."""
        found = set()
        for name in self._names(""):
            data = self._files.cat_file(self._at(name))
            try:
                state: Any = checkpoint.loads(data, name=name)
                topic_id = str(state["progress"]["topic_id"])
            except (ValueError, TypeError, KeyError):
                continue  # not a model of ours; who needs it is told by `load`
            if name.startswith(_prefix(Key(group, topic_id, partition, ""))):
                found.add(topic_id)
        return found

    def _checked(self, key: Key, name: str, data: bytes) -> Found:
        if not name.endswith(hashlib.sha256(data).hexdigest() + SUFFIX):
            raise ValueError(f"checkpoint {self._at(name)} is damaged: its hash is not in its name")
        offset = _offset_of(name)
        offsets = sorted({one.offset for one in self._of(key)} | {offset})
        kept = [Earlier(other, 1) for other in offsets if other <= offset]
        return Found(data, offset, kept[-self._keep :])

    def _remove_orphans(self, key: Key, kept: set[int], parent: str | None) -> None:
        """Of this lineage, and of those that are too long ago, once they are old."""
        there = sorted(self._of(key._replace(lineage="")), key=self._written_s)
        mine = [one for one in there if one.key == key and one.offset not in kept]
        for one in [*mine, *outlived(there, key.lineage, parent)]:
            if self._now_s() - self._written_s(one) > ORPHAN_AGE_S:
                with contextlib.suppress(FileNotFoundError):  # another member was quicker
                    self._files.rm_file(self._at(str(one.pointer["file"])))

    def _written_s(self, one: Listed) -> float:
        try:
            return float(self._files.modified(self._at(str(one.pointer["file"]))).timestamp())
        except FileNotFoundError:
            return self._now_s()

    def _of(self, key: Key) -> list[Listed]:
        """The blobs of a lineage, or of all of a partition where it is empty."""
        found = []
        for name in self._names(_prefix(key)):
            whose = key._replace(lineage=name.split("-")[1])
            pointer = {"file": name, "offset": _offset_of(name)}
            size = int(self._files.size(self._at(name)) or 0)
            found.append(Listed(whose, _offset_of(name), size, pointer))
        return found

    def _names(self, prefix: str) -> list[str]:
        self._files.invalidate_cache(self._root)  # other members write here too
        found = self._files.glob(self._at(f"{prefix}*{SUFFIX}"))
        return sorted(path.rsplit("/", 1)[-1] for path in found)

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _write(self, name: str, data: bytes) -> None:
        if self.local:
            _write_durably(Path(self._at(name)), data)
        else:
            self._files.pipe_file(
                self._at(name), data
            )  # whole or not at all, as such stores have it


def _prefix(key: Key) -> str:
    """With what the names of a lineage's blobs begin, or all of a partition where it is empty.
    Names of groups may hold anything; a hash may not."""
    words = "\n".join(map(str, key.words()[:3]))
    whose = f"{key.lineage}-" if key.lineage else ""
    return f"{hashlib.sha256(words.encode()).hexdigest()[:16]}-{whose}"


def _offset_of(name: str) -> int:
    return int(name.split("-")[2])


def _write_durably(path: Path, data: bytes) -> None:
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
