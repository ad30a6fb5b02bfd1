"""Rows into a directory of part files, for formats that cannot be cut at any length."""

import gzip
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stream_dagmm_connectors.durable import (
    already_there,
    fsync_directory,
    missing_parent,
    naming,
    write_whole,
)
from stream_dagmm_connectors.events import encode_lines
from stream_dagmm_connectors.files.columns import Row, encode_csv, table
from stream_dagmm_connectors.files.formats import Compression, Format
from stream_dagmm_connectors.ports import Extent

PART_ROWS = 65_536
"""A part ends here at the latest, which bounds the memory between two flushes."""

_ENDINGS = {"gzip": ".gz", "zstd": ".zst", None: ""}


class PartSink:
    """A directory under the output's name with ``part-000001.jsonl.gz`` and so on.

    Each flush with new rows writes one part, whole and complete in itself (a CSV part has its
    header), so common readers take the directory as it is. The extent is ``{"parts": count}``.
    After ``cut_back`` the parts together hold the rows of an uninterrupted run; their borders
    depend on when was flushed. A directory with parts is refused unless ``overwrite``.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        format: Format = "parquet",
        compression: Compression | None = None,
        overwrite: bool = False,
    ) -> None:
        self._directory = Path(path)
        self._format, self._compression = format, compression
        self._overwrite = overwrite
        self._ending = f".{format}{_ENDINGS[compression]}"
        self._claimed = False
        self._parts = 0
        self._rows: list[Row] = []

    def write(self, rows: Sequence[Row]) -> None:
        """Hold rows for the next part."""
        self._claim()
        self._rows.extend(rows)
        while len(self._rows) >= PART_ROWS:
            self._write_part(PART_ROWS)

    def flush(self) -> Extent:
        """Everything written is in parts on the disk when this returns."""
        self._claim()
        if self._rows:
            self._write_part(len(self._rows))
        return {"parts": self._parts}

    def cut_back(self, extent: Extent) -> None:
        """Remove the parts after an earlier flush."""
        wanted = extent["parts"]
        missing = set(range(1, wanted + 1)) - self._found().keys()
        if missing:
            raise ValueError(
                f"{self._directory} lacks part {min(missing)} of the {wanted} that the checkpoint "
                "recorded; restore it, or start afresh (--fresh)"
            )
        self._make()
        self._remove_after(wanted)
        self._parts, self._claimed = wanted, True

    def close(self) -> None:
        """Forget the rows that were not flushed."""
        self._rows.clear()

    def refuse_if_taken(self) -> None:
        """``ValueError`` where parts are that nobody allowed to overwrite; touches nothing."""
        with naming(self._directory):
            found = self._found()
        if found and not self._overwrite:
            parts = "1 part" if len(found) == 1 else f"{len(found):,} parts"
            raise already_there(self._directory, parts)

    def _claim(self) -> None:
        if self._claimed:
            return
        self.refuse_if_taken()
        self._make()
        self._remove_after(0)
        self._claimed = True

    def _make(self) -> None:
        try:
            self._directory.mkdir(exist_ok=True)
        except FileNotFoundError:
            raise missing_parent(self._directory) from None
        except OSError as error:
            raise ValueError(f"{self._directory} cannot be made: {error.strerror}") from None
        fsync_directory(self._directory.parent)

    def _found(self) -> dict[int, Path]:
        if not self._directory.exists():
            return {}
        if not self._directory.is_dir():
            raise ValueError(
                f"{self._directory} is a file, expected a directory of parts or nothing; move it "
                "away or write elsewhere"
            )
        pattern = re.compile(r"part-(\d{6,})" + re.escape(self._ending))
        matches = ((pattern.fullmatch(path.name), path) for path in self._directory.iterdir())
        return {int(match[1]): path for match, path in matches if match}

    def _remove_after(self, kept: int) -> None:
        for path in self._directory.glob(f".part-*{self._ending}.tmp"):
            path.unlink()
        for number, path in self._found().items():
            if number > kept:
                path.unlink()
        fsync_directory(self._directory)

    def _write_part(self, count: int) -> None:
        rows = self._rows[:count]
        path = self._directory / f"part-{self._parts + 1:06}{self._ending}"
        with naming(path):
            write_whole(path, self._encoded(rows))
        del self._rows[:count]
        self._parts += 1

    def _encoded(self, rows: Sequence[Row]) -> bytes:
        if self._format == "parquet":
            buffer = pa.BufferOutputStream()
            pq.write_table(table(rows), buffer)
            return bytes(buffer.getvalue())
        data = encode_csv(rows, header=True) if self._format == "csv" else encode_lines(rows)
        if self._compression == "gzip":
            return gzip.compress(data, mtime=0)
        return bytes(pa.compress(data, codec="zstd", asbytes=True))
