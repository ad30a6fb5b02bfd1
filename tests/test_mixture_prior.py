"""The bound of the GMVAE against sums, samples and closed forms that know nothing of it."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from stream_dagmm import information, likelihood, mixture_prior, networks, variation
from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.mixture_prior import Terms
from stream_dagmm.training import Nets, Trained

WIDTH, LATENT, W, CLUSTERS = 5, 2, 2, 3
SPREAD = torch.tensor([0.5, 1.0, 2.0, 1.0, 0.7]).double()


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def some_nets(seed: int = 0) -> Nets:
    sizes = [
        [WIDTH, 8, 2 * LATENT],
        [WIDTH, 8, 2 * W],
        [W, 6, 2 * LATENT * CLUSTERS],
        [LATENT, 8, WIDTH],
    ]
    to_x, to_w, prior, decoder = Trained.drawn(sizes, generator(seed)).nets
    *inner, (weight, bias) = prior
    apart = torch.from_numpy(generator(1).normal(size=len(bias)))
    return to_x, to_w, (*inner, (weight, bias + apart)), decoder


def some_rows(count: int = 12) -> Tensor:
    return torch.from_numpy(on_row_grid(generator(2).normal(size=(count, WIDTH))))


def found_terms(nets: Nets, samples: int = 1) -> Terms:
    return mixture_prior.terms(nets, some_rows(), SPREAD, CLUSTERS, samples, generator(5))


def test_the_four_terms_are_those_of_the_paper() -> None:
    """Written out cluster by cluster, with the same noise and torch's own distributions."""
    nets = some_nets()
    to_x, to_w, prior, decoder = nets
    rows, random = some_rows(), generator(5)
    x_mean, x_log = variation.moments(networks.forward(to_x, rows / 4.0))
    w_mean, w_log = variation.moments(networks.forward(to_w, rows / 4.0))
    x = variation.sampled(x_mean, x_log, random)
    w = variation.sampled(w_mean[None], w_log[None], random)[0]
    mean, log_variance = mixture_prior.clusters_of(prior, w, CLUSTERS)
    logs, apart = [], []
    for k in range(CLUSTERS):
        logs.append(information.log_density(x, mean[:, k], log_variance[:, k]))
        apart.append(information.gaussian_divergence(x_mean, x_log, mean[:, k], log_variance[:, k]))
    shares = torch.softmax(torch.stack(logs, dim=1), dim=1)
    residual = rows - networks.forward(decoder, x) * 4.0
    uniform = torch.full((CLUSTERS,), -math.log(CLUSTERS)).double()
    found = found_terms(nets)
    expected = Terms(
        0.5 * likelihood.cost(residual, SPREAD, likelihood.TAIL).sum(dim=1),
        (shares * torch.stack(apart, dim=1)).sum(dim=1),
        information.from_standard(w_mean, w_log),
        information.divergence(shares.log(), uniform),
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_the_reconstruction_is_minus_the_log_likelihood_of_each_law() -> None:
    """Student's t, Gaussian and Bernoulli by torch's own distributions, up to constants."""
    nets, rows = some_nets(), some_rows()
    random = generator(5)
    x = variation.sampled(*variation.moments(networks.forward(nets[0], rows / 4.0)), random)
    outputs, scale = networks.forward(nets[3], x) * 4.0, SPREAD.sqrt()
    laws = torch.distributions
    for tail, law in (
        (likelihood.TAIL, laws.StudentT(likelihood.TAIL, outputs, scale)),
        (math.inf, laws.Normal(outputs, scale)),
    ):
        found = mixture_prior.terms(nets, rows, SPREAD, CLUSTERS, 1, generator(5), tail)
        expected = -law.log_prob(rows).sum(dim=1)  # type: ignore[no-untyped-call]
        constant = likelihood.constant(SPREAD.numpy(), tail)
        torch.testing.assert_close(found.reconstruction + constant, expected)
    signs = rows.sign()
    found = mixture_prior.terms(nets, signs, SPREAD, CLUSTERS, 1, generator(5), None)
    x = variation.sampled(*variation.moments(networks.forward(nets[0], signs / 4.0)), generator(5))
    yes = laws.Bernoulli(logits=networks.forward(nets[3], x) * 4.0)
    expected = -yes.log_prob((signs > 0.0).double()).sum(dim=1)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(found.reconstruction, expected)


def test_every_parameter_gets_a_gradient() -> None:
    nets = some_nets()
    vector = networks.flat(*nets).requires_grad_()
    found = found_terms(networks.shaped(vector, *nets), samples=2)
    (gradient,) = torch.autograd.grad(mixture_prior.loss(found, 0.0, 1.0).sum(), vector)
    assert bool((gradient != 0.0).all())


def test_the_cut_off_and_the_warmth_act_on_the_z_prior_alone() -> None:
    found = found_terms(some_nets())
    held = float(found.z_prior.mean())
    three = found.reconstruction + found.conditional_prior + found.w_prior
    torch.testing.assert_close(mixture_prior.loss(found, held + 0.01, 1.0), three)
    full = mixture_prior.loss(found, held - 0.01, 1.0)
    torch.testing.assert_close(full, three + found.z_prior)
    half = mixture_prior.loss(found, held - 0.01, 0.5)
    torch.testing.assert_close(half, three + 0.5 * found.z_prior)


def log_p_by_prior_samples(nets: Nets, rows: Floats, count: int, tail: float) -> Floats:
    """log p(y) by drawing w, z and x from the prior: slow, and knows no posterior."""
    _, _, prior, decoder = nets
    random = generator(7)
    w = torch.from_numpy(random.normal(size=(count, W)))
    mean, log_variance = mixture_prior.clusters_of(prior, w, CLUSTERS)
    z = torch.from_numpy(random.integers(CLUSTERS, size=count))
    place = torch.arange(count)
    x = variation.sampled(mean[place, z], log_variance[place, z], random)
    means = (networks.forward(decoder, x) * 4.0).numpy()
    cost = likelihood.row_cost(rows[:, None, :] - means, SPREAD.numpy(), tail)
    return variation.log_mean(-0.5 * cost) - likelihood.constant(SPREAD.numpy(), tail)


@pytest.mark.parametrize("tail", [likelihood.TAIL, math.inf])
def test_the_importance_weighted_bound_meets_the_density(tail: float) -> None:
    nets, rows = some_nets(), some_rows(6).numpy()
    noise = variation.noise_table(20_000, LATENT + W, generator(4))
    prepared = mixture_prior.readout(nets)
    found = mixture_prior.log_density(prepared, SPREAD.numpy(), noise, rows, CLUSTERS, tail)
    expected = log_p_by_prior_samples(nets, rows, 100_000, tail)
    np.testing.assert_allclose(found, expected, atol=0.1)
    one = variation.noise_table(1, LATENT + W, generator(3))
    loose = mixture_prior.log_density(prepared, SPREAD.numpy(), one, rows, CLUSTERS, tail)
    assert loose.mean() < found.mean()


def test_the_cluster_posterior_is_bayes_rule() -> None:
    nets, rows = some_nets(), some_rows()
    to_x, to_w, prior, _ = nets
    x = variation.moments(networks.forward(to_x, rows / 4.0))[0]
    w = variation.moments(networks.forward(to_w, rows / 4.0))[0]
    mean, log_variance = mixture_prior.clusters_of(prior, w, CLUSTERS)
    densities = information.log_density(x[:, None], mean, log_variance).exp()
    expected = densities / densities.sum(dim=1, keepdim=True)
    found = mixture_prior.memberships(mixture_prior.readout(nets), rows.numpy(), CLUSTERS)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-3)  # the grids' rounding
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_the_order_of_clusters_does_not_matter() -> None:
    nets, rows = some_nets(), some_rows().numpy()
    to_x, to_w, prior, decoder = nets
    (weight, bias), turned = prior[-1], [2, 0, 1]

    def permuted(array: Tensor) -> Tensor:
        parts = array.reshape(*array.shape[:-1], CLUSTERS, -1)
        return parts[..., turned, :].reshape(array.shape)

    other: Nets = (to_x, to_w, (*prior[:-1], (permuted(weight), permuted(bias))), decoder)
    noise = variation.noise_table(4, LATENT + W, generator(3))
    one, same = (
        mixture_prior.log_density(mixture_prior.readout(n), SPREAD.numpy(), noise, rows, CLUSTERS)
        for n in (nets, other)
    )
    np.testing.assert_allclose(one, same)


def test_clusters_begin_where_codes_gather_whatever_w_and_anomalies_begin_none() -> None:
    """Three groups of rows and a tenth far off: each group has the cluster of its codes."""
    random = generator(3)
    centres = 2.0 * random.normal(size=(CLUSTERS, WIDTH))
    kinds = np.arange(300) % CLUSTERS
    rows = torch.from_numpy(centres[kinds] + 0.1 * random.normal(size=(300, WIDTH)))
    strange = torch.full((30, WIDTH), 8.0).double()
    nets = some_nets()
    begun = mixture_prior.gathered(nets, torch.cat([rows, strange]), CLUSTERS, generator(4), 0.7)
    means, logs = zip(
        *(mixture_prior.clusters_of(begun[2], w, CLUSTERS) for w in torch.eye(W).double()),
        strict=True,
    )
    assert torch.equal(means[0], means[1])
    codes, _ = variation.moments(networks.forward(nets[0], rows / 4.0))
    expected = torch.stack([codes[kinds == k].mean(dim=0) for k in range(CLUSTERS)])
    nearest = torch.cdist(means[0], expected)
    assert sorted(nearest.argmin(dim=0).tolist()) == list(range(CLUSTERS))
    assert float(nearest.min(dim=0).values.max()) < 0.2
    assert (logs[0] > -variation.LOG_VARIANCE_BOUND).all()
    assert all(one is other for one, other in zip(begun[:2], nets[:2], strict=True))


def test_one_cluster_gathers_all() -> None:
    nets = Trained.drawn([[WIDTH, 8, 4], [WIDTH, 8, 4], [W, 6, 4], [2, 8, WIDTH]], generator()).nets
    begun = mixture_prior.gathered(nets, some_rows(1), 1, generator(1), 1.0)
    assert torch.isfinite(networks.flat(*begun)).all()
