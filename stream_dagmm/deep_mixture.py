"""The heart of DAGMM, made incremental: compression network, estimation network, latent mixture.

Two copies of the networks exist: one is trained, a step at the end of each block; at a publication
it is copied, and the copy scores. The mixture's statistics are of the published codes alone, so a
score never mixes statistics of one encoder with codes of another: at a publication a bounded memory
of rows is encoded anew and the mixture fitted to it; between publications it moves by exponentially
weighted updates.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from stream_dagmm import buffers, compression, mixture, networks, objectives
from stream_dagmm.arithmetic import Floats
from stream_dagmm.compression import ExactAutoencoder
from stream_dagmm.mixture import Mixture, Readout
from stream_dagmm.nets import ESTIMATION_WIDTH, Design, Nets, latent_features, memberships
from stream_dagmm.networks import Moments
from stream_dagmm.objectives import TRUSTED
from stream_dagmm.scaling import CLIP

PUBLISH_EVERY = 8
"""Blocks between publications, once the stream is `YOUNG` no more."""

YOUNG = 1024
"""Events during which every block publishes: a fresh network is wrong about everything, and nobody
has scores to compare with yet."""

PAPER_YOUNG, PAPER_STEPS = 4096, 4
"""The paper's pyramid learns slowly: for so many events each block trains it so many steps."""

LEAST_ROWS, MOST_ROWS = 32, 128
"""Rows in memory before networks are made, and in a batch: fewer say nothing about shapes; more
cost time and teach no better."""

RESIDUAL_UNIT = 4.0
"""Usual errors of a column that make one unit: a residual is held to `CLIP` units, 32 of them."""

LEAST_SPREAD = 0.05
"""Squared error, in squared standard deviations, that is usual at least: a column that is always
reconstructed perfectly is not thereby infinitely telling."""

SPREAD_SHARE = 0.1
"""Weight of the memory's residuals, after a block, in the usual ones."""

EM_STEPS = 3
"""Expectation-maximisation steps of a publication, from the estimation network's memberships."""


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
    """[B, D] reconstruction errors in [-8, 8], in units of four times each column's usual one."""


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


def learned(
    deep: DeepMixture, rows: Floats, codes: Floats, memory: Floats, age: int
) -> DeepMixture:
    """After the rows [B, D] of a block that may teach, with the memory [R, D] on the same scale.

    codes [B, Z + 2]: z of the rows, as they were scored. age: events seen, these included; it
    decides whether to publish.
    """
    design = deep.design
    random = buffers.generator(design.seed, age, 3)
    standing = _moved(deep, codes)
    deep = _widened(deep, memory.shape[1], random)
    pool = torch.from_numpy(np.vstack([rows, memory]))
    size = max(len(rows), LEAST_ROWS)  # few rows are topped up from the memory
    batch = random.permutation(size)[:MOST_ROWS]
    deep = _trained(deep, standing, pool[batch], random)
    for _ in range(PAPER_STEPS - 1 if design.faithful and age <= PAPER_YOUNG else 0):
        chosen = pool[random.integers(len(pool), size=size)]
        deep = _trained(deep, standing, chosen, random)
    deep = deep._replace(blocks=deep.blocks + 1)
    if age <= YOUNG or deep.blocks % PUBLISH_EVERY == 0:
        published = _publish(design, deep.nets, torch.from_numpy(memory), standing)
    else:
        published = deep.published._replace(mixture=standing, prepared=_readout(design, standing))
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
    units = (rows - reconstructed) / (RESIDUAL_UNIT * np.sqrt(spread))
    return units.clip(-CLIP, CLIP)


def _trained(
    deep: DeepMixture, standing: Mixture, rows: Tensor, random: np.random.Generator
) -> DeepMixture:
    """One step of Adam on the objective of the paper, its equation 7, or on the default's."""
    if deep.design.learning_rate == 0.0:
        return deep
    if deep.design.faithful:
        return _stepped(deep, _paper_gradient(deep, standing, rows, random))
    return _stepped(deep, _default_gradient(deep, rows))


def _stepped(deep: DeepMixture, gradient: Tensor) -> DeepMixture:
    vector = deep.nets.flat()
    after, moments = networks.stepped(vector, gradient, deep.moments, deep.design.learning_rate)
    return deep._replace(nets=deep.nets.shaped(after), moments=moments)


def _paper_gradient(
    deep: DeepMixture, standing: Mixture, rows: Tensor, random: np.random.Generator
) -> Tensor:
    vector = deep.nets.flat().requires_grad_()
    kept = 1.0 - deep.design.dropout
    dropped = torch.from_numpy((random.random((len(rows), ESTIMATION_WIDTH)) < kept) / kept)
    loss = objectives.paper(deep.design, deep.nets.shaped(vector), standing, rows, dropped)
    (gradient,) = torch.autograd.grad(loss, vector)
    return gradient


def _default_gradient(deep: DeepMixture, rows: Tensor) -> Tensor:
    # In single precision, which is ample for the direction of a step, and takes half the time.
    nets = deep.nets.shaped(deep.nets.flat().float())
    spread = torch.from_numpy(deep.spread).float()
    standing = Mixture(*(tensor.float() for tensor in deep.published.mixture))
    return objectives.default_gradient(nets, spread, standing, rows.float()).double()


def _moved(deep: DeepMixture, codes: Floats) -> Mixture:
    """The published mixture after a block with these codes [B, Z + 2]: memberships by the
    estimation network when faithful, else by distance, the E-step."""
    design, published = deep.design, deep.published
    if not len(codes):
        return published.mixture
    z = torch.from_numpy(codes)
    if design.faithful:
        belonging = memberships(published.nets, z)
    else:
        belonging = mixture.shared_memberships(published.mixture, z)
    return mixture.update(published.mixture, z, belonging, 2.0 ** (-len(codes) / design.half_life))


def _publish(design: Design, nets: Nets, memory: Tensor, standing: Mixture | None) -> Published:
    """The nets with the mixture of the memory's codes; it has the mass of the standing mixture."""
    z, _ = latent_features(nets, memory, design.faithful)
    fitted = mixture.moments(z, memberships(nets, z))
    for _ in range(0 if design.faithful else EM_STEPS):
        fitted = mixture.moments(z, mixture.shared_memberships(fitted, z))
    mass = standing.mass.sum() if standing is not None else fitted.mass.sum()
    fitted = fitted._replace(mass=fitted.mass * (mass / fitted.mass.sum()))
    exact = compression.exact(nets.autoencoder)
    return Published(nets, fitted, exact, _readout(design, fitted))


def _readout(design: Design, learned: Mixture) -> Readout:
    steadied = mixture.shrunk(learned)
    return mixture.readout(steadied if design.faithful else mixture.borrowed(steadied))


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
    published = Published(shown, learned, exact, _readout(design, learned))
    return DeepMixture(design, nets, moments, state["spread"], published, state["blocks"])
