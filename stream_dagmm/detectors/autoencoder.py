"""`StreamAutoencoder`: a deep (denoising) autoencoder that learns with every event."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stream_dagmm import arguments, likelihood, networks, training
from stream_dagmm.arithmetic import Floats
from stream_dagmm.checkpoint import Tree
from stream_dagmm.features import MOST_FEATURES
from stream_dagmm.lessons import Lessons
from stream_dagmm.networks import ExactNetwork, Network
from stream_dagmm.stream import BlockDetector
from stream_dagmm.training import UNIT, Nets, Trained

LARGEST_DEFAULT_CODE = 8


class StreamAutoencoder(BlockDetector):
    """Scores an event by how badly a deep autoencoder reconstructs it, column by column.

    The score is the robust residual, the mean over columns of (nu + 1) log(1 + r^2 / (nu s)): a
    Student-t likelihood (nu = `likelihood.TAIL`) on each column's own usual squared residual s.
    The networks learn from the least surprising 70 % of each batch. Features are standardised
    online; beyond `scaling.CLIP` standard deviations of a feature the score grows with the
    logarithm of the distance. Cold, before the 32nd event, only that is scored.

    Parameters
    ----------
    hidden
        Widths of the encoder's hidden layers, mirrored in the decoder; by default one layer of up
        to 64.
    latent
        Size of the code; by default half the columns, at most 8. As many as there are features or
        more are refused (ValueError at the block in which the networks are made) unless noise,
        sparsity or contraction keeps the code from being a trivial copy.
    noise
        Standard deviation, in each feature's own, of the Gaussian noise that is added to what the
        encoder reads in training: above 0 the autoencoder is a denoising one, and learns what
        columns say of each other; at 0 it is a plain one.
    sparsity
        Weight of the mean absolute code in the loss.
    contraction
        Weight of the squared Frobenius norm of the encoder's Jacobian in the loss.
    learning_rate
        Of Adam; 0 leaves the networks as drawn, while everything else learns.
    half_life
        Events after which an event's weight in the scale has halved; `inf` forgets nothing.
    batch_size
        Events between two steps of learning; the first blocks are of 1, 1, 2, 4, ... events.
    max_features
        Columns given out one by one; later features share a fixed number of hashed ones.
    seed
        Of the networks, the memory's sample, the training batches and their noise.

    Examples
    --------
    >>> from river import datasets
    >>> from stream_dagmm import StreamAutoencoder
    >>> detector = StreamAutoencoder()
    >>> for x, _ in datasets.Shuttle().take(1024):
    ...     detector.learn_one(x)
    >>> print(f"{detector.score_one(x):.1f} {detector.score_one({**x, 'f1': 900.0}):.1f}")
    0.1 5.3

    References
    ----------
    Denoising: Vincent et al., "Extracting and Composing Robust Features with Denoising
    Autoencoders", ICML 2008, equation 5. Contraction: Rifai et al., "Contractive Auto-Encoders",
    ICML 2011, equation 4.
    """

    def __init__(
        self,
        hidden: Sequence[int] | None = None,
        latent: int | None = None,
        noise: float = 0.5,
        sparsity: float = 0.0,
        contraction: float = 0.0,
        learning_rate: float = 0.01,
        half_life: float = 20_000.0,
        batch_size: int = 256,
        max_features: int = 512,
        seed: int = 0,
    ) -> None:
        self.hidden = hidden
        self.latent = None if latent is None else arguments.at_least(1, latent=latent)
        self.noise = arguments.not_negative(noise=noise)
        self.sparsity = arguments.not_negative(sparsity=sparsity)
        self.contraction = arguments.not_negative(contraction=contraction)
        self.learning_rate = arguments.not_negative(learning_rate=learning_rate)
        self.half_life = arguments.positive(half_life=half_life)
        self.batch_size = arguments.at_least(1, batch_size=batch_size)
        self.max_features = arguments.between(1, MOST_FEATURES, max_features=max_features)
        self.seed = arguments.at_least(0, seed=seed)
        self._begin()

    @classmethod
    def _unit_test_params(cls) -> Any:
        yield {"batch_size": 32}
        yield {"batch_size": 32, "noise": 0.0}

    def _fresh(self) -> "AutoencoderModel":
        design = Design(
            hidden=None if self.hidden is None else arguments.widths(hidden=self.hidden),
            latent=self.latent,
            noise=self.noise,
            sparsity=self.sparsity,
            contraction=self.contraction,
            learning_rate=self.learning_rate,
        )
        return AutoencoderModel(design, Lessons.fresh(self.half_life, self.seed), None, None, 0)

    def _restored(self, state: dict[str, Any]) -> "AutoencoderModel":
        return self._fresh().restored(state)


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
        if self.latent and latent >= features and not self.restrained:
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


class Readout(NamedTuple):
    """The networks as operands of exact products."""

    encoder: ExactNetwork
    decoder: ExactNetwork


class AutoencoderModel(NamedTuple):
    """Scale, memory, networks and the usual squared residuals [D]."""

    design: Design
    lessons: Lessons
    trained: Trained | None
    spread: Floats | None
    blocks: int
    """Blocks that the networks have seen."""
    prepared: Readout | None = None

    @property
    def width(self) -> int:
        """Columns learned."""
        return self.lessons.width

    def follow(self, context: Floats, rows: Floats) -> tuple[Floats, Floats]:
        """No context."""
        return np.empty((len(rows), 0)), context

    def score(self, rows: Floats, contexts: Floats) -> Floats:
        """Scores [B] of rows [B, D]."""
        standard = self.lessons.standardised(rows)
        if self.spread is None:
            return standard.beyond
        cost = likelihood.row_cost(self._residual(standard.rows), self.spread, likelihood.TAIL)
        return np.asarray(cost / rows.shape[1] + standard.beyond)

    def learn(
        self, rows: Floats, contexts: Floats, scores: Floats, is_text: npt.NDArray[np.bool_]
    ) -> Self:
        """After a block of rows [B, D']."""
        after = self._replace(lessons=self.lessons.after(rows, is_text))
        if self.trained is None and len(after.lessons.held) < training.LEAST_ROWS:
            return after
        return after._trained(after.lessons.standardised(rows).rows)

    def _trained(self, block: Floats) -> Self:
        lessons, width = self.lessons, self.lessons.width
        random = lessons.random(lessons.age, 1)
        spread = np.ones(width) if self.spread is None else _grown(self.spread, width)
        trained = self.trained or Trained.drawn(self.design.sizes(width), random)
        code = len(trained.nets[0][-1][1])
        trained = trained.widened([(width, code), (code, width)], random).taught(
            Objective(self.design, torch.from_numpy(spread), likelihood.TAIL),
            block,
            lessons.held,
            lessons.age,
            self.design.learning_rate,
            random,
        )
        blocks = self.blocks + 1
        after = self._replace(trained=trained, spread=spread, blocks=blocks)._readable()
        residual = after._residual(lessons.held)
        return after._replace(spread=likelihood.respread(spread, residual, 1.0 / blocks))

    def _readable(self) -> Self:
        if self.trained is None:
            return self
        encoder, decoder = self.trained.nets
        exact = training.exact_inwards(encoder), training.exact_outwards(decoder)
        return self._replace(prepared=Readout(*exact))

    def _residual(self, rows: Floats) -> Floats:
        """Reconstruction errors [B, D] of standardised rows; each row's bits are its own."""
        if self.prepared is None:
            return np.zeros_like(rows)
        code = networks.exact_forward(self.prepared.encoder, rows)
        return np.asarray(rows - networks.exact_forward(self.prepared.decoder, code))

    def to_state(self) -> dict[str, Tree]:
        """Named arrays and plain values."""
        trained = self.trained.to_state() if self.trained else None
        changing = {"networks": trained, "spread": self.spread, "blocks": self.blocks}
        return {**self.lessons.to_state(), **changing}

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh model with a saved state."""
        trained = Trained.restored(state["networks"]) if state["networks"] else None
        return self._replace(
            lessons=self.lessons.restored(state),
            trained=trained,
            spread=state["spread"],
            blocks=state["blocks"],
        )._readable()

    def diagnostics(self) -> dict[str, float | list[float]]:
        """Mean squared reconstruction error of the memory, in squared standard deviations."""
        if self.trained is None:
            return {}
        return {"reconstruction": float((self._residual(self.lessons.held) ** 2).mean())}


def _grown(spread: Floats, width: int) -> Floats:
    return np.append(spread, np.ones(width - len(spread)))


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
