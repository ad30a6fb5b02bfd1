"""Diagonal Gaussian posteriors and importance-weighted bounds: what variational detectors share.

Scoring draws no random numbers: its noise is one table [L, Z] that all events share and that only
learning renews, so that scoring is pure and equal events get equal scores.
"""

import numpy as np
import torch
from torch import Tensor

from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.networks import Network

LOG_VARIANCE_BOUND = 6.0
"""Log variances of posteriors lie in (-6, 6): variances from 1/400 to 400, priors having 1."""


FRESH_LOG_VARIANCE = -4.0
"""Of posteriors before the first step: a deviation of 0.14 around codes that spread over 0.3."""


def moments(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log variance [..., Z] from a network's outputs [..., 2 Z]."""
    mean, raw = outputs.chunk(2, dim=-1)
    return mean, LOG_VARIANCE_BOUND * torch.tanh(raw / LOG_VARIANCE_BOUND)


def raw_log_variance(log_variance: Tensor) -> Tensor:
    """What a network must say for a log variance [...]; those out of reach become the nearest."""
    reach = 0.99 * LOG_VARIANCE_BOUND
    return LOG_VARIANCE_BOUND * torch.atanh(log_variance.clamp(-reach, reach) / LOG_VARIANCE_BOUND)


def exact_moments(outputs: Floats) -> tuple[Floats, Floats]:
    """`moments` for scoring."""
    mean, raw = np.split(outputs, 2, axis=-1)
    return mean, LOG_VARIANCE_BOUND * np.tanh(raw / LOG_VARIANCE_BOUND)


def narrow(network: Network) -> Network:
    """A fresh recognition network [.., 2 Z] with narrow posteriors: a sample of a fresh code would
    else be all noise, which the decoder learns to overhear before there is anything to hear."""
    *inner, (weight, bias) = network
    lower = torch.full_like(bias[len(bias) // 2 :], FRESH_LOG_VARIANCE)
    return (*inner, (weight, torch.cat([bias[: len(bias) // 2], lower])))


def sampled(mean: Tensor, log_variance: Tensor, random: np.random.Generator) -> Tensor:
    """One sample [..., Z] of each Gaussian, through which gradients pass: the reparameterisation
    trick, equation 4 in Kingma and Welling, "Auto-Encoding Variational Bayes", 2014."""
    noise = torch.from_numpy(random.normal(size=tuple(mean.shape)))
    return mean + (0.5 * log_variance).exp() * noise


def exact_sampled(mean: Floats, log_variance: Floats, table: Floats) -> tuple[Floats, Floats]:
    """Samples [B, L, Z] of Gaussians [B, Z], on the row grid, with the noise table [L, Z]; and
    their log densities [B, L], up to Z/2 log(2 pi)."""
    spread = np.exp(0.5 * log_variance)[:, None, :]
    log_densities = -0.5 * (table * table + log_variance[:, None, :]).sum(axis=2)
    return on_row_grid(mean[:, None, :] + spread * table), np.asarray(log_densities)


def log_mean(log_weights: Floats) -> Floats:
    """Log of the mean weight [B] of log weights [B, L]: the importance-weighted bound on log p(x)
    (Burda, Grosse and Salakhutdinov 2016, equation 8).

    >>> log_mean(np.log(np.array([[1.0, 3.0]]))).round(4).tolist()
    [0.6931]
    """
    top = log_weights.max(axis=1)
    weights = np.exp(log_weights - top[:, None])
    return np.asarray(top + np.log(weights.sum(axis=1) / log_weights.shape[1]))


def noise_table(samples: int, size: int, random: np.random.Generator) -> Floats:
    """A table of standard normal noise [L, Z]: every second row is the negative of the one before,
    so that means are not moved."""
    half = random.normal(size=((samples + 1) // 2, size))
    return np.stack([half, -half], axis=1).reshape(-1, size)[:samples]
