"""Peers that learn by block agree with what they are by definition."""

import numpy as np

from tests.benchmarks.blocks import (
    DenoisingAutoencoder,
    Moments,
    PrincipalResidual,
    ReservoirDistance,
    blocks,
    scores,
)

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(600, 3)) @ RANDOM.normal(size=(3, 3)) + 100.0


def test_blocks_grow_to_256_and_cover_everything_once() -> None:
    sizes = [block.stop - block.start for block in blocks(700)]
    assert sizes == [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 188]


def test_moments_are_those_of_all_rows_at_once() -> None:
    moments = Moments(3, covariance=True)
    for block in blocks(len(ROWS)):
        moments.learn(ROWS[block])
    np.testing.assert_allclose(moments.mean, ROWS.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.second, np.cov(ROWS.T, bias=True), rtol=1e-9)


def test_a_row_of_the_future_changes_no_score() -> None:
    for make in (
        lambda: ReservoirDistance(3, 0),
        lambda: PrincipalResidual(3),
        lambda: DenoisingAutoencoder(3, 0),
    ):
        changed = ROWS.copy()
        changed[500:] *= 9.0
        np.testing.assert_array_equal(scores(make(), ROWS)[:500], scores(make(), changed)[:500])


def test_a_row_far_off_scores_highest() -> None:
    rows = ROWS.copy()
    rows[550] = [-50.0, 300.0, 20.0]
    for learner in (ReservoirDistance(3, 0), DenoisingAutoencoder(3, 0)):
        assert scores(learner, rows)[64:].argmax() == 550 - 64


def test_a_row_off_the_plane_of_all_others_has_the_largest_residual() -> None:
    plane = RANDOM.normal(size=(600, 2)) @ RANDOM.normal(size=(2, 4))
    plane[550] += RANDOM.normal(size=4)
    assert scores(PrincipalResidual(4), plane)[64:].argmax() == 550 - 64


def test_the_sample_holds_every_row_with_equal_chance() -> None:
    places = np.arange(2000.0)[:, None]
    means = []
    for seed in range(20):
        distance = ReservoirDistance(1, seed, size=100)
        distance.learn(places)
        means.append(distance.sample.mean())
    # 20 samples of 100 of a uniform law with deviation 577: 13 of standard error, 4 of them.
    assert abs(np.mean(means) - 999.5) < 52.0
