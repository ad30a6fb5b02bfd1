"""A GMVAE as a model: what it learns of a block, how it scores rows, and their clusters."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stream_dagmm import information, likelihood, mixture_prior, networks, training, variation
from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.checkpoint import Tree
from stream_dagmm.course import Course
from stream_dagmm.levels import Level
from stream_dagmm.likelihood import Law
from stream_dagmm.mixture_prior import Readout
from stream_dagmm.training import Nets, Trained

PRIOR_WIDTH = 16
"""Hidden units of the network that moves the clusters."""

SHARE_OF_INFORMATION = 0.75
"""Of log K, by default never taken from the clusters: the information settles where the cut-off
lies, and clusters of unequal sizes have less than log K to tell."""

DRIFTED = 2.0
"""Standard deviations above the mean score at which half a block lies after a drift."""


@dataclass(frozen=True)
class Design:
    """What does not change."""

    clusters: int
    hidden: tuple[int, ...] | None
    latent: int | None
    w_latent: int
    least_information: float | None
    warm_up: float
    law: Law
    w_samples: int
    samples: int
    trusted: float
    learning_rate: float

    def drawn(self, width: int, random: np.random.Generator) -> Trained:
        """q(x|y), q(w|y), p(x|w, z) and p(y|x) for D columns."""
        latent, w = self.latent or min(width, 4), self.w_latent
        hidden = self.hidden or (min(32, max(8, 4 * width)),)
        sizes = [
            [width, *hidden, 2 * latent],
            [width, *hidden, 2 * w],
            [w, PRIOR_WIDTH, 2 * latent * self.clusters],
            [latent, *hidden[::-1], width],
        ]
        to_x, *others = Trained.drawn(sizes, random).nets
        return Trained.of((variation.narrow(to_x), *others))

    def gathered(self, trained: Trained, held: Floats, random: np.random.Generator) -> Trained:
        """With clusters where the memory's rows [R, D] gather, and Adam before its first step."""
        rows = torch.from_numpy(self.seen(held))
        nets = mixture_prior.gathered(trained.nets, rows, self.clusters, random, self.trusted)
        return Trained.of(nets)

    @property
    def cut_off(self) -> float:
        """Nats below which the z-prior term gives no gradient."""
        if self.least_information is None:
            return SHARE_OF_INFORMATION * math.log(self.clusters)
        return self.least_information

    @property
    def tail(self) -> float | None:
        """Degrees of freedom of y | x, None if it is Bernoulli."""
        return likelihood.TAILS[self.law]

    def seen(self, rows: Floats) -> Floats:
        """What the networks see of standardised rows [B, D]."""
        return np.sign(rows) if self.law == "bernoulli" else rows

    def warmth(self, sightings: float) -> float:
        """Weight of the z-prior term, 0 to 1."""
        return min(1.0, sightings / self.warm_up) if self.warm_up else 1.0


class GmvaeModel(NamedTuple):
    """What was taught, the noise [L, X + W], and how rows are scored by them."""

    design: Design
    course: Course
    level: Level
    """Of the scores, for noticing a drift."""
    sightings: float = 0.0
    """Effective sample size since the beginning or the last drift, in events."""
    noise: Floats | None = None
    prepared: Readout | None = None

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
        design, seen = self.design, self.design.seen(standard.rows)
        bound = mixture_prior.log_density(
            self.prepared, spread, self.noise, seen, design.clusters, design.tail
        )
        return np.asarray(standard.beyond - bound)

    def memberships(self, rows: Floats) -> Floats:
        """p(z|x, w) [B, K] of rows [B, D]; all in cluster 0 when cold."""
        if self.prepared is None:
            return np.tile(np.eye(1, self.design.clusters), (len(rows), 1))
        seen = self.design.seen(self.course.lessons.standardised(rows).rows)
        return mixture_prior.memberships(self.prepared, seen, self.design.clusters)

    def centres(self) -> Floats:
        """What each cluster decodes to: standardised rows [K, D]."""
        if self.prepared is None or self.design.law == "bernoulli":
            return np.empty((0, self.width))
        x, _ = mixture_prior.central_clusters(self.prepared, self.design.clusters)
        return networks.exact_forward(self.prepared.decoder, on_row_grid(x))

    def learn(
        self, rows: Floats, contexts: Floats, scores: Floats, is_text: npt.NDArray[np.bool_]
    ) -> Self:
        """After a block of rows [B, D'] with their scores [B], NaN where not known."""
        if np.isnan(scores).any():
            scores = self.score(rows[:, : self.width], contexts)
        after = self._replace(course=self.course.after(rows, is_text))
        if not after.course.ready:
            return after
        watched = after._watched(scores) if self.course.trained else after
        return watched._taught(rows)

    def _watched(self, scores: Floats) -> Self:
        """After the scores [B] of a block: a drift begins the annealing anew."""
        kept = np.sort(scores)[: max(1, round(self.design.trusted * len(scores)))]
        grown = self.sightings * 2.0 ** (-len(scores) / self.course.lessons.half_life) + len(scores)
        if np.median(scores) > self.level.above(DRIFTED):
            return self._replace(level=unsettled(self.course.lessons.half_life), sightings=0.0)
        return self._replace(level=self.level.after(kept), sightings=grown)

    def _taught(self, rows: Floats) -> Self:
        course, design = self.course, self.design
        random, lessons = course.random(1), course.lessons
        block, held = (design.seen(r) for r in (lessons.standardised(rows).rows, lessons.held))
        trained = self._networks(len(rows), random)
        spread = torch.from_numpy(course.standing_spread())
        loss = Objective(design, spread, design.warmth(self.sightings))
        course = course.taught(trained, loss, block, held, design.learning_rate, random)
        latent, w = (len(net[0][0]) for net in (trained.nets[3], trained.nets[2]))
        noise = variation.noise_table(design.samples, latent + w, course.random(2))
        after = self._replace(course=course, noise=noise)._readable()
        return after._replace(course=course.measured(after._residual(held), design.trusted))

    def _networks(self, block: int, random: np.random.Generator) -> Trained:
        """As wide as the columns, and begun anew where a young stream has doubled with a block."""
        course, design, width = self.course, self.design, self.width
        trained = course.trained or design.drawn(width, random)
        shapes = [(len(net[0][0]), len(net[-1][1])) for net in trained.nets]
        (_, x), (_, w), prior, (latent, _) = shapes
        trained = trained.widened([(width, x), (width, w), prior, (latent, width)], random)
        if design.learning_rate > 0.0 and training.doubled(course.lessons.age, block):
            return design.gathered(trained, course.lessons.held, course.random(3))
        return trained

    def _readable(self) -> Self:
        if self.course.trained is None:
            return self
        return self._replace(prepared=mixture_prior.readout(self.course.trained.nets))

    def _residual(self, rows: Floats) -> Floats:
        """Reconstruction errors [B, D] of standardised rows, by a sample of x each."""
        if self.prepared is None or self.noise is None:
            return np.zeros_like(rows)
        mean, log_variance = mixture_prior.posterior(self.prepared.to_x, rows)
        noise = np.resize(self.noise[:, : mean.shape[1]], mean.shape)
        x = on_row_grid(mean + np.exp(0.5 * log_variance) * noise)
        return np.asarray(rows - networks.exact_forward(self.prepared.decoder, x))

    def to_state(self) -> dict[str, Tree]:
        """Named arrays and plain values."""
        changing = {"noise": self.noise, "level": list(self.level), "sightings": self.sightings}
        return {**self.course.to_state(), **changing}

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh model with a saved state."""
        return self._replace(
            course=self.course.restored(state),
            level=Level(*state["level"]),
            sightings=state["sightings"],
            noise=state["noise"],
        )._readable()

    def diagnostics(self) -> dict[str, float | list[float]]:
        """Of the memory: mean squared reconstruction error, the clusters' shares of events and the
        entropy of those, in nats; the entropy of the mean p(z|x, w), which cannot see a collapse;
        the nats that the cluster says of an event, at most log K, and 0 after a collapse; and the
        weight of the z-prior term."""
        if self.prepared is None:
            return {}
        residual = self._residual(self.design.seen(self.course.lessons.held))
        shares = self.memberships(self.course.lessons.memory.rows)
        usage = np.bincount(shares.argmax(axis=1), minlength=self.design.clusters) / len(shares)
        whole, each = (information.entropy(torch.from_numpy(s)) for s in (shares.mean(0), shares))
        return {
            "reconstruction": float((residual**2).mean()),
            "component_weights": usage.tolist(),
            "usage_entropy": float(information.entropy(torch.from_numpy(usage))),
            "responsibility_entropy": float(whole),
            "cluster_information": float(whole - each.mean()),
            "warmth": self.design.warmth(self.sightings),
        }


def unsettled(half_life: float) -> Level:
    return Level(half_life, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Objective:
    """The loss of a batch: minus the bound of the trusted rows, per column."""

    design: Design
    spread: Tensor
    """[D]"""
    warmth: float

    def __call__(self, nets: Nets, rows: Tensor, random: np.random.Generator) -> Tensor:
        """The loss of the four networks on rows [B, D]."""
        design = self.design
        found = mixture_prior.terms(
            nets, rows, self.spread, design.clusters, design.w_samples, random, design.tail
        )
        kept = likelihood.trusted(torch.stack(found).sum(dim=0), design.trusted)
        trusted = mixture_prior.Terms(*(term[kept] for term in found))
        surprise = mixture_prior.loss(trusted, design.cut_off, self.warmth)
        return surprise.mean() / rows.shape[1]
