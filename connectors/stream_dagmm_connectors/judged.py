"""What a model said of a run of events, by columns, and the two forms in which it goes out.

Rows are for whoever looks at events one by one; JSON by columns is for a topic. To make an object
of every event and let orjson look into it takes three times as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

import orjson

from stream_dagmm_connectors.events import (
    SCHEMA_VERSION,
    Position,
    ScoredEvent,
    Time,
    event_id,
)


@dataclass(slots=True)
class Judged:
    """Events [B] in order, as they were judged before the model learned them."""

    times: list[Time] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    """Finite, which calibration sees to."""
    p_values: list[float] = field(default_factory=list)
    alarms: list[bool] = field(default_factory=list)
    warming_up: list[bool] = field(default_factory=list)
    contributions: list[dict[str, float] | None] = field(default_factory=list)
    learned: list[int] = field(default_factory=list)

    def extend(self, later: Judged) -> None:
        """Take those that came after these."""
        for column in fields(Judged):
            getattr(self, column.name).extend(getattr(later, column.name))

    def rows(self, source: str, positions: Iterable[Position], lineage: str) -> list[ScoredEvent]:
        """One row for each event, which stands at its position [B]."""
        return [
            ScoredEvent(
                id=event_id(source, position, lineage),
                source=source,
                position=position,
                time=time,
                score=score,
                p_value=p_value,
                alarm=alarm,
                warming_up=warming_up,
                contributions=contributions,
                lineage=lineage,
                learned=learned,
            )
            for position, time, score, p_value, alarm, warming_up, contributions, learned in zip(
                positions,
                self.times,
                self.scores,
                self.p_values,
                self.alarms,
                self.warming_up,
                self.contributions,
                self.learned,
                strict=True,
            )
        ]

    def encoded(
        self, ids: Sequence[str], source: str, partition: int, offsets: Sequence[int], lineage: str
    ) -> list[bytes]:
        """The JSON of each event's row, for ids [B] and offsets [B] of a partition: byte for byte
        what `events.encode` makes of it."""
        form = _form(source, partition, lineage)
        written = (self.times, self.scores, self.p_values, self.alarms, self.warming_up,
                   self.contributions, self.learned)  # fmt: skip
        columns = (map(orjson.dumps, column) for column in written)
        return [form % row for row in zip(map(orjson.dumps, ids), offsets, *columns, strict=True)]


def _form(source: str, partition: int, lineage: str) -> bytes:
    """A row with a place for each cell in which events differ."""
    cells = b'"time":%b,"score":%b,"p_value":%b,"alarm":%b,"warming_up":%b,"contributions":%b'
    return b"".join(
        [
            b'{"schema":%d,"id":%%b,"source":' % SCHEMA_VERSION,
            _text(source),
            b',"position":{"partition":%d,"offset":%%d},' % partition,
            cells,
            b',"lineage":',
            _text(lineage),
            b',"learned":%b}',
        ]
    )


def _text(said: str) -> bytes:
    return orjson.dumps(said).replace(b"%", b"%%")
