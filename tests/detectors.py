"""Every detector of the package, small: each law is crossed with all of them."""

from collections.abc import Callable

import pytest

import stream_dagmm
from stream_dagmm import (
    GaussianMixture,
    StreamAutoencoder,
    StreamGLGAE,
    StreamGMVAE,
    StreamPCA,
    StreamVAE,
)
from stream_dagmm.stream import BlockDetector

Make = Callable[..., BlockDetector]
"""Makes a fresh detector; keyword arguments go before the configuration's."""


def maker(kind: type[BlockDetector], **configuration: object) -> Make:
    """A function that makes a detector of this kind and configuration."""

    def make(**changed: object) -> BlockDetector:
        return kind(**{"batch_size": 16, **configuration, **changed})

    return make


DETECTORS: dict[str, Make] = {
    "one-gaussian": maker(GaussianMixture),
    "three-gaussians": maker(GaussianMixture, n_components=3, half_life=200.0),
}
if hasattr(stream_dagmm, "StreamDAGMM"):
    DETECTORS |= {
        "dagmm": maker(stream_dagmm.StreamDAGMM),
        "dagmm-faithful": maker(stream_dagmm.StreamDAGMM, faithful=True),
        "dagmm-without-floor": maker(stream_dagmm.StreamDAGMM, floor=False, half_life=200.0),
    }
DETECTORS |= {
    "pca": maker(StreamPCA),
    "pca-one-axis": maker(StreamPCA, n_components=1, half_life=200.0),
    "autoencoder": maker(StreamAutoencoder),
    "autoencoder-restrained": maker(
        StreamAutoencoder, latent=20, noise=0.0, sparsity=0.1, contraction=0.01, half_life=200.0
    ),
    "vae": maker(StreamVAE),
    "vae-one-sample": maker(StreamVAE, latent=2, samples=1, half_life=200.0),
    "glgae": maker(StreamGLGAE),
    "glgae-exact": maker(StreamGLGAE, encoding="exact", n_components=5, half_life=200.0),
    "glgae-lower-bound": maker(StreamGLGAE, encoding="lower-bound", background=0.0, latent=3),
    "gmvae": maker(StreamGMVAE),
    "gmvae-two-w": maker(
        StreamGMVAE, n_components=3, w_samples=2, samples=1, latent=2, half_life=200.0
    ),
}

every_detector = pytest.mark.parametrize("make", DETECTORS.values(), ids=DETECTORS)
