"""An exponentially weighted mixture, held to oracles that know nothing of it."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, multivariate_t
from sklearn.mixture import GaussianMixture as Reference
from torch import Tensor

from stream_dagmm import mixture
from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.mixture import RIDGE, Mixture


def random_mixture(count: int, size: int, seed: int = 0) -> Mixture:
    random = np.random.default_rng(seed)
    roots = random.normal(size=(count, size, size + 3))
    covariance = roots @ roots.transpose(0, 2, 1) / (size + 3)
    mean, mass = random.normal(size=(count, size)) * 2.0, random.uniform(1.0, 50.0, size=count)
    return Mixture(*map(torch.from_numpy, (mass, mean, covariance)))


def random_rows(count: int, size: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(on_row_grid(np.random.default_rng(seed).normal(size=(count, size)) * 3))


def soft(count: int, components: int, seed: int = 0) -> Tensor:
    shares = np.random.default_rng(seed).dirichlet(np.ones(components), size=count)
    return torch.from_numpy(shares)


def log_joint_oracle(state: Mixture, rows: Tensor) -> Floats:
    """By SciPy: an eigendecomposition there, a Cholesky factor here."""
    ridge = RIDGE * np.eye(rows.shape[1])
    columns = [
        math.log(weight) + multivariate_normal(mean, covariance + ridge).logpdf(rows.numpy())
        for weight, mean, covariance in zip(
            mixture.weights(state).tolist(),
            state.mean.numpy(),
            state.covariance.numpy(),
            strict=True,
        )
    ]
    return np.stack(columns, axis=1)


def assert_equal(one: Mixture, other: Mixture, tolerance: float = 1e-9) -> None:
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


SHAPES = pytest.mark.parametrize(("count", "size"), [(1, 1), (1, 7), (3, 1), (3, 7), (16, 16)])


@SHAPES
def test_energy_and_responsibilities_are_those_of_scipy(count: int, size: int) -> None:
    state, rows = random_mixture(count, size), random_rows(50, size)
    joint = log_joint_oracle(state, rows)
    np.testing.assert_allclose(mixture.energy(state, rows), -logsumexp(joint, axis=1), rtol=1e-9)
    posterior = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    np.testing.assert_allclose(mixture.responsibilities(state, rows), posterior, atol=1e-9)


@SHAPES
def test_the_exact_energy_of_a_row_is_the_energy_to_the_accuracy_of_the_grid(
    count: int, size: int
) -> None:
    state, rows = random_mixture(count, size), random_rows(50, size)
    exact = mixture.row_energy(mixture.readout(state), rows.numpy())
    np.testing.assert_allclose(exact, mixture.energy(state, rows), rtol=1e-4, atol=1e-4)


@SHAPES
def test_a_rows_exact_energy_has_bits_of_its_own(count: int, size: int) -> None:
    prepared = mixture.readout(random_mixture(count, size))
    rows = random_rows(70, size).numpy()
    for tail in (math.inf, 5.0):
        whole = mixture.row_energy(prepared, rows, tail)
        for width in (1, 2, 3, 16, 33):
            parts = [
                mixture.row_energy(prepared, rows[start : start + width], tail)
                for start in range(0, 70, width)
            ]
            assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_with_a_tail_the_components_are_student_t_up_to_a_constant() -> None:
    state, rows = random_mixture(1, 3), random_rows(40, 3)
    energy = mixture.row_energy(mixture.readout(state), rows.numpy(), tail=5.0)
    oracle = -multivariate_t(state.mean[0].numpy(), state.covariance[0].numpy(), df=5.0).logpdf(
        rows.numpy()
    )
    np.testing.assert_allclose(np.diff(energy), np.diff(oracle), atol=1e-3)
    gaussian = mixture.row_energy(mixture.readout(state), rows.numpy(), tail=1e9)
    np.testing.assert_allclose(gaussian, mixture.energy(state, rows), rtol=1e-3)


@given(st.integers(1, 5), st.integers(0, 2**31))
@settings(max_examples=20)
def test_a_permutation_of_the_components_leaves_the_energy(count: int, seed: int) -> None:
    state, rows = random_mixture(count, 3, seed), random_rows(20, 3)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(count))
    turned = Mixture(*(part[order] for part in state))
    torch.testing.assert_close(
        mixture.energy(turned, rows), mixture.energy(state, rows), rtol=1e-12, atol=1e-12
    )


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**31))
@settings(max_examples=20)
def test_merged_moments_are_the_moments_of_the_whole(count: int, size: int, seed: int) -> None:
    rows, shares = random_rows(60, size, seed), soft(60, count, seed)
    cuts = [0, *sorted(np.random.default_rng(seed).integers(1, 59, size=3)), 60]
    parts = [
        mixture.moments(rows[start:stop], shares[start:stop])
        for start, stop in itertools.pairwise(cuts)
        if start < stop
    ]
    merged = parts[0]
    for part in parts[1:]:
        merged = mixture.merged(merged, part)
    assert_equal(merged, mixture.moments(rows, shares))


def test_moments_are_those_of_numpy() -> None:
    rows, shares = random_rows(40, 3), soft(40, 2)
    found = mixture.moments(rows, shares)
    for k in range(2):
        weights = shares[:, k].numpy()
        oracle = np.cov(rows.numpy().T, aweights=weights, ddof=0)
        np.testing.assert_allclose(found.covariance[k], oracle, atol=1e-12)
        np.testing.assert_allclose(found.mean[k], np.average(rows, axis=0, weights=weights))
    np.testing.assert_allclose(found.mass, shares.sum(dim=0))


def test_decay_of_1_gives_the_statistics_of_all_batches_and_of_0_those_of_the_last() -> None:
    rows, shares = random_rows(90, 3), soft(90, 2)
    state = mixture.moments(rows[:30], shares[:30])
    for start in (30, 60):
        part = slice(start, start + 30)
        state = mixture.update(state, rows[part], shares[part], decay=1.0)
    assert_equal(state, mixture.moments(rows, shares))
    last = mixture.update(state, rows[:30], shares[:30], decay=0.0)
    assert_equal(last, mixture.moments(rows[:30], shares[:30]))


def test_nearly_all_forgotten_leaves_no_trace_of_a_huge_past() -> None:
    """old + 1 * (new - old) would lose the new covariance in the rounding of the old."""
    huge = random_mixture(2, 3)._replace(covariance=1e200 * random_mixture(2, 3).covariance)
    rows, shares = random_rows(30, 3), soft(30, 2)
    after = mixture.update(huge, rows, shares, decay=1e-300)
    assert_equal(after, mixture.moments(rows, shares))


def test_the_decayed_mass_tends_to_the_effective_number_of_events() -> None:
    state, rows = random_mixture(2, 2), random_rows(32, 2)
    decay = 2.0 ** (-32 / 100.0)
    for _ in range(300):
        state = mixture.update(state, rows, mixture.responsibilities(state, rows), decay)
    assert state.mass.sum().item() == pytest.approx(32 / (1 - decay), rel=1e-6)


def test_expectation_maximisation_never_lowers_the_likelihood() -> None:
    rows = torch.vstack([random_rows(80, 2), random_rows(80, 2, 1) * 0.2 + 4.0])
    state = mixture.seeded(rows, 3, np.random.default_rng(0))
    energies = []
    for _ in range(30):
        state = mixture.moments(rows, mixture.responsibilities(state, rows))
        energies.append(mixture.energy(state, rows).mean().item())
    assert all(b <= a + 1e-6 for a, b in itertools.pairwise(energies))
    assert energies[-1] < energies[0] - 0.01


def test_expectation_maximisation_ends_where_scikit_learns_does() -> None:
    random = np.random.default_rng(3)
    values = np.vstack([random.normal(size=(300, 2)) * 0.5 + shift for shift in (-4.0, 0.0, 5.0)])
    rows = torch.from_numpy(values)
    state = mixture.fitted(rows, 3, np.random.default_rng(0), steps=50)
    reference = Reference(3, reg_covar=RIDGE, tol=1e-9, max_iter=200, random_state=0).fit(values)
    assert mixture.energy(state, rows).mean().item() == pytest.approx(
        -reference.score(values), abs=0.02
    )
    order = state.mean[:, 0].argsort()
    expected = reference.means_[reference.means_[:, 0].argsort()]
    np.testing.assert_allclose(state.mean[order], expected, atol=0.05)


def test_covariances_stay_positive_definite_after_a_million_rows() -> None:
    """Rows on a line, at the edge of the grid: the covariance has rank 1 and only the ridge."""
    random = np.random.default_rng(0)
    line = on_row_grid(random.normal(size=(10_000, 1)) * np.array([[8.0, 8.0, 0.0, -8.0]]))
    rows = torch.from_numpy(line)
    state = mixture.fitted(rows[:100], 2, random)
    for step in range(100):
        shares = mixture.responsibilities(mixture.shrunk(state), rows)
        state = mixture.update(state, rows, shares, decay=0.5 if step % 2 else 1.0)
    least = torch.linalg.eigvalsh(state.covariance + RIDGE * torch.eye(4, dtype=torch.float64))
    assert least.min().item() > 0.5 * RIDGE
    assert np.isfinite(mixture.row_energy(mixture.readout(state), line[:100])).all()


def test_a_component_that_no_row_belongs_to_stays_finite_and_can_come_back() -> None:
    state = random_mixture(2, 2)
    rows = random_rows(32, 2)
    alone = torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(32, 2)
    for _ in range(2000):
        state = mixture.update(state, rows, alone, decay=0.5)
    assert all(part.isfinite().all() for part in state)
    assert mixture.energy(mixture.shrunk(state), rows).isfinite().all()
    shares = soft(32, 2)
    back = mixture.update(state, rows, shares, decay=0.5)
    torch.testing.assert_close(back.mean[1], mixture.moments(rows, shares).mean[1])


def test_shrinkage_borrows_from_the_pooled_diagonal_by_what_a_component_lacks() -> None:
    state = random_mixture(2, 3)._replace(mass=torch.tensor([0.0, 1e12], dtype=torch.float64))
    shrunk = mixture.shrunk(state)
    pooled = state.covariance[1].diagonal().diag()
    torch.testing.assert_close(shrunk.covariance[0], pooled)
    torch.testing.assert_close(shrunk.covariance[1], state.covariance[1], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(shrunk.mean, state.mean)


def test_a_moved_mixture_gives_moved_rows_the_same_energy_but_for_the_volume() -> None:
    state, rows = random_mixture(3, 2), random_rows(20, 2)
    gain, shift = (torch.tensor(v, dtype=torch.float64) for v in ([2.0, 0.5], [1.0, -3.0]))
    moved = mixture.energy(mixture.moved(state, gain, shift), rows * gain + shift)
    volume = gain.log().sum()
    torch.testing.assert_close(moved - volume, mixture.energy(state, rows), rtol=1e-4, atol=1e-4)


def test_a_mixture_moved_to_more_dimensions_has_no_spread_in_them() -> None:
    state = random_mixture(2, 2)
    gain, shift = (torch.tensor(v, dtype=torch.float64) for v in ([1.0, 1, 0], [0.0, 0, 7]))
    wider = mixture.moved(state, gain, shift)
    assert_equal(Mixture(wider.mass, wider.mean[:, :2], wider.covariance[:, :2, :2]), state)
    assert wider.mean[:, 2].tolist() == [7.0, 7.0]
    assert wider.covariance[:, 2].abs().max().item() == 0.0
    spread = mixture.spread(wider)
    assert spread.covariance[:, 2, 2].tolist() == [1.0, 1.0]
    torch.testing.assert_close(spread.covariance[:, :2, :2], state.covariance)


def test_every_parameter_gets_a_gradient_of_the_energy() -> None:
    state = random_mixture(3, 2)
    leaves = Mixture(*(part.clone().requires_grad_() for part in state))
    energy = mixture.energy(leaves, random_rows(20, 2)).mean()
    for gradient in torch.autograd.grad(energy, leaves):
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0.0


def test_the_gradient_is_the_slope() -> None:
    state, rows = random_mixture(2, 2), random_rows(6, 2)

    def energy(mass: Tensor, mean: Tensor, root: Tensor) -> Tensor:
        covariance = root @ root.transpose(1, 2)
        return mixture.energy(Mixture(mass, mean, covariance), rows)

    inputs = (state.mass, state.mean, torch.linalg.cholesky(state.covariance))
    assert torch.autograd.gradcheck(energy, tuple(part.requires_grad_() for part in inputs))


@pytest.mark.parametrize("rows", [1, 2, 40])
def test_a_mixture_of_equal_rows_can_be_fitted_and_read(rows: int) -> None:
    same = torch.ones((rows, 3), dtype=torch.float64)
    state = mixture.fitted(same, min(3, rows), np.random.default_rng(0))
    energy = mixture.row_energy(mixture.readout(mixture.spread(state)), np.ones((1, 3)))
    assert np.isfinite(energy).all()


def test_the_same_random_numbers_give_the_same_mixture() -> None:
    rows = random_rows(100, 3)
    one, other = (mixture.fitted(rows, 4, np.random.default_rng(5)) for _ in range(2))
    assert all(a.numpy().tobytes() == b.numpy().tobytes() for a, b in zip(one, other, strict=True))


def test_shared_memberships_follow_distance_alone() -> None:
    state, rows = random_mixture(3, 4), random_rows(200, 4)
    shares = mixture.shared_memberships(state, rows)
    heavier = state._replace(mass=state.mass * torch.tensor([1.0, 1.0, 1.0]) * 7.0)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(200, dtype=torch.float64))
    torch.testing.assert_close(mixture.shared_memberships(heavier, rows), shares)
    at_means = mixture.shared_memberships(state, state.mean)
    assert at_means.argmax(dim=1).tolist() == [0, 1, 2]


def test_shared_memberships_leave_no_component_to_a_few_outliers() -> None:
    usual = random_rows(1_000, 3)
    rows = torch.vstack([usual, usual[:5] + 100.0])
    found = mixture.seeded(rows, 3, np.random.default_rng(0))
    for _ in range(10):
        found = mixture.moments(rows, mixture.shared_memberships(found, rows))
    assert float(mixture.weights(found).max()) < 0.9


def test_borrowed_covariances_stay_positive_and_lie_between_own_and_pooled() -> None:
    state = random_mixture(4, 5)
    lent = mixture.borrowed(state)
    assert (torch.linalg.eigvalsh(lent.covariance) > 0.0).all()
    pooled = (mixture.weights(state)[:, None, None] * state.covariance).sum(dim=0)
    floor = 0.05 * pooled.diagonal().mean()
    own = 0.5 * (state.covariance + pooled).diagonal(dim1=1, dim2=2) + floor
    torch.testing.assert_close(lent.covariance.diagonal(dim1=1, dim2=2), own)
