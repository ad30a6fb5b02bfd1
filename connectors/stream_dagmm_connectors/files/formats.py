"""What a file's name and its first bytes say about the format inside."""

import io
import os
import sys
from pathlib import Path
from typing import Literal, NamedTuple, cast

import pyarrow as pa

Format = Literal["jsonl", "csv", "parquet"]
Compression = Literal["gzip", "zstd"]

FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}
COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}
_MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_PARQUET_MAGIC = b"PAR1"
BUFFER_BYTES = 1 << 18
UNPACKED_BYTES = 1 << 15
"""Of a damaged compressed stream so much before the damage may be lost: one read fails whole."""


class Kind(NamedTuple):
    """What a name says; None where it says nothing."""

    format: Format | None
    compression: Compression | None


def kind_of_name(name: str) -> Kind:
    """Read the endings of a name.

    >>> kind_of_name("scored.jsonl.gz")
    Kind(format='jsonl', compression='gzip')
    """
    path = Path(name.lower())
    compression = COMPRESSIONS.get(path.suffix)
    if compression is not None:
        path = path.with_suffix("")
    return Kind(FORMATS.get(path.suffix), compression)


def open_bytes(location: str) -> io.BufferedReader:
    """A file's decompressed bytes, or standard input's for '-'; the content tells the compression.

    Raises ``ValueError`` for what cannot be opened and for a ``.gz`` that is none. A damaged
    compressed stream raises ``OSError`` where it is read.
    """
    raw = _open(location)
    first = raw.peek(4)
    found = next((kind for magic, kind in _MAGIC.items() if first.startswith(magic)), None)
    named = kind_of_name(location).compression
    if found is None and named is not None and first:
        raw.close()
        raise ValueError(
            f"{location} begins with {first[:4]!r}, expected {named}; name it without the ending "
            "if it is not compressed"
        )
    if found is None:
        return raw
    unpacked = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), found)
    # Arrow's stream has readinto and the rest of a raw stream, though not its base class.
    return io.BufferedReader(unpacked, UNPACKED_BYTES)


def settle_format(location: str, stream: io.BufferedReader, forced: Format | None) -> Format:
    """The format to read: the one forced, else the name's, else what the first bytes look like.

    Raises ``ValueError`` where nothing tells, and where name and content disagree.
    """
    first = _peek(stream, location)
    looks = _looks_like(first)
    chosen = forced or kind_of_name(location).format or looks
    if chosen is None and not first:
        return "jsonl"  # nothing is inside, so any format gives no events
    way_out = f"say --format {'|'.join(dict.fromkeys(FORMATS.values()))}"
    if chosen is None:
        raise ValueError(
            f"{location}: neither its name nor its beginning {first[:8]!r} tells the format; "
            f"{way_out}"
        )
    if "parquet" in (chosen, looks) and chosen != looks:
        raise ValueError(f"{location} begins with {first[:8]!r}, expected {chosen}; {way_out}")
    if forced is None and chosen == "csv" and looks == "jsonl":
        raise ValueError(f"{location} looks like jsonl, expected csv; {way_out}")
    return chosen


def _looks_like(first: bytes) -> Format | None:
    if first.startswith(_PARQUET_MAGIC):
        return "parquet"
    return "jsonl" if first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") else None


def _peek(stream: io.BufferedReader, location: str) -> bytes:
    try:
        return stream.peek(8)[:64]
    except OSError as error:
        raise ValueError(f"{location}: damaged at its beginning: {error}; restore it") from None


def name_of(location: str) -> str:
    """The source name when none is given: the file's own, the same in every directory.

    >>> name_of("logs/events.jsonl.gz"), name_of("-")
    ('events.jsonl.gz', 'stdin')
    """
    if location == "-":
        return "stdin"
    # A name that is no UTF-8 could not be written into an event.
    return os.fsencode(Path(location).name).decode("utf-8", "replace")


def _open(location: str) -> io.BufferedReader:
    if location == "-":
        return cast("io.BufferedReader", sys.stdin.buffer)
    try:
        return io.BufferedReader(io.FileIO(location), BUFFER_BYTES)
    except FileNotFoundError:
        raise ValueError(f"{location}: no such file; expected a path, '-' or 'shuttle'") from None
    except IsADirectoryError:
        raise ValueError(f"{location} is a directory, expected a file") from None
    except OSError as error:
        raise ValueError(f"{location} cannot be opened: {error.strerror}") from None
