"""What the pipeline asks of the world: a source, sinks and a place for checkpoints.

The pipeline knows these Protocols and nothing of files or brokers. Each promise below is one that
the pipeline's exactly-once argument uses; an implementation that cannot keep it must say so.

Why the output is exact: records come in order and again the same after ``seek``; what was flushed
is durable; what came after a flush can be cut off. So ``cut_back(extent)`` and ``seek(position)``
of one checkpoint bring output and input to the same event, and the law of cuts does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from stream_dagmm_connectors.events import (
    DeadLetter,
    LinePosition,
    PartitionPosition,
    Position,
    ScoredEvent,
)

if TYPE_CHECKING:
    from stream_dagmm.checkpoint import Tree

__all__ = [
    "CheckpointStore",
    "DeadLetter",
    "Extent",
    "LinePosition",
    "PartitionPosition",
    "Position",
    "Record",
    "ScoredEvent",
    "Sink",
    "Source",
    "TakesFeedback",
    "Unreadable",
]

Extent = dict[str, int]
"""How much a sink durably holds, in its own units (``{"bytes": 1841}``, ``{"parts": 3}``)."""

RowT = TypeVar("RowT", contravariant=True)


class Unreadable(NamedTuple):
    """A record that the source itself could not read; the decoder makes a dead letter of it.

    Where ``raw`` is only its beginning, ``length`` and ``sha256`` are those of the whole.
    """

    raw: bytes
    reason: str
    length: int | None = None
    sha256: str | None = None


class Record(NamedTuple):
    """One undecoded record of a source.

    ``value`` is the bytes of a JSON document (lines, topics), a row as a mapping from column to
    value (CSV cells: numbers, text, None for an empty one; Parquet: Python values), or what could
    not even be cut into a row. ``raw`` is the text of a row where the source has it.
    """

    position: Position
    value: bytes | Mapping[str, object] | Unreadable
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    raw: bytes | None = None


class Source(Protocol):
    """An ordered sequence of records that reads the same every time.

    Records come in strictly ascending positions, and the record at a position never changes.
    Nothing is called after ``close``.
    """

    @property
    def name(self) -> str:
        """The name that goes into every event's ``source`` and into the lineage."""

    @property
    def start(self) -> Position:
        """The position a fresh run begins at; part of the lineage.

        A source of several logs, each with a model of its own, reads one to its end before the
        next, never two in one `read`; this is the start of the one that was read or sought last.
        """

    @property
    def finished(self) -> bool:
        """Whether every record has been read; never true for a topic without an end."""

    def seek(self, next_position: Position) -> None:
        """Go on with the first record whose position is at least ``next_position``.

        Called at most once, before the first ``read``. Raises ``ValueError`` where the source no
        longer reaches that position (a file that has become shorter, a trimmed log).
        """

    def read(self, at_most: int) -> list[Record]:
        """The next records, between 0 and ``at_most`` of them (at least 1).

        An empty list means: the end if ``finished``, else nothing at the moment. Memory is
        bounded by ``at_most`` records. Raises ``ValueError`` naming source and position when the
        source is damaged; a single bad record is an ``Unreadable`` value, never an exception.
        """

    def close(self) -> None:
        """Release what is held; may be called twice."""


class Sink(Protocol[RowT]):
    """An append-only sequence of rows: ``Sink[ScoredEvent]``, ``Sink[DeadLetter]``.

    Nothing is called after ``close``. Rows that were written but not flushed may be lost or half
    there after a crash; ``cut_back`` deals with both.
    """

    def write(self, rows: Sequence[RowT]) -> None:
        """Append rows in order."""

    def flush(self) -> Extent:
        """Make everything written so far durable, and say how much that is.

        The extent is JSON-able, so that a checkpoint can hold it. It survives SIGKILL and a loss
        of power. Called without new rows it returns the same extent.
        """

    def cut_back(self, extent: Extent) -> None:
        """Forget everything after ``extent``, which an earlier ``flush`` (of any process) gave.

        Called at most once, before the first ``write``. Raises ``ValueError`` when less than
        ``extent`` is there. Without this call the sink begins empty; it raises ``ValueError`` on
        the first use of a place that already holds rows, unless it was told to overwrite.
        """

    def close(self) -> None:
        """Release what is held, without the promise of ``flush``; may be called twice."""


class CheckpointStore(Protocol):
    """A place for one checkpoint: the newest saved whole, whatever the process died of."""

    def load(self) -> Tree | None:
        """The newest checkpoint, or None where none was ever saved.

        Raises ``ValueError`` naming the place, what was found and what to do when it is damaged.
        """

    def save(self, tree: Tree) -> None:
        """Replace the checkpoint atomically; durable when this returns."""


class TakesFeedback(Protocol):
    """A detector that can be told, late, what an event was.

    Feedback is an event of the sequence like those that are learned: the model is a function of
    the constructor's arguments and of both, in their order. It may name an event that was never
    learned, or is long forgotten, and never raises for one of any shape.
    """

    def feedback(self, x: dict[str, Any], label: bool, /) -> object:
        """Take what is like the event `x` for anomalies (True) or for normal (False)."""
