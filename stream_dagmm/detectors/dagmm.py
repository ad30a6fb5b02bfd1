"""`StreamDAGMM`: the deep autoencoding Gaussian mixture model, learning with every event."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from stream_dagmm import (
    arguments,
    buffers,
    deep_mixture,
    gate,
    innovation,
    mixture,
    neighbourhood,
    scaling,
)
from stream_dagmm.arithmetic import Floats, distance_operand
from stream_dagmm.buffers import Reservoir
from stream_dagmm.checkpoint import Tree
from stream_dagmm.deep_mixture import DeepMixture
from stream_dagmm.features import MOST_FEATURES
from stream_dagmm.gate import Gate
from stream_dagmm.nets import Design
from stream_dagmm.objectives import TAIL
from stream_dagmm.scaling import Ruler, Scale
from stream_dagmm.stream import BlockDetector

MEMORY = 320
"""Rows held in memory: its nearest 15 % are 48, enough for a steady mean of logarithms."""

ENERGY_WEIGHT = 0.25
"""Of the energy per dimension, beside the log distances: what it adds on some streams it costs on
others, more so at higher weights."""

Bools = npt.NDArray[np.bool_]


class StreamDAGMM(BlockDetector):
    """Scores each event of a stream by how little it fits what the stream was, and learns it.

    The score is a sum of logarithms: the event's distance to the nearest 15 % of a memory of past
    events (the floor, which works from the second event on); the same for its reconstruction error
    by an autoencoder; its energy under a mixture of Gaussians over the autoencoder's codes; and
    how far any feature lies beyond `scaling.CLIP` standard deviations. Each is taken on the event
    and on its innovation, the difference from the last ten events or so. Cold, the score is 0.

    Parameters
    ----------
    seed
        Of the networks, the memory's sample and the training batches.
    batch_size
        Events between two steps of learning; until 5 times as many were learned, the next step
        comes after a fifth of what was learned.
    half_life
        Events after which an event's weight in all statistics has halved; `inf` forgets nothing.
    n_components
        Gaussians of the latent mixture.
    hidden
        Widths of the encoder's hidden layers, mirrored in the decoder; by default one layer of up
        to 64, and the paper's 60-30-10 when faithful.
    latent
        Size of the code; by default min(inputs, 12), and the paper's 1 when faithful.
    learning_rate
        Of Adam; 0 leaves the networks as drawn, while everything else learns.
    floor
        Whether the distance in the features is part of the score; without it the neural part
        stands alone, and a value between its learned range and `scaling.CLIP` standard deviations
        need not score higher than one inside.
    faithful
        Whether to be the paper's DAGMM, made incremental: z_r = [||x - x'|| / ||x||, cosine],
        memberships by the estimation network with dropout, lambda_1 = 0.1, lambda_2 = 0.005,
        Gaussian energy, no innovations, no trimming, no gate. That energy need not rise between a
        feature's learned range and `scaling.CLIP` standard deviations.
    max_features
        Columns given out one by one; later features share a fixed number of hashed ones.

    Examples
    --------
    >>> from river import datasets
    >>> from stream_dagmm import StreamDAGMM
    >>> detector = StreamDAGMM(seed=42)
    >>> for x, _ in datasets.Shuttle().take(1024):
    ...     score = detector.score_one(x)
    ...     detector.learn_one(x)
    >>> print(f"{score:.1f} {detector.score_one({**x, 'f1': 900.0}):.1f}")
    -4.7 1.7

    References
    ----------
    Zong et al., "Deep Autoencoding Gaussian Mixture Model for Unsupervised Anomaly Detection",
    ICLR 2018.
    """

    def __init__(
        self,
        seed: int = 0,
        batch_size: int = 512,
        half_life: float = 20_000.0,
        n_components: int = 4,
        hidden: Sequence[int] | None = None,
        latent: int | None = None,
        learning_rate: float = 0.01,
        floor: bool = True,
        faithful: bool = False,
        max_features: int = 512,
    ) -> None:
        self.seed = arguments.at_least(0, seed=seed)
        self.batch_size = arguments.at_least(1, batch_size=batch_size)
        self.half_life = arguments.positive(half_life=half_life)
        self.n_components = arguments.at_least(1, n_components=n_components)
        self.hidden = hidden
        self.latent = None if latent is None else arguments.at_least(1, latent=latent)
        self.learning_rate = arguments.not_negative(learning_rate=learning_rate)
        self.floor = arguments.flag(floor=floor)
        self.faithful = arguments.flag(faithful=faithful)
        # Short blocks while every event is news. The paper's networks need long ones to learn.
        self.growth = 1.0 if self.faithful else 0.2
        self.max_features = arguments.between(1, MOST_FEATURES, max_features=max_features)
        self._begin()

    @classmethod
    def _unit_test_params(cls) -> Any:
        yield {"batch_size": 32}
        yield {"batch_size": 32, "floor": False}
        yield {"batch_size": 32, "faithful": True, "floor": False}

    def _fresh(self) -> "DagmmModel":
        hidden = None if self.hidden is None else arguments.widths(hidden=self.hidden)
        design = Design(
            hidden=hidden,
            latent=self.latent,
            n_components=self.n_components,
            learning_rate=self.learning_rate,
            dropout=0.5 if self.faithful else 0.0,
            energy_weight=0.1,
            covariance_weight=0.005,
            faithful=self.faithful,
            half_life=self.half_life,
            seed=self.seed,
        )
        return DagmmModel.fresh(design, self.floor)

    def _restored(self, state: dict[str, Any]) -> "DagmmModel":
        return self._fresh().restored(state)


class Held(NamedTuple):
    """What follows from scale, memory and networks, worked out once a block."""

    ruler: Ruler
    """Of the columns and innovations, interleaved."""
    own_ruler: Ruler
    """Of the columns alone."""
    rows: Floats
    """[R, 2 D] the memory on the scale: columns and innovations, interleaved."""
    own: Floats
    """The memory's columns, made ready for distances to them; so its innovations, `new`, and its
    reconstruction errors, `residual`, which are of the networks' inputs."""
    new: Floats
    residual: Floats

    @classmethod
    def of(cls, scale: Scale, memory: Floats, residual: Floats) -> Self:
        """After scale or memory [R, 2 D] moved."""
        ruler = scaling.ruler(scale)
        rows = scaling.measured(ruler, memory).rows
        own, new = map(distance_operand, _apart(rows))
        own_ruler = Ruler._make(array[::2] for array in ruler)
        return cls(ruler, own_ruler, rows, own, new, residual)


class DagmmModel(NamedTuple):
    """What is known of D columns and their innovations, interleaved: [x0, i0, x1, i1, ...]."""

    design: Design
    floor: bool
    scale: Scale
    gate: Gate
    memory: Reservoir
    deep: DeepMixture | None
    age: int
    held: Held

    @classmethod
    def fresh(cls, design: Design, floor: bool) -> Self:
        """The model that knows nothing."""
        scale = scaling.widen(scaling.fresh(), np.array([True, False]))
        memory = Reservoir.fresh(MEMORY, design.half_life, 2)
        nothing = Held.of(scale, memory.rows, np.empty((0, 0)))
        return cls(design, floor, scale, Gate.fresh(design.half_life), memory, None, 0, nothing)

    @property
    def width(self) -> int:
        """Columns learned."""
        return len(self.scale.mean) // 2

    def follow(self, context: Floats, rows: Floats) -> tuple[Floats, Floats]:
        """Contexts [B, 1 + D]: each row's log distance to the memory and the levels that it meets.
        The context that is carried on has no distance."""
        distances = self._distances(rows)
        frozen = self.gate.freezes(distances)
        tempered = scaling.tempered_by(self.held.own_ruler, rows)
        levels, after = innovation.follow(context[1:], tempered, frozen)
        return np.column_stack([distances, levels]), np.append(np.nan, after)

    def score(self, rows: Floats, contexts: Floats) -> Floats:
        """Scores [B] of rows [B, D]."""
        return self.terms(rows, contexts)["score"]

    def terms(self, rows: Floats, contexts: Floats) -> dict[str, Floats]:
        """The score and the terms that add up to it, each [B]."""
        standard = scaling.measured(self.held.ruler, self._extended(rows, contexts))
        terms = {"beyond": standard.beyond}
        if self.floor and len(self.held.rows):
            own, new = _apart(standard.rows)
            known = contexts[:, :1].ravel()  # measured by `follow`, or nothing at all
            if not len(known) or np.isnan(known).any():
                known = neighbourhood.log_distance_to(self.held.own, own)
            terms["density"] = known
            terms["innovation"] = neighbourhood.log_distance_to(self.held.new, new)
        if self.deep is not None:
            terms |= self._neural_terms(self.deep, self._inputs(standard.rows))
        return terms | {"score": np.sum(list(terms.values()), axis=0)}

    def _neural_terms(self, deep: DeepMixture, inputs: Floats) -> dict[str, Floats]:
        seen = deep_mixture.encoded(deep, inputs)
        prepared = deep.published.prepared
        if self.design.faithful:
            return {"energy": mixture.row_energy(prepared, seen.z)}
        energy = mixture.row_energy(prepared, seen.z, TAIL)
        residual = neighbourhood.log_distance_to(self.held.residual, seen.residual)
        return {"residual": residual, "energy": ENERGY_WEIGHT * energy / seen.z.shape[1]}

    def learn(self, rows: Floats, contexts: Floats, scores: Floats, is_text: Bools) -> Self:
        """After a block of rows [B, D'] with their scores [B], NaN where not known."""
        teaches, opened = self._passed(rows[:, : self.width], contexts, scores)
        lessons = self._extended(rows, contexts)[teaches]
        both = np.stack([is_text, np.zeros_like(is_text)], axis=1).reshape(-1)
        scale = scaling.update(scaling.widen(self.scale, both), lessons, self.design.half_life)
        age = self.age + len(rows)
        memory = self.memory.offer(lessons, buffers.generator(self.design.seed, age, 0))
        held = Held.of(scale, memory.rows, self.held.residual)
        taught = scaling.measured(held.ruler, lessons).rows
        after = self._replace(scale=scale, gate=opened, memory=memory, age=age, held=held)
        return after._deepened(taught)

    def _passed(self, rows: Floats, contexts: Floats, scores: Floats) -> tuple[Bools, Gate]:
        if self.design.faithful:
            return np.ones(len(rows), dtype=np.bool_), self.gate
        if np.isnan(scores).any():
            scores = self.score(rows, contexts)
        return gate.passed(self.gate, rows, self._standardised, scores, contexts[:, 0])

    def _deepened(self, taught: Floats) -> Self:
        inputs = self._inputs(self.held.rows)
        if self.deep is None and len(inputs) < deep_mixture.LEAST_ROWS:
            return self
        deep = self.deep or deep_mixture.fresh(self.design, inputs)
        deep = deep_mixture.learned(deep, self._inputs(taught), inputs, self.age)
        deep, residual = deep_mixture.respread(deep, inputs)
        held = self.held._replace(residual=distance_operand(residual))
        return self._replace(deep=deep, held=held)

    def _distances(self, rows: Floats) -> Floats:
        if not len(self.held.rows):
            return np.zeros(len(rows))
        return neighbourhood.log_distance_to(self.held.own, self._standardised(rows))

    def _standardised(self, rows: Floats) -> Floats:
        return scaling.measured(self.held.own_ruler, rows).rows

    def _inputs(self, rows: Floats) -> Floats:
        """What the networks see of standardised rows [B, 2 D]: all, or no innovations."""
        return _apart(rows)[0] if self.design.faithful else rows

    def _extended(self, rows: Floats, contexts: Floats) -> Floats:
        """Rows [B, D'] and their innovations, interleaved [B, 2 D']. A column without a level, or
        that never varied (where the echo of one odd event would last for ever), has none."""
        ruler, levels = self.held.own_ruler, contexts[:, 1 : 1 + self.width]
        known = levels.shape[1]
        apart = scaling.tempered_by(ruler, rows[:, : self.width])[:, :known] - levels
        both = np.full((len(rows), 2 * rows.shape[1]), np.nan)
        both[:, ::2] = rows
        both[:, 1 : 2 * known : 2] = np.where(ruler.varies[:known], apart, np.nan)
        return both

    def to_state(self) -> dict[str, Tree]:
        """Named arrays and plain values."""
        return {
            "scale": dict(self.scale._asdict()),
            "gate": self.gate.to_state(),
            "memory": self.memory.to_state(),
            "deep": deep_mixture.to_state(self.deep) if self.deep else None,
            "age": self.age,
        }

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh model with a saved state."""
        deep = deep_mixture.restored(self.design, state["deep"]) if state["deep"] else None
        after = self._replace(
            scale=Scale(**state["scale"]),
            gate=self.gate.restored(state["gate"]),
            memory=self.memory.restored(state["memory"]),
            deep=deep,
            age=state["age"],
        )
        held = Held.of(after.scale, after.memory.rows, self.held.residual)
        if deep is not None:
            residual = deep_mixture.encoded(deep, self._inputs(held.rows)).residual
            held = held._replace(residual=distance_operand(residual))
        return after._replace(held=held)

    def diagnostics(self) -> dict[str, float | list[float]]:
        """Mean reconstruction error and energy of the memory, and the components' weights."""
        if self.deep is None:
            return {}
        seen = deep_mixture.encoded(self.deep, self._inputs(self.held.rows))
        energy = mixture.row_energy(self.deep.published.prepared, seen.z)
        return {
            "reconstruction": float((seen.residual**2).mean()),
            "energy": float(energy.mean()),
            "component_weights": mixture.weights(self.deep.published.mixture).tolist(),
        }


def _apart(rows: Floats) -> tuple[Floats, Floats]:
    """Interleaved rows [B, 2 D] as columns and innovations [B, D]."""
    return np.ascontiguousarray(rows[:, ::2]), np.ascontiguousarray(rows[:, 1::2])
