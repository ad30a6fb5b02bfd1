"""`StreamPCA`: a linear autoencoder with tied weights, watched as process engineers watch it."""

import math
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from stream_dagmm import arguments, principal_axes
from stream_dagmm.arithmetic import Floats, on_column_grid
from stream_dagmm.checkpoint import Tree
from stream_dagmm.lessons import Lessons
from stream_dagmm.principal_axes import RANK, Axes
from stream_dagmm.stream import BlockDetector

SHARE = 0.9
"""Of the variance, held by the axes where their number is not given: the usual cumulative rule."""

LEAST_VARIANCE = 1e-2
"""Of an axis, in squared standard deviations: an axis along which nothing varies is not thereby
infinitely telling."""

LEAST_DEVIATION = 0.1
"""Of a statistic's cube root, for the same reason."""

PER_NORMAL_DEVIATION = 1.4826
"""Standard deviations of a normal law in one median absolute deviation."""

USUAL = 2.5 * math.sqrt(2.0)
"""Score up to which every event turns the axes: 2.5 standard deviations of a Gaussian event's, the
sum of two normal deviates. Leaving out the strangest tenth whatever it scores turns the axes of
4,096 Gaussian events by up to 2.5 degrees; a limit of 4 standard deviations lets the anomalies of
Shuttle teach (average precision 0.64 in place of 0.90)."""


class StreamPCA(BlockDetector):
    """Scores an event by how far it lies along the stream's principal axes, and how far off them.

    The two are Hotelling's T^2 (the variation that is usual, in an unusual amount) and Q, the
    squared prediction error (the correlations broken). Each is calibrated before they are added:
    its cube root is nearly normal, and is measured in deviations from what is usual in a memory of
    512 events. Features are standardised online; beyond `scaling.CLIP` standard deviations of a
    feature the score grows with the logarithm of the distance. Cold, before the second event, every
    score is 0.

    Parameters
    ----------
    n_components
        Principal axes, 1 to 64; by default as many as hold 90 % of the variance.
    half_life
        Events after which an event's weight in all statistics has halved; `inf` forgets nothing.
    trusted
        Share of each block, the least strange, that turns the axes whatever its scores; the others
        do where they score at most `USUAL`: anomalies have by far the largest variance and would be
        explained first. So Gaussian events nearly all teach, and the axes are those of batch PCA to
        within a degree from some thousand events on; 1 learns from all, as the textbook does.
    random_axes
        Whether to keep axes drawn at random and to learn the variance along them alone: the control
        that shows what learning the axes is worth.
    batch_size
        Events between two updates; the first blocks are of 1, 1, 2, 4, ... events.
    max_features
        Columns given out one by one; later features share a fixed number of hashed ones.
    seed
        Of the memory's sample, and of random axes.

    Examples
    --------
    >>> from river import datasets
    >>> from stream_dagmm import StreamPCA
    >>> detector = StreamPCA()
    >>> for x, _ in datasets.Shuttle().take(1024):
    ...     detector.learn_one(x)
    >>> print(f"{detector.score_one(x):.1f} {detector.score_one({**x, 'f1': 900.0}):.1f}")
    -0.9 23.4

    References
    ----------
    T^2 and Q: Jackson and Mudholkar, "Control Procedures for Residuals Associated with Principal
    Component Analysis", Technometrics 21, 1979, equations 2.1 and 3.1. Cube roots: Wilson and
    Hilferty, "The Distribution of Chi-Square", PNAS 17, 1931. Axes: `principal_axes`.
    """

    def __init__(
        self,
        n_components: int | None = None,
        half_life: float = 20_000.0,
        trusted: float = 0.9,
        random_axes: bool = False,
        batch_size: int = 256,
        max_features: int = 512,
        seed: int = 0,
    ) -> None:
        self.n_components = (
            None if n_components is None else arguments.between(1, RANK, n_components=n_components)
        )
        self.trusted = arguments.share(trusted=trusted)
        self.random_axes = arguments.flag(random_axes=random_axes)
        self._begin(half_life, batch_size, max_features, seed)

    @classmethod
    def _unit_test_params(cls) -> Any:
        yield {"batch_size": 32}
        yield {"batch_size": 32, "n_components": 2}

    def _fresh(self) -> "PcaModel":
        lessons = Lessons.fresh(self.half_life, self.seed)
        design = Design(self.n_components, self.trusted, self.random_axes)
        return PcaModel(design, lessons, principal_axes.fresh(), None)


class Design(NamedTuple):
    """What does not change."""

    n_components: int | None
    trusted: float
    random_axes: bool


class Level(NamedTuple):
    """What is usual of a statistic: median and robust standard deviation of its cube root."""

    median: float
    deviation: float

    @classmethod
    def of(cls, statistic: Floats) -> Self:
        """Of a sample [R]."""
        root = np.cbrt(statistic)
        median = float(np.median(root))
        deviation = PER_NORMAL_DEVIATION * float(np.median(np.abs(root - median)))
        return cls(median, math.hypot(deviation, LEAST_DEVIATION))

    def of_rows(self, statistic: Floats) -> Floats:
        """Deviations from the usual [B]."""
        return np.asarray((np.cbrt(statistic) - self.median) / self.deviation)


class Readout(NamedTuple):
    """How rows are scored."""

    axes: Floats
    """[D, k] unit vectors on the column grid."""
    variances: Floats
    """[k] along each."""
    along: Level
    off: Level


class PcaModel(NamedTuple):
    """Scale, memory, axes."""

    design: Design
    lessons: Lessons
    axes: Axes
    prepared: Readout | None

    @property
    def width(self) -> int:
        """Columns learned."""
        return self.lessons.width

    def follow(self, context: Floats, rows: Floats) -> tuple[Floats, Floats]:
        """No context."""
        return np.empty((len(rows), 0)), context

    def score(self, rows: Floats, contexts: Floats) -> Floats:
        """Scores [B] of rows [B, D]."""
        if self.prepared is None:
            return np.zeros(len(rows))
        standard = self.lessons.standardised(rows)
        along, off = statistics(self.prepared.axes, self.prepared.variances, standard.rows)
        calibrated = self.prepared.along.of_rows(along) + self.prepared.off.of_rows(off)
        return np.asarray(calibrated + standard.beyond)

    def learn(
        self, rows: Floats, contexts: Floats, scores: Floats, is_text: npt.NDArray[np.bool_]
    ) -> Self:
        """After a block of rows [B, D']."""
        lessons = self.lessons.after(rows, is_text)
        gain, shift = self.lessons.carried(lessons, is_text)
        values = lessons.standardised(rows[self._trusted(rows)]).rows
        axes = principal_axes.after(self.axes, values, gain, shift, lessons.half_life)
        return self._replace(lessons=lessons, axes=axes)._readable()

    def _trusted(self, rows: Floats) -> npt.NDArray[np.int64]:
        """Places of the rows that the standing axes find usual or least strange, in order."""
        count = max(1, round(self.design.trusted * len(rows)))
        strangeness = self.score(rows[:, : self.width], np.empty((len(rows), 0)))
        order = np.argsort(strangeness, kind="stable")
        return np.sort(order[: max(count, int((strangeness <= USUAL).sum()))])

    def _readable(self) -> Self:
        if not self.lessons.age:
            return self
        axes, variances = self._chosen()
        along, off = statistics(axes, variances, self.lessons.held)
        return self._replace(prepared=Readout(axes, variances, Level.of(along), Level.of(off)))

    def _chosen(self) -> tuple[Floats, Floats]:
        count = self.design.n_components or principal_axes.enough(self.axes, SHARE)
        chosen = principal_axes.directions(self.axes)[:count]
        if self.design.random_axes:
            drawn = self.lessons.random(self.width, 1).normal(size=(self.width, self.width))
            chosen = np.linalg.qr(drawn)[0][:count]
        variances = ((self.axes.factor @ chosen.T) ** 2).sum(axis=0)
        return on_column_grid(chosen.T), np.asarray(variances + LEAST_VARIANCE)

    def to_state(self) -> dict[str, Tree]:
        """Named arrays."""
        return {**self.lessons.to_state(), "axes": dict(self.axes._asdict())}

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh model with a saved state."""
        lessons = self.lessons.restored(state)
        return self._replace(lessons=lessons, axes=Axes(**state["axes"]))._readable()

    def diagnostics(self) -> dict[str, float | list[float]]:
        """Number of axes, the share of the variance that they hold, and mean Q of the memory."""
        if self.prepared is None:
            return {}
        axes, variances = self.prepared.axes, self.prepared.variances
        total = max(float(principal_axes.variances(self.axes).sum()), LEAST_VARIANCE)
        return {
            "components": float(axes.shape[1]),
            "explained": float((variances - LEAST_VARIANCE).sum()) / total,
            "reconstruction": float(statistics(axes, variances, self.lessons.held)[1].mean()),
        }


def statistics(axes: Floats, variances: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """T^2 [B] and Q [B] of standardised rows [B, D]; each row's bits are its own."""
    along = rows @ axes
    squares = along * along
    explained = squares.sum(axis=1)
    off = np.maximum((rows * rows).sum(axis=1) - explained, 0.0)
    return np.asarray((squares / variances).sum(axis=1)), np.asarray(off)
