"""What recovers three Gaussians: ours and River's, one event at a time in order, and two oracles.

Each gives, after the stream, what it says of events it has not seen: clusters, where it takes their
centres to be, and its density where it has one.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sklearn.cluster
import sklearn.mixture
import torch
from river import cluster

from stream_dagmm import (
    GaussianMixture,
    StreamDAGMM,
    StreamGLGAE,
    StreamGMVAE,
    likelihood,
    mixture,
    scaling,
)
from stream_dagmm.arithmetic import Floats
from stream_dagmm.detectors.gaussian_mixture import MixtureModel
from stream_dagmm.glgae_model import GlgaeModel
from stream_dagmm.gmvae_model import GmvaeModel
from stream_dagmm.latent import latent_many
from stream_dagmm.mixture import Mixture
from stream_dagmm.stream import BlockDetector

COMPONENTS = 3
HALF_LIFE = 1000.0
"""Events, of all that forget: a twentieth of the moving stream."""

WITHIN = 1.0
"""Usual deviation within a Gaussian, which River's density clusterers are told in advance."""

Labels = npt.NDArray[np.int64]


class Answer(NamedTuple):
    """What is said of unseen events [T, D]."""

    labels: Labels
    """[T]"""
    centres: Floats
    """[C, D]; C need not be three."""
    log_density: Floats | None = None
    """[T] in the events' own units; None where there is no density of events."""
    components: Mixture | None = None
    """For a picture, where the density is a mixture of Gaussians."""


Method = Callable[[Floats, Floats, int], Answer]
"""From the stream [N, D], unseen events [T, D] and a seed."""


def of_mixture(found: Mixture, unseen: Floats, labels: Labels | None = None) -> Answer:
    """What a mixture in the events' own units says."""
    logs = mixture.log_joint(found, torch.from_numpy(unseen))
    own = logs.argmax(dim=1).numpy() if labels is None else labels
    return Answer(own, found.mean.numpy(), logs.logsumexp(dim=1).numpy(), found)


def in_own_units(found: Mixture, scale: scaling.Scale) -> Mixture:
    """A mixture over standardised columns as one over the features; column 0 counts unknowns."""
    gain, shift = (torch.from_numpy(a) for a in (scaling.deviation(scale), scale.mean))
    moved = mixture.moved(found, gain, shift)
    return Mixture(moved.mass, moved.mean[:, 1:], moved.covariance[:, 1:, 1:])


def ours(stream: Floats, unseen: Floats, seed: int) -> Answer:
    """GaussianMixture: its mixture is one over the features."""
    detector = GaussianMixture(COMPONENTS, half_life=HALF_LIFE, seed=seed)
    detector.learn_many(stream)
    model = detector._model
    if not isinstance(model, MixtureModel) or model.mixture is None:
        raise ValueError("nothing was learned; give a longer stream")
    return of_mixture(in_own_units(mixture.steadied(model.mixture), model.scale), unseen)


def dagmm(stream: Floats, unseen: Floats, seed: int) -> Answer:
    """StreamDAGMM: its mixture lies over codes and reconstruction features, so a component's centre
    is the mean of the unseen events it claims, and there is no density of events."""
    detector = StreamDAGMM(n_components=COMPONENTS, half_life=HALF_LIFE, seed=seed)
    detector.learn_many(stream)
    seen = latent_many(detector, unseen)
    if seen is None:
        raise ValueError("nothing was learned; give a longer stream")
    mass, mean, covariance = map(torch.from_numpy, (seen.weight, seen.mean, seen.covariance))
    codes = torch.from_numpy(seen.codes)
    labels = mixture.responsibilities(Mixture(mass, mean, covariance), codes).argmax(dim=1).numpy()
    centres = [unseen[labels == k].mean(axis=0) for k in np.unique(labels)]
    return Answer(labels, np.array(centres))


def gmvae(stream: Floats, unseen: Floats, seed: int) -> Answer:
    """StreamGMVAE: centres decoded from its clusters, density by its own bound from below."""
    detector = StreamGMVAE(
        COMPONENTS, half_life=HALF_LIFE, batch_size=64, trusted=1.0, samples=32, seed=seed
    )
    detector.learn_many(stream)
    log_density = -detector.score_many(unseen) - log_volume(detector)
    return Answer(detector.predict_many(unseen), values(detector.centres()), log_density)


def glgae(stream: Floats, unseen: Floats, seed: int) -> Answer:
    """StreamGLGAE: its points A with their one diagonal scale, weighted by mass: L_2 is no density
    of events, being taken at the best code."""
    detector = StreamGLGAE(COMPONENTS, half_life=HALF_LIFE, batch_size=64, trusted=1.0, seed=seed)
    detector.learn_many(stream)
    model = detector._model
    if not isinstance(model, GlgaeModel) or model.pairs is None:
        raise ValueError("nothing was learned; give a longer stream")
    mass, points, variance = map(
        torch.from_numpy, (model.pairs.mass, model.pairs.points, model.pairs.variance)
    )
    found = Mixture(mass, points, variance.diag().expand(COMPONENTS, -1, -1))
    own = in_own_units(found, model.lessons.scale)
    return of_mixture(own, unseen, detector.predict_many(unseen))


def log_volume(detector: BlockDetector) -> float:
    """What the detector's log density has too much: log of how many units of the features' make one
    of the detector's, and the density of column 0, the count of unknown features, at its 0."""
    model = detector._model
    tail = model.design.tail if isinstance(model, GmvaeModel) else None
    if not isinstance(model, GmvaeModel) or model.course.spread is None or tail is None:
        raise TypeError(f"the detector must be a StreamGMVAE that learned numbers, got {model!r}")
    units = float(np.log(scaling.deviation(model.course.lessons.scale)[1:]).sum())
    return units - likelihood.constant(model.course.spread[:1], tail)


def values(events: list[dict[str, float]]) -> Floats:
    """Events named as `learn_many` names columns, as rows [B, D]."""
    return np.array([[event[str(n)] for n in range(len(event))] for event in events])


def gaussian_oracle(stream: Floats, unseen: Floats, seed: int) -> Answer:
    """scikit-learn's GaussianMixture on the whole stream at once."""
    fitted = sklearn.mixture.GaussianMixture(COMPONENTS, random_state=seed, n_init=3).fit(stream)
    mass, mean, covariance = fitted.weights_, fitted.means_, fitted.covariances_
    return of_mixture(Mixture(*map(torch.from_numpy, (mass, mean, covariance))), unseen)


def kmeans_oracle(stream: Floats, unseen: Floats, seed: int) -> Answer:
    """scikit-learn's KMeans on the whole stream at once."""
    fitted = sklearn.cluster.KMeans(COMPONENTS, random_state=seed, n_init=3).fit(stream)
    return Answer(np.asarray(fitted.predict(unseen), dtype=np.int64), fitted.cluster_centers_)


def rivers(make: Callable[[int, int], Any]) -> Method:
    """A clusterer of River's, from dimensions and seed."""

    def run(stream: Floats, unseen: Floats, seed: int) -> Answer:
        clusterer = make(stream.shape[1], seed)
        for row in stream.tolist():
            clusterer.learn_one(dict(enumerate(row)))
        found = [clusterer.predict_one(dict(enumerate(row))) for row in unseen.tolist()]
        labels = np.array([0 if label is None else label for label in found], dtype=np.int64)
        centres = [
            [centre[n] for n in range(stream.shape[1])] for centre in clusterer.centers.values()
        ]
        return Answer(labels, np.array(centres))

    return run


def _reach(dimensions: int) -> float:
    """Usual distance of two events of one Gaussian."""
    return WITHIN * math.sqrt(2.0 * dimensions)


METHODS: dict[str, Method] = {
    "StreamGMVAE": gmvae,
    "StreamGLGAE": glgae,
    "StreamDAGMM, its mixture": dagmm,
    "GaussianMixture": ours,
    "River KMeans": rivers(lambda size, seed: cluster.KMeans(COMPONENTS, halflife=0.01, seed=seed)),
    "River CluStream": rivers(
        lambda size, seed: cluster.CluStream(
            n_macro_clusters=COMPONENTS, max_micro_clusters=50, time_window=1000, seed=seed
        )
    ),
    "River DBSTREAM": rivers(
        lambda size, seed: cluster.DBSTREAM(clustering_threshold=_reach(size), fading_factor=0.001)
    ),
    "River DenStream": rivers(
        lambda size, seed: cluster.DenStream(
            epsilon=_reach(size), decaying_factor=0.001, beta=0.5, mu=2.5, n_samples_init=500
        )
    ),
    "oracle: scikit-learn GaussianMixture": gaussian_oracle,
    "oracle: scikit-learn KMeans": kmeans_oracle,
}
