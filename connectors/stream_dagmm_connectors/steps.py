"""What the loop is handed and what it hands out: sinks, steps, watchers, and how a run ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from stream_dagmm_connectors.evaluation import LabelledScore
from stream_dagmm_connectors.events import DeadLetter, ScoredEvent, Time
from stream_dagmm_connectors.metrics import Counters
from stream_dagmm_connectors.ports import Sink

if TYPE_CHECKING:
    from stream_dagmm.checkpoint import Tree

OnError = Literal["dead-letter", "skip", "fail"]


class Pace(Protocol):
    """Holds events back, for a replay at the speed of life."""

    at_most: int

    def wait(self, times: Sequence[Time]) -> None:
        """Return when events of these times are due."""


class Step(NamedTuple):
    """What one turn of the loop gave, for whoever watches."""

    scored: Sequence[ScoredEvent]
    dead: Sequence[DeadLetter]
    counters: Counters
    diagnostics: Callable[[], Mapping[str, float | list[float]]]


class Observer(Protocol):
    """Watches the loop: a report, a progress bar. What it must not forget is in its state."""

    def observe(self, step: Step) -> None:
        """See one turn of the loop, after its rows were written."""

    def to_state(self) -> Tree:
        """What a checkpoint keeps of it; None for nothing."""

    def restore(self, state: Tree) -> None:
        """Go on from `to_state`."""


@dataclass(slots=True)
class Sinks:
    """Where rows go; None for nowhere."""

    scored: Sink[ScoredEvent] | None = None
    dead_letters: Sink[DeadLetter] | None = None
    labelled: Sink[LabelledScore] | None = None

    def named(self) -> dict[str, Sink[Any]]:
        """The sinks there are, by the name that a checkpoint calls them."""
        parts = {name: getattr(self, name) for name in ("scored", "dead_letters", "labelled")}
        return {name: sink for name, sink in parts.items() if sink is not None}


class Summary(NamedTuple):
    """How a run ended."""

    events: int
    alarms: int
    dead_letters: dict[str, int]
    interrupted: bool


class BadRecord(ValueError):
    """A record that is no event, under `on_error="fail"`."""
