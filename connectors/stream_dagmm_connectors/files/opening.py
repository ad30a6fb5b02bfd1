"""From what a person types to the source or sink behind it."""

from stream_dagmm_connectors.events import MAX_BYTES
from stream_dagmm_connectors.files.csv_source import CsvSource
from stream_dagmm_connectors.files.formats import (
    FORMATS,
    Format,
    kind_of_name,
    name_of,
    open_bytes,
    settle_format,
)
from stream_dagmm_connectors.files.json_lines import JsonLinesSource
from stream_dagmm_connectors.files.parquet_source import ParquetSource
from stream_dagmm_connectors.files.part_sink import PartSink
from stream_dagmm_connectors.files.plain_sink import PlainSink
from stream_dagmm_connectors.files.standard_output import StandardOutput

SHUTTLE = "shuttle"
STANDARD = "-"
"""As a source standard input, as a sink standard output."""
SHUTTLE_LABEL = "anomaly"
"""The field of Shuttle that is 1 for an anomaly and must not be learned."""

FileSource = JsonLinesSource | CsvSource | ParquetSource
FileSink = PlainSink | PartSink | StandardOutput


def open_source(
    location: str,
    *,
    name: str | None = None,
    format: Format | None = None,
    max_bytes: int = MAX_BYTES,
) -> FileSource:
    """Open a path, '-' for standard input, or 'shuttle' for River's bundled stream.

    The content tells gzip and zstd; the format is ``format``, else the name's, else what the
    first bytes look like. Raises ``ValueError`` saying what is wrong and what to do.

    >>> source = open_source("shuttle")
    >>> source.name, source.read(1)[0].value["f1"]
    ('shuttle', 50)
    >>> source.close()
    """
    if location == SHUTTLE:
        return _shuttle(SHUTTLE if name is None else name)
    stream = open_bytes(location)
    name = name_of(location) if name is None else name
    try:
        settled = settle_format(location, stream, format)
        if settled == "parquet":
            stream.close()
            return ParquetSource(location, name=name)
    except ValueError:
        stream.close()
        raise
    kind = CsvSource if settled == "csv" else JsonLinesSource
    return kind(location, name=name, max_bytes=max_bytes, stream=stream)


def open_sink(
    location: str, *, overwrite: bool = False, otherwise: Format | None = None
) -> FileSink:
    """A sink for scored events or dead letters, by the ending of its name; '-' is standard output.

    ``.jsonl`` and ``.csv`` are one plain file each; ``.parquet`` and everything with ``.gz`` or
    ``.zst`` is a directory of parts. Another ending means ``otherwise``, and raises ``ValueError``
    without it. Nothing is made before the first use.
    """
    if location == STANDARD:
        return StandardOutput()
    format, compression = kind_of_name(location)
    format = format or otherwise
    if format is None or (format == "parquet" and compression is not None):
        endings = ", ".join([*FORMATS, ".jsonl.gz", ".csv.zst"])
        raise ValueError(f"{location}: its ending tells no format, expected one of {endings}")
    if format != "parquet" and compression is None:
        return PlainSink(location, format=format, overwrite=overwrite)
    return PartSink(location, format=format, compression=compression, overwrite=overwrite)


def _shuttle(name: str) -> CsvSource:
    from river.datasets import Shuttle  # a second of imports, for this name alone

    return CsvSource(str(Shuttle().path), name=name)
