"""The two networks of DAGMM as one thing: compression network and estimation network."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from stream_dagmm import buffers, compression, networks
from stream_dagmm.compression import Autoencoder
from stream_dagmm.networks import Network

ESTIMATION_WIDTH = 10
"""Hidden units of the estimation network, as in the paper."""


@dataclass(frozen=True)
class Design:
    """What does not change."""

    hidden: tuple[int, ...] | None
    latent: int | None
    n_components: int
    learning_rate: float
    dropout: float
    energy_weight: float
    covariance_weight: float
    faithful: bool
    half_life: float
    seed: int

    def layers(self, width: int) -> tuple[tuple[int, ...], int]:
        """Hidden widths and code size for D columns: by default one hidden layer of up to 24 and
        a quarter as many codes as columns, 2 to 12: with half as many, training teaches little that
        a random network does not have. When faithful the paper's pyramid 60-30-10-1, as far as D
        allows."""
        if self.faithful:
            hidden = tuple(h for h in (60, 30, 10) if h < 6 * width)
            return self.hidden or hidden or (10,), self.latent or 1
        hidden = (min(24, max(8, 4 * width)),)
        return self.hidden or hidden, self.latent or min(12, max(2, width // 4))


class Nets(NamedTuple):
    """Compression and estimation network."""

    autoencoder: Autoencoder
    estimation: Network

    @classmethod
    def drawn(cls, design: Design, width: int) -> Self:
        """Random weights for `width` columns."""
        random = buffers.generator(design.seed, width, 2)
        hidden, latent = design.layers(width)
        autoencoder = compression.drawn(width, hidden, latent, random)
        return cls(
            autoencoder, networks.drawn([latent + 2, ESTIMATION_WIDTH, design.n_components], random)
        )

    def sizes(self) -> list[list[int]]:
        """Layer widths of encoder, decoder and estimation network: they stay as they were drawn,
        however many columns come later."""
        nets = (*self.autoencoder, self.estimation)
        return [[len(weight) for weight, _ in net] + [len(net[-1][1])] for net in nets]

    @classmethod
    def of_sizes(cls, sizes: list[list[int]], vector: Tensor) -> Self:
        """Nets of these layer widths with the parameters of a vector [P]."""
        random = buffers.generator(0, 0, 0)  # the weights drawn are replaced
        encoder, decoder, estimation = (networks.drawn(widths, random) for widths in sizes)
        return cls(Autoencoder(encoder, decoder), estimation).shaped(vector)

    def flat(self) -> Tensor:
        """All parameters as one vector [P]."""
        return networks.flat(*self.autoencoder, self.estimation)

    def shaped(self, vector: Tensor) -> Self:
        """The same nets with the parameters of a vector [P]."""
        encoder, decoder, estimation = networks.shaped(vector, *self.autoencoder, self.estimation)
        return type(self)(Autoencoder(encoder, decoder), estimation)

    def widened(self, width: int, random: np.random.Generator) -> Self:
        """The nets for more columns; what they say of the old ones stays."""
        encoder, decoder = self.autoencoder
        encoder = networks.widened(encoder, width, encoder[-1][1].shape[0], random)
        decoder = networks.widened(decoder, decoder[0][0].shape[0], width, random)
        return self._replace(autoencoder=Autoencoder(encoder, decoder))


def latent_features(nets: Nets, rows: Tensor, faithful: bool) -> tuple[Tensor, Tensor]:
    """z = [z_c, z_r] [B, Z + 2] and reconstructions [B, D]."""
    code, reconstructed = compression.coded(nets.autoencoder, rows)
    measure = compression.relative_and_cosine if faithful else compression.log_residual_and_cosine
    return torch.hstack([code, measure(rows, reconstructed)]), reconstructed


def memberships(nets: Nets, z: Tensor, dropped: Tensor | None = None) -> Tensor:
    """The estimation network's soft memberships gamma [B, K]; equation 4 of the paper."""
    (first, first_bias), (last, last_bias) = nets.estimation
    hidden = torch.tanh(z @ first + first_bias)
    if dropped is not None:
        hidden = hidden * dropped
    return torch.softmax(hidden @ last + last_bias, dim=1)
