"""The wire schema: what a scored event and a dead letter look like as JSON.

The rows are plain dataclasses, so that building one in the hot loop costs no validation, and
pydantic reads the same definitions to export the JSON Schema and to check what others wrote.
One definition, two uses.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, TypeAdapter

SCHEMA_VERSION = 1
REST = "(rest)"
MAX_BYTES = 1 << 20
"""Records beyond this length are refused, and their dead letters are cut to ``KEPT_BYTES``."""
KEPT_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, order=True)
class LinePosition:
    """A record's place in a file: the number of the line it begins on, the first line being 1.

    Every line counts, blank ones and a CSV header included, so that an editor finds the record
    there. Parquet has no lines: there it is the number of the row, from 1.
    """

    line: Annotated[int, Field(ge=1)]

    def after(self) -> "LinePosition":
        """The smallest position beyond this record; ``Source.seek`` takes it."""
        return LinePosition(self.line + 1)

    def __str__(self) -> str:
        return str(self.line)


@dataclass(frozen=True, slots=True, order=True)
class PartitionPosition:
    """A record's place in a topic: partition and offset, both from 0."""

    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]

    def after(self) -> "PartitionPosition":
        """The smallest position beyond this record; ``Source.seek`` takes it."""
        return PartitionPosition(self.partition, self.offset + 1)

    def __str__(self) -> str:
        return f"{self.partition}@{self.offset}"


Position = LinePosition | PartitionPosition
Time = str | int | float | None

_Id = Annotated[
    str, Field(description="source:position:lineage; a repeated record has the same id")
]
_Source = Annotated[str, Field(description="name of the file or topic that the record came from")]
_Position = Annotated[
    Position,
    Field(description="place in the source: a line from 1, or a partition and an offset from 0"),
]
_Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(slots=True, kw_only=True)
class ScoredEvent:
    """One event and what the model said of it before learning it; a row of the output.

    Nothing here depends on the clock: the same events give the same bytes.
    """

    schema: Annotated[Literal[1], Field(description="version of this schema")] = 1
    id: _Id
    source: _Source
    position: _Position
    time: Annotated[
        Time, Field(description="the event's own time as it came, null where it has none")
    ]
    score: Annotated[
        _Finite,
        Field(description="raw anomaly score, higher is stranger; any finite number, no unit"),
    ]
    p_value: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="share of the recent scores (decayed) that are at least this high, in "
            "(0, 1]; while warming up a rank among few",
        ),
    ]
    alarm: Annotated[
        bool, Field(description="whether the p-value is at most the alarm rate asked for")
    ]
    warming_up: Annotated[
        bool, Field(description="whether the model is too young for its score to raise an alarm")
    ]
    contributions: Annotated[
        dict[str, _Finite] | None,
        Field(
            description="the fields that made the score, in score units, signed, largest first; "
            "the largest 5 and '(rest)' sum to the score; null unless the p-value is small"
        ),
    ]
    lineage: Annotated[
        str,
        Field(
            description="hash of configuration, state format, source, start position and parent "
            "lineage; equal lineages score equal events equally"
        ),
    ]
    learned: Annotated[
        int, Field(ge=0, description="number of events that the model had learned before this one")
    ]


@dataclass(slots=True, kw_only=True)
class DeadLetter:
    """One record that gave no score, with its place and the reason; a row of the dead letters."""

    schema: Annotated[Literal[1], Field(description="version of this schema")] = 1
    id: _Id
    source: _Source
    position: _Position
    stage: Annotated[
        Literal["read", "decode", "score"], Field(description="the step that refused the record")
    ]
    reason: Annotated[str, Field(description="what was found and what was expected")]
    raw: Annotated[
        str, Field(description="the record as it came; of more than 1 MiB the first 64 KiB")
    ]
    encoding: Annotated[
        Literal["utf-8", "base64"], Field(description="how raw is written; base64 if not UTF-8")
    ]
    length: Annotated[int, Field(ge=0, description="length of the whole record in bytes")]
    sha256: Annotated[str, Field(description="SHA-256 of the whole record, in hexadecimal")]


def event_id(source: str, position: Position, lineage: str) -> str:
    """Name an event so that its copies can be recognised.

    >>> event_id("shuttle", LinePosition(17), "5b2a")
    'shuttle:17:5b2a'
    """
    return f"{source}:{position}:{lineage}"


def event_ids(source: str, partition: int, offsets: Iterable[int], lineage: str) -> list[str]:
    """`event_id` of the event at each offset of a partition.

    >>> event_ids("events", 3, [1841], "5b2a") == [
    ...     event_id("events", PartitionPosition(3, 1841), "5b2a")
    ... ]
    True
    """
    return [f"{source}:{partition}@{offset}:{lineage}" for offset in offsets]


def place(source: str, position: Position) -> str:
    """Where a record is, in the form that messages begin with.

    >>> place("events", PartitionPosition(3, 1841)), place("events.jsonl", LinePosition(7))
    ('events-3@1841', 'events.jsonl:7')
    """
    if isinstance(position, LinePosition):
        return f"{source}:{position}"
    return f"{source}-{position}"


def largest_contributions(contributions: Mapping[str, float], count: int = 5) -> dict[str, float]:
    """Keep the ``count`` largest by magnitude, largest first, and sum the others under '(rest)'.

    >>> largest_contributions({"a": 0.5, "b": -3.0, "c": 1.0}, count=1)
    {'b': -3.0, '(rest)': 1.5}
    """
    ranked = sorted(contributions, key=lambda name: (-abs(contributions[name]), name))
    kept = [name for name in ranked if name != REST][:count]
    rest = math.fsum(contributions[name] for name in ranked if name not in kept)
    return {name: float(contributions[name]) for name in kept} | {REST: rest}


def encode(row: ScoredEvent | DeadLetter) -> bytes:
    """The JSON of one row: fixed order of keys, shortest floats that read back exactly, no newline.

    Raises ``ValueError`` for a score that JSON has no number for.
    """
    if isinstance(row, ScoredEvent) and not math.isfinite(row.score):
        where = place(row.source, row.position)
        raise ValueError(f"{where}: score is {row.score}, expected a finite number")
    return orjson.dumps(row)


def encode_lines(rows: Iterable[ScoredEvent | DeadLetter]) -> bytes:
    """JSON Lines of rows, each line with its newline."""
    return b"".join([encode(row) + b"\n" for row in rows])


def decode_scored(line: bytes | str) -> ScoredEvent:
    """Read one line of output back, checked; raises ``ValueError`` naming the wrong field."""
    return _SCORED.validate_json(line)


def decode_dead_letter(line: bytes | str) -> DeadLetter:
    """Read one dead letter back, checked; raises ``ValueError`` naming the wrong field."""
    return _DEAD.validate_json(line)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of both rows, under ``$defs``, for ``stream-dagmm schema``."""
    _, schema = TypeAdapter.json_schemas(
        [(ScoredEvent, "serialization", _SCORED), (DeadLetter, "serialization", _DEAD)],
        title="stream-dagmm rows",
    )
    return schema


_SCORED = TypeAdapter(ScoredEvent)
_DEAD = TypeAdapter(DeadLetter)
