"""`StreamGMVAE`: a variational autoencoder with a Gaussian mixture prior, learning as it scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stream_dagmm import (
    arguments,
    information,
    likelihood,
    mixture_prior,
    networks,
    training,
    variation,
)
from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.checkpoint import Tree
from stream_dagmm.events import as_events
from stream_dagmm.features import MOST_FEATURES
from stream_dagmm.lessons import Lessons
from stream_dagmm.levels import Level
from stream_dagmm.mixture_prior import Readout
from stream_dagmm.stream import BlockDetector
from stream_dagmm.training import Nets, Trained

PRIOR_WIDTH = 16
"""Hidden units of the network that moves the clusters."""

SHARE_OF_INFORMATION = 0.75
"""Of log K, by default never taken from the clusters: the information settles where the cut-off
lies, and clusters of unequal sizes have less than log K to tell."""

DRIFTED = 2.0
"""Standard deviations above the mean score at which half a block lies after a drift."""


class StreamGMVAE(BlockDetector):
    """Scores an event by minus the log of its density, in nats, under a GMVAE; and clusters it.

    The density is bounded from below by importance weighting with L samples of the latents x and w,
    the cluster z summed out exactly; y | x is a Student-t law in each column, on the column's own
    usual squared residual. The networks learn the evidence lower bound of the least surprising
    events of each batch. Features are standardised online; beyond `scaling.CLIP` standard
    deviations of a feature the score grows with the logarithm of the distance. Cold, before the
    32nd event, only that is scored, and every event belongs to cluster 0.

    Parameters
    ----------
    n_components
        K, clusters.
    hidden
        Widths of the recognition networks' hidden layers, mirrored in the decoder; by default one
        layer of up to 32.
    latent
        Dimensions of x; by default as many as columns, at most 4.
    w_latent
        Dimensions of w.
    least_information
        Nats of KL(p(z|x, w) || p(z)), in the mean of a batch, below which the z-prior term gives no
        gradient; by default three quarters of the most there can be, log K. 0 switches the cut-off
        off.
    warm_up
        Events, by effective sample size, until the z-prior term has its full weight; counted anew
        after a drift. 0 switches the annealing off.
    bernoulli
        Whether y | x is Bernoulli in each column, which then says only whether it lies above its
        mean: for events of yes and no.
    w_samples
        M, of w for each event in training.
    samples
        L, of x and w for each score; their noise is shared by all events and renewed by learning.
    trusted
        Share of each batch, the least surprising, that teaches: the rest may be anomalies. 1 learns
        from all, and is for clustering, where the smallest cluster would be the least trusted.
    learning_rate
        Of Adam; 0 leaves the networks as drawn, while everything else learns.
    half_life
        Events after which an event's weight in the scale has halved; `inf` forgets nothing.
    batch_size
        Events between two steps of learning; the first blocks are of 1, 1, 2, 4, ... events.
    max_features
        Columns given out one by one; later features share a fixed number of hashed ones.
    seed
        Of the networks, the memory's sample, the training batches and all noise.

    Examples
    --------
    >>> from river import datasets
    >>> from stream_dagmm import StreamGMVAE
    >>> detector = StreamGMVAE()
    >>> for x, _ in datasets.Shuttle().take(1024):
    ...     detector.learn_one(x)
    >>> print(f"{detector.score_one(x):.1f} {detector.score_one({**x, 'f1': 900.0}):.1f}")
    2.4 72.8

    References
    ----------
    Dilokthanakul et al., "Deep Unsupervised Clustering with Gaussian Mixture Variational
    Autoencoders", 2016, equations 1 to 5 and section 3.3. Score: Burda, Grosse and Salakhutdinov,
    "Importance Weighted Autoencoders", ICLR 2016, equation 8. Beginnings: `mixture_prior.gathered`.
    """

    def __init__(
        self,
        n_components: int = 8,
        hidden: Sequence[int] | None = None,
        latent: int | None = None,
        w_latent: int = 2,
        least_information: float | None = None,
        warm_up: float = 4096.0,
        bernoulli: bool = False,
        w_samples: int = 1,
        samples: int = 4,
        trusted: float = likelihood.TRUSTED,
        learning_rate: float = 0.01,
        half_life: float = 20_000.0,
        batch_size: int = 256,
        max_features: int = 512,
        seed: int = 0,
    ) -> None:
        self.n_components = arguments.at_least(1, n_components=n_components)
        self.hidden = hidden
        self.latent = None if latent is None else arguments.at_least(1, latent=latent)
        self.w_latent = arguments.at_least(1, w_latent=w_latent)
        self.least_information = (
            None
            if least_information is None
            else arguments.not_negative(least_information=least_information)
        )
        self.warm_up = arguments.not_negative(warm_up=warm_up)
        self.bernoulli = arguments.flag(bernoulli=bernoulli)
        self.w_samples = arguments.at_least(1, w_samples=w_samples)
        self.samples = arguments.at_least(1, samples=samples)
        self.trusted = arguments.share(trusted=trusted)
        self.learning_rate = arguments.not_negative(learning_rate=learning_rate)
        self.half_life = arguments.positive(half_life=half_life)
        self.batch_size = arguments.at_least(1, batch_size=batch_size)
        self.max_features = arguments.between(1, MOST_FEATURES, max_features=max_features)
        self.seed = arguments.at_least(0, seed=seed)
        self._begin()

    @classmethod
    def _unit_test_params(cls) -> Any:
        yield {"batch_size": 32}
        yield {"batch_size": 32, "n_components": 3, "samples": 1}

    def predict_one(self, x: dict[Any, Any]) -> int:
        """The likeliest cluster of an event, 0 to K - 1, as a River `Clusterer` says it. Pure."""
        return int(self.predict_many([x])[0])

    def predict_many(self, X: Any) -> npt.NDArray[np.int64]:
        """The likeliest clusters [B] of events [dataframe, 2-D array or dictionaries]."""
        rows = self._columns.encode(as_events(X), self._model.width)
        return np.asarray(self._gmvae.memberships(rows).argmax(axis=1))

    def centres(self) -> list[dict[str, float]]:
        """The numeric features of the event that each cluster stands for, decoded from the mean of
        p(x | w = 0, z); none when cold, or where columns are Bernoulli."""
        return self._columns.decode(self._gmvae.lessons.in_own_units(self._gmvae.centres()))

    @property
    def _gmvae(self) -> "GmvaeModel":
        if not isinstance(self._model, GmvaeModel):
            raise TypeError("the model must be a GmvaeModel; construct a StreamGMVAE")
        return self._model

    def _fresh(self) -> "GmvaeModel":
        design = Design(
            clusters=self.n_components,
            hidden=None if self.hidden is None else arguments.widths(hidden=self.hidden),
            latent=self.latent,
            w_latent=self.w_latent,
            least_information=self.least_information,
            warm_up=self.warm_up,
            bernoulli=self.bernoulli,
            w_samples=self.w_samples,
            samples=self.samples,
            trusted=self.trusted,
            learning_rate=self.learning_rate,
        )
        lessons = Lessons.fresh(self.half_life, self.seed)
        return GmvaeModel(design, lessons, None, None, 0, None, _unsettled(self.half_life), 0.0)

    def _restored(self, state: dict[str, Any]) -> "GmvaeModel":
        return self._fresh().restored(state)


@dataclass(frozen=True)
class Design:
    """What does not change."""

    clusters: int
    hidden: tuple[int, ...] | None
    latent: int | None
    w_latent: int
    least_information: float | None
    warm_up: float
    bernoulli: bool
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
        return None if self.bernoulli else likelihood.TAIL

    def seen(self, rows: Floats) -> Floats:
        """What the networks see of standardised rows [B, D]."""
        return np.sign(rows) if self.bernoulli else rows

    def warmth(self, sightings: float) -> float:
        """Weight of the z-prior term, 0 to 1."""
        return min(1.0, sightings / self.warm_up) if self.warm_up else 1.0


class GmvaeModel(NamedTuple):
    """Scale, memory, networks, the usual squared residuals [D] and the noise [L, X + W]."""

    design: Design
    lessons: Lessons
    trained: Trained | None
    spread: Floats | None
    blocks: int
    """Blocks that the networks have seen."""
    noise: Floats | None
    level: Level
    """Of the scores, for noticing a drift."""
    sightings: float
    """Effective sample size since the beginning or the last drift, in events."""
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
        if self.spread is None or self.prepared is None or self.noise is None:
            return standard.beyond
        bound = mixture_prior.log_density(
            self.prepared,
            self.spread,
            self.noise,
            self.design.seen(standard.rows),
            self.design.clusters,
            self.design.tail,
        )
        return np.asarray(standard.beyond - bound)

    def memberships(self, rows: Floats) -> Floats:
        """p(z|x, w) [B, K] of rows [B, D]; all in cluster 0 when cold."""
        if self.prepared is None:
            return np.tile(np.eye(1, self.design.clusters), (len(rows), 1))
        seen = self.design.seen(self.lessons.standardised(rows).rows)
        return mixture_prior.memberships(self.prepared, seen, self.design.clusters)

    def centres(self) -> Floats:
        """What each cluster decodes to: standardised rows [K, D]."""
        if self.prepared is None or self.design.bernoulli:
            return np.empty((0, self.width))
        x, _ = mixture_prior.central_clusters(self.prepared, self.design.clusters)
        return networks.exact_forward(self.prepared.decoder, on_row_grid(x))

    def learn(
        self, rows: Floats, contexts: Floats, scores: Floats, is_text: npt.NDArray[np.bool_]
    ) -> Self:
        """After a block of rows [B, D'] with their scores [B], NaN where not known."""
        if np.isnan(scores).any():
            scores = self.score(rows[:, : self.width], contexts)
        after = self._replace(lessons=self.lessons.after(rows, is_text))
        if self.trained is None and len(after.lessons.held) < training.LEAST_ROWS:
            return after
        watched = after._watched(scores) if self.trained else after
        return watched._taught(watched.lessons.standardised(rows).rows)

    def _watched(self, scores: Floats) -> Self:
        """After the scores [B] of a block: a drift begins the annealing anew."""
        kept = np.sort(scores)[: max(1, round(self.design.trusted * len(scores)))]
        grown = self.sightings * 2.0 ** (-len(scores) / self.lessons.half_life) + len(scores)
        if np.median(scores) > self.level.above(DRIFTED):
            return self._replace(level=_unsettled(self.lessons.half_life), sightings=0.0)
        return self._replace(level=self.level.after(kept), sightings=grown)

    def _taught(self, block: Floats) -> Self:
        lessons, width, design = self.lessons, self.lessons.width, self.design
        random = lessons.random(lessons.age, 1)
        old = np.empty(0) if self.spread is None else self.spread
        spread = np.append(old, np.ones(width - len(old)))
        trained = self.trained or design.drawn(width, random)
        shapes = [(len(net[0][0]), len(net[-1][1])) for net in trained.nets]
        (_, x), (_, w), prior, (latent, _) = shapes
        trained = trained.widened([(width, x), (width, w), prior, (latent, width)], random)
        if design.learning_rate > 0.0 and training.doubled(lessons.age, len(block)):
            trained = design.gathered(trained, lessons.held, lessons.random(lessons.age, 3))
        trained = trained.taught(
            Objective(design, torch.from_numpy(spread), design.warmth(self.sightings)),
            design.seen(block),
            design.seen(lessons.held),
            lessons.age,
            design.learning_rate,
            random,
        )
        blocks, table = self.blocks + 1, lessons.random(lessons.age, 2)
        noise = variation.noise_table(design.samples, latent + w // 2, table)
        after = self._replace(trained=trained, blocks=blocks, noise=noise)._readable()
        residual = after._residual(design.seen(lessons.held))
        usual = likelihood.respread(spread, residual, 1.0 / blocks, design.trusted)
        return after._replace(spread=usual)

    def _readable(self) -> Self:
        if self.trained is None:
            return self
        return self._replace(prepared=mixture_prior.readout(self.trained.nets))

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
        return {
            **self.lessons.to_state(),
            "networks": self.trained.to_state() if self.trained else None,
            "spread": self.spread,
            "blocks": self.blocks,
            "noise": self.noise,
            "level": list(self.level),
            "sightings": self.sightings,
        }

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh model with a saved state."""
        trained = Trained.restored(state["networks"]) if state["networks"] else None
        return self._replace(
            lessons=self.lessons.restored(state),
            trained=trained,
            spread=state["spread"],
            blocks=state["blocks"],
            noise=state["noise"],
            level=Level(*state["level"]),
            sightings=state["sightings"],
        )._readable()

    def diagnostics(self) -> dict[str, float | list[float]]:
        """Of the memory: mean squared reconstruction error, the clusters' shares of events and the
        entropy of those, in nats; the nats that the cluster says of an event, at most log K, and 0
        after a collapse; and the weight of the z-prior term."""
        if self.prepared is None:
            return {}
        residual = self._residual(self.design.seen(self.lessons.held))
        shares = self.memberships(self.lessons.memory.rows)
        usage = np.bincount(shares.argmax(axis=1), minlength=self.design.clusters) / len(shares)
        whole, each = (information.entropy(torch.from_numpy(s)) for s in (shares.mean(0), shares))
        return {
            "reconstruction": float((residual**2).mean()),
            "component_weights": usage.tolist(),
            "usage_entropy": float(information.entropy(torch.from_numpy(usage))),
            "cluster_information": float(whole - each.mean()),
            "warmth": self.design.warmth(self.sightings),
        }


def _unsettled(half_life: float) -> Level:
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
