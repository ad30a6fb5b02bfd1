"""What people said of single events: their like then scores higher, or lower.

The last `MOST` judged events are kept. An event is like one of them where it is nearer to it than
ordinary events are to their nearest kin; then it takes over that judgement, the more the nearer.
"""

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from stream_dagmm.arithmetic import Floats, distance_operand, squared_distances_to
from stream_dagmm.features import widened

MOST = 64
"""Judged events that are kept, the latest."""

WORTH = 4.0
"""Score units that a judgement is worth to an equal event: some deviations of an ordinary score."""

ALIKE = 0.5
"""Likeness from which on a judged event decides whether its like may teach."""


class Told(NamedTuple):
    """Judged events."""

    rows: Floats
    """[S, W] S <= 64, as they came, NaN where missing."""
    anomalies: npt.NDArray[np.bool_]
    """[S]"""

    @classmethod
    def fresh(cls) -> Self:
        """Nobody said anything."""
        return cls(np.empty((0, 1)), np.empty(0, dtype=np.bool_))

    def after(self, row: Floats, is_anomaly: bool) -> Self:
        """After a judgement on a row [W']."""
        width = max(self.rows.shape[1], len(row))
        rows = np.vstack([widened(self.rows, width), widened(row[None], width)])
        return type(self)(rows[-MOST:], np.append(self.anomalies, is_anomaly)[-MOST:])

    def likeness(self, rows: Floats, judged: Floats, reach: float) -> Floats:
        """From -1, as normal as a judged one, to 1, as anomalous as one; 0 like none: for rows
        [B, D], with the judged [S, D] on the same scale.

        reach: root mean square distance per column, in standard deviations, at which likeness ends.
        """
        if not len(judged):
            return np.zeros(len(rows))
        squares = squared_distances_to(distance_operand(judged[::-1]), rows)  # of ties, the latest
        nearest = squares.argmin(axis=1)
        distance = np.sqrt(squares[np.arange(len(rows)), nearest] / rows.shape[1])
        sign = np.where(self.anomalies[::-1][nearest], 1.0, -1.0)
        return np.asarray(sign * np.maximum(0.0, 1.0 - distance / reach))

    def to_state(self) -> dict[str, Any]:
        """Named arrays."""
        return self._asdict()
