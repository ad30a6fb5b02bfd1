"""What the mixture sees of an event: its code, and how it differs from what that decodes to."""

import numpy as np
import pytest
import torch

from stream_dagmm import compression
from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.compression import Autoencoder, ExactAutoencoder


def autoencoder(width: int, latent: int = 2) -> Autoencoder:
    return compression.drawn(width, (8, 4), latent, np.random.default_rng(0))


def rows_of(width: int, count: int = 70, seed: int = 1) -> Floats:
    return on_row_grid(np.random.default_rng(seed).normal(size=(count, width)) * 3.0)


WIDTHS = pytest.mark.parametrize("width", [1, 2, 7, 16, 48])
MEASURES = pytest.mark.parametrize(
    ("measure", "exact"),
    [
        (compression.relative_and_cosine, compression.exact_relative_and_cosine),
        (compression.log_residual_and_cosine, compression.exact_log_residual_and_cosine),
    ],
    ids=["paper", "default"],
)


def test_the_decoder_mirrors_the_encoder() -> None:
    encoder, decoder = autoencoder(5)
    assert [tuple(weight.shape) for weight, _ in encoder] == [(5, 8), (8, 4), (4, 2)]
    assert [tuple(weight.shape) for weight, _ in decoder] == [(2, 4), (4, 8), (8, 5)]
    assert isinstance(compression.exact(autoencoder(5)), ExactAutoencoder)


@WIDTHS
def test_exact_codes_are_the_codes_to_the_accuracy_of_the_grid(width: int) -> None:
    nets, rows = autoencoder(width), rows_of(width)
    for exact, expected in zip(
        compression.exact_coded(compression.exact(nets), rows),
        compression.coded(nets, torch.from_numpy(rows)),
        strict=True,
    ):
        np.testing.assert_allclose(exact, expected.numpy(), atol=1e-3)


@WIDTHS
@MEASURES
def test_the_exact_features_are_the_features_to_the_accuracy_of_the_grid(
    width: int, measure: object, exact: object
) -> None:
    rows, other = rows_of(width), rows_of(width, seed=2)
    found = exact(rows, other)  # type: ignore[operator]
    expected = measure(torch.from_numpy(rows), torch.from_numpy(other))  # type: ignore[operator]
    np.testing.assert_allclose(found, np.clip(expected.numpy(), -16, 16), atol=2e-5)
    assert np.array_equal(found, on_row_grid(found))


@WIDTHS
@MEASURES
def test_a_rows_exact_features_have_bits_of_their_own(
    width: int, measure: object, exact: object
) -> None:
    nets, rows = compression.exact(autoencoder(width)), rows_of(width)
    whole = exact(rows, compression.exact_coded(nets, rows)[1])  # type: ignore[operator]
    for size in (1, 2, 3, 16, 17):
        parts = [
            exact(part, compression.exact_coded(nets, part)[1])  # type: ignore[operator]
            for part in (rows[start : start + size] for start in range(0, len(rows), size))
        ]
        assert np.vstack(parts).tobytes() == whole.tobytes()


def test_the_papers_features_are_relative_distance_and_cosine() -> None:
    """Equations 2 and 3: x = (3, 4), x' = (3, 0): distance 4 of norm 5, cosine 9 / (5 * 3)."""
    found = compression.exact_relative_and_cosine(np.array([[3.0, 4.0]]), np.array([[3.0, 0.0]]))
    np.testing.assert_allclose(found, [[0.8, 0.6]], atol=1e-5)


def test_the_default_takes_the_logarithm_of_the_residual() -> None:
    found = compression.exact_log_residual_and_cosine(
        np.array([[3.0, 4.0]]), np.array([[3.0, 0.0]])
    )
    np.testing.assert_allclose(found, [[0.5 * np.log(8.001), 0.6]], atol=1e-5)


@MEASURES
@pytest.mark.parametrize("row", [0.0, 16.0, -16.0, 2.0**-16])
@pytest.mark.parametrize("other", [0.0, 16.0, -16.0, 2.0**-16])
def test_features_and_their_gradients_are_finite_at_the_origin_and_the_edges(
    measure: object, exact: object, row: float, other: float
) -> None:
    rows, others = np.full((1, 3), row), np.full((1, 3), other)
    assert np.isfinite(exact(rows, others)).all()  # type: ignore[operator]
    leaf = torch.from_numpy(others).requires_grad_()
    measure(torch.from_numpy(rows), leaf).sum().backward()  # type: ignore[operator]
    assert leaf.grad is not None
    assert leaf.grad.isfinite().all()
