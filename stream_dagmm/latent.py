"""What each detector sees inside: events as points of its latent space, among its components.

For looking, not for scoring: pictures of how a latent space forms and moves while a stream goes by.
Everything is read from the model as it stands and nothing is changed.
"""

from typing import Any, NamedTuple

import numpy as np
import torch

from stream_dagmm import mixture, mixture_prior, networks, scaling, variation
from stream_dagmm.arithmetic import Floats
from stream_dagmm.autoencoder_model import AutoencoderModel
from stream_dagmm.dagmm_model import DagmmModel
from stream_dagmm.detectors.gaussian_mixture import MixtureModel
from stream_dagmm.detectors.pca import PcaModel
from stream_dagmm.events import as_events
from stream_dagmm.glgae_model import GlgaeModel
from stream_dagmm.gmvae_model import GmvaeModel
from stream_dagmm.mixture import Mixture
from stream_dagmm.stream import BlockDetector
from stream_dagmm.vae_model import VaeModel

KERNEL_VARIANCE = 0.5
"""Of exp(-|B_k - z|^2), the pairs' kernel, as a Gaussian."""


class Latent(NamedTuple):
    """Events in a latent space of Z dimensions, and the K Gaussians that a detector has there."""

    codes: Floats
    """[B, Z]"""
    weight: Floats
    """[K] adding up to 1; K is 0 where the detector has no components."""
    mean: Floats
    """[K, Z]"""
    covariance: Floats
    """[K, Z, Z]"""


def latent_many(detector: BlockDetector, X: Any) -> Latent | None:
    """The events [dataframe, 2-D array or dictionaries] as the detector sees them; None while it is
    cold. Pure.

    >>> from stream_dagmm import GaussianMixture
    >>> detector = GaussianMixture(n_components=2)
    >>> detector.learn_many([{"a": float(n % 2)} for n in range(64)])
    >>> latent_many(detector, [{"a": 0.0}, {"a": 1.0}]).mean[:, 1].round(2).tolist()
    [1.0, -1.0]
    """
    rows = detector._columns.encode(as_events(X), detector._model.width)
    match detector._model:
        case DagmmModel() as model:
            return _of_dagmm(model, rows, detector._context)
        case MixtureModel() as model:
            return _of_mixture(model, rows)
        case PcaModel() as model:
            return _of_pca(model, rows)
        case AutoencoderModel() as model:
            return _of_autoencoder(model, rows)
        case VaeModel() as model:
            return _of_vae(model, rows)
        case GmvaeModel() as model:
            return _of_gmvae(model, rows)
        case GlgaeModel() as model:
            return _of_glgae(model, rows)
    return None


def _of_dagmm(model: DagmmModel, rows: Floats, context: Floats) -> Latent | None:
    """Codes of the autoencoder beside their two reconstruction features."""
    if model.deep is None:
        return None
    codes = model.codes(rows, np.broadcast_to(context, (len(rows), len(context))))
    return _among(codes, mixture.shrunk(model.deep.published.mixture))


def _of_mixture(model: MixtureModel, rows: Floats) -> Latent | None:
    """The standardised features themselves."""
    if model.mixture is None:
        return None
    codes = scaling.standardise(model.scale, rows).rows
    return _among(codes, mixture.steadied(model.mixture))


def _among(codes: Floats, learned: Mixture) -> Latent:
    weight = mixture.weights(learned).numpy()
    return Latent(codes, weight, learned.mean.numpy(), learned.covariance.numpy())


def _of_pca(model: PcaModel, rows: Floats) -> Latent | None:
    """Principal scores, and the variance along each axis, which T^2 measures by."""
    if model.prepared is None:
        return None
    codes = model.lessons.standardised(rows).rows @ model.prepared.axes
    return _diagonal(codes, np.zeros((1, codes.shape[1])), model.prepared.variances[None])


def _of_autoencoder(model: AutoencoderModel, rows: Floats) -> Latent | None:
    """Codes; nothing says how they lie."""
    if model.prepared is None:
        return None
    codes = networks.exact_forward(
        model.prepared.encoder, model.course.lessons.standardised(rows).rows
    )
    none = np.zeros((0, codes.shape[1]))
    return _diagonal(codes, none, none)


def _of_vae(model: VaeModel, rows: Floats) -> Latent | None:
    """Means of q(z|x), and the prior."""
    if model.prepared is None:
        return None
    outputs = networks.exact_forward(
        model.prepared.encoder, model.course.lessons.standardised(rows).rows
    )
    codes = variation.exact_moments(outputs)[0]
    return _diagonal(codes, np.zeros((1, codes.shape[1])), np.ones((1, codes.shape[1])))


def _of_gmvae(model: GmvaeModel, rows: Floats) -> Latent | None:
    """Means of q(x|y), and p(x|w, z) at w = 0, weighted by the events' memberships."""
    if model.prepared is None:
        return None
    seen = model.design.seen(model.course.lessons.standardised(rows).rows)
    codes = mixture_prior.posterior(model.prepared.to_x, seen)[0]
    mean, variance = mixture_prior.central_clusters(model.prepared, model.design.clusters)
    memberships = mixture_prior.memberships(model.prepared, seen, model.design.clusters)
    return _diagonal(codes, mean, variance)._replace(weight=memberships.mean(axis=0))


def _of_glgae(model: GlgaeModel, rows: Floats) -> Latent | None:
    """Codes z, and the pairs' B_k with their kernel."""
    if model.pairs is None:
        return None
    codes = model.encoded(model.lessons.standardised(rows).rows).z
    found = _diagonal(codes, model.pairs.codes, np.full_like(model.pairs.codes, KERNEL_VARIANCE))
    return found._replace(weight=model.pairs.mass / model.pairs.mass.sum())


def _diagonal(codes: Floats, mean: Floats, variance: Floats) -> Latent:
    """Equal components with diagonal covariances: mean and variance [K, Z]."""
    covariance = torch.from_numpy(np.ascontiguousarray(variance)).diag_embed().numpy()
    return Latent(codes, np.full(len(mean), 1.0 / max(1, len(mean))), mean, covariance)
