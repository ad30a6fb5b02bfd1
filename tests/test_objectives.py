"""The gradient written by hand is torch's, and each objective is finite where rows are odd."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from stream_dagmm import StreamDAGMM, mixture, objectives
from stream_dagmm.arithmetic import on_row_grid
from stream_dagmm.nets import Design, Nets, latent_features, memberships
from stream_dagmm.objectives import Past

WIDTH = 5


def design_of(hidden: tuple[int, ...] | None = None) -> Design:
    """The default's design, with an energy weight that makes an error in its part visible."""
    return replace(StreamDAGMM()._fresh().design, hidden=hidden, energy_weight=1.0)


def rows_of(count: int) -> Tensor:
    return torch.from_numpy(on_row_grid(np.random.default_rng(1).normal(size=(count, WIDTH)) * 2.0))


def past_of(nets: Nets, rows: Tensor) -> Past:
    z, _ = latent_features(nets, rows, faithful=False)
    fitted = mixture.shrunk(mixture.moments(z, memberships(nets, z)))
    return Past(
        torch.linspace(0.5, 2.0, WIDTH, dtype=torch.float64),
        mixture.standing(mixture.readout(fitted), torch.float64),
    )


@pytest.mark.parametrize("hidden", [None, (7,), (9, 6, 4)])
@pytest.mark.parametrize("count", [1, 3, 50])
def test_the_gradient_by_hand_is_the_one_of_torch(
    hidden: tuple[int, ...] | None, count: int
) -> None:
    design = design_of(hidden)
    nets, rows = Nets.drawn(design, WIDTH), rows_of(50)
    past, rows = past_of(nets, rows), rows[:count]
    vector = nets.flat().requires_grad_()
    loss = objectives.default(design, nets.shaped(vector), past, rows)
    (expected,) = torch.autograd.grad(loss, vector)
    found = objectives.default_gradient(design, nets, past, rows)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_a_row_at_the_origin_gives_a_finite_gradient() -> None:
    design = design_of()
    nets = Nets.drawn(design, WIDTH)
    past = past_of(nets, rows_of(50))
    origin = torch.zeros((2, WIDTH), dtype=torch.float64)
    assert objectives.default_gradient(design, nets, past, origin).isfinite().all()
