"""The wire schema: what a scored event and a dead letter look like as JSON.

The rows are plain dataclasses, so that building one costs no validation; pydantic reads the same
definitions to export the JSON Schema and to check what others wrote. One definition, two uses.
"""

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

from pydantic import Field

SCHEMA_VERSION = 1


class LinePosition(NamedTuple):
    """A record's place in a file: the number of the line it begins on, the first line being 1.

    Every line counts, blank ones and a CSV header included, so an editor finds the record there.
    Parquet has no lines: there it is the row number, from 1.
    """

    line: Annotated[int, Field(ge=1)]

    def after(self) -> "LinePosition":
        """The smallest position beyond this record; ``Source.seek`` takes it."""
        return LinePosition(self.line + 1)

    def __str__(self) -> str:
        return str(self.line)


class PartitionPosition(NamedTuple):
    """A record's place in a topic: partition and offset, both from 0."""

    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]

    def after(self) -> "PartitionPosition":
        """The smallest position beyond this record; ``Source.seek`` takes it."""
        return PartitionPosition(self.partition, self.offset + 1)

    def __str__(self) -> str:
        return f"{self.partition}@{self.offset}"


Position = LinePosition | PartitionPosition


@dataclass(slots=True)
class ScoredEvent:
    """One event and what the model said of it before learning it; a row of the output."""

    id: str
    source: str
    position: Position
    time: str | int | float | None
    score: float
    p_value: float | None
    alarm: bool
    warming_up: bool
    contributions: dict[str, float] | None
    lineage: str
    learned: int
    schema: int = field(default=SCHEMA_VERSION)


@dataclass(slots=True)
class DeadLetter:
    """One record that is no event, whole, with the place and the reason; a row of the dead letters."""

    id: str
    source: str
    position: Position
    stage: str
    reason: str
    raw: str
    encoding: str
    schema: int = field(default=SCHEMA_VERSION)
