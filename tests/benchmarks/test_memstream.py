"""MemStream does what its paper's algorithm 1 says."""

import numpy as np
import pytest
import torch

from tests.benchmarks.memstream import BETA, MemStream, cold, label_clean

ROWS = np.random.default_rng(0).normal(size=(300, 3))
FAR = np.array([9.0, -9.0, 9.0])
EPOCHS = 20


def test_the_score_is_the_distance_to_the_nearest_code() -> None:
    detector = MemStream(ROWS[:16], epochs=EPOCHS)
    codes = detector.codes.copy()
    standard = (FAR - ROWS[:16].mean(axis=0)) / ROWS[:16].std(axis=0)
    code = np.tanh(standard @ detector.weight + detector.bias)
    assert detector.score_and_learn(FAR) == pytest.approx(np.abs(codes - code).sum(axis=1).min())


def test_a_strange_row_is_not_remembered() -> None:
    detector = MemStream(ROWS[:16], epochs=EPOCHS)
    assert detector.score_and_learn(FAR) > BETA
    np.testing.assert_array_equal(detector.rows, ROWS[:16])


def test_an_ordinary_row_takes_the_place_of_the_oldest() -> None:
    detector = MemStream(ROWS[:16], epochs=EPOCHS)
    for row in (ROWS[3], ROWS[5]):
        assert detector.score_and_learn(row) <= BETA
    np.testing.assert_array_equal(detector.rows[:3], ROWS[[3, 5, 2]])
    np.testing.assert_array_equal(detector.mean, detector.rows.mean(axis=0))


def test_a_constant_feature_says_nothing_and_harms_nothing() -> None:
    rows = np.column_stack([ROWS, np.full(300, 7.0)])
    found = MemStream(rows[:16], epochs=EPOCHS).score_and_learn(rows[20])
    assert np.isfinite(found)


def test_the_same_seed_gives_the_same_scores_and_the_global_generator_stands_still() -> None:
    before = torch.get_rng_state()
    np.testing.assert_array_equal(cold(ROWS[:40], 8, 3, EPOCHS), cold(ROWS[:40], 8, 3, EPOCHS))
    assert torch.equal(torch.get_rng_state(), before)


def test_cold_the_first_memory_scores_0() -> None:
    found = cold(ROWS[:40], 8, 0, EPOCHS)
    assert (found[:8] == 0).all() and (found[8:] > 0).all()


def test_label_clean_it_begins_with_what_is_known_to_be_normal() -> None:
    rows = np.vstack([FAR, ROWS[:40]])
    assert label_clean(rows, ROWS[:40], 0, EPOCHS).argmax() == 0
