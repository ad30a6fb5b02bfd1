"""A column given the others under a mixture, against the laws of normal distributions."""

import math

import numpy as np
import torch
from scipy.stats import multivariate_normal, t

from stream_dagmm import mixture
from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.conditionals import KEPT, RIDGE, TAIL, Conditionals
from stream_dagmm.mixture import Mixture

RANDOM = np.random.default_rng(5)
SIZE = 3


def some(components: int) -> Mixture:
    mixing = RANDOM.normal(size=(components, SIZE, SIZE))
    covariance = mixing @ mixing.transpose(0, 2, 1) / SIZE + 0.2 * np.eye(SIZE)
    return Mixture(
        torch.from_numpy(RANDOM.uniform(50.0, 100.0, components)),
        torch.from_numpy(RANDOM.normal(size=(components, SIZE))),
        torch.from_numpy(covariance),
    )


def steadied(learned: Mixture) -> Floats:
    share = mixture.weights(learned).numpy()
    mean, covariance = learned.mean.numpy(), learned.covariance.numpy()
    whole = sum(
        s * (c + np.outer(m, m)) for s, m, c in zip(share, mean, covariance, strict=True)
    ) - np.outer(share @ mean, share @ mean)
    extra = RIDGE * np.trace(whole) / SIZE + mixture.RIDGE
    own = np.einsum("kdd->kd", covariance)
    return np.asarray(
        KEPT * covariance + np.einsum("kd,de->kde", (1 - KEPT) * own + extra, np.eye(SIZE))
    )


def given_the_rest(learned: Mixture, row: Floats, j: int) -> float:
    """p(x_j | rest), by the laws of partitioned normal vectors and Bayes' rule."""
    rest = [k for k in range(SIZE) if k != j]
    densities, shares = [], []
    for share, mean, cov in zip(
        mixture.weights(learned).numpy(), learned.mean.numpy(), steadied(learned), strict=True
    ):
        inner = np.linalg.inv(cov[np.ix_(rest, rest)])
        expected = mean[j] + cov[j, rest] @ inner @ (row[rest] - mean[rest])
        variance = cov[j, j] - cov[j, rest] @ inner @ cov[rest, j]
        apart = (row[j] - expected) / math.sqrt(variance)
        densities.append(t.pdf(apart, TAIL) / t.pdf(0.0, TAIL) / math.sqrt(variance))
        law = multivariate_normal(mean[rest], cov[np.ix_(rest, rest)])
        shares.append(share * law.pdf(row[rest]))
    return float(np.dot(shares, densities) / np.sum(shares))


def test_surprises_are_those_of_partitioned_normal_vectors() -> None:
    for components in (1, 2, 5):
        learned, rows = some(components), on_row_grid(RANDOM.normal(size=(8, SIZE)))
        expected = [
            -np.mean([math.log(given_the_rest(learned, row, j)) for j in range(SIZE)])
            for row in rows
        ]
        found = Conditionals.of(learned).surprise(rows)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_one_column_is_told_nothing_however_it_clusters() -> None:
    """The count of unknown features never varies, so one column is all there is."""
    halves = Mixture(
        torch.tensor([100.0, 100.0], dtype=torch.float64),
        torch.tensor([[0.0, -3.0], [0.0, 3.0]], dtype=torch.float64),
        torch.tensor(np.array([np.diag([0.0, 0.1])] * 2)),
    )
    known = Conditionals.of(halves)
    rows = on_row_grid(np.column_stack([np.zeros(64), RANDOM.normal(scale=3.0, size=64)]))
    np.testing.assert_allclose(known.surprise(rows), known.alone(rows), atol=1e-6)


def test_columns_that_only_cluster_together_tell_of_each_other() -> None:
    halves = Mixture(
        torch.tensor([100.0, 100.0], dtype=torch.float64),
        torch.tensor([[-3.0, -3.0], [3.0, 3.0]], dtype=torch.float64),
        torch.tensor(np.array([0.1 * np.eye(2)] * 2)),
    )
    known, together = Conditionals.of(halves), on_row_grid(np.array([[3.0, 3.0], [3.0, -3.0]]))
    usual, odd = known.surprise(together)
    assert odd > usual + 3.0  # each value is usual, and they never come together
    np.testing.assert_allclose(known.alone(together)[0], known.alone(together)[1])
    assert known.alone(together)[0] > usual + 0.6  # log 2 is what there is to be told


def test_each_row_has_bits_of_its_own() -> None:
    known, rows = Conditionals.of(some(5)), on_row_grid(RANDOM.normal(size=(257, SIZE)))
    for measure in (known.surprise, known.alone, known.belonging):
        one_by_one = np.concatenate([measure(row[None]) for row in rows])
        assert one_by_one.tobytes() == measure(rows).tobytes()


def test_far_rows_have_finite_surprises() -> None:
    far = np.full((1, SIZE), 8.0) * np.array([1.0, -1.0, 1.0])
    assert np.isfinite(Conditionals.of(some(5)).surprise(far)).all()
