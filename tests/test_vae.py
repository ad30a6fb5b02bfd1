"""What `StreamVAE` promises beside what every detector does."""

import math

import numpy as np
import pytest
import torch
from river import datasets
from sklearn.metrics import average_precision_score, roc_auc_score

from stream_dagmm import (
    StreamVAE,
    autoencoder_model,
    likelihood,
    networks,
    training,
    vae_model,
    variation,
)
from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.networks import Network
from stream_dagmm.training import Coder, Trained
from stream_dagmm.vae_model import VaeModel
from tests.streams import table


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def gradients(loss: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    (gradient,) = torch.autograd.grad(loss, vector)
    return gradient


def test_without_divergence_and_sampling_it_is_the_autoencoder_up_to_one_half() -> None:
    """The same weights, unit output variance: loss and gradients, by the encoder's mean part."""
    encoder, decoder = Trained.drawn([[5, 8, 2], [2, 8, 5]], generator()).nets
    rows = torch.from_numpy(generator(1).normal(size=(20, 5)))
    spread = torch.ones(5).double()
    plain = autoencoder_model.Design(None, None, 0.0, 0.0, 0.0, 0.01)
    vector = networks.flat(encoder, decoder).requires_grad_()
    nets = networks.shaped(vector, encoder, decoder)
    (inner, (last, bias)), outward = nets
    spare: Network = (inner, (torch.hstack([last, last]), torch.hstack([bias, bias])))
    ours = vae_model.Objective(0.0, spread, math.inf, sampling=False)(
        (spare, outward), rows, generator()
    )
    theirs = autoencoder_model.Objective(plain, spread, math.inf)(nets, rows, generator())
    torch.testing.assert_close(2.0 * ours, theirs)
    torch.testing.assert_close(2.0 * gradients(ours, vector), gradients(theirs, vector))


def test_every_parameter_gets_a_gradient() -> None:
    nets = Trained.drawn([[5, 8, 4], [2, 8, 5]], generator()).nets
    vector = networks.flat(*nets).requires_grad_()
    rows = torch.from_numpy(generator(1).normal(size=(20, 5)))
    objective = vae_model.Objective(1.0, torch.ones(5).double(), likelihood.TAIL)
    loss = objective(networks.shaped(vector, *nets), rows, generator())
    assert bool((gradients(loss, vector) != 0.0).all())


def linear(gain: float, shift: float, inputs: int, outputs: int) -> Network:
    """A network of one layer: its outputs are `gain` times the inputs' sum, plus `shift`."""
    weight = torch.full((inputs, outputs), gain).double()
    return ((weight, torch.full((outputs,), shift).double()),)


def test_the_bound_meets_the_density_where_it_is_known() -> None:
    """z ~ N(0, 1) and x = z + noise of variance 1/2 give x ~ N(0, 3/2); q is the wider prior, so
    that the bound is by importance alone, and many samples make it tight."""
    prior = ((torch.zeros(1, 2).double(), torch.zeros(2).double()),)
    prepared = Coder(
        training.exact_inwards(prior), training.exact_outwards(linear(0.25, 0.0, 1, 1))
    )
    rows = on_row_grid(np.array([[-1.0], [0.0], [0.7], [2.0]]))
    noise = variation.noise_table(20_000, 1, generator())
    found = vae_model.log_density(prepared, np.array([0.5]), noise, rows, tail=math.inf)
    expected = -0.5 * rows[:, 0] ** 2 / 1.5 - 0.5 * math.log(2.0 * math.pi * 1.5)
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_more_samples_bound_the_density_more_tightly() -> None:
    """Burda et al., theorem 1: in the mean over events, never looser."""
    detector = StreamVAE(batch_size=64, latent=2)
    rows = table(1500, 4)
    detector.learn_many(rows)
    model = detector._model
    assert isinstance(model, VaeModel)
    assert model.prepared is not None
    assert model.course.spread is not None
    prepared, spread, held = model.prepared, model.course.spread, model.course.lessons.held

    def bound(samples: int) -> float:
        tables = (variation.noise_table(samples, 2, generator(seed)) for seed in range(20))
        return float(
            np.mean([vae_model.log_density(prepared, spread, t, held).mean() for t in tables])
        )

    bounds = [bound(samples) for samples in (1, 8, 64)]
    assert (np.diff(bounds) > -0.01).all()  # the standard error of the mean over tables
    assert bounds[-1] > bounds[0] + 0.02


def test_exact_samples_have_the_moments_that_were_asked_for() -> None:
    mean, log_variance = np.array([[0.5, -1.0]]), np.array([[0.0, -2.0]])
    drawn, log_densities = variation.exact_sampled(
        mean, log_variance, variation.noise_table(40_000, 2, generator())
    )
    np.testing.assert_allclose(drawn[0].mean(axis=0), mean[0], atol=1e-3)
    np.testing.assert_allclose(drawn[0].var(axis=0), np.exp(log_variance[0]), rtol=0.03)
    entropy = -log_densities.mean() + math.log(2.0 * math.pi)
    assert entropy == pytest.approx(
        0.5 * log_variance.sum() + 1.0 + math.log(2 * math.pi), abs=0.02
    )


def test_moments_for_training_and_for_scoring_are_the_same() -> None:
    outputs: Floats = generator().normal(scale=5.0, size=(7, 6))
    trained = variation.moments(torch.from_numpy(outputs))
    for one, other in zip(trained, variation.exact_moments(outputs), strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-12)
    assert float(trained[1].abs().max()) < variation.LOG_VARIANCE_BOUND


def test_only_learning_renews_the_noise() -> None:
    detector = StreamVAE(batch_size=16)
    detector.learn_many(table(64, 3))
    before = detector._model
    detector.score_many(table(64, 3, seed=1))
    assert detector._model is before
    detector.learn_many(table(16, 3, seed=1))
    after = detector._model
    assert isinstance(before, VaeModel)
    assert isinstance(after, VaeModel)
    assert before.noise is not None
    assert after.noise is not None
    assert not np.array_equal(before.noise, after.noise)


def test_dimensions_that_are_not_needed_fall_back_to_the_prior() -> None:
    """Three columns that say the same thing: one dimension of four holds the information."""
    random = generator()
    rows = random.normal(size=(8000, 1)) + 0.1 * random.normal(size=(8000, 3))
    detector = StreamVAE(latent=4, batch_size=128)
    detector.learn_many(rows)
    information = detector.diagnostics()["information"]
    assert isinstance(information, list)
    information.sort()
    assert information[-1] > 0.7
    assert information[-2] < 0.2


def test_a_gaussian_likelihood_is_a_choice_and_keeps_the_law_of_cuts() -> None:
    rows = table(300, 4)
    whole, parts = (StreamVAE(likelihood="gaussian", batch_size=32) for _ in range(2))
    scores = whole.score_learn_many(rows)
    pieces = [parts.score_learn_many(rows[start : start + 7]) for start in range(0, 300, 7)]
    assert np.concatenate(pieces).tolist() == scores.tolist()
    student = StreamVAE(batch_size=32).score_learn_many(rows)
    assert scores.tolist() != student.tolist()
    with pytest.raises(ValueError, match=r"^likelihood must be one of .*, got 'bernoulli'"):
        StreamVAE(likelihood="bernoulli")  # type: ignore[arg-type]


def test_on_shuttle_it_finds_the_anomalies_and_beats_its_untrained_self() -> None:
    """The first 12,000 events, scored from the 512th on: 0.997 / 0.97 against 0.97 / 0.7."""
    events = list(datasets.Shuttle().take(12_000))
    rows = np.array([list(x.values()) for x, _ in events], dtype=np.float64)
    labels = [label for _, label in events][511:]
    scores = [StreamVAE(learning_rate=rate).score_learn_many(rows)[511:] for rate in (0.01, 0.0)]
    areas = [roc_auc_score(labels, found) for found in scores]
    precisions = [average_precision_score(labels, found) for found in scores]
    assert areas[0] >= 0.95
    assert areas[0] > areas[1]
    assert precisions[0] > precisions[1] + 0.1
