"""How far the nearest share of a memory is: exact for a row in any company."""

import numpy as np
import pytest

from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.neighbourhood import LEAST_SQUARE, SHARE, log_distance


def gridded(count: int, width: int, seed: int = 0) -> Floats:
    rows = np.random.default_rng(seed).normal(size=(count, width)) * 2.0
    return on_row_grid(np.clip(rows, -8.0, 8.0))


def expected_distance(rows: Floats, memory: Floats) -> Floats:
    squares = ((rows[:, None, :] - memory[None]) ** 2).sum(axis=2)
    nearest = np.sort(squares, axis=1)[:, : max(1, int(SHARE * len(memory)))]
    return np.asarray(0.5 * np.log(nearest / rows.shape[1] + LEAST_SQUARE).mean(axis=1))


@pytest.mark.parametrize("width", [1, 3, 16, 17, 300])
@pytest.mark.parametrize("held", [1, 2, 6, 7, 64, 1024])
def test_it_is_the_mean_log_distance_to_the_nearest_share(width: int, held: int) -> None:
    rows, memory = gridded(9, width), gridded(held, width, seed=1)
    found, expected = log_distance(rows, memory), expected_distance(rows, memory)
    # Rows are first rounded, to 2^-4 where there are 300 columns.
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("width", [1, 3, 16, 17, 48])
def test_a_rows_distance_has_bits_of_its_own(width: int) -> None:
    rows, memory = gridded(70, width), gridded(1024, width, seed=1)
    whole = log_distance(rows, memory)
    for size in (1, 2, 3, 16, 33):
        parts = [log_distance(rows[start : start + size], memory) for start in range(0, 70, size)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_a_row_among_its_copies_is_near_and_not_infinitely_near() -> None:
    memory = np.repeat(gridded(1, 3), 50, axis=0)
    assert log_distance(memory[:1], memory).tolist() == pytest.approx([0.5 * np.log(LEAST_SQUARE)])


def test_farther_is_farther_up_to_the_clip() -> None:
    line = on_row_grid(np.linspace(0.0, 8.0, 20))[:, None]
    distances = log_distance(line, np.zeros((10, 1)))
    assert (np.diff(distances) > 0.0).all()
