"""The compression network and what the mixture sees of an event: z = [z_c, z_r].

z_c is the code of a deep autoencoder; z_r are two features of its reconstruction x' of x (Zong et
al. 2018, equations 1 to 3). The paper's are the relative Euclidean distance ||x - x'|| / ||x|| and
the cosine similarity. The default takes, in place of the first, the logarithm of the residual: on
the scale of the mixture it neither explodes for an anomaly nor for an event near the mean.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stream_dagmm import networks
from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.networks import ExactNetwork, Network

UNIT = 4.0
"""Standard deviations that the networks take for one: rows reach 8, and tanh has said all by 2."""

LEAST_NORM = 1e-3
"""Norm below which a row counts as the origin, which has no direction and no relative error."""

LEAST_RESIDUAL = 1e-3
"""Mean squared residual, in squared standard deviations, below which a reconstruction is perfect;
well above the rounding of the row grid."""


class Autoencoder(NamedTuple):
    """Encoder [D -> Z] and decoder [Z -> D]."""

    encoder: Network
    decoder: Network


class ExactAutoencoder(NamedTuple):
    """The same as operands of exact products."""

    encoder: ExactNetwork
    decoder: ExactNetwork


def drawn(
    width: int, hidden: tuple[int, ...], latent: int, random: np.random.Generator
) -> Autoencoder:
    """Random weights for `width` columns; the decoder mirrors the encoder."""
    sizes = [width, *hidden, latent]
    return Autoencoder(networks.drawn(sizes, random), networks.drawn(sizes[::-1], random))


def exact(autoencoder: Autoencoder) -> ExactAutoencoder:
    """For scoring, with the unit folded in: a power of two, so nothing is rounded by it."""
    (weight, bias), *inner = networks.exact(autoencoder.encoder)
    *outer, (last, last_bias) = networks.exact(autoencoder.decoder)
    return ExactAutoencoder(
        ((weight / UNIT, bias), *inner), (*outer, (last * UNIT, last_bias * UNIT))
    )


def coded(autoencoder: Autoencoder, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Codes [B, Z] and reconstructions [B, D]."""
    code = networks.forward(autoencoder.encoder, rows / UNIT)
    return code, networks.forward(autoencoder.decoder, code) * UNIT


def exact_coded(autoencoder: ExactAutoencoder, rows: Floats) -> tuple[Floats, Floats]:
    """`coded` for rows on the row grid; each row's bits are its own."""
    code = networks.exact_forward(autoencoder.encoder, rows)
    return code, networks.exact_forward(autoencoder.decoder, code)


def relative_and_cosine(rows: Tensor, reconstructed: Tensor) -> Tensor:
    """The paper's z_r [B, 2]: relative Euclidean distance and cosine similarity."""
    norm = rows.norm(dim=1).clamp_min(LEAST_NORM)
    relative = (rows - reconstructed).norm(dim=1) / norm
    return torch.stack([relative, _cosine(rows, reconstructed)], dim=1)


def log_residual_and_cosine(rows: Tensor, reconstructed: Tensor) -> Tensor:
    """The default's z_r [B, 2]: half the log mean squared residual, and cosine similarity."""
    squared = (rows - reconstructed).square().mean(dim=1)
    return torch.stack(
        [0.5 * (squared + LEAST_RESIDUAL).log(), _cosine(rows, reconstructed)], dim=1
    )


def exact_relative_and_cosine(rows: Floats, reconstructed: Floats) -> Floats:
    """`relative_and_cosine` of rows on the row grid."""
    norm = np.maximum(np.sqrt((rows * rows).sum(axis=1)), LEAST_NORM)
    apart = rows - reconstructed
    relative = np.sqrt((apart * apart).sum(axis=1)) / norm
    return on_row_grid(np.stack([relative, _exact_cosine(rows, reconstructed)], axis=1))


def exact_log_residual_and_cosine(rows: Floats, reconstructed: Floats) -> Floats:
    """`log_residual_and_cosine` of rows on the row grid."""
    apart = rows - reconstructed
    squared = (apart * apart).sum(axis=1) / rows.shape[1]
    return on_row_grid(
        np.stack(
            [0.5 * np.log(squared + LEAST_RESIDUAL), _exact_cosine(rows, reconstructed)], axis=1
        )
    )


def _cosine(rows: Tensor, reconstructed: Tensor) -> Tensor:
    return torch.nn.functional.cosine_similarity(rows, reconstructed, dim=1, eps=LEAST_NORM**2)


def _exact_cosine(rows: Floats, reconstructed: Floats) -> Floats:
    norms = np.sqrt((rows * rows).sum(axis=1)) * np.sqrt(
        (reconstructed * reconstructed).sum(axis=1)
    )
    return np.asarray((rows * reconstructed).sum(axis=1) / np.maximum(norms, LEAST_NORM**2))
