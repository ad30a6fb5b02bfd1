"""What becomes of a record that gives no score: a row that holds it whole, and the reason."""

import base64
import hashlib
import json
from typing import Literal, NamedTuple

from stream_dagmm_connectors.events import KEPT_BYTES, MAX_BYTES, DeadLetter, event_id
from stream_dagmm_connectors.ports import Record, Unreadable


class Rejection(NamedTuple):
    """Why a record is no event; ``dead_letter`` makes the row of it."""

    reason: str
    stage: Literal["read", "decode", "score"] = "decode"


def dead_letter(record: Record, rejection: Rejection, source: str, lineage: str) -> DeadLetter:
    """The row that a refused record becomes: whole up to 1 MiB, else its first 64 KiB."""
    raw = raw_bytes(record)
    kept = raw if len(raw) <= MAX_BYTES else raw[:KEPT_BYTES]
    text, encoding = _text(kept)
    length, digest = len(raw), hashlib.sha256(raw).hexdigest()
    if isinstance(record.value, Unreadable) and record.value.length is not None:
        length, digest = record.value.length, record.value.sha256 or digest
    return DeadLetter(
        id=event_id(source, record.position, lineage),
        source=source,
        position=record.position,
        stage=rejection.stage,
        reason=rejection.reason,
        raw=text,
        encoding=encoding,
        length=length,
        sha256=digest,
    )


def raw_bytes(record: Record) -> bytes:
    """A record as it stood in its source; a row without text (Parquet) as JSON."""
    if isinstance(record.value, Unreadable):
        return record.value.raw
    if record.raw is not None:
        return record.raw
    if isinstance(record.value, bytes):
        return record.value
    try:
        return json.dumps(dict(record.value), default=str).encode()
    except (ValueError, TypeError, RecursionError):
        return repr(dict(record.value)).encode("utf-8", "backslashreplace")


def _text(raw: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    try:
        return raw.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode(), "base64"
