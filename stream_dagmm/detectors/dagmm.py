"""`StreamDAGMM`: the deep autoencoding Gaussian mixture model, learning with every event."""

from collections.abc import Sequence
from typing import Any, cast

from stream_dagmm import arguments
from stream_dagmm.dagmm_model import MEASURED, DagmmModel
from stream_dagmm.events import listed
from stream_dagmm.nets import Design
from stream_dagmm.stream import BlockDetector


class StreamDAGMM(BlockDetector):
    """Scores each event of a stream by how little it fits what the stream was, and learns it.

    The score is a sum of logarithms: the event's distance to the nearest tenth of a memory of past
    events, and how little each feature is what a mixture of Gaussians over all of them expects,
    given the others (the floor, which works from the second event on); the distance of its
    reconstruction error by an autoencoder to those of the memory; its energy under a mixture of
    Gaussians over the autoencoder's codes; and how far any feature lies beyond `scaling.CLIP`
    standard deviations.
    Distances and networks see the event and its innovation, the difference from the last ten events
    or so. Where the scores of a stream hold on, those just before are heard (`echo`); what somebody
    said of an event counts for its like (`feedback`). Cold, the score is 0.

    Parameters
    ----------
    seed
        Of the networks, the memory's sample and the training batches.
    batch_size
        Events between two steps of learning; until 5 times as many were learned, the next step
        comes after a fifth of what was learned.
    half_life
        Events after which an event's weight in all statistics has halved; where the stream drifts,
        what scale, memory and joint structure learned before counts for a quarter; `inf` forgets
        nothing, drift or not. Below 128 nothing is called unusual: there is no gate, and no joint
        structure.
    n_components
        Gaussians of the latent mixture.
    hidden
        Widths of the encoder's hidden layers, mirrored in the decoder; by default one layer of up
        to 24, and the paper's 60-30-10 when faithful.
    latent
        Size of the code; by default a quarter of the inputs, 2 to 12, and the paper's 1 when
        faithful.
    learning_rate
        Of Adam; 0 leaves the networks as drawn, while everything else learns.
    floor
        Whether distance and joint structure of the features are part of the score; without them
        the neural part stands alone, and a value between its learned range and `scaling.CLIP`
        standard deviations need not score higher than one inside.
    faithful
        Whether to be the paper's DAGMM, made incremental: z_r = [||x - x'|| / ||x||, cosine],
        memberships by the estimation network with dropout, lambda_1 = 0.1, lambda_2 = 0.005,
        Gaussian energy, networks without innovations, no trimming, no gate, no echo. Since that
        energy may fall outside what was learned, values are held to their learned range, and the
        logarithm of how far they lie outside is added.
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
    -3.7 4.9

    References
    ----------
    Zong et al., "Deep Autoencoding Gaussian Mixture Model for Unsupervised Anomaly Detection",
    ICLR 2018.
    """

    own_measures = MEASURED

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
        self.n_components = arguments.at_least(1, n_components=n_components)
        self.hidden = hidden
        self.latent = None if latent is None else arguments.at_least(1, latent=latent)
        self.learning_rate = arguments.not_negative(learning_rate=learning_rate)
        self.floor = arguments.flag(floor=floor)
        self.faithful = arguments.flag(faithful=faithful)
        # Short blocks while every event is news. The paper's networks need long ones to learn.
        self.growth = 1.0 if self.faithful else 0.2
        self._begin(half_life, batch_size, max_features, seed)

    @classmethod
    def _unit_test_params(cls) -> Any:
        yield {"batch_size": 32}
        yield {"batch_size": 32, "floor": False}
        yield {"batch_size": 32, "faithful": True, "floor": False}

    def feedback(self, x: dict[Any, Any], label: bool) -> None:
        """Takes what somebody said of an event: True, it was an anomaly, and its like score higher
        and teach no more; False, it was not, and its like score lower and teach. The last
        `told.MOST` judgements count. It is an event of the sequence: scores after it differ."""
        model = cast(DagmmModel, self._model)
        row = self._columns.encode(listed([x]), model.width)[0]
        self._changed(model.said(self._context, row, arguments.flag(label=label)))

    def _fresh(self) -> DagmmModel:
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
