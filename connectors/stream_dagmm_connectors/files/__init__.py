"""Event streams in files, and scored events into files: JSON Lines, CSV and Parquet.

`open_source` and `open_sink` choose by name and content; the classes are the ports behind them.
"""

from stream_dagmm_connectors.files.csv_source import CsvSource
from stream_dagmm_connectors.files.json_lines import JsonLinesSource
from stream_dagmm_connectors.files.opening import (
    SHUTTLE,
    SHUTTLE_LABEL,
    STANDARD,
    FileSink,
    FileSource,
    open_sink,
    open_source,
)
from stream_dagmm_connectors.files.parquet_source import ParquetSource
from stream_dagmm_connectors.files.part_sink import PartSink
from stream_dagmm_connectors.files.plain_sink import PlainSink
from stream_dagmm_connectors.files.standard_output import StandardOutput

__all__ = [
    "SHUTTLE",
    "SHUTTLE_LABEL",
    "STANDARD",
    "CsvSource",
    "FileSink",
    "FileSource",
    "JsonLinesSource",
    "ParquetSource",
    "PartSink",
    "PlainSink",
    "StandardOutput",
    "open_sink",
    "open_source",
]
