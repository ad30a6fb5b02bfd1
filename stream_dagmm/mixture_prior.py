"""The bound of a variational autoencoder whose prior is a mixture that other latents move.

Dilokthanakul et al. 2016: data y, latents x and w, cluster z. w ~ N(0, I), z uniform over K, x | w,
z Gaussian with moments by a network of w, y | x by a network of x; q(x|y) and q(w|y) by networks,
p(z|x, w) by Bayes' rule. Shapes: B rows, M samples of w, K clusters, X and W dimensions.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stream_dagmm import information, likelihood, mixture, networks, training, variation
from stream_dagmm.arithmetic import Floats
from stream_dagmm.networks import ExactNetwork, Network
from stream_dagmm.training import UNIT, Nets


class Terms(NamedTuple):
    """The four terms of the bound, by the paper's names (its equation 4), each [B], in nats."""

    reconstruction: Tensor
    """-E log p(y|x), up to a constant."""
    conditional_prior: Tensor
    """E sum_k p(z=k|x, w) KL(q(x|y) || p(x|w, z=k))"""
    w_prior: Tensor
    """KL(q(w|y) || p(w))"""
    z_prior: Tensor
    """E KL(p(z|x, w) || p(z))"""


class Readout(NamedTuple):
    """The networks as operands of exact products."""

    to_x: ExactNetwork
    to_w: ExactNetwork
    prior: ExactNetwork
    decoder: ExactNetwork


def gathered(
    nets: Nets, rows: Tensor, clusters: int, random: np.random.Generator, trusted: float
) -> Nets:
    """The networks with clusters where the codes of rows [B, D] gather, whatever w; of the rows the
    trusted share that lies nearest to the middle counts, so that anomalies begin no cluster.

    Clusters drawn at random starve at once where one of them lies nearest to all codes, and never
    come back: no gradient reaches a cluster that nothing belongs to. So they begin as a mixture of
    the codes, as in Jiang et al., "Variational Deep Embedding", IJCAI 2017, section 3.4."""
    to_x, to_w, prior, decoder = nets
    rows = rows[likelihood.trusted(rows.square().sum(dim=1), trusted)]
    mean, log_variance = variation.moments(networks.forward(to_x, rows / UNIT))
    found = mixture.gathered(mean, clusters, random)
    variance = mixture.within(found) + log_variance.exp().mean(dim=0)  # codes are blurred by q
    raw = variation.raw_log_variance(variance.log()).expand_as(found.mean)
    *inner, (weight, _) = prior
    bias = torch.cat([found.mean, raw], dim=1).reshape(-1)
    return to_x, to_w, (*inner, (torch.zeros_like(weight), bias)), decoder


def clusters_of(network: Network, w: Tensor, clusters: int) -> tuple[Tensor, Tensor]:
    """Mean and log variance [..., K, X] of x for w [..., W], all clusters in one pass."""
    outputs = networks.forward(network, w)
    return variation.moments(outputs.reshape(*w.shape[:-1], clusters, -1))


def terms(
    nets: Nets,
    rows: Tensor,
    spread: Tensor,
    clusters: int,
    samples: int,
    random: np.random.Generator,
    tail: float | None = likelihood.TAIL,
) -> Terms:
    """The terms for rows [B, D], by one sample of x and M `samples` of w for each.

    tail: degrees of freedom of y | x around the decoder's means; None for Bernoulli columns, the
    rows being signs and the decoder's outputs logits."""
    to_x, to_w, prior, decoder = nets
    x_mean, x_log = variation.moments(networks.forward(to_x, rows / UNIT))  # [B, X]
    w_mean, w_log = variation.moments(networks.forward(to_w, rows / UNIT))  # [B, W]
    x = variation.sampled(x_mean, x_log, random)
    many = w_mean.expand(samples, *w_mean.shape)
    w = variation.sampled(many, w_log.expand_as(many), random)  # [M, B, W]
    mean, log_variance = clusters_of(prior, w, clusters)  # [M, B, K, X]
    precision, halves = (-log_variance).exp(), 0.5 * log_variance.sum(dim=3)
    # up to constants of the row, log N(x; mean, variance) and the divergence from it
    log_joint = -0.5 * ((x[:, None, :] - mean).square() * precision).sum(dim=3) - halves
    log_posterior = torch.log_softmax(log_joint, dim=2)  # [M, B, K]; the uniform prior cancels
    squares = (x_mean[:, None, :] - mean).square() + x_log.exp()[:, None, :]
    apart = 0.5 * (squares * precision).sum(dim=3) + halves  # [M, B, K]
    entropy = 0.5 * (x_log + 1.0).sum(dim=1)
    shares = log_posterior.exp()
    outputs = networks.forward(decoder, x) * UNIT
    if tail is None:
        cost = likelihood.binary_cost(rows, outputs)
    else:
        cost = likelihood.cost(rows - outputs, spread, tail)
    return Terms(
        0.5 * cost.sum(dim=1),
        (shares * apart).sum(dim=2).mean(dim=0) - entropy,
        information.from_standard(w_mean, w_log),
        (shares * log_posterior).sum(dim=2).mean(dim=0) + math.log(clusters),
    )


def loss(found: Terms, least_information: float, warmth: float) -> Tensor:
    """Minus the bound [B], with both remedies against over-regularisation (section 3.3): the
    z-prior term counts by `warmth`, 0 to 1, and gives no gradient while its mean over the batch is
    below `least_information`."""
    excess = found.z_prior.mean() - least_information
    free = (excess > 0.0).double()
    return (
        found.reconstruction
        + found.conditional_prior
        + found.w_prior
        + (warmth * free * found.z_prior)
    )


def readout(nets: Nets) -> Readout:
    """For scoring."""
    to_x, to_w, prior, decoder = nets
    return Readout(
        training.exact_inwards(to_x),
        training.exact_inwards(to_w),
        networks.exact(prior),
        training.exact_outwards(decoder),
    )


def log_clusters(prepared: Readout, x: Floats, w: Floats, clusters: int) -> Floats:
    """log pi_k + log N(x; mu_k(w), sigma_k^2(w)) [N, K] for x [N, X] and w [N, W] on the row grid,
    up to X/2 log(2 pi); each row's bits are its own."""
    outputs = networks.exact_forward(prepared.prior, w).reshape(len(w), clusters, -1)
    mean, log_variance = variation.exact_moments(outputs)
    squares = (x[:, None, :] - mean) ** 2 * np.exp(-log_variance)
    return np.asarray(-0.5 * (squares + log_variance).sum(axis=2) - math.log(clusters))


def central_clusters(prepared: Readout, clusters: int) -> tuple[Floats, Floats]:
    """Mean and variance [K, X] of x for each cluster at w = 0, where p(w) is highest."""
    first = np.zeros((1, prepared.prior[0][0].shape[0]))
    outputs = networks.exact_forward(prepared.prior, first).reshape(clusters, -1)
    mean, log_variance = variation.exact_moments(outputs)
    return mean, np.exp(log_variance)


def log_density(
    prepared: Readout,
    spread: Floats,
    noise: Floats,
    rows: Floats,
    clusters: int,
    tail: float | None = likelihood.TAIL,
) -> Floats:
    """The importance-weighted bound [B] on log p(y) of standardised rows [B, D], with z summed out
    exactly and the noise table [L, X + W]; tail as in `terms`."""
    size = prepared.decoder[0][0].shape[0]
    x, log_q_x = variation.exact_sampled(*posterior(prepared.to_x, rows), noise[:, :size])
    w, log_q_w = variation.exact_sampled(*posterior(prepared.to_w, rows), noise[:, size:])
    every = log_clusters(prepared, x.reshape(-1, size), w.reshape(-1, w.shape[2]), clusters)
    top = every.max(axis=1)
    log_p_x = (top + np.log(np.exp(every - top[:, None]).sum(axis=1))).reshape(x.shape[:2])
    log_p_w = -0.5 * (w * w).sum(axis=2)
    means = networks.exact_forward(prepared.decoder, x.reshape(-1, size))
    each, means = rows[:, None, :], means.reshape(*x.shape[:2], -1)
    if tail is None:
        cost, constant = likelihood.row_binary_cost(each, means), 0.0
    else:
        cost = likelihood.row_cost(each - means, spread, tail)
        constant = likelihood.constant(spread, tail)
    bound = variation.log_mean(-0.5 * cost + log_p_w + log_p_x - log_q_x - log_q_w)
    return np.asarray(bound - constant)


def posterior(network: ExactNetwork, rows: Floats) -> tuple[Floats, Floats]:
    """Mean and log variance [B, Z] of q for standardised rows [B, D]."""
    return variation.exact_moments(networks.exact_forward(network, rows))


def memberships(prepared: Readout, rows: Floats, clusters: int) -> Floats:
    """p(z|x, w) [B, K] by Bayes' rule at the means of q(x|y) and q(w|y)."""
    x, w = posterior(prepared.to_x, rows)[0], posterior(prepared.to_w, rows)[0]
    logs = log_clusters(prepared, x, w, clusters)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
