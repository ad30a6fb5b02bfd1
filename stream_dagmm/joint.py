"""Joint structure: whether an event's columns agree with each other, each given all others.

One exponentially weighted Gaussian over the standardised columns says what every column should be,
given the rest of the event. The mean surprise at the columns (minus a log pseudo-likelihood: Besag
1975, here of Student-t tails) notices what no distance does: values that are each usual and never
come together. It speaks only where it is unusually high for the stream itself, and the louder the
more the columns tell of each other: on streams without joint structure it is silent.
"""

import math
from typing import Any, NamedTuple, Self

import numpy as np
import torch

from stream_dagmm import mixture
from stream_dagmm.arithmetic import Floats, on_column_grid
from stream_dagmm.levels import Level
from stream_dagmm.mixture import Mixture

KEPT = 0.97
"""Share of every correlation that is believed; the rest, and `RIDGE`, keep what is nearly a copy of
another column from being infinitely telling."""

RIDGE = 0.03
"""Added to every variance, in mean variances."""

TAIL = 5.0
"""Degrees of freedom of the surprise at a column."""

USUAL = 1.0
"""Standard deviations over its mean up to which the surprise says nothing."""

TEACHES_AT_MOST = 3.0
"""Standard deviations over the mean to which a surprise is held before it teaches the level."""

LEAST_DEVIATION = 0.01
"""Of the surprise, in nats a column."""

LEAST_ROWS = 32
"""Events before correlations say anything."""


class Conditionals(NamedTuple):
    """The Gaussian made ready for rows of D columns."""

    precision: Floats
    """[D, D] on the column grid."""
    offset: Floats
    """[D] the mean times the precision."""
    narrowness: Floats
    """[D] inverse variance of each column given the others."""
    weight: float
    """What the columns tell of each other: minus the logarithm of the share of their variance that
    is left when the others are given, twice the nats if all were alike."""

    @classmethod
    def of(cls, gaussian: Mixture) -> Self:
        """Of a mixture with one component."""
        covariance = gaussian.covariance[0].numpy()
        variances = covariance.diagonal()
        steadied = KEPT * covariance
        np.fill_diagonal(steadied, variances + RIDGE * variances.mean() + mixture.RIDGE)
        inverse = np.asarray(np.linalg.inv(steadied), dtype=np.float64)
        precision = on_column_grid(inverse)
        narrowness = inverse.diagonal().copy()
        left = float((1.0 / narrowness).sum() / steadied.trace())
        offset = gaussian.mean[0].numpy() @ precision
        return cls(precision, offset, narrowness, max(0.0, -math.log(left)))

    def surprise(self, rows: Floats) -> Floats:
        """Of rows [B, D] on the row grid: mean over columns of minus the log-likelihood given the
        others, in nats and up to a constant; [B]."""
        pulled = rows @ self.precision - self.offset
        squares = pulled * pulled / self.narrowness
        return np.asarray(
            0.5 * (TAIL + 1.0) * np.log1p(squares / TAIL).mean(axis=1)
            - 0.5 * np.log(self.narrowness).mean()
        )


class Joint(NamedTuple):
    """What is known of how columns go together."""

    gaussian: Mixture
    """One component over the standardised columns."""
    level: Level
    """Of the surprises that were learned."""
    conditionals: Conditionals | None
    """None until enough was learned, and where one column stands alone."""

    @classmethod
    def fresh(cls, memory: float) -> Self:
        """Knows nothing, and will remember `memory` events."""
        zeros = torch.zeros
        nothing = Mixture(
            *(zeros(*shape, dtype=torch.float64) for shape in ((1,), (1, 0), (1, 0, 0)))
        )
        return cls(nothing, Level.fresh(memory), None)

    def excess(self, rows: Floats) -> Floats:
        """Half the logarithm [B] of how far the surprise at rows [B, D] lies above what is usual,
        by weight; 0 where it does not."""
        if self.conditionals is None or not self.level.settled:
            return np.zeros(len(rows))
        deviation = math.sqrt(self.level.variance + LEAST_DEVIATION**2)
        above = (self.conditionals.surprise(rows) - self.level.mean) / deviation - USUAL
        weight = 0.5 * self.conditionals.weight
        return np.asarray(weight * np.log1p(np.maximum(above, 0.0)))

    def moved(self, gain: Floats, shift: Floats) -> Self:
        """After the scale of the columns moved: by `scaling.carried`."""
        by = torch.from_numpy(gain), torch.from_numpy(shift)
        return self._replace(gaussian=mixture.moved(self.gaussian, *by))

    def learned(self, rows: Floats) -> Self:
        """After rows [B, D] that may teach, on the scale that stands."""
        if not len(rows):
            return self._ready()  # columns may have come all the same
        after = self
        if self.conditionals is not None and len(self.conditionals.offset) == rows.shape[1]:
            surprise = self.conditionals.surprise(rows)
            held = np.minimum(surprise, self.level.above(TEACHES_AT_MOST, LEAST_DEVIATION))
            after = self._replace(level=self.level.after(held))
        decay = 2.0 ** (-len(rows) / self.level.memory)
        belonging = torch.ones(len(rows), 1, dtype=torch.float64)
        gaussian = mixture.update(self.gaussian, torch.from_numpy(rows), belonging, decay)
        return after._replace(gaussian=gaussian)._ready()

    def _ready(self) -> Self:
        together = self.gaussian.mean.shape[1] > 2  # beside the count of unknown features
        enough = together and float(self.gaussian.mass) >= LEAST_ROWS
        return self._replace(conditionals=Conditionals.of(self.gaussian) if enough else None)

    def to_state(self) -> dict[str, Any]:
        """Named arrays and plain values."""
        gaussian = {name: tensor.numpy() for name, tensor in self.gaussian._asdict().items()}
        return {"gaussian": gaussian, "level": list(self.level)}

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh one with a saved state."""
        tensors = {name: torch.from_numpy(array) for name, array in state["gaussian"].items()}
        return type(self)(Mixture(**tensors), Level(*state["level"]), None)._ready()
