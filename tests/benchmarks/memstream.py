"""MemStream, written from its paper: a peer that the detectors here must beat.

Bhatia, Jain, Srivastava, Kawaguchi, Hooi: "MemStream: Memory-Based Streaming Anomaly Detection",
WWW 2022, algorithm 1. A denoising autoencoder is trained once, on the first memory; an event's
score is the L1 distance of its code to the nearest code in memory (the paper's sum over K
neighbours with its discount gamma = 0); an event that scores no more than beta replaces the oldest
in memory, and mean and deviation, which standardise the next event, are those of the memory.
"""

import numpy as np
import torch
from torch import nn

from stream_dagmm.arithmetic import Floats
from tests.benchmarks.adam import Adam

MEMORY, BETA = 256, 1.0
"""Rows in memory, and the most that a remembered row scores. The paper tunes both for each data set
(4 to 2,048 rows, beta 0.0001 to 10); these are its values for KDD Cup 1999. A beta taken from a
quantile of the memory's own distances did worse in the mean, cold and label-clean."""

EPOCHS, LEARNING_RATE, NOISE = 5_000, 0.01, 0.001
"""The authors' values; the code has twice as many dimensions as the row."""


class MemStream:
    """Cold when its first memory is the stream's first rows, label-clean when it is known rows."""

    def __init__(self, memory: Floats, seed: int = 0, epochs: int = EPOCHS) -> None:
        self.rows = memory.copy()
        self._measure()
        standard = self._standardise(memory)
        self.weight, self.bias = encoder(standard, seed, epochs)
        self.codes = np.tanh(standard @ self.weight + self.bias)
        self.learned = 0

    def score_and_learn(self, row: Floats) -> float:
        """The score of a row [D], which the memory then takes in if it is ordinary."""
        code = np.tanh(self._standardise(row) @ self.weight + self.bias)
        score = float(np.abs(self.codes - code).sum(axis=1).min())
        if score <= BETA:
            oldest = self.learned % len(self.rows)
            self.rows[oldest], self.codes[oldest] = row, code
            self.learned += 1
            self._measure()
        return score

    def _measure(self) -> None:
        self.mean = self.rows.mean(axis=0)
        varies = (self.rows != self.rows[0]).any(axis=0)
        deviation = np.where(varies, self.rows.std(axis=0), np.inf)
        self.deviation = np.where(deviation > 0.0, deviation, np.inf)  # the paper: constant is 0

    def _standardise(self, rows: Floats) -> Floats:
        return np.asarray((rows - self.mean) / self.deviation)


def encoder(standard: Floats, seed: int, epochs: int) -> tuple[Floats, Floats]:
    """Weight [D, 2 D] and bias [2 D] of the autoencoder's first layer, trained on all rows."""
    width = standard.shape[1]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(width, 2 * width), nn.Tanh(), nn.Linear(2 * width, width))
        rows = torch.from_numpy(standard).float()
        optimiser = Adam(list(network.parameters()), LEARNING_RATE)
        for _ in range(epochs):
            given = rows + NOISE * torch.randn_like(rows)
            optimiser.step(nn.functional.mse_loss(network(given), rows))
    weight, bias = (p.detach().double().numpy() for p in network[0].parameters())
    return weight.T.copy(), bias


def cold(rows: Floats, first: int, seed: int, epochs: int) -> Floats:
    """Scores [B]; the first memory is the first rows, which score 0, no more than `first`."""
    size = min(MEMORY, first)
    detector = MemStream(rows[:size], seed, epochs)
    scores = [detector.score_and_learn(row) for row in rows[size:]]
    return np.concatenate([np.zeros(size), scores])


def label_clean(rows: Floats, normal: Floats, seed: int, epochs: int) -> Floats:
    """Scores [B]; the first memory is the first rows that are known to be normal."""
    detector = MemStream(normal[:MEMORY], seed, epochs)
    return np.array([detector.score_and_learn(row) for row in rows])
