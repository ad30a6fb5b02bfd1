"""What `StreamAutoencoder` promises beside what every detector does."""

import math

import numpy as np
import pytest
import torch
from river import datasets
from sklearn.metrics import average_precision_score, roc_auc_score

from stream_dagmm import StreamAutoencoder, likelihood, networks
from stream_dagmm.arithmetic import Floats
from stream_dagmm.autoencoder_model import AutoencoderModel, Design, Objective, jacobian
from stream_dagmm.training import Trained
from tests.streams import table

PLAIN = Design(None, None, noise=0.0, sparsity=0.0, contraction=0.0, learning_rate=0.01)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def on_a_curve(count: int, seed: int) -> Floats:
    """Rows along a bent line in 4 dimensions, nearly without noise."""
    random = np.random.default_rng(seed)
    place = random.uniform(-1.5, 1.5, size=count)
    rows = np.stack([place, np.sin(2.0 * place), place**2, np.cos(place)], axis=1)
    return np.asarray(rows + 0.01 * random.normal(size=rows.shape))


def test_a_code_as_wide_as_the_event_is_refused_for_the_trivial_copy() -> None:
    detector = StreamAutoencoder(latent=3, noise=0.0)
    with pytest.raises(ValueError, match=r"^latent must be below .* 3, got 3: .*trivial copy"):
        detector.learn_many(table(64, 3))


@pytest.mark.parametrize("restraint", ["noise", "sparsity", "contraction"])
def test_a_restrained_code_may_be_as_wide_as_it_likes(restraint: str) -> None:
    detector = StreamAutoencoder(**{"latent": 9, "noise": 0.0, restraint: 0.1})  # type: ignore[arg-type]
    scores = detector.score_learn_many(table(200, 3))
    assert np.isfinite(scores).all()


def test_it_learns_a_curve_and_finds_what_lies_off_it() -> None:
    """Against rows whose columns were shuffled: the same marginals, 0.8 against 0.5 untrained."""
    usual, strange = on_a_curve(400, 1), on_a_curve(400, 3)
    probes = np.vstack([usual, np.random.default_rng(2).permuted(strange, axis=0)])
    areas = []
    for rate in (0.01, 0.0):
        detector = StreamAutoencoder(latent=1, noise=0.1, learning_rate=rate, batch_size=64)
        detector.learn_many(on_a_curve(6000, 0))
        areas.append(roc_auc_score(np.arange(800) >= 400, detector.score_many(probes)))
    assert areas[0] > 0.7
    assert areas[0] > areas[1] + 0.1


def test_every_parameter_gets_a_gradient() -> None:
    trained = Trained.drawn([[5, 8, 2], [2, 8, 5]], generator())
    rows = torch.from_numpy(table(32, 5)).clamp(-8, 8)
    design = Design(None, None, noise=0.5, sparsity=0.1, contraction=0.1, learning_rate=0.01)
    vector = networks.flat(*trained.nets).requires_grad_()
    objective = Objective(design, torch.ones(5).double(), likelihood.TAIL)
    loss = objective(networks.shaped(vector, *trained.nets), rows, generator())
    (gradient,) = torch.autograd.grad(loss, vector)
    assert bool((gradient != 0.0).all())


def test_the_plain_loss_is_the_mean_squared_error_of_the_least_strange() -> None:
    trained = Trained.drawn([[3, 8, 1], [1, 8, 3]], generator())
    rows = torch.from_numpy(np.random.default_rng(1).normal(size=(10, 3)))
    loss = Objective(PLAIN, torch.ones(3).double(), math.inf)(trained.nets, rows, generator())
    encoder, decoder = trained.nets
    out = networks.forward(decoder, networks.forward(encoder, rows / 4.0)) * 4.0
    errors = (rows - out).square().mean(dim=1).sort().values
    torch.testing.assert_close(loss, errors[:7].mean())


def test_the_jacobian_is_that_of_automatic_differentiation() -> None:
    trained = Trained.drawn([[4, 6, 5, 2]], generator())
    (encoder,) = trained.nets
    rows = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 4)))
    found = jacobian(encoder, rows)
    for row, slope in zip(rows, found, strict=True):
        expected = torch.autograd.functional.jacobian(
            lambda x: networks.forward(encoder, x[None])[0], row
        )  # type: ignore[no-untyped-call]
        torch.testing.assert_close(slope, expected.T)


def test_sparsity_and_contraction_do_what_their_names_say() -> None:
    rows = table(3000, 4)

    def learned(**restraint: float) -> AutoencoderModel:
        detector = StreamAutoencoder(latent=8, hidden=[16], **{"noise": 0.1, **restraint})  # type: ignore[arg-type]
        detector.learn_many(rows)
        assert isinstance(detector._model, AutoencoderModel)
        return detector._model

    def code_and_slope(model: AutoencoderModel) -> tuple[float, float]:
        assert model.course.trained is not None
        read = torch.from_numpy(model.course.lessons.held) / 4.0
        encoder, _ = model.course.trained.nets
        size = networks.forward(encoder, read).abs().mean()
        return float(size), float(jacobian(encoder, read).square().mean())

    plain = code_and_slope(learned())
    assert code_and_slope(learned(sparsity=5.0))[0] < 0.5 * plain[0]
    assert code_and_slope(learned(contraction=0.1))[1] < 0.5 * plain[1]


def test_the_cost_is_twice_the_log_likelihood_of_its_law() -> None:
    random = np.random.default_rng(2)
    residual, spread = random.normal(size=(20, 3)), random.uniform(0.5, 2.0, size=3)
    scale = torch.from_numpy(np.sqrt(spread))
    values = torch.from_numpy(residual)
    for tail, law in (
        (5.0, torch.distributions.StudentT(5.0, scale=scale)),
        (math.inf, torch.distributions.Normal(0.0, scale)),
    ):
        expected = -law.log_prob(values).sum(dim=1).numpy()  # type: ignore[no-untyped-call]
        found = 0.5 * likelihood.row_cost(residual, spread, tail)
        np.testing.assert_allclose(found + likelihood.constant(spread, tail), expected)
        cost = likelihood.cost(values, torch.from_numpy(spread), tail).sum(dim=1)
        np.testing.assert_allclose(cost.numpy(), likelihood.row_cost(residual, spread, tail))


def test_networks_that_grow_say_of_old_columns_what_they_said() -> None:
    trained = Trained.drawn([[3, 8, 2], [2, 8, 3]], generator())
    wider = trained.widened([(5, 2), (2, 5)], generator())
    rows = torch.from_numpy(np.random.default_rng(1).normal(size=(6, 3)))
    longer = torch.nn.functional.pad(rows, (0, 2), value=3.0)
    code, same = (networks.forward(t.nets[0], r) for t, r in ((trained, rows), (wider, longer)))
    torch.testing.assert_close(code, same)
    old, new = (networks.forward(t.nets[1], code) for t in (trained, wider))
    torch.testing.assert_close(new[:, :3], old)
    assert trained.widened([(3, 2), (2, 3)], generator()) is trained


def test_on_shuttle_it_finds_the_anomalies_and_beats_its_untrained_self() -> None:
    """The first 12,000 events, scored from the 512th on: 0.998 / 0.97 against 0.99 / 0.8."""
    events = list(datasets.Shuttle().take(12_000))
    rows = np.array([list(x.values()) for x, _ in events], dtype=np.float64)
    labels = [label for _, label in events][511:]
    scores = [
        StreamAutoencoder(learning_rate=rate).score_learn_many(rows)[511:] for rate in (0.01, 0.0)
    ]
    areas = [roc_auc_score(labels, found) for found in scores]
    precisions = [average_precision_score(labels, found) for found in scores]
    assert areas[0] >= 0.95
    assert areas[0] > areas[1]
    assert precisions[0] > precisions[1] + 0.05
