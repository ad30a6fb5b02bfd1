"""How surprising a reconstruction is: every column by a heavy-tailed law on its own usual scale.

By default the law is Student's t (`tail` degrees of freedom, infinity being the Gaussian), so one
column that is absurdly wrong does not outshout many that are wrong; its squared scale is the
column's usual squared residual, weighted exponentially, and measured on the least surprising rows
alone.
"""

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from stream_dagmm.arithmetic import Floats

TAIL = 5.0
"""Degrees of freedom: outliers weigh with a logarithm, the rest nearly as under a Gaussian."""

Law = Literal["student_t", "gaussian", "bernoulli"]
"""Of a column, given what the networks say of it."""

TAILS: dict[Law, float | None] = {"student_t": TAIL, "gaussian": math.inf, "bernoulli": None}
"""Degrees of freedom; a Bernoulli law has none."""

LEAST_SPREAD = 0.05
"""Squared residual, in squared standard deviations, that is usual at least: a column that is always
reconstructed perfectly is not thereby infinitely telling."""

SHARE = 0.1
"""Weight of the latest measurement in the usual squared residual."""

TRUSTED = 0.7
"""Share of rows, the least surprising, that teach: anomalies are strange before they are learned,
and so are kept from teaching (trimmed likelihood)."""


def cost(residual: Tensor, spread: Tensor, tail: float) -> Tensor:
    """Minus twice the log likelihood, up to constants, per column [B, D]: the squared residual over
    the spread [D] for a Gaussian.

    >>> cost(torch.tensor([[2.0]]), torch.tensor([1.0]), math.inf).tolist()
    [[4.0]]
    """
    squares = residual.square() / spread
    if math.isinf(tail):
        return squares
    return (tail + 1.0) * (squares / tail + 1.0).log()  # log1p takes ten times as long


def row_cost(residual: Floats, spread: Floats, tail: float) -> Floats:
    """`cost` summed over the columns [B]; each row's bits are its own."""
    squares = residual * residual / spread
    if not math.isinf(tail):
        squares = (tail + 1.0) * np.log1p(squares / tail)
    return np.asarray(squares.sum(axis=-1))


def binary_cost(signs: Tensor, logits: Tensor) -> Tensor:
    """Minus twice the log likelihood of Bernoulli columns [B, D], which are 1, -1, or 0 where
    nothing is known: that costs the same whatever the logits."""
    return 2.0 * torch.nn.functional.softplus(-signs * logits)


def row_binary_cost(signs: Floats, logits: Floats) -> Floats:
    """`binary_cost` summed over the columns [B]; each row's bits are its own."""
    return np.asarray(2.0 * np.logaddexp(0.0, -signs * logits).sum(axis=-1))


def constant(spread: Floats, tail: float) -> float:
    """What half the cost lacks to minus the log likelihood, in nats, for columns' spreads [D]."""
    scale = 0.5 * float(np.log(spread).sum())
    if math.isinf(tail):
        return scale + 0.5 * len(spread) * math.log(2.0 * math.pi)
    norm = math.lgamma(0.5 * tail) - math.lgamma(0.5 * (tail + 1.0))
    return scale + len(spread) * (norm + 0.5 * math.log(tail * math.pi))


def trusted(surprise: Tensor, part: float = TRUSTED) -> Tensor:
    """Places of the part of the rows, above 0 to 1, that surprise [B] least."""
    return surprise.detach().argsort()[: max(1, round(part * len(surprise)))]


def respread(spread: Floats, residual: Floats, share: float, part: float = TRUSTED) -> Floats:
    """The usual squared residuals [D] after those of a memory [R, D], which weigh `share`; of its
    rows the part that surprises least counts."""
    surprise = (residual * residual / spread).sum(axis=1)
    kept = np.argsort(surprise, kind="stable")[: max(1, round(part * len(residual)))]
    observed = (residual[kept] ** 2).mean(axis=0) + LEAST_SPREAD
    return np.asarray(spread + max(SHARE, share) * (observed - spread))
