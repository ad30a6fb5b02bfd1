"""Simple peers that learn block by block, as the detectors here do: each row scored by the past."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import nn

from stream_dagmm.arithmetic import Floats
from tests.benchmarks.adam import Adam

BLOCK = 256
CLIP = 10.0


class Learner(Protocol):
    """What scores rows by what it has learned."""

    def score(self, rows: Floats) -> Floats:
        """Scores [B] of rows [B, D]."""

    def learn(self, rows: Floats) -> None:
        """Learns rows [B, D]."""


def blocks(count: int) -> Iterator[slice]:
    """Slices of 1, 1, 2, 4, ... and then of `BLOCK` rows."""
    start = 0
    while start < count:
        stop = min(start + min(max(start, 1), BLOCK), count)
        yield slice(start, stop)
        start = stop


def scores(learner: Learner, rows: Floats) -> Floats:
    """Scores [B] of rows [B, D]; 0 for the first two, before anything has a spread."""
    found = np.zeros(len(rows))
    for block in blocks(len(rows)):
        if block.start >= 2:
            found[block] = learner.score(rows[block])
        learner.learn(rows[block])
    return found


class Moments:
    """Mean and covariance [D, D], or variance [D] only, of all rows so far."""

    def __init__(self, width: int, covariance: bool = False) -> None:
        self.count, self.mean = 0, np.zeros(width)
        self.second = np.zeros((width, width) if covariance else width)

    def learn(self, rows: Floats) -> None:
        """Chan, Golub and LeVeque's update."""
        own, total = rows.mean(axis=0), self.count + len(rows)
        apart, shift = rows - own, own - self.mean
        scatter = apart.T @ apart if self.second.ndim == 2 else (apart**2).sum(axis=0)
        between = np.outer(shift, shift) if self.second.ndim == 2 else shift**2
        between = between * self.count * len(rows) / total
        self.second = (self.count * self.second + scatter + between) / total
        self.mean = self.mean + shift * len(rows) / total
        self.count = total

    def standardise(self, rows: Floats) -> Floats:
        """Rows in standard deviations, clipped; 0 where nothing has varied."""
        variance = np.diag(self.second) if self.second.ndim == 2 else self.second
        # Rounding leaves a trace of the mean's size where nothing varies.
        least = (1e-9 * np.abs(self.mean)) ** 2 + 1e-300
        deviation = np.sqrt(np.where(variance > least, variance, np.inf))
        return np.asarray(np.clip((rows - self.mean) / deviation, -CLIP, CLIP))


class ReservoirDistance:
    """Mean distance to the nearest tenth of a uniform sample of all rows so far."""

    def __init__(self, width: int, seed: int, size: int = 1024) -> None:
        self.moments, self.random = Moments(width), np.random.default_rng(seed)
        self.sample, self.size, self.seen = np.empty((0, width)), size, 0

    def score(self, rows: Floats) -> Floats:
        """Distances are between standardised rows."""
        given, held = (self.moments.standardise(part) for part in (rows, self.sample))
        squared = (given**2).sum(axis=1)[:, None] + (held**2).sum(axis=1) - 2.0 * given @ held.T
        nearest = max(1, len(held) // 10)
        closest = np.partition(squared, nearest - 1, axis=1)[:, :nearest]
        return np.asarray(np.sqrt(np.maximum(closest, 0.0)).mean(axis=1))

    def learn(self, rows: Floats) -> None:
        """Vitter's algorithm R."""
        self.moments.learn(rows)
        for row in rows:
            self.seen += 1
            if len(self.sample) < self.size:
                self.sample = np.vstack([self.sample, row])
            elif (place := int(self.random.integers(self.seen))) < self.size:
                self.sample[place] = row


class PrincipalResidual:
    """Squared distance off the principal axes that hold 90 % of the variance."""

    def __init__(self, width: int) -> None:
        self.moments = Moments(width, covariance=True)
        self.minor = np.eye(width)

    def score(self, rows: Floats) -> Floats:
        """Of standardised rows."""
        return np.asarray(((self.moments.standardise(rows) @ self.minor) ** 2).sum(axis=1))

    def learn(self, rows: Floats) -> None:
        """The axes of the correlation matrix, anew after each block."""
        self.moments.learn(rows)
        variance = np.diag(self.moments.second)
        deviation = np.sqrt(np.where(variance > 0.0, variance, np.inf))
        values, axes = np.linalg.eigh(self.moments.second / np.outer(deviation, deviation))
        before = np.cumsum(values[::-1]) - values[::-1]
        major = int((before < 0.9 * values.sum()).sum())
        self.minor = axes[:, : max(len(values) - major, 1)]


class DenoisingAutoencoder:
    """Mean squared reconstruction error; one hidden layer, a step of Adam per 32 rows."""

    def __init__(self, width: int, seed: int, noise: float = 0.1) -> None:
        hidden = max(width // 2, 1)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = nn.Sequential(
                nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, width)
            )
        self.moments, self.noise = Moments(width), noise
        self.random = torch.Generator().manual_seed(seed)
        self.optimiser = Adam(list(self.network.parameters()), 0.01)

    def score(self, rows: Floats) -> Floats:
        """Of standardised rows, without noise."""
        given = self._tensor(rows)
        with torch.no_grad():
            return np.asarray(((self.network(given) - given) ** 2).mean(dim=1).double().numpy())

    def learn(self, rows: Floats) -> None:
        """One pass."""
        self.moments.learn(rows)
        for part in torch.split(self._tensor(rows), 32):
            noise = self.noise * torch.randn(part.shape, generator=self.random)
            self.optimiser.step(nn.functional.mse_loss(self.network(part + noise), part))

    def _tensor(self, rows: Floats) -> torch.Tensor:
        return torch.from_numpy(self.moments.standardise(rows)).float()
