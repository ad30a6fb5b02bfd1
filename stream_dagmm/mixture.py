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


class Standing(NamedTuple):
    """A `Readout` for torch: a mixture that stands still while gradients reach the rows."""

    whitening: Tensor
    offset: Tensor
    constant: Tensor


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


def standing(prepared: Readout, dtype: torch.dtype) -> Standing:
    """The mixture as torch's operands."""
    return Standing(*(torch.from_numpy(array).to(dtype) for array in prepared))


def standing_white(past: Standing, rows: Tensor) -> Tensor:
    """Rows [B, Z] less each component's mean, whitened by it, [B, K, Z]; gradients pass."""
    return (rows @ past.whitening - past.offset).view(len(rows), len(past.constant), -1)


def standing_log_joint(past: Standing, white: Tensor) -> Tensor:
    """`log_joint` [B, K] of rows that were whitened [B, K, Z]."""
    return past.constant - 0.5 * white.square().sum(dim=2)


def row_responsibilities(prepared: Readout, rows: Floats) -> Floats:
    """`responsibilities` [B, K] of rows [B, Z] on the row grid."""
    log_joint = _row_log_joint(prepared, rows, math.inf)
    shares = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


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
    added = len(gain) - mixture.mean.shape[1]
    mean = torch.nn.functional.pad(mixture.mean, (0, added)) * gain + shift
    covariance = torch.nn.functional.pad(mixture.covariance, (0, added, 0, added))
    return Mixture(mixture.mass, mean, covariance * gain[:, None] * gain)


def spread(mixture: Mixture) -> Mixture:
    """The mixture with unit variance in the dimensions that never varied: a constant that changes
    is as strange as its standardised size says, not infinitely strange."""
    varied = (weights(mixture)[:, None, None] * mixture.covariance).sum(dim=0).diagonal() > RIDGE
    return mixture._replace(covariance=mixture.covariance + (~varied).double().diag())
