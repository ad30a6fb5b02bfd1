"""The three encodings of K pairs: what each ascends, and what it does not."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay

from stream_dagmm import pairs
from stream_dagmm.arithmetic import Floats

Value = Callable[[torch.Tensor], torch.Tensor]


def case(seed: int, components: int = 5, size: int = 2) -> tuple[Floats, Floats, Floats]:
    """Starts [20, Z], log p [20, K] and codes [K, Z]."""
    random = np.random.default_rng(seed)
    codes = random.normal(scale=1.5, size=(components, size))
    return random.normal(size=(20, size)), 3.0 * random.normal(size=(20, components)), codes


def by_autograd(value: Value, z: Floats) -> Floats:
    given = torch.from_numpy(z.copy()).requires_grad_()
    (gradient,) = torch.autograd.grad(value(given).sum(), given)
    return np.asarray(gradient.numpy())


def joint(z: Floats, log_p: Floats, codes: Floats) -> Floats:
    """J = log sum_k p_k e_k [B]: what the fixed point ascends."""
    return pairs.log_sum(log_p + pairs.log_kernel(z, codes))


def kernel(z: torch.Tensor, codes: Floats) -> torch.Tensor:
    return -(z[:, None, :] - torch.from_numpy(codes)).square().sum(dim=2)


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_of_the_joint_is_that_of_automatic_differentiation(seed: int) -> None:
    z, log_p, codes = case(seed)

    def value(given: torch.Tensor) -> torch.Tensor:
        return torch.logsumexp(torch.from_numpy(log_p) + kernel(given, codes), dim=1)

    np.testing.assert_allclose(
        pairs.pull(pairs.shares(log_p + pairs.log_kernel(z, codes)), z, codes),
        by_autograd(value, z),
    )
    found = joint(z, log_p, codes)
    np.testing.assert_allclose(found, value(torch.from_numpy(z)).numpy())


@pytest.mark.parametrize("background", [0.0, 0.1, 10.0])
def test_the_gradient_of_the_bound_is_that_of_automatic_differentiation(background: float) -> None:
    z, log_p, codes = case(1)

    def value(given: torch.Tensor) -> torch.Tensor:
        log_e = kernel(given, codes)
        whole = torch.logsumexp(torch.from_numpy(log_p) + log_e, dim=1)
        return whole - (background + log_e.exp().sum(dim=1)).log()

    found = pairs.bound_gradient(z, log_p, codes, background)
    np.testing.assert_allclose(found, by_autograd(value, z), atol=1e-12)
    values = pairs.bound(z, log_p, codes, background)
    np.testing.assert_allclose(values, value(torch.from_numpy(z)).numpy())


def test_the_gradient_of_jensens_bound_is_that_of_automatic_differentiation() -> None:
    z, log_p, codes = case(2)

    def value(given: torch.Tensor) -> torch.Tensor:
        weights = torch.softmax(kernel(given, codes), dim=1)
        return (weights * torch.from_numpy(log_p)).sum(dim=1)

    found = pairs.expected_gradient(z, log_p, codes)
    np.testing.assert_allclose(found, by_autograd(value, z), atol=1e-12)


def path(z: Floats, log_p: Floats, codes: Floats, steps: int = 30) -> list[Floats]:
    """Where the fixed point is after 0, 1, 2, ... steps."""
    return [pairs.fixed_point(z, log_p, codes, n).z for n in range(steps)]


@pytest.mark.parametrize("seed", range(20))
def test_the_fixed_point_never_lowers_the_joint_and_stays_in_the_hull(seed: int) -> None:
    start, log_p, codes = case(seed)
    places = path(start, log_p, codes)
    values = np.array([joint(z, log_p, codes) for z in places])
    assert (np.diff(values, axis=0) >= -1e-12).all()
    hull = Delaunay(codes)
    centre = codes.mean(axis=0)
    for z in places[1:]:
        inward = centre + (z - centre) * (1.0 - 1e-9)  # on the edge, rounding decides
        assert (hull.find_simplex(inward) >= 0).all()


def test_the_fixed_point_can_lower_the_bound_which_lacks_the_normaliser() -> None:
    """The counterexample: in many random cases L_2 falls along the published iteration."""
    falls = []
    for seed in range(60):
        start, log_p, codes = case(seed, components=4)
        values = np.array([pairs.bound(z, log_p, codes, 0.1) for z in path(start, log_p, codes)])
        falls.append((np.diff(values, axis=0) < -1e-6).any(axis=0).mean())
    assert 0.1 < float(np.mean(falls)) < 0.9


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("background", [0.0, 0.1])
def test_the_exact_encoding_never_lowers_the_bound_and_stays_in_its_box(
    seed: int, background: float
) -> None:
    start, log_p, codes = case(seed)

    def value(z: Floats) -> Floats:
        return pairs.bound(z, log_p, codes, background)

    def slope(z: Floats) -> Floats:
        return pairs.bound_gradient(z, log_p, codes, background)

    places = [pairs.ascended(start, value, slope, 2.5, steps).z for steps in range(40)]
    values = np.array([value(z) for z in places])
    assert (np.diff(values, axis=0) >= 0.0).all()
    assert max(np.abs(z).max() for z in places[1:]) <= max(2.5, np.abs(start).max())
    published = pairs.fixed_point(start, log_p, codes, 40).z
    assert (value(pairs.ascended(published, value, slope, 6.0, 40).z) >= value(published)).all()


@pytest.mark.parametrize("seed", range(10))
def test_jensens_bound_is_below_and_never_falls(seed: int) -> None:
    start, log_p, codes = case(seed)

    def value(z: Floats) -> Floats:
        return pairs.expected(z, log_p, codes)

    def slope(z: Floats) -> Floats:
        return pairs.expected_gradient(z, log_p, codes)

    values = np.array([value(pairs.ascended(start, value, slope, 4.0, n).z) for n in range(30)])
    assert (np.diff(values, axis=0) >= 0.0).all()
    assert (value(start) <= pairs.bound(start, log_p, codes, 0.0) + 1e-12).all()


def test_logarithms_in_the_fixed_point_would_find_the_farthest_component() -> None:
    """Weights e_k log p_k, normalised: negative log densities turn the order of pairs around."""
    codes = np.array([[-1.0, 0.0], [1.0, 0.0]])
    log_p = np.array([[-1.0, -50.0]])  # the first pair is by far the likelier
    z = np.zeros((1, 2))
    for _ in range(20):
        weights = np.exp(pairs.log_kernel(z, codes)) * log_p
        z = (weights / weights.sum(axis=1, keepdims=True)) @ codes
    assert z[0, 0] > 0.9  # at the second pair
    ascended = pairs.ascended(
        np.zeros((1, 2)),
        lambda at: pairs.expected(at, log_p, codes),
        lambda at: pairs.expected_gradient(at, log_p, codes),
        4.0,
        50,
    )
    assert ascended.z[0, 0] < -0.9


def test_rows_that_converged_are_flagged_and_stand_still() -> None:
    start, log_p, codes = case(3)
    short, long = (pairs.fixed_point(start, log_p, codes, steps) for steps in (3, 500))
    assert not short.converged.all()
    assert long.converged.all()
    again = pairs.fixed_point(long.z, log_p, codes, 1)
    assert np.abs(again.z - long.z).max() < pairs.TOLERANCE


def test_a_row_moves_as_it_would_alone() -> None:
    start, log_p, codes = case(4)
    together = pairs.fixed_point(start, log_p, codes, 50).z
    alone = [pairs.fixed_point(start[[n]], log_p[[n]], codes, 50).z for n in range(len(start))]
    assert np.vstack(alone).tobytes() == together.tobytes()
