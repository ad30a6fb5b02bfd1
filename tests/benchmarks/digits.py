"""`python -m tests.benchmarks.digits`: unsupervised clustering accuracy on scikit-learn's digits.

1,797 images of 8 x 8 pixels, ten classes. Streaming detectors see the images one after the other,
in an order shuffled anew each epoch, and remember nothing of an epoch but what they learned; the
others are fitted to all images at once. Accuracy is that of the best one-to-one assignment of
clusters to classes (Hungarian method), as in the GMVAE's paper; mean and range over five seeds.

Our detectors standardise every pixel by its own past, which makes rare pixels loud, so KMeans and
GaussianMixture stand there twice: on the pixels, and on what our detectors see of them.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture

from stream_dagmm import StreamGLGAE, StreamGMVAE, StreamVAE, scaling
from stream_dagmm.arithmetic import Floats
from stream_dagmm.latent import latent_many
from stream_dagmm.likelihood import Law
from tests.benchmarks import kept
from tests.benchmarks.tables import markdown
from tests.threads import threads

EPOCHS, SEEDS, CLASSES = 40, 5, 10
LATENT = 10
"""Dimensions of codes, as many as classes: the detectors' own default of 4 loses 0.2."""

BATCH = 128
Labels = npt.NDArray[np.int64]
Method = Callable[[Floats, int, int], Labels]
"""From images [B, 64], seed and epochs to clusters [B]."""


def accuracy(clusters: Labels, classes: Labels) -> float:
    """Share of events in the cluster assigned to their class, by the best one-to-one assignment.

    >>> accuracy(np.array([1, 1, 0, 0]), np.array([0, 0, 1, 0]))
    0.75
    """
    counts = np.zeros((int(clusters.max()) + 1, int(classes.max()) + 1))
    np.add.at(counts, (clusters, classes), 1)
    rows, columns = linear_sum_assignment(-counts)
    return float(counts[rows, columns].sum() / len(classes))


def epoch(images: Floats, seed: int, number: int) -> Floats:
    """The images in the order of an epoch."""
    return np.asarray(np.random.default_rng([seed, number]).permutation(images))


def gmvae(images: Floats, seed: int, epochs: int, likelihood: Law = "gaussian") -> Labels:
    """Ours, by its own clusters."""
    detector = StreamGMVAE(
        CLASSES,
        latent=LATENT,
        likelihood=likelihood,
        half_life=math.inf,
        batch_size=BATCH,
        seed=seed,
    )
    for number in range(epochs):
        detector.learn_many(epoch(images, seed, number))
    return detector.predict_many(images)


def glgae(images: Floats, seed: int, epochs: int) -> Labels:
    """Ours, by its likeliest pair."""
    detector = StreamGLGAE(
        CLASSES, latent=2, trusted=1.0, half_life=math.inf, batch_size=BATCH, seed=seed
    )
    for number in range(epochs):
        detector.learn_many(epoch(images, seed, number))
    return detector.predict_many(images)


def vae_and_mixture(images: Floats, seed: int, epochs: int) -> Labels:
    """Our VAE, and a mixture fitted to all its codes at the end."""
    detector = StreamVAE(latent=LATENT, half_life=math.inf, batch_size=BATCH, seed=seed)
    for number in range(epochs):
        detector.learn_many(epoch(images, seed, number))
    seen = latent_many(detector, images)
    if seen is None:
        raise ValueError("the detector learned too little to have codes; give more images")
    return mixture(seen.codes, seed, epochs)


def kmeans(images: Floats, seed: int, epochs: int) -> Labels:
    """On the images as they are; one start."""
    return np.asarray(KMeans(CLASSES, n_init=1, random_state=seed).fit_predict(images))


def mixture(images: Floats, seed: int, epochs: int) -> Labels:
    """Full covariances, on the images as they are."""
    fitted = GaussianMixture(CLASSES, reg_covar=1e-3, random_state=seed)
    return np.asarray(fitted.fit_predict(images))


def standardised(method: Method) -> Method:
    """The same on what our detectors see."""

    def run(images: Floats, seed: int, epochs: int) -> Labels:
        rows = np.column_stack([np.zeros(len(images)), images])  # column 0 counts unknown features
        scale = scaling.widen(scaling.fresh(), np.zeros(rows.shape[1], dtype=np.bool_))
        scale = scaling.update(scale, rows, math.inf)
        return method(scaling.standardise(scale, rows).rows, seed, epochs)

    return run


METHODS: dict[str, Method] = {
    "StreamGMVAE": gmvae,
    "StreamGMVAE, Student's t": partial(gmvae, likelihood="student_t"),
    "StreamGLGAE": glgae,
    "StreamVAE + GaussianMixture": vae_and_mixture,
    "KMeans, standardised": standardised(kmeans),
    "GaussianMixture, standardised": standardised(mixture),
    "KMeans": kmeans,
    "GaussianMixture": mixture,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print and keep the table."""
    parser = kept.parser(__doc__, __file__)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    given = parser.parse_args(arguments)
    with threads(1):
        rows = [row(name, given.seeds, given.epochs) for name in given.methods]
    head = (f"{given.epochs} epochs, {given.seeds} seeds", "accuracy", "lowest", "highest")
    kept.keep(markdown(head, rows), given.table, __file__, arguments)


def row(name: str, seeds: int, epochs: int) -> list[str]:
    """Mean, smallest and largest accuracy of a method over the seeds."""
    images, classes = load_digits(return_X_y=True)
    found = [accuracy(METHODS[name](images, seed, epochs), classes) for seed in range(seeds)]
    return [name, *(f"{f(found):.3f}" for f in (np.mean, np.min, np.max))]


if __name__ == "__main__":
    main()
