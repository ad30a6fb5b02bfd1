"""Rows as columns, for the formats that know no nesting: CSV and Parquet.

The position becomes the columns ``line``, ``partition`` and ``offset``, of which those that do
not apply are empty; contributions are a cell of JSON; a numeric time is written as text.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import orjson
import pyarrow as pa

from stream_dagmm_connectors.events import (
    DeadLetter,
    LinePosition,
    PartitionPosition,
    Position,
    ScoredEvent,
)

Row = ScoredEvent | DeadLetter
_PLACES = ("line", "partition", "offset")
_INTEGERS = {"schema", "learned", "length", *_PLACES}
_FLOATS = {"score", "p_value"}
_BOOLEANS = {"alarm", "warming_up"}


def columns(kind: type[Row]) -> list[str]:
    """The columns of a kind of row, in their order."""
    names = (field.name for field in fields(kind))
    return [column for name in names for column in (_PLACES if name == "position" else (name,))]


def cells(row: Row) -> list[Any]:
    """One value for each of ``columns``."""
    values: list[Any] = []
    for field in fields(row):
        value = getattr(row, field.name)
        if field.name == "position":
            values.extend(_places(value))
        elif field.name == "contributions" and value is not None:
            values.append(orjson.dumps(value).decode())
        else:
            values.append(value)
    return values


def encode_csv(rows: Sequence[Row], *, header: bool) -> bytes:
    """CSV of rows: floats as the shortest text that reads back exactly, ``true`` and ``false``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header and rows:
        writer.writerow(columns(type(rows[0])))
    for row in rows:
        writer.writerow([_word(value) for value in cells(row)])
    return text.getvalue().encode()


def table(rows: Sequence[Row]) -> Any:
    """An Arrow table of rows, at least one, under a schema that depends on their kind alone."""
    names = columns(type(rows[0]))
    schema = pa.schema([(name, _arrow_type(name)) for name in names])
    by_column = zip(*map(cells, rows), strict=True)
    arrays = [
        [_text(value) for value in values] if name == "time" else values
        for name, values in zip(names, by_column, strict=True)
    ]
    return pa.table(arrays, schema=schema)


def _places(position: Position) -> tuple[int | None, int | None, int | None]:
    match position:
        case LinePosition(line):
            return line, None, None
        case PartitionPosition(partition, offset):
            return None, partition, offset


def _word(value: Any) -> Any:
    return ("true" if value else "false") if isinstance(value, bool) else value


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _arrow_type(name: str) -> Any:
    if name in _INTEGERS:
        return pa.int64()
    if name in _FLOATS:
        return pa.float64()
    return pa.bool_() if name in _BOOLEANS else pa.string()
