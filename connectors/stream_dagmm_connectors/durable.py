"""Writes that survive a loss of power, and words for those that fail."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
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


class CannotWrite(ValueError):
    """The machine refused a write: a full disk, a lost right."""


@contextmanager
def naming(place: Path | str) -> Iterator[None]:
    """Raise what the machine says of a write as a `CannotWrite` that names the place; that a
    reader has left (`BrokenPipeError`) stays what it is."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CannotWrite(f"{place} cannot be written: {error.strerror}") from error


def missing_parent(path: Path) -> ValueError:
    """The error for a place whose directory is not there."""
    return ValueError(f"{path}: its directory {path.parent} does not exist; make it first")


def already_there(path: Path, what: str) -> ValueError:
    """The error for a place that holds what nobody allowed to overwrite."""
    return ValueError(
        f"{path} already holds {what}; move it away, write elsewhere, or say --fresh (in Python "
        "overwrite=True) to overwrite it"
    )
