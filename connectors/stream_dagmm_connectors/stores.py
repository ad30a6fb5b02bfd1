"""Where checkpoints lie: a directory that holds the newest one."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stream_dagmm_connectors.durable import naming

if TYPE_CHECKING:
    from stream_dagmm.checkpoint import Tree

FILE_NAME = "run.checkpoint"


class DirectoryStore:
    """A `CheckpointStore` of one file in a directory, replaced atomically.

    The directory is made with the first checkpoint. With `fresh` the store begins empty, and what
    lies there stands until it is replaced. Raises `ValueError`, touching nothing, where no such
    directory can be.
    """

    def __init__(self, directory: str | Path, *, fresh: bool = False) -> None:
        self._directory = Path(directory)
        self._fresh = fresh
        reason = _why_not_a_directory(self._directory)
        if reason is not None:
            raise ValueError(
                f"checkpoint directory {directory} cannot be ({reason}); name a directory, or a "
                "place where one may be made"
            )

    @property
    def path(self) -> Path:
        """The file of the newest checkpoint, there or not."""
        return self._directory / FILE_NAME

    @property
    def holds_one(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return not self._fresh and self.path.exists()

    def load(self) -> Tree | None:
        """The newest checkpoint, None before the first; `ValueError` if it is damaged."""
        # Here and not at the top: torch takes seconds, and a wrong place should be told at once.
        from stream_dagmm import checkpoint

        if not self.holds_one:
            return None
        try:
            return checkpoint.read(self.path)
        except ValueError as error:
            raise ValueError(f"{error}, or start with --fresh") from error

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """The directory, made if need be, for this run alone until the block ends: two runs of one
        command would cut back each other's outputs. `ValueError` where another run has it."""
        self._make()
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            _lock(descriptor, self._directory)
            yield
        finally:
            os.close(descriptor)

    def _make(self) -> None:
        with naming(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True)

    def save(self, tree: Tree) -> None:
        """Replace the checkpoint; durable when this returns."""
        from stream_dagmm import checkpoint

        self._make()
        with naming(self.path):
            checkpoint.write(self.path, tree)
        self._fresh = False


def _lock(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(
            f"another run keeps its state in {directory}; wait for its end, or name another "
            "directory"
        ) from None
    except OSError:
        pass  # a file system without locks


def _why_not_a_directory(wanted: Path) -> str | None:
    """What stands in the way of a directory there, None where nothing does."""
    there = next((place for place in (wanted, *wanted.parents) if os.path.lexists(place)), wanted)
    if not there.is_dir():
        return f"{there} is no directory"
    return None if os.access(there, os.W_OK | os.X_OK) else f"no right to write in {there}"
