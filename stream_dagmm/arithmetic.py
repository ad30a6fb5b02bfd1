"""Exact matrix products: why a score does not depend on how a stream was cut.

A matrix product in floating point depends, in its last bits, on the shape of the whole: a library
picks another kernel, and so another order of summation, for 1 row than for 256, for 2 threads than
for 1. Here both operands are first rounded to grids so coarse that every product and every partial
sum is exactly representable in a double. Then the order cannot matter, and a row's result is its
own: the same bits alone or among others, at any place, under any number of threads.

Budget: a row entry is an integer of at most 20 bits (times 2^-16), a column entry one of
33 - log2(n) bits (times its own power of two), n terms are summed: 20 + 33 - log2(n) + log2(n) = 53
bits, the significand of a double. The idea is that of error-free matrix multiplication
(Ozaki, Ogita, Oishi, Rump, 2012) with one slice.
"""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

SIGNIFICAND_BITS = 53
ROW_FRACTION_BITS = 16
ROW_BOUND = 16.0
ROW_BITS = ROW_FRACTION_BITS + 4  # 16.0 is 2^4
SINGLE_BITS = 24
SCALE_BITS = 3  # standardised rows reach to 8
LONGEST_SUM = 2 ** (SIGNIFICAND_BITS - 2 * ROW_BITS)  # rows against rows: 8192 terms


def on_row_grid(rows: Floats) -> Floats:
    """Rows clipped to [-16, 16] and rounded to multiples of 2^-16 (about 1.5e-5).

    >>> on_row_grid(np.array([0.1, 99.0])).tolist()
    [0.100006103515625, 16.0]
    """
    return rounded(rows.clip(-ROW_BOUND, ROW_BOUND))


def rounded(rows: Floats) -> Floats:
    """`on_row_grid` for rows that lie in [-16, 16] already."""
    scale = 2.0**ROW_FRACTION_BITS
    units = rows * scale
    np.rint(units, out=units)
    units *= 1.0 / scale
    return units


def on_column_grid(matrix: Floats) -> Floats:
    """A right operand [n, m] whose product with any rows on the row grid is exact.

    Each column keeps 33 - log2(n) bits below its largest entry: a relative error of at most
    2^-20 for n = 8192, of 2^-29 for n = 16.
    """
    terms = matrix.shape[0]
    if terms > LONGEST_SUM:
        raise ValueError(f"matrix must have at most {LONGEST_SUM} rows, got {terms}")
    bits = SIGNIFICAND_BITS - ROW_BITS - math.ceil(math.log2(max(terms, 1)))
    largest = np.abs(matrix).max(axis=0, initial=0.0)
    exponent = np.frexp(np.where(largest > 0.0, largest, 1.0))[1]
    unit = np.ldexp(1.0, np.maximum(exponent - bits, -1074))  # no smaller double than 2^-1074
    return np.asarray(np.rint(matrix / unit) * unit)


def distance_operand(others: Floats) -> Floats:
    """What `squared_distances_to` takes for the others [R, D]: an array [D + 2, R]."""
    right = np.column_stack([others, np.ones(len(others)), (others * others).sum(axis=1)])
    return np.ascontiguousarray(right.T)


def squared_distances_to(operand: Floats, rows: Floats) -> Floats:
    """Squared Euclidean distances [B, R] of rows [B, D] to others that were prepared once, all on
    the row grid; exact, so the distance of a row to its own copy is 0.

    >>> a = on_row_grid(np.array([[0.1, 0.2]]))
    >>> squared_distances_to(distance_operand(np.vstack([a, a + 1.0])), a).tolist()
    [[0.0, 2.0]]
    """
    # One product: |x|^2 + |y|^2 - 2 x y = [-2 x, |x|^2, 1] [y, 1, |y|^2]; no partial sum exceeds
    # 2^53 units of 2^-32 for D up to 2048.
    size = rows.shape[1]
    left = np.empty((len(rows), size + 2))
    left[:, :size] = -2.0 * rows
    left[:, size] = (rows * rows).sum(axis=1)
    left[:, size + 1] = 1.0
    return np.asarray(left @ operand)


def coarse_operand(others: Floats) -> Singles:
    """What `coarse_distances_to` takes for the others [R, D]: an array [D + 2, R]."""
    units = _coarse_units(others)
    right = np.ones((others.shape[1] + 2, len(others)), dtype=np.float32)
    right[:-2] = units.T
    right[-1] = (units * units).sum(axis=1)
    return right


def coarse_distances_to(operand: Singles, rows: Floats) -> Singles:
    """Squared distances [B, R] of rows [B, D] to others that were prepared once, all of them within
    [-8, 8] and first rounded so coarsely that single precision is exact: in half the time.

    One column keeps steps of 2^-8, 64 columns of 2^-5, 1,024 of 2^-3: what matters of a distance
    over D columns.

    >>> a = np.array([[0.1, 0.2]])
    >>> coarse_distances_to(coarse_operand(np.vstack([a, a + 1.0])), a).tolist()
    [[0.0, 2.0]]
    """
    size = rows.shape[1]
    units = _coarse_units(rows)
    left = np.empty((len(rows), size + 2), dtype=np.float32)
    left[:, size] = (units * units).sum(axis=1)
    left[:, size + 1] = 1.0
    np.multiply(units, np.float32(-2.0), out=left[:, :size])
    squares = left @ operand
    squares *= np.float32(4.0 ** -_coarse_bits(size))
    return np.asarray(squares)


def _coarse_bits(columns: int) -> int:
    """Fraction bits that rows keep. A term of the product is at most 2^(2 * 3 + 1) squared units,
    the two sums of squares beside it as much together: D of them within 24 bits."""
    return (SINGLE_BITS - 2 * SCALE_BITS - 2 - math.ceil(math.log2(max(columns, 1)))) // 2


def _coarse_units(rows: Floats) -> Singles:
    units = rows * 2.0 ** _coarse_bits(rows.shape[1])
    return np.asarray(np.rint(units, out=units).astype(np.float32))
