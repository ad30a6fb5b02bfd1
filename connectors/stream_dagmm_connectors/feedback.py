"""Labels that arrive late: records of the stream itself, marked by a header.

A record whose header `stream-dagmm-feedback` says `anomaly` or `normal` is no event. Its value is
the event that somebody judged, in the form of any event, under the key that leads to the same
partition. So a label has an offset, and the law of cuts covers it: it is learned where it stands,
and again by every restore, replay and audit. No scored event comes of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stream_dagmm_connectors.plain import NotAnEvent, short

HEADER = "stream-dagmm-feedback"
LABELS = {b"anomaly": True, b"normal": False}


class Feedback(NamedTuple):
    """An event that somebody judged."""

    features: dict[str, float | bool | str]
    anomaly: bool


def mark_of(headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    """What the header says, the last one where there are several; None for an ordinary record.

    >>> mark_of([("trace", b"7"), ("stream-dagmm-feedback", b"anomaly")])
    b'anomaly'
    """
    mark = None
    for name, value in headers:
        if name == HEADER:
            mark = value or b""
    return mark


def is_anomaly(mark: bytes) -> bool:
    """What the mark means; `NotAnEvent` for one that means nothing."""
    if mark not in LABELS:
        said = short(mark.decode("utf-8", "replace"))
        raise NotAnEvent(f"header {HEADER} is {said}, expected anomaly or normal")
    return LABELS[mark]
