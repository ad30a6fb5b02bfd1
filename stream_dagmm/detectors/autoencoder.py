"""`StreamAutoencoder`: a deep (denoising) autoencoder that learns with every event."""

from collections.abc import Sequence
from typing import Any

from stream_dagmm import arguments
from stream_dagmm.autoencoder_model import AutoencoderModel, Design
from stream_dagmm.course import Course
from stream_dagmm.stream import BlockDetector


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
        self._begin(half_life, batch_size, max_features, seed)

    @classmethod
    def _unit_test_params(cls) -> Any:
        yield {"batch_size": 32}
        yield {"batch_size": 32, "noise": 0.0}

    def _fresh(self) -> AutoencoderModel:
        design = Design(
            hidden=None if self.hidden is None else arguments.widths(hidden=self.hidden),
            latent=self.latent,
            noise=self.noise,
            sparsity=self.sparsity,
            contraction=self.contraction,
            learning_rate=self.learning_rate,
        )
        return AutoencoderModel(design, Course.fresh(self.half_life, self.seed))
