"""What `StreamGLGAE` promises beside what every detector does."""

import math
from typing import get_args

import numpy as np
import pytest
from river import datasets
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from stream_dagmm import StreamGLGAE
from stream_dagmm.arithmetic import Floats
from stream_dagmm.glgae_model import Encoding, GlgaeModel
from tests.streams import table


def model_of(detector: StreamGLGAE) -> GlgaeModel:
    assert isinstance(detector._model, GlgaeModel)
    return detector._model


def on_an_arc(count: int, seed: int) -> tuple[Floats, Floats]:
    """Rows on three quarters of a circle, in 3 dimensions, and their places on it, -1 to 1."""
    random = np.random.default_rng(seed)
    place = random.uniform(-1.0, 1.0, size=count)
    angle = 0.75 * math.pi * place
    rows = np.stack([np.cos(angle), np.sin(angle), 0.5 * place], axis=1)
    return rows + 0.03 * random.normal(size=rows.shape), place


def reconstructed(detector: StreamGLGAE, rows: Floats) -> Floats:
    return np.array([list(event.values()) for event in detector.reconstruct(rows)])


def misplaced(codes: Floats, place: Floats) -> float:
    """How far along the arc those lie whose codes are nearest."""
    apart = np.linalg.norm(codes[:, None] - codes[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argsort(axis=1, kind="stable")[:, :5]
    return float(np.abs(place[nearest] - place[:, None]).mean())


def distortion(rows: Floats, points: Floats) -> float:
    """Mean squared distance, in units of the columns' variances."""
    return float((((rows - points) / rows.std(axis=0)) ** 2).mean())


@pytest.mark.parametrize("encoding", ["exact", "fixed-point"])
def test_what_is_near_on_a_bent_line_is_near_among_the_codes(encoding: str) -> None:
    """A linear map of the arc, in its plane, to a line folds it: its ends come to lie beside each
    other. One code keeps it apart, by 0.02 to 0.04 of the 0.28 to 0.31 of the first axis."""
    detector = StreamGLGAE(latent=1, encoding=encoding, batch_size=64)  # type: ignore[arg-type]
    (rows, _), (probes, place) = on_an_arc(6000, 0), on_an_arc(400, 1)
    rows, probes = rows[:, :2], probes[:, :2]
    detector.learn_many(rows)
    folded = PCA(1).fit(rows / rows.std(axis=0)).transform(probes / rows.std(axis=0))
    found = misplaced(detector.encode(probes).z, place)
    assert found < 0.25 * misplaced(folded, place)
    assert distortion(probes, reconstructed(detector, probes)) < 0.5  # of the mean alone: 1


@pytest.mark.parametrize("encoding", ["exact", "fixed-point"])
def test_two_codes_reconstruct_a_bent_line_in_space(encoding: str) -> None:
    detector = StreamGLGAE(encoding=encoding, batch_size=64)  # type: ignore[arg-type]
    (rows, _), (probes, _) = on_an_arc(6000, 0), on_an_arc(400, 1)
    detector.learn_many(rows)
    assert distortion(probes, reconstructed(detector, probes)) < 0.2


def test_more_codes_compress_with_less_distortion_down_to_nearly_that_of_k_means() -> None:
    rows, _ = on_an_arc(6000, 0)
    probes, _ = on_an_arc(1000, 1)
    found = {}
    for count in (2, 4, 16):
        detector = StreamGLGAE(n_components=count, trusted=1.0, batch_size=64)
        detector.learn_many(rows)
        learned = model_of(detector)
        assert learned.pairs is not None
        book = learned.lessons.scale.mean + learned.pairs.points * np.sqrt(
            learned.lessons.scale.variance
        )
        codes = [
            detector.predict_one(dict(zip("012", row, strict=True))) for row in probes.tolist()
        ]
        assert set(codes) <= set(range(count))
        found[count] = distortion(probes, book[codes][:, 1:])
    assert found[16] < found[4] < found[2]
    scaled = rows / rows.std(axis=0)
    batch = KMeans(16, n_init=3, random_state=0).fit(scaled)
    centres = batch.cluster_centers_[batch.predict(probes / rows.std(axis=0))]
    best = float((((probes / rows.std(axis=0)) - centres) ** 2).mean())
    assert found[16] < 3.0 * best + 0.02


def test_codes_keep_their_spread_and_do_not_drift_apart() -> None:
    detector = StreamGLGAE(batch_size=32, spread=1.5)
    detector.learn_many(table(4000, 4))
    learned = model_of(detector).pairs
    assert learned is not None
    assert float(np.sqrt((learned.codes**2).mean())) == pytest.approx(1.5)


def test_p_is_a_normalised_gaussian_with_the_unit_scale_of_the_definition_on_request() -> None:
    detector = StreamGLGAE(n_components=3, unit_scale=True)
    detector.learn_many(table(200, 3))
    model = model_of(detector)
    assert model.pairs is not None
    rows = model.lessons.held[:5]
    squares = ((rows[:, None] - model.pairs.points) ** 2).sum(axis=2)
    np.testing.assert_allclose(model.log_p(rows), -squares - 2.0 * math.log(math.pi))


def test_the_score_is_minus_the_bound_at_the_code() -> None:
    detector = StreamGLGAE(batch_size=32)
    rows = table(500, 3)
    detector.learn_many(rows)
    model = model_of(detector)
    standard = model.lessons.standardised(np.column_stack([np.zeros(5), rows[:5]]))
    expected = standard.beyond - model.bound(standard.rows)
    assert detector.score_many(rows[:5]).tolist() == expected.tolist()


def test_a_cold_detector_encodes_and_decodes_without_complaint() -> None:
    detector = StreamGLGAE()
    assert detector.encode([{"a": 1.0}]).z.tolist() == [[0.0, 0.0]]
    assert detector.decode([[0.0, 0.0]]) == [{}]
    assert detector.predict_one({"a": 1.0}) == 0


def test_centres_are_the_points_in_the_features_own_units() -> None:
    detector = StreamGLGAE(n_components=2, trusted=1.0, batch_size=64)
    assert detector.centres() == []
    rows = np.array([[100.0, -0.01], [140.0, 0.03]])[np.arange(2000) % 2]
    noise = np.random.default_rng(0).normal(size=rows.shape) * [1.0, 0.001]
    detector.learn_many(rows + noise)
    first, second = sorted((event["0"], event["1"]) for event in detector.centres())
    assert first == pytest.approx((100.0, -0.01), abs=2.0)
    assert second == pytest.approx((140.0, 0.03), abs=2.0)
    assert detector.predict_many(rows[:2]).tolist() in ([0, 1], [1, 0])


@pytest.mark.parametrize("encoding", get_args(Encoding))
def test_an_encoding_says_which_events_converged_within_the_cap(encoding: Encoding) -> None:
    """After one step few, after 200 nearly all; and those lie where more steps would leave them."""
    rows, probes = on_an_arc(1000, 0)[0], on_an_arc(200, 1)[0]
    shares = []
    for steps in (1, 200):
        detector = StreamGLGAE(encoding=encoding, steps=12, batch_size=64)
        detector.learn_many(rows)
        state = detector.to_state()
        again = state | {"configuration": detector.configuration() | {"steps": steps}}
        z, converged = StreamGLGAE.from_state(again).encode(probes)
        longer = state | {"configuration": detector.configuration() | {"steps": 1000}}
        apart = np.abs(StreamGLGAE.from_state(longer).encode(probes).z - z).max(axis=1)
        assert (apart[converged] < 0.05).all()
        shares.append(converged.mean())
    assert shares[0] < 0.5
    assert shares[1] > 0.9


def test_an_encoding_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^encoding must be one of .*, got 'newton'"):
        StreamGLGAE(encoding="newton")  # type: ignore[arg-type]


def test_on_shuttle_it_finds_the_anomalies_and_beats_its_untrained_self() -> None:
    """The first 12,000 events, scored from the 512th on: 0.99 against 0.96."""
    events = list(datasets.Shuttle().take(12_000))
    rows = np.array([list(x.values()) for x, _ in events], dtype=np.float64)
    labels = [label for _, label in events][511:]
    areas = [
        roc_auc_score(labels, StreamGLGAE(learning_rate=rate).score_learn_many(rows)[511:])
        for rate in (0.05, 0.0)
    ]
    assert areas[0] >= 0.95
    assert areas[0] > areas[1] + 0.01


@pytest.mark.parametrize("z", [[1.0, 2.0], [[1.0, 2.0, 3.0]], [[math.nan, 0.0]]])
def test_what_is_no_code_is_not_decoded(z: list[float] | list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"z must be finite and of shape \[B, 2\]"):
        StreamGLGAE().decode(z)
