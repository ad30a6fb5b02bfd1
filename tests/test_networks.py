"""Networks that train in torch and score in NumPy with bits that are a row's own."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from stream_dagmm import networks
from stream_dagmm.arithmetic import on_row_grid

SIZES = pytest.mark.parametrize("sizes", [[1, 1], [3, 8, 2], [17, 60, 30, 10, 1], [64, 64, 12]])


def drawn(sizes: list[int], seed: int = 0) -> networks.Network:
    return networks.drawn(sizes, np.random.default_rng(seed))


def rows_for(sizes: list[int], count: int = 70) -> Tensor:
    rows = np.random.default_rng(1).normal(size=(count, sizes[0])) * 3.0
    return torch.from_numpy(on_row_grid(rows))


@SIZES
def test_the_exact_outputs_are_the_outputs_to_the_accuracy_of_the_grid(sizes: list[int]) -> None:
    network, rows = drawn(sizes), rows_for(sizes)
    exact = networks.exact_forward(networks.exact(network), rows.numpy())
    np.testing.assert_allclose(exact, networks.forward(network, rows).numpy(), atol=1e-3)
    assert np.array_equal(exact, on_row_grid(exact))


@SIZES
def test_a_rows_exact_outputs_have_bits_of_their_own(sizes: list[int]) -> None:
    network, rows = networks.exact(drawn(sizes)), rows_for(sizes).numpy()
    whole = networks.exact_forward(network, rows)
    for width in (1, 2, 3, 16, 17, 64):
        parts = [
            networks.exact_forward(network, rows[start : start + width])
            for start in range(0, len(rows), width)
        ]
        assert np.vstack(parts).tobytes() == whole.tobytes()


def test_the_forward_pass_is_the_one_of_numpy() -> None:
    network, rows = drawn([3, 8, 2]), rows_for([3])
    (first, first_bias), (last, last_bias) = ((w.numpy(), b.numpy()) for w, b in network)
    oracle = np.tanh(rows.numpy() @ first + first_bias) @ last + last_bias
    np.testing.assert_allclose(networks.forward(network, rows), oracle, atol=1e-12)


def test_weights_are_drawn_within_glorots_limit_and_from_the_generator_alone() -> None:
    network = drawn([100, 50])
    weight, bias = network[0]
    limit = math.sqrt(6.0 / 150.0)
    assert 0.95 * limit < weight.abs().max().item() <= limit
    assert (bias == 0.0).all()
    assert weight.numpy().tobytes() == drawn([100, 50])[0][0].numpy().tobytes()


def test_adam_is_torchs_adam_and_leaves_its_inputs() -> None:
    network, rows = drawn([3, 8, 2]), rows_for([3])
    oracle = networks.flat(network).requires_grad_()
    optimizer = torch.optim.Adam([oracle], lr=0.01)
    vector, moments = networks.flat(network), networks.no_moments(networks.flat(network))
    for _ in range(20):
        [oracle.grad] = torch.autograd.grad(loss_of(network, oracle, rows), [oracle])
        optimizer.step()
        leaf = vector.clone().requires_grad_()
        [gradient] = torch.autograd.grad(loss_of(network, leaf, rows), [leaf])
        before = [leaf.clone(), *(part.clone() for part in moments)]
        vector, after = networks.stepped(leaf, gradient, moments, 0.01)
        assert all(torch.equal(a, b) for a, b in zip([leaf, *moments], before, strict=True))
        moments = after
    torch.testing.assert_close(vector, oracle.detach(), rtol=1e-9, atol=1e-12)


def loss_of(network: networks.Network, vector: Tensor, rows: Tensor) -> Tensor:
    [shaped] = networks.shaped(vector, network)
    return networks.forward(shaped, rows).square().mean()


def test_parameters_laid_flat_are_put_together_again() -> None:
    nets = drawn([3, 8, 5, 2]), drawn([2, 4, 3], seed=1)
    again = networks.shaped(networks.flat(*nets), *nets)
    for net, other in zip(nets, again, strict=True):
        for (weight, bias), (same_weight, same_bias) in zip(net, other, strict=True):
            assert torch.equal(weight, same_weight)
            assert torch.equal(bias, same_bias)


@pytest.mark.parametrize("sizes", [[3, 8, 2], [3, 2], [3, 8, 4, 2]])
def test_a_widened_network_says_the_same_of_what_it_knew(sizes: list[int]) -> None:
    network, rows = drawn(sizes), rows_for(sizes)
    wider = networks.widened(network, 5, 4, np.random.default_rng(2))
    more = torch.hstack([rows, torch.randn(70, 2, generator=torch.Generator().manual_seed(0))])
    outputs = networks.forward(wider, more.double())
    torch.testing.assert_close(outputs[:, :2], networks.forward(network, rows))
    assert outputs.shape == (70, 4)
    assert (outputs[:, 2:] != 0.0).any()
    same = networks.widened(network, sizes[0], sizes[-1], np.random.default_rng(2))
    assert all(torch.equal(*pair) for pair in zip(same[0], network[0], strict=True))


def test_moments_of_widened_parameters_are_kept_where_they_were() -> None:
    network = drawn([3, 8, 2])
    wider = networks.widened(network, 5, 4, np.random.default_rng(2))
    memory = networks.flat(network).square() + 1.0
    moments = networks.no_moments(memory)._replace(first=memory, second=2.0 * memory)
    found = networks.moments_for(moments, (network,), (wider,))
    [first], [old] = networks.shaped(found.first, wider), networks.shaped(memory, network)
    assert torch.equal(first[0][0][:3], old[0][0])
    assert torch.equal(first[1][0][:, :2], old[1][0])
    assert found.first.sum().item() == pytest.approx(memory.sum().item())
    assert torch.equal(found.second, 2.0 * found.first)
    assert found.steps is moments.steps
