"""What a detector keeps of the stream to learn from: a scale, a bounded memory of rows, its age."""

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from stream_dagmm import buffers, scaling
from stream_dagmm.arithmetic import Floats
from stream_dagmm.buffers import Reservoir
from stream_dagmm.scaling import Scale, Standardised

MEMORY = 512
"""Rows held: enough for steady quantiles, few enough to look at after every block."""


class Lessons(NamedTuple):
    """Rows of the past on the present scale.

    >>> lessons = Lessons.fresh(half_life=100.0, seed=0)
    >>> rows = np.array([[0.0, 1.0], [0.0, 3.0]])
    >>> lessons.after(rows, is_text=np.array([False, False])).held.round(3).tolist()
    [[0.0, -1.003], [0.0, 0.997]]
    """

    half_life: float
    seed: int
    scale: Scale
    memory: Reservoir
    age: int
    """Events learned."""
    held: Floats
    """[R, D] the memory, standardised."""

    @classmethod
    def fresh(cls, half_life: float, seed: int) -> Self:
        """Of a stream that has not begun."""
        memory = Reservoir.fresh(MEMORY, half_life)
        return cls(half_life, seed, scaling.fresh(), memory, 0, np.empty((0, 1)))

    @property
    def width(self) -> int:
        """D, the columns learned."""
        return len(self.scale.mean)

    def after(self, rows: Floats, is_text: npt.NDArray[np.bool_]) -> Self:
        """After a block of rows [B, D'], D' >= D."""
        scale = scaling.update(scaling.widen(self.scale, is_text), rows, self.half_life)
        age = self.age + len(rows)
        memory = self.memory.offer(rows, self.random(age, 0))
        held = scaling.standardise(scale, memory.rows).rows
        return self._replace(scale=scale, memory=memory, age=age, held=held)

    def standardised(self, rows: Floats) -> Standardised:
        """Rows [B, D] on the present scale."""
        return scaling.standardise(self.scale, rows)

    def in_own_units(self, standard: Floats) -> Floats:
        """Rows [B, D] in the columns' own units, of rows on the present scale."""
        return np.asarray(self.scale.mean + standard * scaling.deviation(self.scale))

    def carried(self, later: Self, is_text: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Gain and shift [D'] that take rows on this scale to the scale of the later lessons."""
        return scaling.carried(scaling.widen(self.scale, is_text), later.scale)

    def random(self, age: int, purpose: int) -> np.random.Generator:
        """Random numbers of one purpose, 0 being the memory's own, at one age."""
        return buffers.generator(self.seed, age, purpose)

    def to_state(self) -> dict[str, Any]:
        """Named arrays and plain values."""
        memory = self.memory.to_state()
        return {"scale": dict(self.scale._asdict()), "memory": memory, "age": self.age}

    def restored(self, state: dict[str, Any]) -> Self:
        """These fresh lessons with a saved state."""
        scale, memory = Scale(**state["scale"]), self.memory.restored(state["memory"])
        held = scaling.standardise(scale, memory.rows).rows
        return self._replace(scale=scale, memory=memory, age=state["age"], held=held)
