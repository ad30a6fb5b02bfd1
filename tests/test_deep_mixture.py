"""The neural part learns: every parameter moves, and what scores is of one encoder."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stream_dagmm import StreamDAGMM, compression, deep_mixture
from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.deep_mixture import DeepMixture
from stream_dagmm.nets import Design
from tests.streams import table

EVERY_DESIGN = pytest.mark.parametrize("faithful", [False, True], ids=["default", "faithful"])


def rows_of(count: int, width: int = 6, seed: int = 0) -> Floats:
    rows = table(count, width, seed)
    return on_row_grid(np.clip((rows - rows.mean(axis=0)) / rows.std(axis=0), -8.0, 8.0))


def design_of(faithful: bool) -> Design:
    """The design that the detector makes of its defaults."""
    detector = StreamDAGMM(faithful=faithful)
    model = detector._fresh()
    return model.design


def trained(design: Design, blocks: int) -> DeepMixture:
    memory = rows_of(200)
    deep = deep_mixture.fresh(design, memory)
    for block in range(blocks):
        rows = rows_of(64, seed=block)
        codes = deep_mixture.encoded(deep, rows).z
        deep = deep_mixture.learned(deep, rows, codes, memory, 64 * (block + 1))
    return deep


@EVERY_DESIGN
def test_every_parameter_gets_a_gradient(faithful: bool) -> None:
    design = replace(design_of(faithful), dropout=0.0)
    before, after = trained(design, 0), trained(design, 1)
    moved = before.nets.flat() != after.nets.flat()
    assert moved.all()
    assert (after.moments.second > 0.0).all()


@EVERY_DESIGN
def test_training_reconstructs_better_than_not_training(faithful: bool) -> None:
    design = design_of(faithful)
    probe = rows_of(300, seed=99)
    idle = trained(replace(design, learning_rate=0.0), 40)
    busy = trained(design, 40)

    def error(deep: DeepMixture) -> float:
        rows = torch.from_numpy(probe)
        _, reconstructed = compression.coded(deep.published.nets.autoencoder, rows)
        return float((reconstructed - rows).square().mean())

    assert error(busy) < 0.9 * error(idle)
    assert torch.equal(idle.nets.flat(), trained(design, 0).nets.flat())


@EVERY_DESIGN
def test_the_published_mixture_is_of_the_published_encoder(faithful: bool) -> None:
    """Fitted anew at a publication: its mean is the mean of the memory's codes."""
    deep, memory = trained(design_of(faithful), 3), rows_of(200)
    z = deep_mixture.encoded(deep, memory).z
    mixture = deep.published.mixture
    mean = (mixture.mass[:, None] * mixture.mean).sum(dim=0) / mixture.mass.sum()
    np.testing.assert_allclose(mean.numpy(), z.mean(axis=0), atol=0.05)


@EVERY_DESIGN
def test_columns_that_come_later_leave_what_the_old_ones_say(faithful: bool) -> None:
    deep = trained(design_of(faithful), 2)
    block, memory = (np.pad(rows_of(count), ((0, 0), (0, 3))) for count in (64, 200))
    codes = deep_mixture.encoded(deep, block[:, :6]).z
    wider = deep_mixture.learned(deep, block, codes, memory, 256)
    assert len(wider.spread) == 9
    again = deep_mixture.restored(wider.design, deep_mixture.to_state(wider))
    assert torch.equal(again.nets.flat(), wider.nets.flat())
    assert again.nets.sizes() == wider.nets.sizes()
