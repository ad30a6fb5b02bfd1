"""Entropies and divergences against closed forms, each other, and plain sampling."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, MultivariateNormal, Normal, kl_divergence

from stream_dagmm import information
from stream_dagmm.mixture import Mixture


def random_gaussians(count: int, size: int, seed: int) -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(seed)
    means = torch.from_numpy(random.normal(size=(count, size)))
    return means, torch.from_numpy(random.normal(size=(count, size)))


def mixture_of(means: list[list[float]], variance: float) -> Mixture:
    mean = torch.tensor(means, dtype=torch.float64)
    covariance = variance * torch.eye(mean.shape[1], dtype=torch.float64)
    return Mixture(torch.ones(len(means)).double(), mean, covariance.expand(len(means), -1, -1))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_entropy_of_equal_shares_is_the_logarithm_of_their_number(count: int) -> None:
    shares = torch.full((count,), 1.0 / count, dtype=torch.float64)
    assert float(information.entropy(shares)) == pytest.approx(math.log(count), abs=1e-12)


def test_a_certain_outcome_has_no_entropy_and_a_finite_gradient_elsewhere() -> None:
    assert float(information.entropy(torch.tensor([0.0, 1.0, 0.0]))) == 0.0


def test_categorical_divergence_agrees_with_torch_and_vanishes_on_itself() -> None:
    random = np.random.default_rng(0)
    one, other = (torch.from_numpy(random.dirichlet(np.ones(5), size=9)) for _ in range(2))
    found = information.divergence(one.log(), other.log())
    torch.testing.assert_close(found, kl_divergence(Categorical(one), Categorical(other)))
    assert float(information.divergence(one.log(), one.log()).abs().max()) == 0.0


def test_excluding_what_happens_is_infinitely_far() -> None:
    one, other = torch.tensor([0.5, 0.5]), torch.tensor([0.0, 1.0])
    assert float(information.divergence(one.log(), other.log())) == math.inf
    assert float(information.divergence(other.log(), one.log())) == pytest.approx(math.log(2))


def test_gaussian_closed_forms_agree_with_torch() -> None:
    (mean, log_variance), (there, log_there) = (random_gaussians(6, 3, s) for s in (0, 1))
    one = Normal(mean, (0.5 * log_variance).exp())
    other = Normal(there, (0.5 * log_there).exp())
    torch.testing.assert_close(
        information.gaussian_divergence(mean, log_variance, there, log_there),
        kl_divergence(one, other).sum(dim=1),
    )
    torch.testing.assert_close(
        information.from_standard(mean, log_variance),
        kl_divergence(one, Normal(torch.zeros_like(mean), 1.0)).sum(dim=1),
    )
    entropy: Tensor = one.entropy().sum(dim=1)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(information.gaussian_entropy(log_variance), entropy)
    density: Tensor = one.log_prob(there).sum(dim=1)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(information.log_density(there, mean, log_variance), density)


def test_sampling_finds_the_divergence_of_two_mixtures_that_are_gaussians() -> None:
    one, other = mixture_of([[0.0, 0.0]], 1.0), mixture_of([[1.0, -1.0]], 2.0)
    random = np.random.default_rng(3)
    found, error = information.mixture_divergence(one, other, 20_000, random)
    closed = kl_divergence(
        MultivariateNormal(one.mean[0], one.covariance[0]),
        MultivariateNormal(other.mean[0], other.covariance[0]),
    )
    assert abs(found - float(closed)) < 4.0 * error < 0.05


def test_a_mixture_is_no_distance_from_itself_and_log_two_from_its_double() -> None:
    """Half of a mixture of two components far apart: log 2 nats from the whole."""
    half, whole = mixture_of([[0.0]], 1.0), mixture_of([[0.0], [1000.0]], 1.0)
    random = np.random.default_rng(4)
    assert information.mixture_divergence(whole, whole, 500, random) == (0.0, 0.0)
    found, error = information.mixture_divergence(half, whole, 500, random)
    assert found == pytest.approx(math.log(2.0), abs=1e-9)
    assert error < 1e-9


def test_gradients_of_an_entropy_are_finite_inside_the_simplex() -> None:
    logits = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    entropy = information.entropy(torch.softmax(logits, dim=0))
    (gradient,) = torch.autograd.grad(entropy, logits)
    torch.testing.assert_close(gradient, torch.zeros(4).double())
