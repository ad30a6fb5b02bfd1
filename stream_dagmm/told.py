"""What people said of single events: their like then scores higher, or lower.

The last `MOST` judged events are kept. An event is like one of them where it is nearer to it than a
quarter of the way to the nearest remembered event; then it takes over that judgement, the more the
nearer. So a judgement on an event that lies among ordinary ones, and was odd for its moment alone,
says nothing of them. Where ordinary events come to lie around a judged anomaly, it fades.
"""

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from stream_dagmm.arithmetic import Floats, distance_operand, squared_distances_to
from stream_dagmm.features import widened

MOST = 64
"""Judged events that are kept, the latest."""

WORTH = 2.0
"""Score units that a judgement is worth to an equal event: some deviations of an ordinary score."""

ALIKE = 0.5
"""Likeness from which on a judged event decides whether its like may teach."""


class Told(NamedTuple):
    """Judged events."""

    rows: Floats
    """[S, W] S <= 64, as they came, NaN where missing."""
    anomalies: npt.NDArray[np.bool_]
    """[S]"""
    reach: Floats
    """[S] root mean square distance per column, in standard deviations, at which likeness ends."""

    @classmethod
    def fresh(cls) -> Self:
        """Nobody said anything."""
        return cls(np.empty((0, 1)), np.empty(0, dtype=np.bool_), np.empty(0))

    def after(self, row: Floats, is_anomaly: bool, reach: float) -> Self:
        """After a judgement on a row [W']."""
        width = max(self.rows.shape[1], len(row))
        rows = np.vstack([widened(self.rows, width), widened(row[None], width)])
        return type(self)(
            rows[-MOST:],
            np.append(self.anomalies, is_anomaly)[-MOST:],
            np.append(self.reach, reach)[-MOST:],
        )

    def likeness(self, rows: Floats, judged: Floats, memory: Floats) -> Floats:
        """From -1, as normal as a judged one, to 1, as anomalous as one; 0 like none: for rows
        [B, D], with the judged [S, D] and the remembered events [R, D] on the same scale."""
        faded = np.minimum(self.reach, room(judged, memory))
        reach = np.maximum(np.where(self.anomalies, faded, self.reach), 1e-9)
        near = np.maximum(0.0, 1.0 - _distances(rows, judged) / reach)[:, ::-1]
        latest = near.argmax(axis=1)  # of those equally near
        sign = np.where(self.anomalies[::-1][latest], 1.0, -1.0)
        return np.asarray(sign * near[np.arange(len(rows)), latest])

    def to_state(self) -> dict[str, Any]:
        """Named arrays."""
        return self._asdict()


def room(rows: Floats, memory: Floats) -> Floats:
    """A quarter of the way [B] from rows [B, D] to the nearest remembered event [R, D]."""
    return np.asarray(0.25 * _distances(rows, memory).min(axis=1, initial=np.inf))


def _distances(rows: Floats, others: Floats) -> Floats:
    """Root mean square distances per column [B, R]; exact but for the root."""
    squares = squared_distances_to(distance_operand(others), rows)
    return np.asarray(np.sqrt(squares / rows.shape[1]))
