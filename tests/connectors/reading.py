"""What the tests of files share."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stream_dagmm_connectors.events import LinePosition
from stream_dagmm_connectors.files import open_source
from stream_dagmm_connectors.ports import Record, Source

JSON_LINES = b'{"x": 1}\n\n{"x": 2}\r\n   \n{"x": 3}'
CSV = b'x,y\n1,a\n\n2,"two\nlines"\r\n3,\n'


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


PACKED: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("", bytes),
    (".gz", gzip.compress),
    (".zst", zstd),
]


def everything(source: Source, at_most: int = 1_000) -> list[Record]:
    records: list[Record] = []
    while True:
        part = source.read(at_most)
        records += part
        if not part:
            source.close()
            return records


def lines_of(records: list[Record]) -> list[int]:
    return [r.position.line for r in records if isinstance(r.position, LinePosition)]


def opened(path: Path, data: bytes, **options: Any) -> Source:
    path.write_bytes(data)
    return open_source(str(path), **options)


def contents(path: Path) -> Any:
    """A file's bytes; of a directory of parts the rows in their order."""
    if path.is_file():
        return path.read_bytes()
    return [cells for part in sorted(path.glob("part-*")) for cells in rows_of(part)]


def rows_of(part: Path) -> list[Any]:
    if part.suffix == ".parquet":
        return list(pq.read_table(part).to_pylist())
    with pa.input_stream(str(part)) as stream:  # unpacks by the ending
        text = stream.read().decode()
    if ".csv" in part.name:
        return list(csv.DictReader(io.StringIO(text)))
    return [json.loads(line) for line in text.splitlines()]
