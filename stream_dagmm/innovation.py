"""What is new in an event beside its recent past: the context that moves with every event.

The level of a column is an exponentially weighted mean over about `MEMORY` events, missing until
the column is first seen; an event's innovation is its deviation from the level it meets.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from stream_dagmm.arithmetic import Floats
from stream_dagmm.scaling import LARGEST

MEMORY = 10.0
"""Events: short enough to follow any drift that is not a jump, long enough to average noise."""

SHARE = 1.0 / MEMORY
KEPT = 1.0 - SHARE

STEP = 2.0
"""Usual innovations of a column that an ordinary step of its level is at most."""

MANY = 8
"""Rows that it pays to move the levels by all at once."""

Bools = npt.NDArray[np.bool_]


def follow(level: Floats, rows: Floats, far: Bools, usual: Floats) -> tuple[Floats, Floats]:
    """The levels [B, D] that the rows [B, D] meet one after the other, and the level [D] after
    them. A missing value leaves its column's level as it is. A far row moves none, as a flood would
    take them along; unless every column is an ordinary step from its level, for so a drift arrives
    where nothing was before.

    usual: [D] standard deviation of each column's innovations, 0 where it never varied.

    >>> rows, near = np.array([[4.0], [14.0]]), np.zeros(2, bool)
    >>> levels, after = follow(np.array([np.nan]), rows, near, np.ones(1))
    >>> levels.tolist(), after.tolist()
    ([[nan], [4.0]], [5.0])
    """
    rows = rows.clip(-LARGEST, LARGEST)
    levels = np.full((len(rows) + 1, rows.shape[1]), np.nan)
    levels[0, : len(level)] = level
    step = STEP * usual
    for place in range(_in_runs(levels, rows, far, step), len(rows)):
        met, row = levels[place], rows[place]
        stays = far[place] and (np.abs(row - met) > step).any()
        levels[place + 1] = met if stays else _moved(met, row)
    return levels[:-1], levels[-1].copy()


def _in_runs(levels: Floats, rows: Floats, far: Bools, step: Floats) -> int:
    """Writes the levels after runs of rows whose far ones all move them, or none does, as long as
    such runs are `MANY` rows long; returns how many rows that were."""
    done, run, far_move = 0, MANY, False
    while run >= MANY and len(rows) - done >= MANY:
        moves = ~far[done:] | far_move
        after = _moved_by_all(levels[done], rows[done:][moves])
        levels[done + 1 :] = np.vstack([levels[done], after])[np.cumsum(moves)]
        places = done + np.flatnonzero(far[done:])
        ordinary = ~(np.abs(rows[places] - levels[places]) > step).any(axis=1)
        others = places[ordinary != far_move]
        run = int(others[0]) - done if len(others) else len(moves)
        done, far_move = done + run, not far_move
    return done


def _moved(level: Floats, row: Floats) -> Floats:
    """The level [D] after a row [D]."""
    after = KEPT * level + SHARE * row
    if np.isnan(after).any():
        after = np.where(np.isnan(row), level, np.where(np.isnan(level), row, after))
    return after


def _moved_by_all(level: Floats, rows: Floats) -> Floats:
    """The levels [B, D] after each of the rows [B, D]: the bits of `_moved`."""
    gain = np.array([1.0, -KEPT])
    filtered, _ = lfilter(gain[:1], gain, SHARE * rows, axis=0, zi=KEPT * level[None])
    after: Floats = np.asarray(filtered, dtype=np.float64)
    for column in np.flatnonzero(np.isnan(after).any(axis=0)):
        now = level[column]
        for place, value in enumerate(rows[:, column].tolist()):
            if not math.isnan(value):
                now = value if math.isnan(now) else KEPT * now + SHARE * value
            after[place, column] = now
    return after
