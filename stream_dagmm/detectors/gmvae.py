"""`StreamGMVAE`: a variational autoencoder with a Gaussian mixture prior, learning as it scores."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from river import base

from stream_dagmm import arguments
from stream_dagmm.course import Course
from stream_dagmm.events import as_events
from stream_dagmm.gmvae_model import Design, GmvaeModel, unsettled
from stream_dagmm.likelihood import TRUSTED, Law
from stream_dagmm.stream import BlockDetector


class StreamGMVAE(BlockDetector, base.Clusterer):
    """Scores an event by minus the log of its density, in nats, under a GMVAE; and clusters it.

    The density is bounded from below by importance weighting with L samples of the latents x and w,
    the cluster z summed out exactly; y | x is a law in each column, on the column's own usual
    squared residual. The networks learn the evidence lower bound of the least surprising events of
    each batch. Features are standardised online; beyond `scaling.CLIP` standard deviations of a
    feature the score grows with the logarithm of the distance. Cold, before the 32nd event, only
    that is scored, and every event belongs to cluster 0.

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
        after a drift. 0 switches the annealing off. It prevents a collapse of the clusters that the
        bound does not ask for, the cut-off also one that it does: `tests.benchmarks.collapse`.
    likelihood
        y | x in each column: "gaussian"; "student_t" (of 5 degrees of freedom), under which one
        column that is absurdly wrong does not outshout many that are wrong; or "bernoulli", by
        which a column says only whether it lies above its mean: for events of yes and no. Over 14
        streams the Gaussian finds anomalies best, AUROC 0.854 and average precision 0.529 against
        0.850 and 0.496 of Student's t, which is better where columns are many or run in floods.
    w_samples
        M, of w for each event in training.
    samples
        L, of x and w for each score; their noise is shared by all events and renewed by learning.
    trusted
        Share of each batch, the least surprising, that teaches: the rest may be anomalies. 1 learns
        from all, and is for clustering, where the smallest cluster would be the least trusted. By
        default 0.7, and 1 where columns are Bernoulli: none lies far out there, and flawless events
        may be as many, which would then alone teach, and make every flaw equally impossible.
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
    1.6 200.3

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
        likelihood: Law = "gaussian",
        w_samples: int = 1,
        samples: int = 4,
        trusted: float | None = None,
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
        arguments.one_of(get_args(Law), likelihood=likelihood)
        self.likelihood = likelihood
        self.w_samples = arguments.at_least(1, w_samples=w_samples)
        self.samples = arguments.at_least(1, samples=samples)
        self.trusted = None if trusted is None else arguments.share(trusted=trusted)
        self.learning_rate = arguments.not_negative(learning_rate=learning_rate)
        self._begin(half_life, batch_size, max_features, seed)

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
        return self._columns.decode(self._gmvae.course.lessons.in_own_units(self._gmvae.centres()))

    @property
    def _gmvae(self) -> GmvaeModel:
        if not isinstance(self._model, GmvaeModel):
            raise TypeError("the model must be a GmvaeModel; construct a StreamGMVAE")
        return self._model

    @classmethod
    def _arguments(cls, saved: Mapping[str, Any]) -> dict[str, Any]:
        """Before there was a choice of likelihoods, a flag said `bernoulli`."""
        found = dict(saved)
        if "bernoulli" in found:
            found["likelihood"] = "bernoulli" if found.pop("bernoulli") else "student_t"
        return found

    def _fresh(self) -> GmvaeModel:
        usual = 1.0 if self.likelihood == "bernoulli" else TRUSTED
        design = Design(
            clusters=self.n_components,
            hidden=None if self.hidden is None else arguments.widths(hidden=self.hidden),
            latent=self.latent,
            w_latent=self.w_latent,
            least_information=self.least_information,
            warm_up=self.warm_up,
            law=self.likelihood,
            w_samples=self.w_samples,
            samples=self.samples,
            trusted=usual if self.trusted is None else self.trusted,
            learning_rate=self.learning_rate,
        )
        course = Course.fresh(self.half_life, self.seed)
        return GmvaeModel(design, course, unsettled(self.half_life))
