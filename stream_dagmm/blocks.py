"""What a block detector is made of: a model that is pure, and the block that is being filled."""

from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from stream_dagmm import checkpoint
from stream_dagmm.arithmetic import Floats


class Model(Protocol):
    """What a detector knows of D columns; every method is pure."""

    @property
    def width(self) -> int:
        """D, the columns learned so far."""

    def follow(self, context: Floats, rows: Floats) -> tuple[Floats, Floats]:
        """The context [B, C] that each of the rows [B, D] meets, and the one [C'] after the last;
        row by row, so that any cut gives the same bits. The first context is empty."""

    def score(self, rows: Floats, contexts: Floats) -> Floats:
        """Scores [B] of the rows [B, D] in their contexts [B, C]: finite, each row's its own."""

    def learn(
        self, rows: Floats, contexts: Floats, scores: Floats, is_text: npt.NDArray[np.bool_]
    ) -> Self:
        """The model after a block of rows [B, D'], D' >= D, that met the contexts [B, C] and got
        the scores [B], NaN where nobody asked for them."""

    def to_state(self) -> dict[str, checkpoint.Tree]:
        """Named arrays and plain values."""

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh model with a saved state."""

    def diagnostics(self) -> dict[str, float | list[float]]:
        """What a learning curve shows, by name."""


class Block(NamedTuple):
    """The rows of the block that is being filled, with the contexts that they met."""

    rows: list[Floats]
    contexts: list[Floats]
    scores: list[Floats]
    begun: int
    """Events learned before the block."""

    def room(self, batch_size: int, growth: float) -> int:
        """Events until the block ends: blocks grow from 1 up to the batch size, each at most a
        share `growth` of the events learned before it; whole ones end at multiples of the batch
        size, which calls of even sizes then do not cut."""
        length = min(batch_size, max(1, int(growth * self.begun)))
        if length == batch_size:
            length -= self.begun % batch_size
        return length - sum(map(len, self.rows))


class Glance(NamedTuple):
    """The event that was scored last and what it met, so that learning it need not look again."""

    row: bytes
    contexts: Floats
    after: Floats
