"""Small fully connected networks: trained in torch, read by NumPy.

A network is a tuple of layers (W [in, out], b [out]), float64, with tanh between them and no
activation at the end, as in the DAGMM paper (Zong et al. 2018, section 4.4). `forward` is
differentiable; `exact_forward` gives each row bits of its own.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.optim.adam import adam

from stream_dagmm.arithmetic import Floats, on_column_grid, on_row_grid

Layer = tuple[Tensor, Tensor]
Network = tuple[Layer, ...]
ExactNetwork = tuple[tuple[Floats, Floats], ...]


class Moments(NamedTuple):
    """What Adam remembers of each parameter (Kingma and Ba 2015)."""

    first: list[Tensor]
    second: list[Tensor]
    steps: list[Tensor]


def drawn(sizes: list[int], random: np.random.Generator) -> Network:
    """A network with layer widths `sizes`, weights uniform as Glorot and Bengio (2010), biases 0."""
    layers = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
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


def exact(network: Network) -> ExactNetwork:
    """The network as operands of exact products."""
    return tuple((on_column_grid(weight.numpy()), bias.numpy().copy()) for weight, bias in network)


def exact_forward(network: ExactNetwork, rows: Floats) -> Floats:
    """`forward` for rows [B, in] on the row grid; outputs are on the row grid too."""
    for weight, bias in network[:-1]:
        rows = on_row_grid(np.tanh(rows @ weight + bias))
    weight, bias = network[-1]
    return on_row_grid(rows @ weight + bias)


def parameters(*networks: Network) -> list[Tensor]:
    """All tensors, in order."""
    return [tensor for network in networks for layer in network for tensor in layer]


def rebuilt(network: Network, tensors: list[Tensor]) -> Network:
    """The network with its first tensors, taken off the list, in place of its own."""
    return tuple((tensors.pop(0), tensors.pop(0)) for _ in network)


def no_moments(tensors: list[Tensor]) -> Moments:
    """Adam before its first step."""
    return Moments(
        [torch.zeros_like(t) for t in tensors],
        [torch.zeros_like(t) for t in tensors],
        [torch.zeros((), dtype=torch.float32) for _ in tensors],
    )


def stepped(
    tensors: list[Tensor], gradients: list[Tensor], moments: Moments, learning_rate: float
) -> tuple[list[Tensor], Moments]:
    """Parameters and moments after one step of Adam; the old ones stay as they were."""
    after = [t.detach().clone() for t in tensors]
    memory = Moments(*([t.clone() for t in tensors_] for tensors_ in moments))
    with torch.no_grad():
        adam(
            after,
            gradients,
            memory.first,
            memory.second,
            [],
            memory.steps,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=learning_rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
    return after, memory


def widened(network: Network, inputs: int, outputs: int, random: np.random.Generator) -> Network:
    """The network with inputs and outputs added at the end. New inputs come in with weight 0 and
    new outputs with small random weights, so nothing that was learned changes."""
    (first, first_bias), (last, last_bias) = network[0], network[-1]
    more = outputs - last.shape[1]
    fresh = torch.from_numpy(random.normal(scale=0.01, size=(last.shape[0], more)))
    last, last_bias = torch.hstack([last, fresh]), padded(last_bias, more)
    network = (*network[:-1], (last, last_bias))
    first, first_bias = network[0]
    first = torch.nn.functional.pad(first, (0, 0, 0, inputs - first.shape[0]))
    return ((first, first_bias), *network[1:])


def padded(vector: Tensor, more: int) -> Tensor:
    """The vector [n] with zeros after it [n + more]."""
    return torch.nn.functional.pad(vector, (0, more))


def moments_for(moments: Moments, tensors: list[Tensor]) -> Moments:
    """The moments of parameters that were widened: zero for what is new."""

    def fit(memory: Tensor, tensor: Tensor) -> Tensor:
        wider = torch.zeros_like(tensor)
        wider[tuple(slice(size) for size in memory.shape)] = memory
        return wider

    return Moments(
        [fit(m, t) for m, t in zip(moments.first, tensors, strict=True)],
        [fit(m, t) for m, t in zip(moments.second, tensors, strict=True)],
        moments.steps,
    )


def arrays(tensors: list[Tensor]) -> list[npt.NDArray[np.generic]]:
    """The tensors as NumPy arrays."""
    return [tensor.numpy() for tensor in tensors]
