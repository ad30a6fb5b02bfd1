"""Information in nats: entropies and divergences of categorical and Gaussian distributions.

Closed forms where there are any, sampling where there are none. Gaussians are diagonal and given by
mean and log variance; mixtures are `mixture.Mixture`.
Gradients pass through all of them.
"""

import math

import numpy as np
import torch
from torch import Tensor

from stream_dagmm import mixture
from stream_dagmm.arithmetic import Floats
from stream_dagmm.mixture import Mixture

LOG_TWO_PI = math.log(2.0 * math.pi)


def entropy(shares: Tensor) -> Tensor:
    """Entropy [...] of categorical distributions [..., K], whose shares add up to 1; log K where
    all are equal, 0 where one has all.

    >>> round(float(entropy(torch.tensor([0.5, 0.5]))), 4)
    0.6931
    """
    surprise: Tensor = -torch.special.xlogy(shares, shares).sum(dim=-1)
    return surprise


def divergence(log_shares: Tensor, log_others: Tensor) -> Tensor:
    """Kullback-Leibler divergence [...] of categorical distributions [..., K], given by logarithms,
    from others: 0 where they agree, infinite where the others exclude what the first hold."""
    shares = log_shares.exp()
    terms: Tensor = shares * (log_shares - log_others)
    return torch.where(shares > 0.0, terms, torch.zeros_like(terms)).sum(dim=-1)


def log_density(rows: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log density [...] of rows [..., Z] under diagonal Gaussians."""
    squares = (rows - mean).square() * (-log_variance).exp()
    return -0.5 * (squares + log_variance + LOG_TWO_PI).sum(dim=-1)


def gaussian_entropy(log_variance: Tensor) -> Tensor:
    """Differential entropy [...] of diagonal Gaussians with log variances [..., Z].

    >>> round(float(gaussian_entropy(torch.zeros(1))), 4)
    1.4189
    """
    return 0.5 * (log_variance + LOG_TWO_PI + 1.0).sum(dim=-1)


def gaussian_divergence(
    mean: Tensor, log_variance: Tensor, other_mean: Tensor, other_log_variance: Tensor
) -> Tensor:
    """Kullback-Leibler divergence [...] of diagonal Gaussians [..., Z] from others."""
    ratio = log_variance - other_log_variance
    apart = (mean - other_mean).square() * (-other_log_variance).exp()
    return 0.5 * (ratio.exp() + apart - 1.0 - ratio).sum(dim=-1)


def from_standard(mean: Tensor, log_variance: Tensor) -> Tensor:
    """`gaussian_divergence` from the standard Gaussian N(0, I): equation 10 in Kingma and Welling,
    "Auto-Encoding Variational Bayes", 2014."""
    zero = torch.zeros_like(mean)
    return gaussian_divergence(mean, log_variance, zero, zero)


def mixture_divergence(
    one: Mixture, other: Mixture, samples: int, random: np.random.Generator
) -> tuple[float, float]:
    """Kullback-Leibler divergence of one mixture from another, which has no closed form, as the
    mean log ratio over samples of the first; and the standard error of that mean."""
    rows = torch.from_numpy(drawn(one, samples, random))
    ratios = (mixture.energy(other, rows) - mixture.energy(one, rows)).numpy()
    return float(ratios.mean()), float(ratios.std() / math.sqrt(samples))


def drawn(one: Mixture, samples: int, random: np.random.Generator) -> Floats:
    """Samples [S, Z] of a mixture."""
    shares = mixture.weights(one).numpy()
    chosen = random.choice(len(shares), size=samples, p=shares / shares.sum())
    factor = np.linalg.cholesky(one.covariance.numpy())
    noise = random.normal(size=(samples, one.mean.shape[1]))
    return np.asarray(one.mean.numpy()[chosen] + np.einsum("szw,sw->sz", factor[chosen], noise))
