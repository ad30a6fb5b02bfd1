"""The memory as it is measured by: on the present scale, worked out once a block.

Columns and their innovations stand interleaved, [x0, i0, x1, i1, ...], wherever both are meant.
"""

from typing import NamedTuple, Self

import numpy as np

from stream_dagmm import scaling
from stream_dagmm.arithmetic import Floats, Singles, coarse_operand
from stream_dagmm.scaling import Ruler, Scale

GUARDED_AT_MOST = 20.0
"""`scaling.TEACHES_AT_MOST` of a detector whose gate keeps floods of strange events from teaching
(but for `faithful`, which has none): so even what comes once in 400 events is learned in full."""


class Held(NamedTuple):
    """What follows from scale, memory and networks, worked out once a block."""

    own_ruler: Ruler
    """Of the columns."""
    new_ruler: Ruler
    """Of their innovations."""
    rows: Floats
    """[R, 2 D] the memory on the scale: columns and innovations, interleaved."""
    own: Singles
    """The memory's columns, made ready for distances to them; so its innovations, `new`, and its
    reconstruction errors, `residual`, which are of the networks' inputs."""
    new: Singles
    residual: Singles

    @classmethod
    def of(cls, scale: Scale, memory: Floats, residual: Singles) -> Self:
        """After scale or memory [R, 2 D] moved."""
        own_ruler, new_ruler = (
            scaling.ruler(side_of(scale, side), GUARDED_AT_MOST) for side in (0, 1)
        )
        own = scaling.placed(own_ruler, memory[:, ::2])
        new = scaling.placed(new_ruler, memory[:, 1::2])
        operands = coarse_operand(own), coarse_operand(new)
        return cls(own_ruler, new_ruler, interleaved(own, new), *operands, residual)


def side_of(scale: Scale, side: int) -> Scale:
    """Of the columns alone, side 0, or of their innovations, side 1."""
    return Scale._make(array[side::2] for array in scale)


def interleaved(own: Floats, new: Floats) -> Floats:
    """Columns and innovations [B, D] as one row each: [B, 2 D]."""
    both = np.empty((len(own), 2 * own.shape[1]))
    both[:, ::2], both[:, 1::2] = own, new
    return both
