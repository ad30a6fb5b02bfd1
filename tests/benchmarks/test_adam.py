"""Adam takes the steps of its algorithm."""

import pytest
import torch

from tests.benchmarks.adam import Adam


def test_the_first_steps_on_a_constant_slope_are_of_the_learning_rate() -> None:
    place = torch.nn.Parameter(torch.tensor([5.0, -5.0], dtype=torch.float64))
    adam = Adam([place], learning_rate=0.1)
    for _ in range(3):
        adam.step((place * torch.tensor([2.0, -1000.0])).sum())
    assert place.tolist() == pytest.approx([4.7, -4.7], abs=1e-6)


def test_it_finds_the_minimum_of_a_parabola() -> None:
    place = torch.nn.Parameter(torch.tensor(5.0))
    adam = Adam([place], learning_rate=0.1)
    for _ in range(500):
        adam.step((place - 2.0) ** 2)
    assert place.item() == pytest.approx(2.0, abs=1e-3)
