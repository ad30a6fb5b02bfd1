"""`stream-dagmm compare`: the figures of a replay, agreement of scores, a page that stands."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from scipy.stats import spearmanr

from stream_dagmm import GaussianMixture
from stream_dagmm.latent import Latent
from stream_dagmm_connectors.cli import main
from stream_dagmm_connectors.comparing import prequential, rank_correlation
from stream_dagmm_connectors.detector_names import contestant
from stream_dagmm_connectors.loading import load_as
from stream_dagmm_connectors.places import ignored
from stream_dagmm_connectors.report.latents import SIDE, Pictures
from stream_dagmm_connectors.settings import CONTESTANTS, CompareSettings
from tests.streams import table


def compare(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """1,200 labelled events, of which every fortieth is far off, and one line that is no event."""
    rows = np.random.default_rng(0).normal(size=(1200, 3))
    rows[::40] += 9.0
    lines = [
        json.dumps({"a": a, "b": b, "c": c, "<shop>": "x", "odd": n % 40 == 0})
        for n, (a, b, c) in enumerate(rows.tolist())
    ]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join([*lines[:700], "not json", *lines[700:]]) + "\n")
    return path


def test_all_detectors_are_told_side_by_side_and_drawn_on_one_page(
    events: Path, tmp_path: Path
) -> None:
    report = tmp_path / "page.html"
    result = compare(events, "--label", "odd", "--report", report)
    assert result.exit_code == 0, result.output
    figures = dict(re.findall(r"│ ([a-z-]+) +│ ([01]\.\d{4}) ", result.stdout))
    assert list(figures) == list(CONTESTANTS)
    assert all(float(area) > 0.9 for area in figures.values())
    assert "refused in decode: 1 records" in result.stdout
    page = report.read_text()
    assert re.findall(r"<h3>(.*?)</h3>", page) == list(CONTESTANTS[:-1])
    assert page.count("<svg viewBox") == page.count('role="img"') >= 3 * 7
    assert page.count("<ellipse") > 50
    assert not re.findall(r"(?:src|href)=|https?://|@import|url\((?!#)|<script", page)
    assert "nan" not in page


def test_its_figures_are_those_of_a_replay(events: Path, tmp_path: Path) -> None:
    chosen = ["--detectors", "gaussian_mixture", "--report", str(tmp_path / "page.html")]
    compared = compare(events, "--label", "odd", *chosen)
    replayed = CliRunner().invoke(
        main, ["replay", str(events), "--label", "odd", "--detector", "gaussian-mixture"]
    )
    area = re.search(r"AUROC +(\S+)", replayed.stdout)
    precision = re.search(r"average precision +(\S+)", replayed.stdout)
    assert area is not None
    assert precision is not None
    assert f"│ {area[1]} │ " in compared.stdout
    assert f" {precision[1]} │ " in compared.stdout


def test_without_labels_cost_and_agreement_are_still_told(events: Path, tmp_path: Path) -> None:
    report = tmp_path / "page.html"
    result = compare(events, "--ignore", "odd", "--detectors", "pca,hst", "--report", report)
    assert result.exit_code == 0
    assert "nothing says which detector is right" in report.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["{events}", "--detectors", "pca,nobody"],
            "is 'pca,nobody', expected some of",
        ),
        (
            ["{events}", "--detectors", "pca,pca"],
            "is 'pca,pca', expected some of dagmm,",
        ),
        (["{events}", "--detectors", ","], "--detectors is ',', expected some of dagmm,gmvae,"),
        (["nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["kafka://events?partition=0"], "expected a file; a topic is for replay"),
        ([], "source is missing; name it on the command line"),
        (["{events}", "--seed", "-1"], "--seed is '-1', expected greater than or equal to 0"),
        (["{events}", "--report", "{events}"], "--report and SOURCE are both"),
        (["{events}", "--report", "{folder}"], "is a directory, expected a file or nothing"),
        (["{events}", "--report", "{folder}/no/page.html"], "no does not exist; make it first"),
        (["{events}", "--config", "{events}"], "got the ending '.jsonl', expected .toml"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_to_do(
    events: Path, arguments: list[str], said: str
) -> None:
    result = compare(*(word.format(events=events, folder=events.parent) for word in arguments))
    assert said in result.stderr
    assert result.exit_code == 2


def test_a_source_without_events_exits_1_and_writes_nothing(tmp_path: Path) -> None:
    empty, report = tmp_path / "empty.jsonl", tmp_path / "page.html"
    empty.write_text("[]\n")
    result = compare(empty, "--detectors", "pca", "--report", report)
    assert "holds no event" in result.stderr
    assert result.exit_code == 1
    assert not report.exists()


def test_a_page_that_is_there_is_kept_unless_fresh_is_said(events: Path, tmp_path: Path) -> None:
    report = tmp_path / "page.html"
    report.write_text("dear to somebody")
    kept = compare(events, "--detectors", "pca", "--report", report)
    assert kept.exit_code == 2
    assert "already holds 16 bytes; move it away, write elsewhere, or say --fresh" in kept.stderr
    assert report.read_text() == "dear to somebody"
    assert compare(events, "--detectors", "pca", "--report", report, "--fresh").exit_code == 0
    assert "<h3>pca</h3>" in report.read_text()


def test_settings_come_from_a_file_and_flags_beat_it(events: Path, tmp_path: Path) -> None:
    config, report = tmp_path / "compare.toml", tmp_path / "page.html"
    config.write_text(
        f'source = "{events}"\nlabel = "odd"\ndetectors = ["pca", "gaussian_mixture"]\n'
        f'report = "{report}"\n[detector_options.gaussian_mixture]\nn_components = 2\n'
    )
    result = compare("--config", config)
    assert result.exit_code == 0, result.stderr
    assert re.findall(r"│ ([a-z-]+) +│ [01]\.", result.stdout) == ["pca", "gaussian-mixture"]
    assert "<h3>gaussian-mixture</h3>" in report.read_text()
    again = compare("--config", config, "--detectors", "pca", "--fresh")
    assert re.findall(r"│ ([a-z-]+) +│ [01]\.", again.stdout) == ["pca"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[detector_options.pca]\nhalf_live = 3\n", "detector pca takes no half_live; expected"),
        ("[detector_options.hst]\nn_trees = 3\n", "expected tables out of dagmm, gmvae, "),
        ("alarm_rate = 0.1\n", "alarm_rate: unknown key; expected one of "),
    ],
)
def test_a_wrong_key_of_the_file_is_named(
    events: Path, tmp_path: Path, text: str, said: str
) -> None:
    config = tmp_path / "compare.toml"
    config.write_text(text)
    report = tmp_path / "page.html"
    result = compare(events, "--config", config, "--report", report)
    assert said in result.stderr
    assert result.exit_code == 2
    assert not report.exists()


def test_the_label_of_the_bundled_stream_is_hidden_where_another_is_named() -> None:
    """The bundled stream's own label must not be learned as a field."""
    settings = load_as(CompareSettings, {"source": "shuttle", "label": "f1"})
    assert ignored(settings) == ("anomaly",)
    assert ignored(load_as(CompareSettings, {"source": "shuttle"})) == ()


def test_scores_come_before_learning_one_by_one_or_many_at_once() -> None:
    rows = [dict(zip("abc", row, strict=True)) for row in table(60, 3).tolist()]
    by_one, by_many = GaussianMixture(), GaussianMixture()
    expected = []
    for row in rows:
        expected.append(by_one.score_one(row))
        by_one.learn_one(row)
    assert prequential(by_many, rows).tolist() == expected
    trees, again = (contestant("hst", 1, {}) for _ in range(2))
    found = prequential(trees, rows)
    for row, score in zip(rows, found, strict=True):
        assert again.score_one(row) == score
        again.learn_one(row)


def test_half_space_trees_see_numbers_between_0_and_1_and_nothing_else() -> None:
    trees = contestant("hst", 3, {})
    for n in range(600):
        event = {"amount": float(n % 7), "shop": "x", "flag": True}
        trees.score_one(event)
        trees.learn_one(event)
    assert trees.score_one({"amount": 3.0, "shop": "new"}) > 0.0


def test_rank_correlation_is_spearmans_with_ties() -> None:
    random = np.random.default_rng(0)
    one, other = random.integers(5, size=200), random.integers(7, size=200)
    expected = spearmanr(one, other).statistic
    found = rank_correlation(one.astype(float), other + 0.3 * one)
    assert found == pytest.approx(spearmanr(one, other + 0.3 * one).statistic, abs=1e-9)
    assert rank_correlation(one.astype(float), other.astype(float)) == pytest.approx(expected)
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5.0)))


def latent(seed: int, size: int) -> Latent:
    random = np.random.default_rng(seed)
    codes = random.normal(size=(40, size))
    return Latent(
        codes, np.array([0.995, 0.005]), np.zeros((2, size)), np.array([np.eye(size)] * 2)
    )


@pytest.mark.parametrize("size", [1, 2, 5])
def test_pictures_are_few_share_a_frame_and_keep_the_first_and_the_last(size: int) -> None:
    pictures = Pictures()
    for n in range(300):
        if pictures.due(512 * n):
            pictures.add(512 * n, latent(n, size), np.arange(40) == 0)
    for _ in range(2):  # the end may come where a picture was due
        pictures.add(512 * 300, latent(300, size), np.zeros(40, dtype=np.bool_))
    panels = pictures.panels()
    assert [panels[0].events, panels[-1].events] == [0, 512 * 300]
    assert len(panels) == len({panel.events for panel in panels}) == 4
    assert panels[0].dots.count("M") == 39
    assert panels[-1].crosses == ""
    places = [float(n) for n in re.findall(r"[\d.]+", panels[0].dots.replace("h0", ""))]
    assert 0.0 <= min(places) <= max(places) <= SIDE
    assert [ellipse.style for ellipse in panels[0].ellipses] == ["e0", "e1 scarce"]
    assert len(pictures.shares()) <= Pictures.MOST


def test_an_ellipse_lies_where_its_component_does() -> None:
    """Two standard deviations of a circle are twice as wide as one of half the deviation."""
    codes = np.random.default_rng(0).normal(size=(500, 2))
    covariance = np.array([np.eye(2), 0.25 * np.eye(2)])
    pictures = Pictures()
    seen = Latent(codes, np.array([0.5, 0.5]), np.array([[0.0, 0.0], [1.0, 0.0]]), covariance)
    pictures.add(500, seen, np.zeros(500, dtype=np.bool_))
    [wide, narrow] = pictures.panels()[0].ellipses
    assert wide.rx == pytest.approx(2.0 * narrow.rx, rel=0.01)
    assert narrow.x - wide.x == pytest.approx(wide.rx / 2.0, rel=0.1)
    assert narrow.y == pytest.approx(wide.y)


def test_a_label_that_no_event_has_is_told(events: Path, tmp_path: Path) -> None:
    page = str(tmp_path / "page.html")
    result = compare(events, "--detectors", "pca", "--label", "mistyped", "--report", page)
    assert result.exit_code == 0, result.output
    assert "no event has field 'mistyped'" in result.output
