"""What every column should be, given all the others, under a mixture of Gaussians.

By Bayes' rule the others say to which component the row belongs, and each component says what the
column is then: p(x_j | rest) = sum_k p(k | rest) p_k(x_j | rest). For Gaussians all of it follows
from one product of the row with each component's precision P: x_j given the rest has the inverse
variance P_jj, its squared deviation is (P (x - mu))_j^2 / P_jj, and what is left of the squared
Mahalanobis distance is that of the rest. So a column is never judged by itself.
"""

import math
from typing import NamedTuple, Self

import numpy as np

from stream_dagmm import mixture
from stream_dagmm.arithmetic import Floats, on_column_grid
from stream_dagmm.mixture import Mixture

KEPT = 0.97
"""Share of every correlation that is believed; the rest, and `RIDGE`, keep what is nearly a copy of
another column from being infinitely telling."""

RIDGE = 0.03
"""Added to every variance, in mean variances of all columns over the whole mixture."""

TAIL = 5.0
"""Degrees of freedom of a column given the others: its density falls with (1 + t^2 / 5)^-3."""


class Conditionals(NamedTuple):
    """A mixture of K Gaussians made ready for rows of D columns."""

    precision: Floats
    """[D, K D] on the column grid, component by component."""
    mean: Floats
    """[K, D]"""
    pull: Floats
    """[K, D] the means times the precisions."""
    narrowness: Floats
    """[K, D] inverse variance of each column given the others."""
    width: Floats
    """[K, D] variance of each column alone."""
    share: Floats
    """[K] of the events."""
    log_peak: Floats
    """[K] log of it, less half the log determinant of the component's covariance."""
    counts: Floats
    """[D] what a column counts for in the mean over those that vary."""

    @classmethod
    def of(cls, learned: Mixture) -> Self:
        """Of a mixture with full covariances."""
        share = mixture.weights(learned).numpy()
        mean, covariance = learned.mean.numpy(), learned.covariance.numpy()
        own = covariance.diagonal(axis1=1, axis2=2)  # [K, D]
        total = share @ (own + (mean - share @ mean) ** 2)
        varies = total > mixture.RIDGE
        width = own + RIDGE * total.mean() + mixture.RIDGE
        steadied = KEPT * covariance
        for one, variances in zip(steadied, width, strict=True):
            np.fill_diagonal(one, variances)
        inverse = np.asarray(np.linalg.inv(steadied), dtype=np.float64)
        narrowness = inverse.diagonal(axis1=1, axis2=2).copy()
        volume = np.linalg.slogdet(steadied)[1]
        precision = on_column_grid(inverse.transpose(1, 0, 2).reshape(len(total), -1))
        return cls(
            precision=precision,
            mean=mean,
            pull=np.einsum("kd,dke->ke", mean, precision.reshape(len(total), *mean.shape)),
            narrowness=narrowness,
            width=width,
            share=share,
            log_peak=np.log(np.maximum(share, 1e-300)) - 0.5 * volume,
            counts=varies / max(1, varies.sum()),
        )

    def surprise(self, rows: Floats) -> Floats:
        """Of rows [B, D] on the row grid: mean over columns of minus the log density given the
        others, in nats and up to a constant; [B]. Minus a log pseudo-likelihood (Besag 1975)."""
        pulled = self._pulled(rows)
        squares = pulled * pulled / self.narrowness  # [B, K, D]
        densities = _density(squares, self.narrowness)
        if len(self.mean) == 1:
            return self._mean(densities[:, 0])
        of_rest = self._squared_distances(rows, pulled)[:, :, None] - squares
        # The others' covariance has the whole one's determinant times P_jj.
        peaks = self.log_peak[:, None] - 0.5 * np.log(self.narrowness)
        shares = _softened(peaks - 0.5 * of_rest)
        return self._mean((shares * densities).sum(axis=1) / shares.sum(axis=1))

    def belonging(self, rows: Floats) -> Floats:
        """Posterior probability of each component [B, K], for rows [B, D]."""
        distances = self._squared_distances(rows, self._pulled(rows))
        shares = _softened(self.log_peak - 0.5 * distances)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def alone(self, rows: Floats) -> Floats:
        """The same by each column's own law, the others unheard; [B]."""
        squares = (rows[:, None, :] - self.mean) ** 2 / self.width
        densities = _density(squares, 1.0 / self.width)
        return self._mean((self.share[:, None] * densities).sum(axis=1))

    def _pulled(self, rows: Floats) -> Floats:
        product = rows @ self.precision
        return product.reshape(len(rows), *self.mean.shape) - self.pull

    def _squared_distances(self, rows: Floats, pulled: Floats) -> Floats:
        """Mahalanobis's [B, K]."""
        return np.asarray((pulled * (rows[:, None, :] - self.mean)).sum(axis=2))

    def _mean(self, densities: Floats) -> Floats:
        return np.asarray(-(np.log(densities) * self.counts).sum(axis=1))


def _density(squares: Floats, narrowness: Floats) -> Floats:
    """Student's, of squared deviations in units of 1 / narrowness, up to a constant."""
    spread = 1.0 + squares / TAIL
    return np.asarray(np.sqrt(narrowness) / (spread * spread * spread))


def _softened(logs: Floats) -> Floats:
    """In proportion to the exponentials over axis 1, the largest of them 1."""
    return np.asarray(np.exp(logs - logs.max(axis=1, keepdims=True)))


def components_for(columns: int, entries: int, at_most: int) -> int:
    """How many components of so many columns are within a number of entries a row.

    >>> [components_for(columns, 64, 8) for columns in (3, 10, 30, 100)]
    [8, 6, 2, 1]
    """
    return max(1, min(at_most, math.floor(entries / columns)))
