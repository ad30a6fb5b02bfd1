"""What the networks are taught: two objectives and their gradients.

The paper's objective is differentiated by torch. The default's is small enough to be differentiated
by hand, which takes half the time; a test holds the result to torch's.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from stream_dagmm import compression, mixture, networks
from stream_dagmm.mixture import Mixture, Standing
from stream_dagmm.nets import Design, Nets, latent_features, memberships

TRUSTED = 0.7
"""Share of a batch, the least strange, that teaches the default's networks: anomalies are strange
before they are learned, and so are kept from teaching (trimmed likelihood)."""

TAIL = 5.0
"""Degrees of freedom of the Student-t likelihood of residuals and of the default's components."""

TIE = 0.1
"""Weight of the estimation network's distance to the posterior (KL divergence, in nats)."""


def paper(design: Design, nets: Nets, standing: Mixture, rows: Tensor, dropped: Tensor) -> Tensor:
    """Equation 7 of the paper for rows [B, D]: reconstruction error, lambda_1 times the mean
    energy and lambda_2 times P, the sum of inverse variances; with the batch's moments, which carry
    gradients, blended into the standing ones, which do not.

    dropped: [B, H] factors on the estimation network's hidden units.
    """
    z, reconstructed = latent_features(nets, rows, faithful=True)
    batch = mixture.moments(z, memberships(nets, z, dropped))
    blended = mixture.merged(_detached(standing, len(z)), batch)
    variances = blended.covariance.diagonal(dim1=1, dim2=2) + mixture.RIDGE
    residual = (rows - reconstructed).square().sum(dim=1)
    energy = mixture.energy(blended, z)
    return (
        residual.mean()
        + design.energy_weight * energy.mean()
        + design.covariance_weight * (1.0 / variances).sum()
    )


def _detached(standing: Mixture, size: int) -> Mixture:
    """The standing mixture with the mass of one batch, so that batch and past weigh the same."""
    scaled = standing.mass * (size / standing.mass.sum())
    return Mixture(scaled, standing.mean, standing.covariance)


class Past(NamedTuple):
    """What the default's objective takes from the past."""

    spread: Tensor
    """[D] usual squared residual of each column."""
    standing: Standing
    """The published mixture."""


def default(design: Design, nets: Nets, past: Past, rows: Tensor) -> Tensor:
    """The default's objective for rows [B, D], over the `TRUSTED` share that is reconstructed best:
    Student-t surprise of the residuals, energy per dimension under the standing mixture, and the
    divergence of the estimation network from that mixture's posterior."""
    z, reconstructed = latent_features(nets, rows, faithful=False)
    surprise = _surprise((rows - reconstructed).square() / past.spread)
    kept = _trusted(surprise.detach())
    z = z[kept]
    log_joint = mixture.standing_log_joint(past.standing, mixture.standing_white(past.standing, z))
    posterior = torch.softmax(log_joint.detach(), dim=1)
    tie = posterior * (posterior.clamp_min(1e-12).log() - memberships(nets, z).log())
    energy = -torch.logsumexp(log_joint, dim=1)
    return (
        surprise[kept].mean()
        + design.energy_weight * energy.mean() / z.shape[1]
        + TIE * tie.sum(dim=1).mean()
    )


def default_gradient(design: Design, nets: Nets, past: Past, rows: Tensor) -> Tensor:
    """The gradient [P] of `default`, in the order of `Nets.flat`."""
    inputs = networks.activations(nets.autoencoder.encoder, rows / compression.UNIT)
    outputs = networks.activations(nets.autoencoder.decoder, inputs[-1])
    apart = torch.sub(rows, outputs[-1], alpha=compression.UNIT)
    kept = _trusted(_surprise(apart.square() / past.spread))
    rows, apart = rows[kept], apart[kept]
    inputs, outputs = ([layer[kept] for layer in layers] for layers in (inputs, outputs))
    measured = _Measured.of(rows, outputs[-1] * compression.UNIT, apart)
    z = torch.hstack([inputs[-1], measured.features])
    estimation, slope = _estimation_gradient(design, nets, past.standing, z)
    size = z.shape[1] - 2
    upward = measured.slope(slope[:, size:])
    upward -= (TAIL + 1.0) / apart.numel() * apart / (past.spread * TAIL + apart.square())
    decoder, inner = networks.gradient(nets.autoencoder.decoder, outputs, upward * compression.UNIT)
    encoder, _ = networks.gradient(nets.autoencoder.encoder, inputs, inner + slope[:, :size])
    return torch.cat([*encoder, *decoder, *estimation])


def _surprise(squared: Tensor) -> Tensor:
    """Minus the log-likelihood [B] of squared residuals [B, D] in units of the usual ones."""
    return 0.5 * (TAIL + 1.0) * torch.log1p(squared / TAIL).mean(dim=1)


def _trusted(surprise: Tensor) -> Tensor:
    return surprise.argsort()[: max(1, round(TRUSTED * len(surprise)))]


def _estimation_gradient(
    design: Design, nets: Nets, standing: Standing, z: Tensor
) -> tuple[list[Tensor], Tensor]:
    """Gradients of energy and tie: by the estimation network's parameters, and by z [B, Z + 2]."""
    white = mixture.standing_white(standing, z)  # [B, K, Z + 2]
    posterior = torch.softmax(mixture.standing_log_joint(standing, white), dim=1)
    layers = networks.activations(nets.estimation, z)
    upward = (torch.softmax(layers[-1], dim=1) - posterior) * (TIE / len(z))
    parameters, slope = networks.gradient(nets.estimation, layers, upward)
    share = posterior * (design.energy_weight / z.numel())
    pulled = (white * share[:, :, None]).view(len(z), -1)
    return parameters, slope.addmm_(pulled, standing.whitening.T)


class _Measured(NamedTuple):
    """The default's z_r with what its derivative needs."""

    features: Tensor
    """[B, 2] half the log mean squared residual, and cosine similarity."""
    apart: Tensor
    squared: Tensor
    direction: Tensor
    """[B, D] row / (norm of row * norm of reconstruction)."""
    radial: Tensor
    """[B, D] reconstruction / its squared norm."""

    @classmethod
    def of(cls, rows: Tensor, reconstructed: Tensor, apart: Tensor) -> "_Measured":
        squared = apart.square().mean(dim=1, keepdim=True) + compression.LEAST_RESIDUAL
        least = compression.LEAST_NORM**2
        norm = reconstructed.norm(dim=1, keepdim=True).clamp_min(least)
        direction = rows / (rows.norm(dim=1, keepdim=True).clamp_min(least) * norm)
        cosine = (direction * reconstructed).sum(dim=1, keepdim=True)
        features = torch.hstack([0.5 * squared.log(), cosine])
        return cls(features, apart, squared, direction, reconstructed / norm.square())

    def slope(self, upward: Tensor) -> Tensor:
        """From the derivatives [B, 2] by the features to those [B, D] by the reconstruction."""
        by_residual, by_cosine = upward[:, :1], upward[:, 1:]
        pulled = (self.direction - self.features[:, 1:] * self.radial) * by_cosine
        return pulled - self.apart * (by_residual / (self.squared * self.apart.shape[1]))
