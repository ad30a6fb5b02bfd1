"""`make bench-gaussians`: how well three Gaussians are recovered from a stream, at rest and moving.

20,000 events of three Gaussians with weights 0.5, 0.3 and 0.2 and full covariances, in 2 and in 8
dimensions; at rest, or with every mean going ten standard deviations on a way of its own in the
course of the stream. Judged at the end, on 2,000 unseen events of the Gaussians where they stand:

- error: mean distance of a Gaussian's mean to its centre by the best one-to-one assignment (to the
  nearest centre where there are too few), in standard deviations per dimension;
- KL: divergence of the true density from the method's, in nats, by sampling: the mean log ratio
  over the unseen events;
- ARI: adjusted Rand index of the clusters with the Gaussians.

The oracles see all events of the stream at once; of moving Gaussians they see all places as one.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from stream_dagmm import mixture
from stream_dagmm.arithmetic import Floats
from stream_dagmm.mixture import Mixture
from tests.benchmarks import kept
from tests.benchmarks.clusterers import COMPONENTS, METHODS, WITHIN, Answer, Labels
from tests.benchmarks.pictures import Picture, drawn
from tests.benchmarks.tables import markdown
from tests.threads import threads

EVENTS, UNSEEN, SEEDS = 20_000, 2_000, 3
WEIGHTS = np.array([0.5, 0.3, 0.2])
WAY = 10.0
FIGURE = kept.RESULTS / "three-gaussians.svg"
WORLDS = {f"{d}-D, {'moving' if m else 'at rest'}": (d, m) for d in (2, 8) for m in (False, True)}


class World(NamedTuple):
    """Three Gaussians that may move."""

    mean: Floats
    """[K, D] at the beginning."""
    way: Floats
    """[K, D] from there to the end."""
    factor: Floats
    """[K, D, D] of the covariances."""

    @classmethod
    def drawn(cls, dimensions: int, moving: bool, random: np.random.Generator) -> "World":
        """Means about eight deviations apart, covariances with correlations, ways at random."""
        directions = np.linalg.qr(random.normal(size=(max(3, dimensions), 3)))[0].T[:, :dimensions]
        angles = 2.0 * math.pi * np.arange(COMPONENTS) / COMPONENTS
        flat = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        mean = 5.0 * (flat if dimensions == 2 else directions)
        way = random.normal(size=mean.shape)
        way *= WAY / np.linalg.norm(way, axis=1, keepdims=True) * moving
        factor = np.linalg.cholesky(
            [0.6 * np.eye(dimensions) + 0.4 * _turned(dimensions, random) for _ in mean]
        )
        return cls(mean, way, np.asarray(WITHIN * factor, dtype=np.float64))

    def events(self, times: Floats, random: np.random.Generator) -> tuple[Floats, Labels]:
        """An event [D] at each time in [0, 1], and of which Gaussian."""
        kinds = random.choice(COMPONENTS, size=len(times), p=WEIGHTS)
        noise = np.einsum(
            "bij,bj->bi", self.factor[kinds], random.normal(size=(len(times), len(self.mean[0])))
        )
        return self.mean[kinds] + times[:, None] * self.way[kinds] + noise, kinds

    def at_end(self) -> Mixture:
        """The true mixture when the stream is over."""
        covariance = self.factor @ self.factor.transpose(0, 2, 1)
        parts = (WEIGHTS, self.mean + self.way, covariance)
        return Mixture(*map(torch.from_numpy, parts))


def _turned(dimensions: int, random: np.random.Generator) -> Floats:
    """A random covariance of mean variance 1."""
    factor = random.normal(size=(dimensions, dimensions))
    covariance = factor @ factor.T
    return np.asarray(covariance * dimensions / np.trace(covariance))


class Figures(NamedTuple):
    """How well a method did."""

    error: float
    divergence: float
    """NaN where the method has no density of events."""
    rand: float


def judged(answer: Answer, unseen: Floats, kinds: Labels, true: Mixture) -> Figures:
    """The figures of an answer."""
    logs = mixture.log_joint(true, torch.from_numpy(unseen)).logsumexp(dim=1).numpy()
    divergence = math.nan
    if answer.log_density is not None:
        divergence = float((logs - answer.log_density).mean())
    error = matched_error(true.mean.numpy(), answer.centres)
    return Figures(error, divergence, float(adjusted_rand_score(kinds, answer.labels)))


def matched_error(means: Floats, centres: Floats) -> float:
    """Mean distance of means [K, D] to centres [C, D], per dimension and deviation.

    >>> matched_error(np.array([[0.0], [4.0]]), np.array([[4.5], [0.5], [9.0]]))
    0.5
    """
    apart = np.linalg.norm(means[:, None] - centres, axis=2) / (WITHIN * math.sqrt(means.shape[1]))
    found = apart.min(axis=1)
    rows, columns = linear_sum_assignment(apart)
    found[rows] = apart[rows, columns]
    return float(found.mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print and keep the table, and draw the two-dimensional worlds of the first seed."""
    parser = kept.parser(__doc__, __file__)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    given = parser.parse_args(arguments)
    with threads(1):
        results = {name: everywhere(name, given.seeds) for name in given.methods}
    head = (f"error / KL / ARI, mean of {given.seeds} seeds", *WORLDS)
    rows = [[name, *map(_words, found.values())] for name, found in results.items()]
    kept.keep(markdown(head, rows), given.table, __file__, arguments)
    given.figure.write_text(drawn(_pictures(results), len(results)))


def everywhere(name: str, seeds: int) -> dict[str, list[tuple[Figures, Picture]]]:
    """A method in all worlds, by seed."""
    return {
        title: [measured(name, *world, seed) for seed in range(seeds)]
        for title, world in WORLDS.items()
    }


def measured(name: str, dimensions: int, moving: bool, seed: int) -> tuple[Figures, Picture]:
    """A method in a world."""
    random = np.random.default_rng([seed, dimensions, moving])
    world = World.drawn(dimensions, moving, random)
    stream, _ = world.events(np.linspace(0.0, 1.0, EVENTS), random)
    unseen, kinds = world.events(np.ones(UNSEEN), random)
    answer = METHODS[name](stream, unseen, seed)
    true = world.at_end()
    picture = Picture(name, unseen[:400], answer.labels[:400], answer.centres, true)
    return judged(answer, unseen, kinds, true), picture


def _words(found: list[tuple[Figures, Picture]]) -> str:
    means = np.mean([figures for figures, _ in found], axis=0)
    return " / ".join("-" if math.isnan(value) else f"{value:.2f}" for value in means)


def _pictures(results: dict[str, dict[str, list[tuple[Figures, Picture]]]]) -> list[Picture]:
    """Of the worlds that lie in the plane, world by world."""
    return [
        found[title][0][1]._replace(title=f"{name}, {title}")
        for title, (dimensions, _) in WORLDS.items()
        for name, found in results.items()
        if dimensions == 2
    ]


if __name__ == "__main__":
    main()
