"""Records into what the model takes and what it must not: events, labels, dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stream_dagmm_connectors.dead_letters import Rejection, dead_letter
from stream_dagmm_connectors.decoding import Decoder, Event
from stream_dagmm_connectors.events import DeadLetter, Position
from stream_dagmm_connectors.feedback import Feedback
from stream_dagmm_connectors.ports import Record
from stream_dagmm_connectors.scoring import Scorer


class Sifted(NamedTuple):
    """What a few records are, in order."""

    items: list[tuple[Position, Event | Feedback]]
    dead: list[DeadLetter]
    bad: DeadLetter | None
    """The record that ended it, where the first bad one does."""


def sift(
    records: Sequence[Record], decoder: Decoder, scorer: Scorer, source: str, *, fail: bool
) -> Sifted:
    """Decode records up to the last one, or with `fail` up to the first that is no event."""
    sifted = Sifted([], [], None)
    for record in records:
        answer = scorer.admitted(decoder.decode(record.value, record.headers))
        if not isinstance(answer, Rejection):
            sifted.items.append((record.position, answer))
            continue
        letter = dead_letter(record, answer, source, scorer.lineage)
        if fail:
            return sifted._replace(bad=letter)
        sifted.dead.append(letter)
    return sifted
