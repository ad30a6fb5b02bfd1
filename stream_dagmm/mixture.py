"""An exponentially weighted Gaussian mixture: state, `update`, `energy`, `responsibilities`.

Pure functions over float64 tensors; gradients pass through all of them. The paper's phi, mu and
Sigma are here `weights`, `mean` and `covariance` (Zong et al. 2018, equations 5 and 6); K is the
number of components, Z the dimensions.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stream_dagmm.arithmetic import Floats, on_column_grid

RIDGE = 1e-6
"""Added to every variance, in squared units of the standardised latents: the rounding of a row to
its grid (1.5e-5) lies well below the standard deviation that this leaves."""


LEAST_SHARED = 1e-3
"""Added to the variances that components share, so that memberships of equal rows stay soft."""


class Mixture(NamedTuple):
    """K Gaussians over Z dimensions, with how much they have seen."""

    mass: Tensor
    """[K] decayed sum of responsibilities, in events."""
    mean: Tensor
    """[K, Z]"""
    covariance: Tensor
    """[K, Z, Z] maximum-likelihood covariance about the mean."""


class Readout(NamedTuple):
    """A mixture factored for scoring rows with exact products."""

    whitening: Floats
    """[Z, K * Z] on the column grid: the transposed inverse Cholesky factors."""
    offset: Floats
    """[K * Z] the whitened means."""
    constant: Floats
    """[K] log weight - 1/2 log det(2 pi Sigma)."""


def weights(mixture: Mixture) -> Tensor:
    """Mixing proportions phi [K]."""
    return mixture.mass / mixture.mass.sum()


def moments(rows: Tensor, responsibilities: Tensor) -> Mixture:
    """The mixture that a batch alone says: equation 5 of the paper. rows [B, Z], responsibilities
    [B, K] in [0, 1]."""
    mass = responsibilities.sum(dim=0)  # [K]
    share = responsibilities / mass.clamp_min(1e-12)  # [B, K]
    mean = share.T @ rows  # [K, Z]
    apart = rows - mean[:, None, :]  # [K, B, Z]
    covariance = (apart * share.T[:, :, None]).transpose(1, 2) @ apart
    return Mixture(mass, mean, covariance)


def merged(old: Mixture, new: Mixture) -> Mixture:
    """The mixture of both sets of events, component by component, exactly as if their moments had
    been taken together (Chan, Golub, LeVeque 1979)."""
    mass = (old.mass + new.mass).clamp_min(1e-12)
    part = (new.mass / mass)[:, None]
    step = new.mean - old.mean
    between = (part * (1 - part))[:, :, None] * step[:, :, None] * step[:, None, :]
    share = part[:, :, None]
    covariance = (1 - share) * old.covariance + share * new.covariance + between
    return Mixture(mass, old.mean + part * step, covariance)


def update(mixture: Mixture, rows: Tensor, responsibilities: Tensor, decay: float) -> Mixture:
    """The mixture after a batch of rows [B, Z].

    decay: factor on the old mass for the whole batch, 2^(-B / half-life); 1 forgets nothing, 0
    keeps the batch alone.
    """
    old = mixture._replace(mass=mixture.mass * decay)
    return merged(old, moments(rows, responsibilities))


def shrunk(mixture: Mixture) -> Mixture:
    """Covariances drawn toward the pooled diagonal with weight (Z + 2) / (mass + Z + 2): a
    component that has seen less than it has parameters borrows from the others."""
    size = mixture.mean.shape[1]
    pooled = (weights(mixture)[:, None, None] * mixture.covariance).sum(dim=0).diagonal().diag()
    borrowed = ((size + 2) / (mixture.mass + size + 2))[:, None, None]
    covariance: Tensor = (1 - borrowed) * mixture.covariance + borrowed * pooled
    return mixture._replace(covariance=covariance)


def log_joint(mixture: Mixture, rows: Tensor) -> Tensor:
    """log phi_k + log N(row; mu_k, Sigma_k), [B, K]."""
    factor = _cholesky(mixture)  # [K, Z, Z]
    apart = (rows[:, None, :] - mixture.mean).permute(1, 2, 0)  # [K, Z, B]
    white = torch.linalg.solve_triangular(factor, apart, upper=False)
    densities: Tensor = _constant(mixture, factor) - 0.5 * white.square().sum(dim=1).T
    return densities


def energy(mixture: Mixture, rows: Tensor) -> Tensor:
    """Sample energy [B]: minus the log-likelihood (equation 6 of the paper)."""
    return -torch.logsumexp(log_joint(mixture, rows), dim=1)


def responsibilities(mixture: Mixture, rows: Tensor) -> Tensor:
    """Posterior probability of each component [B, K], rows adding up to 1."""
    return torch.softmax(log_joint(mixture, rows), dim=1)


def readout(mixture: Mixture) -> Readout:
    """The mixture as NumPy operands, for `row_energy`."""
    count, size = mixture.mean.shape
    factor = _cholesky(mixture)
    identity = torch.eye(size, dtype=torch.float64).expand(count, size, size)
    inverse = torch.linalg.solve_triangular(factor, identity, upper=False)  # [K, Z, Z]
    whitening = on_column_grid(inverse.permute(2, 0, 1).reshape(size, -1).numpy())
    mean = np.rint(mixture.mean.numpy() * 2.0**16) / 2.0**16
    blocks = whitening.reshape(size, count, size)
    offset = np.einsum("kz,zkw->kw", mean, blocks).reshape(-1)
    return Readout(whitening, offset, _constant(mixture, factor).numpy())


def row_energy(prepared: Readout, rows: Floats, tail: float = math.inf) -> Floats:
    """`energy` of rows [B, Z] on the row grid; each row's bits are its own.

    tail: degrees of freedom; below infinity the components are Student-t (Peel and McLachlan 2000)
    up to a constant, and the energy grows with the logarithm of the distance.
    """
    log_densities = _row_log_joint(prepared, rows, tail)
    top = log_densities.max(axis=1)
    return np.asarray(-top - np.log(np.exp(log_densities - top[:, None]).sum(axis=1)))


def _row_log_joint(prepared: Readout, rows: Floats, tail: float) -> Floats:
    white = rows @ prepared.whitening - prepared.offset
    by_component = white.reshape(len(rows), len(prepared.constant), -1)
    squares = (by_component * by_component).sum(axis=2)
    if math.isinf(tail):
        return np.asarray(prepared.constant - 0.5 * squares)
    size = by_component.shape[2]
    return np.asarray(prepared.constant - 0.5 * (tail + size) * np.log1p(squares / tail))


def _cholesky(mixture: Mixture) -> Tensor:
    size = mixture.mean.shape[1]
    ridge = RIDGE * torch.eye(size, dtype=torch.float64)
    factor: Tensor = torch.linalg.cholesky(mixture.covariance + ridge)
    return factor


def _constant(mixture: Mixture, factor: Tensor) -> Tensor:
    size = mixture.mean.shape[1]
    half_log_det = factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    log_weight = weights(mixture).clamp_min(1e-300).log()
    return log_weight - half_log_det - 0.5 * size * math.log(2 * math.pi)


def seeded(rows: Tensor, n_components: int, random: np.random.Generator) -> Mixture:
    """A mixture around k-means++ centres of rows [B, Z] (Arthur and Vassilvitskii 2007), each row
    belonging to its nearest."""
    values = rows.numpy()
    chosen = [int(random.integers(len(values)))]
    nearest = ((values - values[chosen[0]]) ** 2).sum(axis=1)
    for _ in range(n_components - 1):
        cumulated = np.cumsum(nearest + 1e-12)
        chosen.append(int(np.searchsorted(cumulated, random.random() * cumulated[-1])))
        nearest = np.minimum(nearest, ((values - values[chosen[-1]]) ** 2).sum(axis=1))
    apart = torch.cdist(rows, rows[chosen])  # [B, K]
    hard = torch.nn.functional.one_hot(apart.argmin(dim=1), n_components).double()
    return moments(rows, 0.999 * hard + 0.001 / n_components)


def shared_memberships(mixture: Mixture, rows: Tensor) -> Tensor:
    """Memberships [B, K] of rows [B, Z] by distance alone, in units of the spread that all
    components share: no weights and no determinants, so none starves and none swallows the rest,
    and no component is left to a few anomalies, which it would excuse."""
    shared = within(mixture) + LEAST_SHARED
    apart = ((rows[:, None, :] - mixture.mean).square() / shared).sum(dim=2)
    return torch.softmax(-0.5 * apart, dim=1)


def gathered(
    rows: Tensor, n_components: int, random: np.random.Generator, starts: int = 4, steps: int = 10
) -> Mixture:
    """Clusters of rows [B, Z] by soft k-means, memberships being `shared_memberships`: of several
    k-means++ starts the one that leaves the least spread within."""
    found = []
    for _ in range(starts if n_components > 1 else 1):
        one = seeded(rows, n_components, random)
        for _ in range(steps):
            one = moments(rows, shared_memberships(one, rows))
        found.append(one)
    return min(found, key=lambda one: float(within(one).sum()))


def within(mixture: Mixture) -> Tensor:
    """Variances [Z] within components, pooled over them."""
    variances = mixture.covariance.diagonal(dim1=1, dim2=2)  # [K, Z]
    pooled: Tensor = (weights(mixture)[:, None] * variances).sum(dim=0)
    return pooled


def borrowed(mixture: Mixture) -> Mixture:
    """Covariances half their own and half the pooled one, correlations a tenth weaker, and a
    twentieth of the mean variance everywhere: full covariances of few rows are wrong in their
    smallest directions, where an energy looks first."""
    pooled = (weights(mixture)[:, None, None] * mixture.covariance).sum(dim=0)
    covariance = 0.5 * (mixture.covariance + pooled)
    diagonal = covariance.diagonal(dim1=1, dim2=2).diag_embed()
    floor = 0.05 * pooled.diagonal().mean() * torch.eye(len(pooled), dtype=torch.float64)
    return mixture._replace(covariance=0.9 * covariance + 0.1 * diagonal + floor)


def fitted(
    rows: Tensor, n_components: int, random: np.random.Generator, steps: int = 10
) -> Mixture:
    """Expectation maximisation on rows [B, Z] from k-means++ centres."""
    mixture = seeded(rows, n_components, random)
    for _ in range(steps if n_components > 1 else 0):
        mixture = moments(rows, responsibilities(shrunk(mixture), rows))
    return mixture


def moved(mixture: Mixture, gain: Tensor, shift: Tensor) -> Mixture:
    """The mixture in coordinates row * gain + shift [Z']; dimensions beyond its own begin at the
    shift, without spread."""
    mean, covariance, added = mixture.mean, mixture.covariance, len(gain) - mixture.mean.shape[1]
    if added:
        mean = torch.nn.functional.pad(mean, (0, added))
        covariance = torch.nn.functional.pad(covariance, (0, added, 0, added))
    return Mixture(mixture.mass, mean * gain + shift, covariance * gain[:, None] * gain)


def spread(mixture: Mixture) -> Mixture:
    """The mixture with unit variance in the dimensions that never varied: a constant that changes
    is as strange as its standardised size says, not infinitely strange."""
    varied = (weights(mixture)[:, None, None] * mixture.covariance).sum(dim=0).diagonal() > RIDGE
    return mixture._replace(covariance=mixture.covariance + (~varied).double().diag())


def steadied(mixture: Mixture) -> Mixture:
    """The mixture as it judges rows: `shrunk` and `spread`."""
    return spread(shrunk(mixture))
