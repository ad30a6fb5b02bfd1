"""The gradient written by hand is torch's, and is finite where rows are odd."""

import numpy as np
import pytest
import torch
from torch import Tensor

from stream_dagmm import StreamDAGMM, mixture, objectives
from stream_dagmm.arithmetic import on_row_grid
from stream_dagmm.mixture import Mixture
from stream_dagmm.nets import Nets, latent_features, memberships

WIDTH = 5
SPREAD = torch.linspace(0.5, 2.0, WIDTH, dtype=torch.float64)


def nets_of(hidden: tuple[int, ...] | None = None) -> Nets:
    return Nets.drawn(StreamDAGMM(hidden=hidden)._fresh().design, WIDTH)


def rows_of(count: int) -> Tensor:
    return torch.from_numpy(on_row_grid(np.random.default_rng(1).normal(size=(count, WIDTH)) * 2.0))


def standing_of(nets: Nets) -> Mixture:
    z, _ = latent_features(nets, rows_of(50), faithful=False)
    return mixture.moments(z, memberships(nets, z))


@pytest.mark.parametrize("hidden", [None, (7,), (9, 6, 4)])
@pytest.mark.parametrize("count", [1, 3, 50])
def test_the_gradient_by_hand_is_the_one_of_torch(
    hidden: tuple[int, ...] | None, count: int
) -> None:
    nets, rows = nets_of(hidden), rows_of(count)
    standing = standing_of(nets)
    vector = nets.flat().requires_grad_()
    loss = objectives.default(nets.shaped(vector), SPREAD, standing, rows)
    (expected,) = torch.autograd.grad(loss, vector)
    found = objectives.default_gradient(nets, SPREAD, standing, rows)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_a_row_at_the_origin_gives_a_finite_gradient() -> None:
    nets = nets_of()
    origin = torch.zeros((2, WIDTH), dtype=torch.float64)
    gradient = objectives.default_gradient(nets, SPREAD, standing_of(nets), origin)
    assert gradient.isfinite().all()
