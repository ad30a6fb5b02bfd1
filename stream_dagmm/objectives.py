"""What the networks are taught: two objectives and their gradients.

The paper's objective is differentiated by torch. The default's is small enough to be differentiated
by hand, which takes half the time; a test holds the result to torch's.
"""

import torch
from torch import Tensor

from stream_dagmm import compression, mixture, networks
from stream_dagmm.mixture import Mixture
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


def default(nets: Nets, spread: Tensor, standing: Mixture, rows: Tensor) -> Tensor:
    """The default's objective for rows [B, D], over the `TRUSTED` share that is reconstructed best:
    Student-t surprise of the residuals, whose usual squares are `spread` [D], and the divergence of
    the estimation network from the standing mixture's memberships, of codes taken as they are.

    The paper's energy has no part in it: codes that are pulled toward a mixture that follows them
    shrink until one component holds them all (measured).
    """
    z, reconstructed = latent_features(nets, rows, faithful=False)
    surprise = _surprise((rows - reconstructed).square() / spread)
    kept = _trusted(surprise.detach())
    z = z[kept].detach()
    belonging = mixture.shared_memberships(standing, z)
    tie = belonging * (belonging.clamp_min(1e-12).log() - memberships(nets, z).log())
    return surprise[kept].mean() + TIE * tie.sum(dim=1).mean()


def default_gradient(nets: Nets, spread: Tensor, standing: Mixture, rows: Tensor) -> Tensor:
    """The gradient [P] of `default`, in the order of `Nets.flat`."""
    encoder, decoder = nets.autoencoder
    inputs = networks.activations(encoder, rows / compression.UNIT)
    outputs = networks.activations(decoder, inputs[-1])
    reconstructed = outputs[-1] * compression.UNIT
    kept = _trusted(_surprise((rows - reconstructed).square() / spread))
    rows, reconstructed = rows[kept], reconstructed[kept]
    inputs, outputs = ([layer[kept] for layer in layers] for layers in (inputs, outputs))
    apart = reconstructed - rows
    upward = (TAIL + 1.0) / apart.numel() * apart / (spread * TAIL + apart.square())
    by_decoder, inner = networks.gradient(decoder, outputs, upward * compression.UNIT)
    by_encoder, _ = networks.gradient(encoder, inputs, inner)
    measured = compression.log_residual_and_cosine(rows, reconstructed)
    by_estimation = _tie_gradient(nets, standing, torch.hstack([inputs[-1], measured]))
    return torch.cat([*by_encoder, *by_decoder, *by_estimation])


def _surprise(squared: Tensor) -> Tensor:
    """Minus the log-likelihood [B] of squared residuals [B, D] in units of the usual ones."""
    heavy = (squared / TAIL + 1.0).log()  # torch's log1p takes ten times as long
    return 0.5 * (TAIL + 1.0) * heavy.mean(dim=1)


def _trusted(surprise: Tensor) -> Tensor:
    return surprise.argsort()[: max(1, round(TRUSTED * len(surprise)))]


def _tie_gradient(nets: Nets, standing: Mixture, z: Tensor) -> list[Tensor]:
    """The gradient of the tie by the estimation network's parameters, for z [B, Z + 2]."""
    layers = networks.activations(nets.estimation, z)
    belonging = mixture.shared_memberships(standing, z)
    upward = (torch.softmax(layers[-1], dim=1) - belonging) * (TIE / len(z))
    return networks.gradient(nets.estimation, layers, upward)[0]
