"""`GaussianMixture`: an exponentially weighted mixture of full Gaussians on the input features."""

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch

from stream_dagmm import arguments, buffers, mixture, scaling
from stream_dagmm.arithmetic import Floats
from stream_dagmm.buffers import Reservoir
from stream_dagmm.checkpoint import Tree
from stream_dagmm.mixture import Mixture, Readout
from stream_dagmm.scaling import Scale
from stream_dagmm.stream import BlockDetector

START = 1024
"""Events that the mixture is fitted to as a whole, by expectation maximisation at the end of each
of the first blocks; from then on it is updated block by block."""


class GaussianMixture(BlockDetector):
    """Scores an event by its energy, minus the log-likelihood under a moving Gaussian mixture.

    Features are standardised online. With one component the energy is half the squared
    exponentially weighted Mahalanobis distance plus a constant of the moment; beyond
    `scaling.CLIP` standard deviations of a feature it grows with the logarithm of the distance.
    Cold, before the second event, every score is 0.

    Parameters
    ----------
    n_components
        Gaussians, at least 1.
    half_life
        Events after which an event's weight in all statistics has halved; `inf` forgets nothing.
    batch_size
        Events between two updates; the first blocks are of 1, 1, 2, 4, ... events.
    max_features
        Columns given out one by one; later features share a fixed number of hashed ones.
    seed
        Of the starts of the mixture.

    Examples
    --------
    >>> from river import datasets
    >>> from stream_dagmm import GaussianMixture
    >>> detector = GaussianMixture()
    >>> for x, _ in datasets.Shuttle().take(1024):
    ...     detector.learn_one(x)
    >>> print(f"{detector.score_one(x):.1f} {detector.score_one({**x, 'f1': 900.0}):.1f}")
    1.7 1272.5

    References
    ----------
    Energy: Zong et al., "Deep Autoencoding Gaussian Mixture Model for Unsupervised Anomaly
    Detection", ICLR 2018, equation 6.
    """

    def __init__(
        self,
        n_components: int = 1,
        half_life: float = 20_000.0,
        batch_size: int = 256,
        max_features: int = 512,
        seed: int = 0,
    ) -> None:
        self.n_components = arguments.at_least(1, n_components=n_components)
        self._begin(half_life, batch_size, max_features, seed)

    @classmethod
    def _unit_test_params(cls) -> Any:
        yield {"n_components": 1, "batch_size": 32}
        yield {"n_components": 3, "batch_size": 32}

    def _fresh(self) -> "MixtureModel":
        return MixtureModel.fresh(self.n_components, self.half_life, self.seed)


class MixtureModel(NamedTuple):
    """Scale, the rows of the start, and the mixture in standardised units."""

    n_components: int
    half_life: float
    seed: int
    scale: Scale
    start: Reservoir
    mixture: Mixture | None
    prepared: Readout | None

    @classmethod
    def fresh(cls, n_components: int, half_life: float, seed: int) -> Self:
        """The model that knows nothing."""
        start = Reservoir.fresh(START, np.inf)
        return cls(n_components, half_life, seed, scaling.fresh(), start, None, None)

    @property
    def width(self) -> int:
        """Columns learned."""
        return len(self.scale.mean)

    def follow(self, context: Floats, rows: Floats) -> tuple[Floats, Floats]:
        """No context."""
        return np.empty((len(rows), 0)), context

    def score(self, rows: Floats, contexts: Floats) -> Floats:
        """Energies [B] of rows [B, D]."""
        if self.prepared is None:
            return np.zeros(len(rows))
        standard = scaling.standardise(self.scale, rows)
        energy = mixture.row_energy(self.prepared, standard.rows)
        return np.asarray(energy + standard.beyond)

    def learn(
        self, rows: Floats, contexts: Floats, scores: Floats, is_text: npt.NDArray[np.bool_]
    ) -> Self:
        """After a block of rows [B, D']."""
        wider = scaling.widen(self.scale, is_text)
        scale = scaling.update(wider, rows, self.half_life)
        start = self.start
        if self.mixture is None or start.offered < START:
            start = start.offer(rows, buffers.generator(self.seed, 0, 0))
            learned = self._start(scaling.standardise(scale, start.rows).rows)
        else:
            start = start._replace(rows=start.rows[:0])
            learned = self._moved(self.mixture, wider, scale, rows)
        return self._replace(
            scale=scale,
            start=start,
            mixture=learned,
            prepared=mixture.readout(mixture.steadied(learned)),
        )

    def _start(self, rows: Floats) -> Mixture:
        random = buffers.generator(self.seed, len(rows), 1)
        components = min(self.n_components, len(rows))
        return mixture.fitted(torch.from_numpy(rows), components, random)

    def _moved(self, standing: Mixture, old: Scale, new: Scale, rows: Floats) -> Mixture:
        gain, shift = map(torch.from_numpy, scaling.carried(old, new))
        standing = mixture.moved(standing, gain, shift)
        values = torch.from_numpy(scaling.standardise(new, rows).rows)
        belonging = mixture.responsibilities(mixture.steadied(standing), values)
        return mixture.update(standing, values, belonging, 2.0 ** (-len(rows) / self.half_life))

    def to_state(self) -> dict[str, Tree]:
        """Named arrays."""
        learned = self.mixture._asdict() if self.mixture else {}
        return {
            "scale": dict(self.scale._asdict()),
            "start": self.start.to_state(),
            "mixture": {name: tensor.numpy() for name, tensor in learned.items()},
        }

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh model with a saved state."""
        tensors = {name: torch.from_numpy(array) for name, array in state["mixture"].items()}
        learned = Mixture(**tensors) if tensors else None
        prepared = mixture.readout(mixture.steadied(learned)) if learned else None
        start = self.start.restored(state["start"])
        return self._replace(
            scale=Scale(**state["scale"]), start=start, mixture=learned, prepared=prepared
        )

    def diagnostics(self) -> dict[str, float | list[float]]:
        """Component weights."""
        if self.mixture is None:
            return {}
        return {"component_weights": mixture.weights(self.mixture).tolist()}
