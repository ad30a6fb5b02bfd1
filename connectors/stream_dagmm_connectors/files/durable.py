"""Writes that survive a loss of power."""

import os
from pathlib import Path


def fsync_directory(directory: Path) -> None:
    """Make the names in a directory durable, not only the contents behind them."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that its name never stands for a part of it."""
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    fsync_directory(path.parent)


def missing_parent(path: Path) -> ValueError:
    """The error for a place whose directory is not there."""
    return ValueError(f"{path}: its directory {path.parent} does not exist; make it first")
