"""Events from Parquet: a row for each event, read in batches."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stream_dagmm_connectors.events import LinePosition, Position
from stream_dagmm_connectors.files.formats import name_of
from stream_dagmm_connectors.files.json_lines import line_of
from stream_dagmm_connectors.ports import Record

BATCH_ROWS = 1_024


class ParquetSource:
    """A Parquet file; a position is the row's number, from 1.

    Memory is bounded by one row group's pages and 1,024 rows. Times finer than a microsecond are
    cut to microseconds. Raises ``ValueError`` naming the file where it is damaged.
    """

    def __init__(self, location: str, *, name: str | None = None) -> None:
        if location == "-":
            raise ValueError(
                "Parquet is read from its end, which standard input has not; give a "
                "file, or send JSON Lines"
            )
        self.name = name_of(location) if name is None else name
        self.start: Position = LinePosition(1)
        self.finished = False
        self._location = location
        try:
            self._file = pq.ParquetFile(location)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{location} cannot be read as Parquet: {_line(error)}") from None
        self._row = 0
        self._damage: ValueError | None = None
        self._rows = self._rows_from(0)

    def seek(self, next_position: Position) -> None:
        """Go on at a row; whole row groups before it are not read."""
        skipped = line_of(next_position, self.name) - 1
        total = self._file.metadata.num_rows
        if skipped > total:
            raise ValueError(
                f"{self._location} has {total} rows, expected at least {skipped}; it is shorter "
                "than when it was read before: restore it, or start afresh (--fresh)"
            )
        self._rows = self._rows_from(skipped)

    def read(self, at_most: int) -> list[Record]:
        """The next records; damage is raised once everything before it has been handed out."""
        if self._damage is not None:
            raise self._damage
        records: list[Record] = []
        try:
            for row in self._rows:
                self._row += 1
                records.append(Record(LinePosition(self._row), row))
                if len(records) == at_most:
                    return records
        except ValueError as damage:
            if not records:
                raise
            self._damage = damage
            return records
        self.finished = True
        return records

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rows_from(self, skipped: int) -> Iterator[dict[str, Any]]:
        metadata = self._file.metadata
        group, self._row = 0, 0
        while group < metadata.num_row_groups:
            rows = metadata.row_group(group).num_rows
            if self._row + rows > skipped:
                break
            self._row += rows
            group += 1
        within = skipped - self._row
        self._row = skipped
        return self._decoded(list(range(group, metadata.num_row_groups)), within)

    def _decoded(self, groups: list[int], within: int) -> Iterator[dict[str, Any]]:
        if not groups:
            return
        try:
            for batch in self._file.iter_batches(batch_size=BATCH_ROWS, row_groups=groups):
                skipped = min(within, batch.num_rows)
                within -= skipped
                yield from _microseconds(batch.slice(skipped)).to_pylist()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ValueError(
                f"{self._location}: damaged after row {self._row}: {_line(error)}; restore the "
                "file to go on"
            ) from None


def _microseconds(batch: Any) -> Any:
    """Python's times hold microseconds; nanoseconds would need pandas or raise."""
    table = pa.Table.from_batches([batch])
    for index, field in enumerate(table.schema):
        coarser = _coarser(field.type)
        if coarser is not None:
            column = table.column(index).cast(coarser, safe=False)
            table = table.set_column(index, field.name, column)
    return table


def _coarser(kind: Any) -> Any:
    if getattr(kind, "unit", None) != "ns":
        return None
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.duration("us") if pa.types.is_duration(kind) else pa.time64("us")


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
