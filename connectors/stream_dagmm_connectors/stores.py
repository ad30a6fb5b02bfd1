"""Where checkpoints lie: a directory that holds the newest one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stream_dagmm import checkpoint

if TYPE_CHECKING:
    from stream_dagmm.checkpoint import Tree

FILE_NAME = "run.checkpoint"


class DirectoryStore:
    """A `CheckpointStore` of one file in a directory, replaced atomically.

    The directory is made if it is missing. Raises `ValueError` where that cannot be.
    """

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"checkpoint directory {directory} cannot be made ({error.strerror}); name a "
                "directory, or a place where one may be made"
            ) from error

    @property
    def path(self) -> Path:
        """The file of the newest checkpoint, there or not."""
        return self._directory / FILE_NAME

    def load(self) -> Tree | None:
        """The newest checkpoint, None before the first; `ValueError` if it is damaged."""
        return checkpoint.read(self.path) if self.path.exists() else None

    def save(self, tree: Tree) -> None:
        """Replace the checkpoint; durable when this returns."""
        checkpoint.write(self.path, tree)
