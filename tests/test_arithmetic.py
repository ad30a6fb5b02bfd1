"""Exact products: a row's bits are its own, whoever stands beside it."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stream_dagmm.arithmetic import (
    LONGEST_SUM,
    ROW_BOUND,
    Floats,
    coarse_distances_to,
    coarse_operand,
    distance_operand,
    on_column_grid,
    on_row_grid,
    squared_distances_to,
)
from tests.threads import threads

WIDTHS = [1, 2, 7, 16, 17, 48, 64, 129]
finite = st.floats(allow_nan=False, allow_infinity=False)


def squared_distances(rows: Floats, others: Floats) -> Floats:
    return squared_distances_to(distance_operand(others), rows)


def operands(count: int, width: int, columns: int, seed: int = 0) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    rows = on_row_grid(random.normal(size=(count, width)) * 8.0)
    return rows, on_column_grid(random.normal(size=(width, columns)) * 1e3)


@given(arrays.arrays(np.float64, (4, 3), elements=finite))
def test_the_row_grid_bounds_rounds_and_is_a_fixed_point(rows: Floats) -> None:
    gridded = on_row_grid(rows)
    assert np.abs(gridded).max() <= ROW_BOUND
    assert np.array_equal(gridded * 2.0**16, np.rint(gridded * 2.0**16))
    assert np.abs(gridded - np.clip(rows, -16.0, 16.0)).max() <= 2.0**-17
    assert np.array_equal(on_row_grid(gridded), gridded)


@given(arrays.arrays(np.float64, (16, 2), elements=st.floats(-1e9, 1e9)))
def test_the_column_grid_keeps_29_bits_below_the_largest_of_16(matrix: Floats) -> None:
    gridded = on_column_grid(matrix)
    assert (np.abs(gridded - matrix) <= np.abs(matrix).max(axis=0) * 2.0**-28).all()
    assert np.array_equal(on_column_grid(gridded), gridded)


def test_a_column_of_zeros_and_an_empty_operand_stay_so() -> None:
    assert on_column_grid(np.zeros((3, 2))).tolist() == [[0.0, 0.0]] * 3
    assert on_column_grid(np.empty((0, 2))).shape == (0, 2)


def test_a_sum_too_long_to_be_exact_is_refused() -> None:
    on_column_grid(np.ones((LONGEST_SUM, 1)))
    with pytest.raises(ValueError, match=f"at most {LONGEST_SUM} rows, got {LONGEST_SUM + 1}"):
        on_column_grid(np.ones((LONGEST_SUM + 1, 1)))


@pytest.mark.parametrize("width", [1, 5, 16, 33])
def test_a_product_is_the_one_of_rational_numbers(width: int) -> None:
    rows, matrix = operands(3, width, 4)
    product = rows @ matrix
    for i in range(3):
        for j in range(4):
            terms = (Fraction(a) * Fraction(b) for a, b in zip(rows[i], matrix[:, j], strict=True))
            assert Fraction(product[i, j]) == sum(terms)


def test_the_longest_sum_of_the_largest_terms_is_exact() -> None:
    rows = np.full((2, LONGEST_SUM), ROW_BOUND - 2.0**-16)
    matrix = on_column_grid(np.full((LONGEST_SUM, 1), 1.0 - 2.0**-20))
    exact = LONGEST_SUM * Fraction(float(rows[0, 0])) * Fraction(float(matrix[0, 0]))
    assert Fraction(float((rows @ matrix)[0, 0])) == exact


@pytest.mark.parametrize("width", WIDTHS)
def test_every_cut_and_every_place_gives_the_same_bits(width: int) -> None:
    rows, matrix = operands(257, width, 24)
    whole = rows @ matrix
    for size in (1, 2, 3, 15, 16, 17, 64, 255):
        parts = [rows[start : start + size] @ matrix for start in range(0, 257, size)]
        assert np.vstack(parts).tobytes() == whole.tobytes()
    for place in range(20):
        assert (np.roll(rows, place, axis=0) @ matrix)[place].tobytes() == whole[0].tobytes()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_the_order_of_the_terms_leaves_the_bits(width: int, count: int, seed: int) -> None:
    rows, matrix = operands(count, width, 3, seed)
    order = np.random.default_rng(seed).permutation(width)
    shuffled = np.asfortranarray(rows[:, order]) @ matrix[order]
    assert np.array_equal(shuffled, rows @ matrix)


@pytest.mark.parametrize("width", [*WIDTHS, 512])
def test_squared_distances_are_exact_at_any_cut_and_zero_to_a_copy(width: int) -> None:
    random = np.random.default_rng(width)
    rows = on_row_grid(random.normal(size=(40, width)) * 9.0)
    others = np.vstack([on_row_grid(random.normal(size=(30, width))), rows[:5]])
    exact = ((rows[:, None, :] - others[None]) ** 2).sum(axis=2)
    assert np.array_equal(squared_distances(rows, others), exact)
    assert squared_distances(rows, others)[:5, 30:].diagonal().tolist() == [0.0] * 5
    for place in range(40):
        assert np.array_equal(squared_distances(rows[place : place + 1], others)[0], exact[place])


def test_squared_distances_at_the_corners_of_the_grid_are_exact() -> None:
    corner = np.full((1, 2048), ROW_BOUND)
    assert squared_distances(corner, -corner).tolist() == [[2048 * 32.0**2]]
    assert squared_distances(corner, corner).tolist() == [[0.0]]


@pytest.mark.parametrize("width", [*WIDTHS, 512, 4096])
def test_coarse_distances_are_exact_between_rounded_rows_and_at_any_cut(width: int) -> None:
    random = np.random.default_rng(width)
    rows, others = (np.clip(random.normal(size=(40, width)) * 6.0, -8.0, 8.0) for _ in range(2))
    rows[:3], others[:3] = 8.0, -8.0  # the farthest apart that rows can be
    step = 2.0 ** -((16 - int(np.ceil(np.log2(width)))) // 2)
    units, other_units = np.rint(rows / step), np.rint(others / step)
    exact = step**2 * ((units[:, None, :] - other_units[None]) ** 2).sum(axis=2)
    operand = coarse_operand(others)
    assert np.array_equal(coarse_distances_to(operand, rows), exact)
    for place in range(40):
        assert np.array_equal(
            coarse_distances_to(operand, rows[place : place + 1])[0], exact[place]
        )


def large_products() -> bytes:
    """Of operands so large that a library shares them among its threads."""
    products = b""
    for width in (1, 100, 512):
        rows, matrix = operands(1024, width, 300)
        products += (rows @ matrix).tobytes() + squared_distances(rows[:300], rows).tobytes()
        standard = np.clip(rows, -8.0, 8.0)
        products += coarse_distances_to(coarse_operand(standard), standard[:300]).tobytes()
    return products


def test_one_thread_and_two_give_the_same_bits() -> None:
    with threads(1):
        alone = large_products()
    with threads(2):
        assert large_products() == alone
