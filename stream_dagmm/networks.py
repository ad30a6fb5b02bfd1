"""Small fully connected networks: trained in torch, read by NumPy.

A network is a tuple of layers (W [in, out], b [out]), float64, with tanh between them and no
activation at the end, as in the DAGMM paper (Zong et al. 2018, section 4.4). `forward` is
differentiable; `exact_forward` gives each row bits of its own.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from stream_dagmm.arithmetic import Floats, on_column_grid, on_row_grid, rounded

Layer = tuple[Tensor, Tensor]
Network = tuple[Layer, ...]
ExactNetwork = tuple[tuple[Floats, Floats], ...]

FIRST_DECAY, SECOND_DECAY, LEAST_ROOT = 0.9, 0.999, 1e-8
"""Adam's beta_1, beta_2 and epsilon, as its authors recommend."""


class Moments(NamedTuple):
    """What Adam remembers of a flat vector of P parameters (Kingma and Ba 2015)."""

    first: Tensor
    second: Tensor
    steps: Tensor


def drawn(sizes: list[int], random: np.random.Generator) -> Network:
    """A network with layer widths `sizes`: weights as Glorot and Bengio (2010), biases 0."""
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        limit = math.sqrt(6.0 / (inputs + outputs))
        weight = torch.from_numpy(random.uniform(-limit, limit, (inputs, outputs)))
        layers.append((weight, torch.zeros(outputs, dtype=torch.float64)))
    return tuple(layers)


def forward(network: Network, rows: Tensor) -> Tensor:
    """Outputs [B, out] for rows [B, in]."""
    for weight, bias in network[:-1]:
        rows = torch.tanh(rows @ weight + bias)
    weight, bias = network[-1]
    return rows @ weight + bias


def activations(network: Network, rows: Tensor) -> list[Tensor]:
    """What each layer is given for rows [B, in], and at the end the outputs [B, out]."""
    layers = [rows]
    for weight, bias in network[:-1]:
        layers.append(torch.addmm(bias, layers[-1], weight).tanh_())
    weight, bias = network[-1]
    return [*layers, torch.addmm(bias, layers[-1], weight)]


def gradient(network: Network, layers: list[Tensor], slope: Tensor) -> tuple[list[Tensor], Tensor]:
    """From the derivatives [B, out] of a scalar by the outputs to those by the parameters (flat, in
    the order of `flat`) and by the inputs [B, in]. layers: the `activations`."""
    flat: list[Tensor] = []
    for place in range(len(network) - 1, -1, -1):
        given = layers[place]
        flat[:0] = ((given.T @ slope).view(-1), slope.sum(dim=0))
        slope = slope @ network[place][0].T
        if place:
            slope = torch.addcmul(slope, slope * given, given, value=-1.0)  # tanh' = 1 - tanh^2
    return flat, slope


def exact(network: Network) -> ExactNetwork:
    """The network as operands of exact products."""
    return tuple((on_column_grid(weight.numpy()), bias.numpy().copy()) for weight, bias in network)


def exact_forward(network: ExactNetwork, rows: Floats) -> Floats:
    """`forward` for rows [B, in] on the row grid; outputs are on the row grid too."""
    for weight, bias in network[:-1]:
        hidden = rows @ weight
        hidden += bias
        rows = rounded(np.tanh(hidden, out=hidden))
    weight, bias = network[-1]
    return on_row_grid(rows @ weight + bias)


def flat(*nets: Network) -> Tensor:
    """All parameters of the networks as one vector [P], in order."""
    return torch.cat([tensor.reshape(-1) for net in nets for layer in net for tensor in layer])


def shaped(vector: Tensor, *nets: Network) -> tuple[Network, ...]:
    """Networks of the given ones' shapes with the parameters of a vector [P]; gradients pass."""
    tensors = [tensor for net in nets for layer in net for tensor in layer]
    pieces = iter(torch.split(vector, [tensor.numel() for tensor in tensors]))
    return tuple(
        tuple((next(pieces).view(weight.shape), next(pieces)) for weight, _ in net) for net in nets
    )


def no_moments(vector: Tensor) -> Moments:
    """Adam before its first step."""
    zero = torch.zeros_like(vector)
    return Moments(zero, zero, torch.zeros((), dtype=torch.float32))


def stepped(
    vector: Tensor, gradient: Tensor, moments: Moments, learning_rate: float
) -> tuple[Tensor, Moments]:
    """Parameters [P] and moments after one step of Adam; the old ones stay as they were.

    Written out, since torch's own (which a test compares) takes longer to call than to compute.
    """
    with torch.no_grad():
        first = torch.lerp(moments.first, gradient, 1.0 - FIRST_DECAY)
        second = (moments.second * SECOND_DECAY).addcmul_(
            gradient, gradient, value=1.0 - SECOND_DECAY
        )
        steps = moments.steps + 1.0
        bias = math.sqrt(1.0 - SECOND_DECAY ** float(steps))
        rate = learning_rate / (1.0 - FIRST_DECAY ** float(steps))
        after = torch.addcdiv(vector, first, (second.sqrt() / bias).add_(LEAST_ROOT), value=-rate)
    return after, Moments(first, second, steps)


def widened(network: Network, inputs: int, outputs: int, random: np.random.Generator) -> Network:
    """The network with inputs and outputs added at the end. New inputs come in with weight 0 and
    new outputs with small random weights, so nothing that was learned changes."""
    last, last_bias = network[-1]
    more = outputs - last.shape[1]
    fresh = torch.from_numpy(random.normal(scale=0.01, size=(last.shape[0], more)))
    network = (*network[:-1], (torch.hstack([last, fresh]), pad(last_bias, (0, more))))
    first, first_bias = network[0]
    return ((pad(first, (0, 0, 0, inputs - first.shape[0])), first_bias), *network[1:])


def moments_for(moments: Moments, old: tuple[Network, ...], new: tuple[Network, ...]) -> Moments:
    """The moments of networks that were widened: zero for what is new."""

    def fitted(vector: Tensor) -> Tensor:
        wider = tuple(
            tuple(
                (
                    pad(w, (0, like.shape[1] - w.shape[1], 0, like.shape[0] - w.shape[0])),
                    pad(b, (0, len(bias) - len(b))),
                )
                for (w, b), (like, bias) in zip(memory, net, strict=True)
            )
            for memory, net in zip(shaped(vector, *old), new, strict=True)
        )
        return flat(*wider)

    return Moments(fitted(moments.first), fitted(moments.second), moments.steps)
