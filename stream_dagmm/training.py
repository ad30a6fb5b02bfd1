"""Networks that are trained while they score: gradient steps at the end of each block.

A detector states its loss of a batch; what is here draws the batches from the block and the memory,
takes the steps, and lets networks grow with the columns. How many steps depends on the age alone.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from stream_dagmm import networks
from stream_dagmm.arithmetic import Floats
from stream_dagmm.networks import ExactNetwork, Moments, Network

UNIT = 4.0
"""Standard deviations that networks take for one: rows reach 8, and tanh has said all by 2."""

LEAST_ROWS = 32
"""Rows in memory before networks are made: fewer say nothing about shapes."""

YOUNG = 4096
"""Events during which every block trains `STEPS_WHEN_YOUNG` steps, and one after that: a fresh
network is wrong about everything."""

STEPS_WHEN_YOUNG = 4
"""Twice as many cost 5 to 15 us an event and gain at most 0.007 average precision on Shuttle."""

Nets = tuple[Network, ...]
Loss = Callable[[Nets, Tensor, np.random.Generator], Tensor]
"""From networks and a batch of rows [B, D] to a scalar, with random numbers for noise."""

Shape = tuple[int, int]
"""Inputs and outputs of a network."""


class Trained(NamedTuple):
    """Networks and what Adam remembers of them."""

    nets: Nets
    moments: Moments

    @classmethod
    def drawn(cls, sizes: list[list[int]], random: np.random.Generator) -> Self:
        """Random weights for the layer widths of each network."""
        return cls.of(tuple(networks.drawn(widths, random) for widths in sizes))

    @classmethod
    def of(cls, nets: Nets) -> Self:
        """These networks before their first step."""
        return cls(nets, networks.no_moments(networks.flat(*nets)))

    def widened(self, shapes: list[Shape], random: np.random.Generator) -> Self:
        """With inputs and outputs added at the ends, up to these; what was learned stays."""
        if shapes == [(len(net[0][0]), len(net[-1][1])) for net in self.nets]:
            return self
        nets = tuple(
            networks.widened(net, inputs, outputs, random)
            for net, (inputs, outputs) in zip(self.nets, shapes, strict=True)
        )
        return type(self)(nets, networks.moments_for(self.moments, self.nets, nets))

    def descended(
        self, loss: Loss, rows: Tensor, learning_rate: float, random: np.random.Generator
    ) -> Self:
        """After one step of Adam on the loss of the rows [B, D]; as it was if the rate is 0."""
        if learning_rate == 0.0:
            return self
        vector = networks.flat(*self.nets).requires_grad_()
        value = loss(networks.shaped(vector, *self.nets), rows, random)
        (gradient,) = torch.autograd.grad(value, vector)
        after, moments = networks.stepped(vector.detach(), gradient, self.moments, learning_rate)
        return type(self)(networks.shaped(after, *self.nets), moments)

    def taught(
        self,
        loss: Loss,
        block: Floats,
        memory: Floats,
        age: int,
        learning_rate: float,
        random: np.random.Generator,
    ) -> Self:
        """After a block of rows [B, D]: a step on the block, then steps on samples of the block and
        the memory [R, D]. age: events seen, these included."""
        pool = torch.from_numpy(np.vstack([block, memory]))
        size, trained = max(len(block), LEAST_ROWS), self
        for step in range(STEPS_WHEN_YOUNG if age <= YOUNG else 1):
            chosen = pool[:size] if step == 0 else pool[random.integers(len(pool), size=size)]
            trained = trained.descended(loss, chosen, learning_rate, random)
        return trained

    def to_state(self) -> dict[str, Any]:
        """Named arrays and plain values."""
        return {
            "sizes": [[len(w) for w, _ in net] + [len(net[-1][1])] for net in self.nets],
            "parameters": networks.flat(*self.nets).numpy(),
            "first": self.moments.first.numpy(),
            "second": self.moments.second.numpy(),
            "steps": float(self.moments.steps),
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Self:
        """What `to_state` described."""
        random = np.random.Generator(np.random.Philox(0))  # the weights drawn are replaced
        nets = cls.drawn(state["sizes"], random).nets
        moments = Moments(
            torch.from_numpy(state["first"]),
            torch.from_numpy(state["second"]),
            torch.tensor(state["steps"], dtype=torch.float32),
        )
        return cls(networks.shaped(torch.from_numpy(state["parameters"]), *nets), moments)


class Coder(NamedTuple):
    """An encoder and a decoder of rows as operands of exact products."""

    encoder: ExactNetwork
    decoder: ExactNetwork

    @classmethod
    def of(cls, trained: Trained | None) -> Self | None:
        """Of the two networks that were trained, if there are any."""
        if trained is None:
            return None
        encoder, decoder = trained.nets
        return cls(exact_inwards(encoder), exact_outwards(decoder))


def doubled(age: int, block: int) -> bool:
    """Whether a young stream's age passed a power of two with its last block of so many events: the
    moments at which what was begun on few rows may begin anew on more.

    >>> [age for age in (64, 128, 192, 256, 320) if doubled(age, 64)]
    [64, 128, 256]
    """
    return age <= YOUNG and age.bit_length() > (age - block).bit_length()


def exact_inwards(network: Network) -> ExactNetwork:
    """A network that reads rows, for scoring, with the unit folded in: a power of two, so nothing
    is rounded by it."""
    (weight, bias), *inner = networks.exact(network)
    return ((weight / UNIT, bias), *inner)


def exact_outwards(network: Network) -> ExactNetwork:
    """A network that makes rows, for scoring, with the unit folded in."""
    *outer, (weight, bias) = networks.exact(network)
    return (*outer, (weight * UNIT, bias * UNIT))
