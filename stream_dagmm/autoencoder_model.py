"""A deep (denoising) autoencoder as a model: what it learns of a block and how it scores rows."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stream_dagmm import likelihood, networks
from stream_dagmm.arithmetic import Floats
from stream_dagmm.checkpoint import Tree
from stream_dagmm.course import Course
from stream_dagmm.networks import Network
from stream_dagmm.training import UNIT, Coder, Nets, Trained

LARGEST_DEFAULT_CODE = 8


@dataclass(frozen=True)
class Design:
    """What does not change."""

    hidden: tuple[int, ...] | None
    latent: int | None
    noise: float
    sparsity: float
    contraction: float
    learning_rate: float

    def sizes(self, width: int) -> list[list[int]]:
        """Layer widths of encoder and decoder for D columns, the count of unknown features one of
        them. ValueError for a code that could be a copy."""
        latent = self.latent or max(1, min(width // 2, LARGEST_DEFAULT_CODE))
        features = width - 1
        if latent >= features and not self.restrained:
            raise ValueError(
                f"latent must be below the number of features, {features}, got {latent}: such a "
                "code learns the trivial copy, which reconstructs everything; make it smaller, or "
                "give noise, sparsity or contraction"
            )
        hidden = self.hidden or (min(64, max(8, 4 * width)),)
        sizes = [width, *hidden, latent]
        return [sizes, sizes[::-1]]

    @property
    def restrained(self) -> bool:
        """Whether something but the code's size keeps the networks from copying."""
        return self.noise > 0.0 or self.sparsity > 0.0 or self.contraction > 0.0


class AutoencoderModel(NamedTuple):
    """What was taught, and how rows are scored by it."""

    design: Design
    course: Course
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
        standard = self.course.lessons.standardised(rows)
        if self.course.spread is None:
            return standard.beyond
        residual = self._residual(standard.rows)
        cost = likelihood.row_cost(residual, self.course.spread, likelihood.TAIL)
        return np.asarray(cost / rows.shape[1] + standard.beyond)

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
        code = len(trained.nets[0][-1][1])
        trained = trained.widened([(width, code), (code, width)], random)
        loss = Objective(design, torch.from_numpy(course.standing_spread()), likelihood.TAIL)
        block = course.lessons.standardised(rows).rows
        course = course.taught(trained, loss, block, held, design.learning_rate, random)
        after = self._replace(course=course)._readable()
        return after._replace(course=course.measured(after._residual(held)))

    def _readable(self) -> Self:
        return self._replace(prepared=Coder.of(self.course.trained))

    def _residual(self, rows: Floats) -> Floats:
        """Reconstruction errors [B, D] of standardised rows; each row's bits are its own."""
        if self.prepared is None:
            return np.zeros_like(rows)
        code = networks.exact_forward(self.prepared.encoder, rows)
        return np.asarray(rows - networks.exact_forward(self.prepared.decoder, code))

    def to_state(self) -> dict[str, Tree]:
        """Named arrays and plain values."""
        return self.course.to_state()

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh model with a saved state."""
        return self._replace(course=self.course.restored(state))._readable()

    def diagnostics(self) -> dict[str, float | list[float]]:
        """Mean squared reconstruction error of the memory, in squared standard deviations."""
        if self.prepared is None:
            return {}
        return {"reconstruction": float((self._residual(self.course.lessons.held) ** 2).mean())}


@dataclass(frozen=True)
class Objective:
    """The loss of a batch: mean cost of the trusted rows, and what restrains the code."""

    design: Design
    spread: Tensor
    """[D]"""
    tail: float

    def __call__(self, nets: Nets, rows: Tensor, random: np.random.Generator) -> Tensor:
        """The loss of encoder and decoder on rows [B, D]."""
        encoder, decoder = nets
        read = rows
        if self.design.noise:
            read = rows + self.design.noise * torch.from_numpy(random.normal(size=rows.shape))
        code = networks.forward(encoder, read / UNIT)
        residual = rows - networks.forward(decoder, code) * UNIT
        surprise = likelihood.cost(residual, self.spread, self.tail).mean(dim=1)
        kept = likelihood.trusted(surprise)
        loss = surprise[kept].mean()
        if self.design.sparsity:
            loss = loss + self.design.sparsity * code[kept].abs().mean()
        if self.design.contraction:
            squares = jacobian(encoder, read[kept] / UNIT).square().sum(dim=(1, 2))
            loss = loss + self.design.contraction * squares.mean()
        return loss


def jacobian(network: Network, rows: Tensor) -> Tensor:
    """Derivatives [B, in, out] of a network's outputs by its inputs [B, in]."""
    first, bias = network[0]
    slope = first.expand(len(rows), -1, -1)
    given = rows @ first + bias
    for weight, bias in network[1:]:
        hidden = torch.tanh(given)
        slope = (slope * (1.0 - hidden.square())[:, None, :]) @ weight
        given = hidden @ weight + bias
    return slope
