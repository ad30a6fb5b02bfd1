"""Rows into one plain file, JSON Lines or CSV, whose bytes depend on the rows alone."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from stream_dagmm_connectors.durable import already_there, fsync_directory, missing_parent, naming
from stream_dagmm_connectors.events import encode_lines
from stream_dagmm_connectors.files.columns import Row, encode_csv
from stream_dagmm_connectors.ports import Extent


class PlainSink:
    """Appends rows to one file; its extent is ``{"bytes": length}``.

    Cut back to an extent and written again, the file has the bytes of an uninterrupted run. The
    first write makes the file; a CSV header comes with the first row, so a run without rows
    leaves an empty file. What is there already is refused unless ``overwrite``; ``flush`` before
    the first write claims the place, so that a run can fail before it has scored anything.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        format: Literal["jsonl", "csv"] = "jsonl",
        overwrite: bool = False,
    ) -> None:
        self._path = Path(path)
        self._csv = format == "csv"
        self._overwrite = overwrite
        self._file: BinaryIO | None = None
        self._bytes = 0

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows in order."""
        file = self._claimed()
        data = encode_csv(rows, header=self._bytes == 0) if self._csv else encode_lines(rows)
        with naming(self._path):
            file.write(data)
        self._bytes += len(data)

    def flush(self) -> Extent:
        """Everything written is on the disk when this returns."""
        file = self._claimed()
        with naming(self._path):
            file.flush()
            os.fsync(file.fileno())
        return {"bytes": self._bytes}

    def cut_back(self, extent: Extent) -> None:
        """Cut the file to the length of an earlier flush."""
        there = self._path.stat().st_size if self._path.is_file() else 0
        wanted = extent["bytes"]
        if there < wanted:
            raise ValueError(
                f"{self._path} has {there} bytes, the checkpoint recorded {wanted}; restore the "
                "file, or start afresh (--fresh)"
            )
        self._file = self._open("r+b" if self._path.is_file() else "x+b")
        self._file.truncate(wanted)
        self._file.seek(wanted)
        self._bytes = wanted
        self.flush()

    def close(self) -> None:
        """Close the file; what was not flushed is lost where the disk is full."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def refuse_if_taken(self) -> None:
        """``ValueError`` where rows are that nobody allowed to overwrite; touches nothing."""
        with naming(self._path):
            there = self._path.stat().st_size if self._path.is_file() else 0
            strange = self._path.exists() and not self._path.is_file()
        if there and not self._overwrite:
            raise already_there(self._path, f"{there:,} bytes")
        if strange:
            raise ValueError(f"{self._path} is not a regular file, expected one or nothing")

    def _claimed(self) -> BinaryIO:
        if self._file is not None:
            return self._file
        self.refuse_if_taken()
        self._file = self._open("wb")
        return self._file

    def _open(self, mode: str) -> BinaryIO:
        try:
            file = open(self._path, mode)
        except FileNotFoundError:
            raise missing_parent(self._path) from None
        except OSError as error:
            raise ValueError(f"{self._path} cannot be written: {error.strerror}") from None
        fsync_directory(self._path.parent)
        return file  # type: ignore[return-value]
