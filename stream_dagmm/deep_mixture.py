"""The heart of DAGMM, made incremental: compression network, estimation network, latent mixture.

Two copies of the networks exist: one is trained, a step at the end of each block; at a publication
it is copied, and the copy scores. The mixture's statistics are of the published codes alone, so a
score never mixes statistics of one encoder with codes of another: at a publication a bounded memory
of rows is encoded anew and the mixture fitted to it; between publications it moves by exponentially
weighted updates.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from stream_dagmm import buffers, compression, mixture, networks
from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.compression import Autoencoder, ExactAutoencoder
from stream_dagmm.mixture import Mixture, Readout
from stream_dagmm.networks import Moments, Network

PUBLISH_EVERY = 8
"""Blocks between publications, once the stream is `YOUNG` no more."""

YOUNG = 4096
"""Events during which every block publishes and trains `STEPS_WHEN_YOUNG` steps: a fresh network
is wrong about everything, and nobody has scores to compare with yet."""

STEPS_WHEN_YOUNG = 4

LEAST_ROWS = 32
"""Rows in memory before networks are made: fewer say nothing about shapes."""

TRUSTED = 0.7
"""Share of a batch, the least strange, that teaches the default's networks: anomalies are strange
before they are learned, and so are kept from teaching (trimmed likelihood)."""

TAIL = 5.0
"""Degrees of freedom of the Student-t likelihood of residuals and of the default's components."""

TIE = 0.1
"""Weight of the estimation network's distance to the posterior (KL divergence, in nats)."""

RESIDUAL_UNIT = 8.0
"""Usual errors of a column that make one unit: so the row grid reaches to 128 of them."""

LEAST_SPREAD = 0.05
"""Squared error, in squared standard deviations, that is usual at least: a column that is always
reconstructed perfectly is not thereby infinitely telling."""

SPREAD_SHARE = 0.1
"""Weight of a block's residuals in the usual ones."""

ESTIMATION_WIDTH = 10
"""Hidden units of the estimation network, as in the paper."""

EM_STEPS = 3
"""Expectation-maximisation steps of a publication, from the estimation network's memberships."""


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
        """Hidden widths and code size for D columns: by default one hidden layer of up to 64 and
        min(D, 12) codes; the paper's pyramid 60-30-10-1, as far as D allows, when faithful."""
        if self.faithful:
            hidden = tuple(h for h in (60, 30, 10) if h < 6 * width)
            return self.hidden or hidden or (10,), self.latent or 1
        return self.hidden or (min(64, max(8, 4 * width)),), self.latent or min(width, 12)


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


class Published(NamedTuple):
    """Networks that score, with the mixture of their own codes."""

    nets: Nets
    mixture: Mixture
    exact: ExactAutoencoder
    prepared: Readout


class DeepMixture(NamedTuple):
    """Everything the neural part has learned."""

    design: Design
    nets: Nets
    moments: Moments
    spread: Floats
    """[D] exponentially weighted squared residual of each column: its own scale of likelihood."""
    published: Published
    blocks: int


def fresh(design: Design, memory: Floats) -> DeepMixture:
    """Untrained networks for the columns of the memory [R, D], published with its mixture."""
    nets = Nets.drawn(design, memory.shape[1])
    moments = networks.no_moments(nets.flat())
    published = _publish(design, nets, torch.from_numpy(memory), None)
    spread = np.ones(memory.shape[1])
    return DeepMixture(design, nets, moments, spread, published, 0)


class Encoded(NamedTuple):
    """Rows as the published networks see them; each row's bits are its own."""

    z: Floats
    """[B, Z + 2] codes and reconstruction features, what the mixture sees."""
    residual: Floats
    """[B, D] reconstruction errors in units of eight times each column's usual one, on the grid."""


def encoded(deep: DeepMixture, rows: Floats) -> Encoded:
    """Standardised rows [B, D] through the published networks."""
    code, reconstructed = compression.exact_coded(deep.published.exact, rows)
    measure = (
        compression.exact_relative_and_cosine
        if deep.design.faithful
        else compression.exact_log_residual_and_cosine
    )
    residual = _residual(rows, reconstructed, deep.spread)
    return Encoded(np.hstack([code, measure(rows, reconstructed)]), residual)


def learned(deep: DeepMixture, rows: Floats, memory: Floats, age: int) -> DeepMixture:
    """After the rows [B, D] of a block that may teach, with the memory [R, D] on the same scale.

    age: events seen, these included; it decides how many steps and whether to publish.
    """
    design = deep.design
    random = buffers.generator(design.seed, age, 3)
    deep = _widened(deep, memory.shape[1], random)
    young = age <= YOUNG
    standing = _moved(deep, rows)
    pool = torch.from_numpy(np.vstack([rows, memory]))
    for step in range(STEPS_WHEN_YOUNG if young else 1):
        size = max(len(rows), LEAST_ROWS)
        chosen = pool[:size] if step == 0 else pool[random.integers(len(pool), size=size)]
        deep = _trained(deep, standing, chosen, random)
    deep = deep._replace(blocks=deep.blocks + 1)
    if young or deep.blocks % PUBLISH_EVERY == 0:
        published = _publish(design, deep.nets, torch.from_numpy(memory), standing)
    else:
        published = deep.published._replace(mixture=standing, prepared=_readout(standing))
    return deep._replace(published=published)


def respread(deep: DeepMixture, rows: Floats) -> tuple[DeepMixture, Floats]:
    """After the usual squared residual of each column was brought up to date with the memory's
    least strange rows [R, D]; and the memory's residuals, as `encoded` would give them."""
    _, reconstructed = compression.exact_coded(deep.published.exact, rows)
    squared = (rows - reconstructed) ** 2
    strangeness = (squared / deep.spread).sum(axis=1)
    kept = np.argsort(strangeness, kind="stable")[: max(1, round(TRUSTED * len(rows)))]
    observed = squared[kept].mean(axis=0) + LEAST_SPREAD
    share = max(SPREAD_SHARE, 1.0 / deep.blocks)
    spread = deep.spread + share * (observed - deep.spread)
    return deep._replace(spread=spread), _residual(rows, reconstructed, spread)


def _residual(rows: Floats, reconstructed: Floats, spread: Floats) -> Floats:
    return on_row_grid((rows - reconstructed) / (RESIDUAL_UNIT * np.sqrt(spread)))


def _z(nets: Nets, rows: Tensor, faithful: bool) -> tuple[Tensor, Tensor]:
    """z = [z_c, z_r] [B, Z + 2] and reconstructions [B, D]."""
    code, reconstructed = compression.coded(nets.autoencoder, rows)
    measure = compression.relative_and_cosine if faithful else compression.log_residual_and_cosine
    return torch.hstack([code, measure(rows, reconstructed)]), reconstructed


def _memberships(nets: Nets, z: Tensor, dropped: Tensor | None = None) -> Tensor:
    """The estimation network's soft memberships gamma [B, K]; equation 4 of the paper."""
    (first, first_bias), (last, last_bias) = nets.estimation
    hidden = torch.tanh(z @ first + first_bias)
    if dropped is not None:
        hidden = hidden * dropped
    return torch.softmax(hidden @ last + last_bias, dim=1)


def _trained(
    deep: DeepMixture, standing: Mixture, rows: Tensor, random: np.random.Generator
) -> DeepMixture:
    """One step of Adam on the objective of the paper, its equation 7, or on the default's."""
    if deep.design.learning_rate == 0.0:
        return deep
    vector = deep.nets.flat().requires_grad_()
    kept = 1.0 - deep.design.dropout
    mask = torch.from_numpy((random.random((len(rows), ESTIMATION_WIDTH)) < kept) / kept)
    objective = _faithful_objective if deep.design.faithful else _default_objective
    loss = objective(deep, deep.nets.shaped(vector), standing, rows, mask)
    (gradient,) = torch.autograd.grad(loss, vector)
    after, moments = networks.stepped(vector, gradient, deep.moments, deep.design.learning_rate)
    return deep._replace(nets=deep.nets.shaped(after), moments=moments)


def _faithful_objective(
    deep: DeepMixture, nets: Nets, standing: Mixture, rows: Tensor, mask: Tensor
) -> Tensor:
    z, reconstructed = _z(nets, rows, faithful=True)
    memberships = _memberships(nets, z, mask)
    residual = (rows - reconstructed).square().sum(dim=1)
    return residual.mean() + _energy_terms(deep.design, standing, z, memberships)


def _default_objective(
    deep: DeepMixture, nets: Nets, standing: Mixture, rows: Tensor, mask: Tensor
) -> Tensor:
    z, reconstructed = _z(nets, rows, faithful=False)
    squared = (rows - reconstructed).square() / torch.from_numpy(deep.spread)
    surprise = 0.5 * (TAIL + 1.0) * torch.log1p(squared / TAIL).mean(dim=1)
    kept = surprise.detach().argsort()[: max(1, round(TRUSTED * len(rows)))]
    z = z[kept]
    memberships = _memberships(nets, z, mask[kept])
    prepared = deep.published.prepared
    posterior = torch.from_numpy(mixture.row_responsibilities(prepared, z.detach().numpy()))
    tie = posterior * (posterior.clamp_min(1e-12).log() - memberships.clamp_min(1e-12).log())
    energy = mixture.standing_energy(prepared, z)
    return (
        surprise[kept].mean()
        + deep.design.energy_weight * energy.mean() / z.shape[1]
        + TIE * tie.sum(dim=1).mean()
    )


def _energy_terms(design: Design, standing: Mixture, z: Tensor, memberships: Tensor) -> Tensor:
    """lambda_1 times the mean energy plus lambda_2 times P, the sum of inverse variances; with the
    batch's moments, which carry gradients, blended into the standing ones, which do not."""
    blended = mixture.merged(_detached(standing, len(z)), mixture.moments(z, memberships))
    variances = blended.covariance.diagonal(dim1=1, dim2=2) + mixture.RIDGE
    energy = mixture.energy(blended, z).mean()
    return design.energy_weight * energy + design.covariance_weight * (1.0 / variances).sum()


def _detached(standing: Mixture, size: int) -> Mixture:
    """The standing mixture with the mass of one batch, so that batch and past weigh the same."""
    scaled = standing.mass * (size / standing.mass.sum())
    return Mixture(scaled, standing.mean, standing.covariance)


def _moved(deep: DeepMixture, rows: Floats) -> Mixture:
    """The published mixture after the block: memberships by the estimation network when faithful,
    else the posterior of the mixture itself, the E-step."""
    design, published = deep.design, deep.published
    if not len(rows):
        return published.mixture
    codes = encoded(deep, rows).z
    z = torch.from_numpy(codes)
    if design.faithful:
        memberships = _memberships(published.nets, z)
    else:
        memberships = torch.from_numpy(mixture.row_responsibilities(published.prepared, codes))
    return mixture.update(published.mixture, z, memberships, 2.0 ** (-len(rows) / design.half_life))


def _publish(design: Design, nets: Nets, memory: Tensor, standing: Mixture | None) -> Published:
    """The nets with the mixture of the memory's codes; it has the mass of the standing mixture."""
    z, _ = _z(nets, memory, design.faithful)
    fitted = mixture.moments(z, _memberships(nets, z))
    for _ in range(0 if design.faithful else EM_STEPS):
        belonging = mixture.row_responsibilities(_readout(fitted), z.numpy())
        fitted = mixture.moments(z, torch.from_numpy(belonging))
    mass = standing.mass.sum() if standing is not None else fitted.mass.sum()
    fitted = fitted._replace(mass=fitted.mass * (mass / fitted.mass.sum()))
    exact = compression.exact(nets.autoencoder)
    return Published(nets, fitted, exact, _readout(fitted))


def _readout(learned: Mixture) -> Readout:
    return mixture.readout(mixture.shrunk(learned))


def _widened(deep: DeepMixture, width: int, random: np.random.Generator) -> DeepMixture:
    more = width - len(deep.spread)
    if not more:
        return deep
    nets, shown = (nets.widened(width, random) for nets in (deep.nets, deep.published.nets))
    old, new = (*deep.nets.autoencoder, deep.nets.estimation), (*nets.autoencoder, nets.estimation)
    return deep._replace(
        nets=nets,
        moments=networks.moments_for(deep.moments, old, new),
        spread=np.append(deep.spread, np.ones(more)),
        published=deep.published._replace(nets=shown, exact=compression.exact(shown.autoencoder)),
    )


def to_state(deep: DeepMixture) -> dict[str, Any]:
    """Named arrays and plain values."""
    return {
        "sizes": deep.nets.sizes(),
        "nets": deep.nets.flat().numpy(),
        "published": deep.published.nets.flat().numpy(),
        "first": deep.moments.first.numpy(),
        "second": deep.moments.second.numpy(),
        "steps": float(deep.moments.steps),
        "spread": deep.spread,
        "mixture": {name: t.numpy() for name, t in deep.published.mixture._asdict().items()},
        "blocks": deep.blocks,
    }


def restored(design: Design, state: dict[str, Any]) -> DeepMixture:
    """What `to_state` described."""
    nets, shown = (
        Nets.of_sizes(state["sizes"], torch.from_numpy(state[name]))
        for name in ("nets", "published")
    )
    moments = Moments(
        torch.from_numpy(state["first"]),
        torch.from_numpy(state["second"]),
        torch.tensor(state["steps"], dtype=torch.float32),
    )
    learned = Mixture(**{name: torch.from_numpy(a) for name, a in state["mixture"].items()})
    exact = compression.exact(shown.autoencoder)
    published = Published(shown, learned, exact, _readout(learned))
    return DeepMixture(design, nets, moments, state["spread"], published, state["blocks"])
