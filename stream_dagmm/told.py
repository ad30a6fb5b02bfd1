"""What people said of single events: their like then scores higher, or lower.

The last `MOST` judged events are kept. An event is like one of them where it is nearer to it than a
quarter of the way to the nearest remembered event; then it takes over that judgement, the more the
nearer. So a judgement on an event that lies among ordinary ones, and was odd for its moment alone,
says nothing of them. Where ordinary events come to lie around a judged anomaly, it fades.

A judgement holds while the stream is where it was as the judgement came: it fades as the levels of
the columns (`innovation`) move away by one to two deviations of an ordinary event from its level,
and is back when they are. Where events have no order, the levels stay and so do judgements.
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

ELSEWHERE = 2.0
"""Root mean square deviations per column that levels have moved where a judgement is void; at half
of it and less it is whole. Levels of unordered rows lie apart by a third of a deviation."""

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
    levels: Floats
    """[S, W] of the columns as each judgement came, NaN where there were none."""

    @classmethod
    def fresh(cls) -> Self:
        """Nobody said anything."""
        rows = np.empty((0, 1))
        return cls(rows, np.empty(0, dtype=np.bool_), np.empty(0), rows)

    def after(self, row: Floats, is_anomaly: bool, reach: float, level: Floats) -> Self:
        """After a judgement on a row [W'], at the levels [W'']."""
        width = max(self.rows.shape[1], len(row))
        return type(self)(
            _appended(self.rows, row, width),
            np.append(self.anomalies, is_anomaly)[-MOST:],
            np.append(self.reach, reach)[-MOST:],
            _appended(self.levels, level, width),
        )

    def likeness(
        self, rows: Floats, judged: Floats, memory: Floats, levels: Floats, usual: Floats
    ) -> Floats:
        """From -1, as normal as a judged one, to 1, as anomalous as one; 0 like none: for rows
        [B, D], with the judged [S, D] and the remembered events [R, D] on the same scale.

        levels, usual: [B, D] what the rows met; [D] deviation of innovations, 0 for columns that
        do not count."""
        faded = np.minimum(self.reach, room(judged, memory))
        reach = np.maximum(np.where(self.anomalies, faded, self.reach), 1e-9)
        near = np.maximum(0.0, 1.0 - _distances(rows, judged) / reach)[:, ::-1]
        met, told = np.nonzero(near)
        near[met, told] *= _holds(widened(self.levels, len(usual))[::-1][told], levels[met], usual)
        latest = near.argmax(axis=1)  # of those equally near
        sign = np.where(self.anomalies[::-1][latest], 1.0, -1.0)
        return np.asarray(sign * near[np.arange(len(rows)), latest])

    def to_state(self) -> dict[str, Any]:
        """Named arrays."""
        return self._asdict()


def room(rows: Floats, memory: Floats) -> Floats:
    """A quarter of the way [B] from rows [B, D] to the nearest remembered event [R, D]."""
    return np.asarray(0.25 * _distances(rows, memory).min(axis=1, initial=np.inf))


def _holds(before: Floats, now: Floats, usual: Floats) -> Floats:
    """How far judgements [P] hold whose levels were [P, W], W >= D, where they are [P, D]."""
    apart = np.nan_to_num(np.abs(now - before[:, : len(usual)]))  # what was not seen has not moved
    moved = np.minimum(apart, 2.0 * ELSEWHERE * np.sqrt(len(usual)) * usual)
    moved /= np.where(usual > 0.0, usual, 1.0)
    mean = np.sqrt((moved * moved).sum(axis=1) / len(usual))
    return np.asarray(np.clip(2.0 - 2.0 * mean / ELSEWHERE, 0.0, 1.0))


def _appended(rows: Floats, row: Floats, width: int) -> Floats:
    return np.vstack([widened(rows, width), widened(row[None], width)])[-MOST:]


def _distances(rows: Floats, others: Floats) -> Floats:
    """Root mean square distances per column [B, R]; exact but for the root."""
    squares = squared_distances_to(distance_operand(others), rows)
    return np.asarray(np.sqrt(squares / rows.shape[1]))
