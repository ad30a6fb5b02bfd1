"""What the tests of files as sources share."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

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
