"""A variational autoencoder as a model: what it learns of a block and how it scores rows."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stream_dagmm import information, likelihood, networks, variation
from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.checkpoint import Tree
from stream_dagmm.course import Course
from stream_dagmm.training import UNIT, Coder, Nets, Trained

LARGEST_DEFAULT_CODE = 8


@dataclass(frozen=True)
class Design:
    """What does not change."""

    hidden: tuple[int, ...] | None
    latent: int | None
    kl_weight: float
    tail: float
    """Degrees of freedom of x | z; infinity is the Gaussian."""
    samples: int
    learning_rate: float

    def sizes(self, width: int) -> list[list[int]]:
        """Layer widths of encoder (to mean and log variance) and decoder for D columns."""
        latent = self.latent or min(width, LARGEST_DEFAULT_CODE)
        hidden = self.hidden or (min(64, max(8, 4 * width)),)
        return [[width, *hidden, 2 * latent], [latent, *hidden[::-1], width]]


class VaeModel(NamedTuple):
    """What was taught, the noise [L, Z], and how rows are scored by them."""

    design: Design
    course: Course
    noise: Floats | None = None
    prepared: Coder | None = None

    @property
    def width(self) -> int:
        """Columns learned."""
        return self.course.lessons.width

    def follow(self, context: Floats, rows: Floats) -> tuple[Floats, Floats]:
        """No context."""
        return np.empty((len(rows), 0)), context

    def score(self, rows: Floats, contexts: Floats) -> Floats:
        """Scores [B] of rows [B, D]."""
        standard, spread = self.course.lessons.standardised(rows), self.course.spread
        if spread is None or self.prepared is None or self.noise is None:
            return standard.beyond
        bound = log_density(self.prepared, spread, self.noise, standard.rows, self.design.tail)
        return np.asarray(standard.beyond - bound)

    def learn(
        self, rows: Floats, contexts: Floats, scores: Floats, is_text: npt.NDArray[np.bool_]
    ) -> Self:
        """After a block of rows [B, D']."""
        after = self._replace(course=self.course.after(rows, is_text))
        return after._taught(rows) if after.course.ready else after

    def _taught(self, rows: Floats) -> Self:
        course, design, width = self.course, self.design, self.width
        random, held = course.random(1), course.lessons.held
        trained = course.trained or Trained.drawn(design.sizes(width), random)
        latent = len(trained.nets[1][0][0])
        trained = trained.widened([(width, 2 * latent), (latent, width)], random)
        spread = torch.from_numpy(course.standing_spread())
        loss = Objective(design.kl_weight, spread, design.tail)
        block = course.lessons.standardised(rows).rows
        course = course.taught(trained, loss, block, held, design.learning_rate, random)
        noise = variation.noise_table(design.samples, latent, course.random(2))
        after = self._replace(course=course, noise=noise)._readable()
        return after._replace(course=course.measured(after._residual(held)))

    def _readable(self) -> Self:
        return self._replace(prepared=Coder.of(self.course.trained))

    def _residual(self, rows: Floats) -> Floats:
        """Reconstruction errors [B, D] of standardised rows, by a sample of z each: the spread is
        that of x around the decoder's mean, whatever z."""
        if self.prepared is None or self.noise is None:
            return np.zeros_like(rows)
        mean, log_variance = _posterior(self.prepared, rows)
        noise = np.resize(self.noise, mean.shape)
        z = on_row_grid(mean + np.exp(0.5 * log_variance) * noise)
        return np.asarray(rows - networks.exact_forward(self.prepared.decoder, z))

    def to_state(self) -> dict[str, Tree]:
        """Named arrays and plain values."""
        return {**self.course.to_state(), "noise": self.noise}

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh model with a saved state."""
        course = self.course.restored(state)
        return self._replace(course=course, noise=state["noise"])._readable()

    def diagnostics(self) -> dict[str, float | list[float]]:
        """Of the memory: mean squared reconstruction error, in squared standard deviations, and the
        information that each dimension of z holds, in nats."""
        if self.prepared is None:
            return {}
        rows = self.course.lessons.held
        mean, log_variance = map(torch.from_numpy, _posterior(self.prepared, rows))
        held = information.from_standard(mean[:, :, None], log_variance[:, :, None])
        return {
            "reconstruction": float((self._residual(rows) ** 2).mean()),
            "information": held.mean(dim=0).tolist(),
        }


def _posterior(prepared: Coder, rows: Floats) -> tuple[Floats, Floats]:
    return variation.exact_moments(networks.exact_forward(prepared.encoder, rows))


def log_density(
    prepared: Coder,
    spread: Floats,
    noise: Floats,
    rows: Floats,
    tail: float = likelihood.TAIL,
) -> Floats:
    """The importance-weighted bound [B] on log p(x) of standardised rows [B, D], in nats."""
    z, log_posterior = variation.exact_sampled(*_posterior(prepared, rows), noise)  # [B, L, Z]
    means = networks.exact_forward(prepared.decoder, z.reshape(-1, z.shape[2]))
    residual = rows[:, None, :] - means.reshape(*z.shape[:2], -1)
    log_likelihood = -0.5 * likelihood.row_cost(residual, spread, tail)
    log_prior = -0.5 * (z * z).sum(axis=2)
    bound = variation.log_mean(log_likelihood + log_prior - log_posterior)
    return np.asarray(bound - likelihood.constant(spread, tail))


@dataclass(frozen=True)
class Objective:
    """The loss of a batch: minus the evidence lower bound of the trusted rows, per column."""

    kl_weight: float
    spread: Tensor
    """[D]"""
    tail: float
    sampling: bool = True
    """Whether z is drawn from q(z|x); its mean otherwise."""

    def __call__(self, nets: Nets, rows: Tensor, random: np.random.Generator) -> Tensor:
        """The loss of encoder and decoder on rows [B, D]."""
        encoder, decoder = nets
        mean, log_variance = variation.moments(networks.forward(encoder, rows / UNIT))
        z = variation.sampled(mean, log_variance, random) if self.sampling else mean
        residual = rows - networks.forward(decoder, z) * UNIT
        reconstruction = 0.5 * likelihood.cost(residual, self.spread, self.tail).mean(dim=1)
        divergence = information.from_standard(mean, log_variance) / rows.shape[1]
        surprise = reconstruction + self.kl_weight * divergence
        return surprise[likelihood.trusted(surprise)].mean()
