"""Online anomaly detectors for River that learn from every event they have scored."""

from importlib.metadata import version

from stream_dagmm.detectors.autoencoder import StreamAutoencoder
from stream_dagmm.detectors.dagmm import StreamDAGMM
from stream_dagmm.detectors.gaussian_mixture import GaussianMixture
from stream_dagmm.detectors.glgae import StreamGLGAE
from stream_dagmm.detectors.gmvae import StreamGMVAE
from stream_dagmm.detectors.pca import StreamPCA
from stream_dagmm.detectors.vae import StreamVAE

__version__ = version("stream-dagmm")
__all__ = [
    "GaussianMixture",
    "StreamAutoencoder",
    "StreamDAGMM",
    "StreamGLGAE",
    "StreamGMVAE",
    "StreamPCA",
    "StreamVAE",
]
