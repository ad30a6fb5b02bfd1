"""A course: what a stream taught so far to a detector's networks, and how wrong they usually are.

What the detectors with networks carry from block to block is here, once; each brings its networks'
shapes, its loss and its residuals.
"""

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from stream_dagmm import likelihood, training
from stream_dagmm.arithmetic import Floats
from stream_dagmm.lessons import Lessons
from stream_dagmm.training import Loss, Trained


class Course(NamedTuple):
    """Lessons, the networks that they taught, and the usual squared residuals.

    >>> course = Course.fresh(half_life=100.0, seed=0)
    >>> course.ready, course.after(np.ones((32, 1)), np.array([False])).ready
    (False, True)
    """

    lessons: Lessons
    trained: Trained | None
    spread: Floats | None
    """[D] usual squared residuals."""
    blocks: int
    """Blocks that the networks have seen."""

    @classmethod
    def fresh(cls, half_life: float, seed: int) -> Self:
        """Of a stream that has not begun."""
        return cls(Lessons.fresh(half_life, seed), None, None, 0)

    @property
    def ready(self) -> bool:
        """Whether there are networks, or rows enough to make some."""
        return self.trained is not None or len(self.lessons.held) >= training.LEAST_ROWS

    def random(self, purpose: int) -> np.random.Generator:
        """Random numbers of one purpose, 0 being the memory's own, at this age."""
        return self.lessons.random(self.lessons.age, purpose)

    def after(self, rows: Floats, is_text: npt.NDArray[np.bool_]) -> Self:
        """After a block of rows [B, D'], D' >= D, that has not taught the networks yet."""
        return self._replace(lessons=self.lessons.after(rows, is_text))

    def standing_spread(self) -> Floats:
        """The usual squared residuals [D]; new columns begin as such of which nothing is told."""
        old = np.empty(0) if self.spread is None else self.spread
        return np.append(old, np.ones(self.lessons.width - len(old)))

    def taught(
        self,
        trained: Trained,
        loss: Loss,
        rows: Floats,
        held: Floats,
        learning_rate: float,
        random: np.random.Generator,
    ) -> Self:
        """After the networks were trained on a block and the memory, as they see them."""
        age = self.lessons.age
        learned = trained.taught(loss, rows, held, age, learning_rate, random)
        return self._replace(trained=learned, blocks=self.blocks + 1)

    def measured(self, residual: Floats, part: float = likelihood.TRUSTED) -> Self:
        """With the residuals [R, D] of the memory as the networks are now; of its rows the part
        that surprises least counts."""
        share = 1.0 / self.blocks
        spread = likelihood.respread(self.standing_spread(), residual, share, part)
        return self._replace(spread=spread)

    def to_state(self) -> dict[str, Any]:
        """Named arrays and plain values."""
        trained = self.trained.to_state() if self.trained else None
        changing = {"networks": trained, "spread": self.spread, "blocks": self.blocks}
        return {**self.lessons.to_state(), **changing}

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh course with a saved state."""
        trained = Trained.restored(state["networks"]) if state["networks"] else None
        lessons = self.lessons.restored(state)
        return type(self)(lessons, trained, state["spread"], state["blocks"])
