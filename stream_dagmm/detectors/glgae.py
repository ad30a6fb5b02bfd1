"""`StreamGLGAE`: a Gaussian latent generative autoencoder, pairs of points in place of networks."""

from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from stream_dagmm import arguments
from stream_dagmm.arithmetic import Floats
from stream_dagmm.events import as_events
from stream_dagmm.glgae_model import Design, Encoding, GlgaeModel
from stream_dagmm.lessons import Lessons
from stream_dagmm.pairs import Encoded
from stream_dagmm.stream import BlockDetector


class StreamGLGAE(BlockDetector):
    """Scores an event by minus the bound L_2 on its log density at its code, in nats.

    K pairs tie a point A_k among the standardised events to a point B_k among the codes: p_k(x) is
    a Gaussian around A_k with one diagonal scale for all k, q_k(z) = e_k / (b + sum e) with e_k =
    exp(-|B_k - z|^2), and L_2(z, x) = log sum_k q_k(z) p_k(x). An event is encoded by looking for
    its z. A and the scale are exponentially weighted moments, B follows the gradient of L_2 and is
    held to a fixed spread, without which the codes would drift apart until the model is k-means.
    Beyond `scaling.CLIP` standard deviations of a feature the score grows with the logarithm of
    the distance. Cold, before the 32nd event, only that is scored.

    Parameters
    ----------
    n_components
        K, pairs.
    latent
        Dimensions of the codes; 2 can be drawn.
    encoding
        What an encoding ascends, from the code of the likeliest pair on: "exact" L_2 itself inside
        the box of three times the spread, "fixed-point" J = log sum_k p_k e_k by mean shift, which
        leaves out the normaliser of q, "lower-bound" Jensen's bound sum_k (e_k / sum e) log p_k.
    background
        b, at least 0: how far from all codes a code may lie. Not learned: its gradient always
        pushes it to 0.
    spread
        Root mean square of the codes' coordinates.
    unit_scale
        Whether p_k is exp(-|x - A_k|^2), normalised, instead of a Gaussian with learned scale.
    steps
        Cap on the steps of an encoding; `encode` says which events converged before it. On Shuttle
        12 are enough for all by fixed point, for two in five by `exact` and few by `lower-bound`,
        for which 100 are.
    trusted
        Share of each batch, the least strange, that teaches: a pair that settles on anomalies
        excuses them, and pairs carry no weights that would tell how rare it is. 1 learns from all,
        and compresses best.
    learning_rate
        Of B; 0 leaves A and B as drawn, while the scales still learn.
    half_life
        Events after which an event's weight in all statistics has halved; `inf` forgets nothing.
    batch_size
        Events between two steps of learning; the first blocks are of 1, 1, 2, 4, ... events.
    max_features
        Columns given out one by one; later features share a fixed number of hashed ones.
    seed
        Of the pairs' beginnings and the memory's sample.

    Examples
    --------
    >>> from river import datasets
    >>> from stream_dagmm import StreamGLGAE
    >>> detector = StreamGLGAE()
    >>> for x, _ in datasets.Shuttle().take(1024):
    ...     detector.learn_one(x)
    >>> print(f"{detector.score_one(x):.1f} {detector.score_one({**x, 'f1': 900.0}):.1f}")
    5.0 125.2

    References
    ----------
    L_2, r and the three encodings are derived in `pairs`. Mean shift: Cheng, "Mean Shift, Mode
    Seeking, and Clustering", IEEE TPAMI 17, 1995.
    """

    def __init__(
        self,
        n_components: int = 16,
        latent: int = 2,
        encoding: Encoding = "fixed-point",
        background: float = 0.1,
        spread: float = 2.0,
        unit_scale: bool = False,
        steps: int = 12,
        trusted: float = 0.7,
        learning_rate: float = 0.05,
        half_life: float = 20_000.0,
        batch_size: int = 256,
        max_features: int = 512,
        seed: int = 0,
    ) -> None:
        self.n_components = arguments.at_least(1, n_components=n_components)
        self.latent = arguments.at_least(1, latent=latent)
        arguments.one_of(get_args(Encoding), encoding=encoding)
        self.encoding = encoding
        self.background = arguments.not_negative(background=background)
        self.spread = arguments.positive(spread=spread)
        self.unit_scale = arguments.flag(unit_scale=unit_scale)
        self.steps = arguments.at_least(1, steps=steps)
        self.trusted = arguments.share(trusted=trusted)
        self.learning_rate = arguments.not_negative(learning_rate=learning_rate)
        self._begin(half_life, batch_size, max_features, seed)

    @classmethod
    def _unit_test_params(cls) -> Any:
        yield {"batch_size": 32}
        yield {"batch_size": 32, "encoding": "exact"}

    def encode(self, X: Any) -> Encoded:
        """Codes z [B, Z] of events [dataframe, 2-D array or dictionaries], and whether each
        converged [B] within the cap on its steps; all 0 when cold. Pure."""
        return self._glgae.encoded(self._standardised(X))

    def decode(self, z: npt.ArrayLike) -> list[dict[str, float]]:
        """The numeric features of the events that codes [B, Z] stand for: the mean of A_k by q_k,
        in the features' own units. ValueError for what is no finite code."""
        codes = np.asarray(z, dtype=np.float64)
        if codes.ndim != 2 or codes.shape[1] != self.latent or not np.isfinite(codes).all():
            raise ValueError(
                f"z must be finite and of shape [B, {self.latent}], got shape {codes.shape}; "
                "give codes as `encode` does"
            )
        return self._columns.decode(self._glgae.decoded(codes))

    def centres(self) -> list[dict[str, float]]:
        """The numeric features of A_k, in the features' own units; none when cold."""
        standing = self._glgae.pairs
        points = np.empty((0, self._model.width)) if standing is None else standing.points
        return self._columns.decode(self._glgae.lessons.in_own_units(points))

    def reconstruct(self, X: Any) -> list[dict[str, float]]:
        """Events [B] as they come back from their codes."""
        return self.decode(self.encode(X).z)

    def predict_one(self, x: dict[Any, Any]) -> int:
        """The likeliest pair of an event, 0 to K - 1: its code in a code book of K."""
        return int(self.predict_many([x])[0])

    def predict_many(self, X: Any) -> npt.NDArray[np.int64]:
        """The likeliest pairs [B] of events [dataframe, 2-D array or dictionaries]. Pure."""
        return np.asarray(self._glgae.log_p(self._standardised(X)).argmax(axis=1))

    @property
    def _glgae(self) -> GlgaeModel:
        if not isinstance(self._model, GlgaeModel):
            raise TypeError("the model must be a GlgaeModel; construct a StreamGLGAE")
        return self._model

    def _standardised(self, X: Any) -> Floats:
        rows = self._columns.encode(as_events(X), self._model.width)
        return self._glgae.lessons.standardised(rows).rows

    def _fresh(self) -> GlgaeModel:
        design = Design(
            self.n_components,
            self.latent,
            self.encoding,
            self.background,
            self.spread,
            self.unit_scale,
            self.steps,
            self.trusted,
            self.learning_rate,
        )
        return GlgaeModel(design, Lessons.fresh(self.half_life, self.seed), None)
