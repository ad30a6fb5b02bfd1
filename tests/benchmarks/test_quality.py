"""The quality benchmark on a folder of small streams: what it runs, keeps, and goes on from."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from stream_dagmm.arithmetic import Floats
from tests.benchmarks import memstream, quality, streams
from tests.benchmarks.folder import written
from tests.benchmarks.peers import METHODS, Method, Scored, standardised
from tests.benchmarks.streams import Stream

FAST = ["StreamDAGMM", "z-score norm"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("odds_thyroid", "shuttle"):
        written(tmp_path, name, 160)
    return tmp_path


def run(folder: Path, *more: str) -> list[dict[str, object]]:
    results = folder / "results.jsonl"
    chosen = ["--streams", "thyroid", "shuttle", "--results", str(results), *more]
    quality.main([str(folder), *chosen])
    return quality.read(results)


def stream(scores: Floats, labels: list[int], ordered: bool = True) -> tuple[Stream, Scored]:
    events = pl.DataFrame({"x": np.zeros(len(labels))})
    return Stream("s", ordered, events, np.array(labels) == 1), Scored(scores, 1.0, {})


def test_every_stream_method_and_seed_has_a_line_and_the_tables_name_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = run(folder, "--methods", *FAST, "--seeds", "2")
    runs = [(line["stream"], line["method"], line["seed"]) for line in lines]
    ours, norm = FAST
    assert runs == [
        (s, *r) for s in ("thyroid", "shuttle") for r in ((ours, 0), (ours, 1), (norm, 0))
    ]
    assert {"commit", "versions", "us_per_event", "rows"} <= lines[0].keys()
    shown = capsys.readouterr().out
    assert "| StreamDAGMM |" in shown and "| thyroid |" in shown


def test_a_second_run_adds_nothing_and_a_cut_line_is_run_again(folder: Path) -> None:
    run(folder, "--methods", "z-score norm")
    results = folder / "results.jsonl"
    before = results.read_text()
    run(folder, "--methods", "z-score norm")
    assert results.read_text() == before
    results.write_text(before[:-40])
    lines = run(folder, "--methods", "z-score norm")
    assert [line["stream"] for line in lines] == ["thyroid", "shuttle"]


def test_another_length_and_another_code_of_ours_are_other_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder, "--methods", *FAST, "--seeds", "1")
    assert len(run(folder, "--methods", *FAST, "--seeds", "1", "--rows", "100")) == 8
    monkeypatch.setattr(quality, "code", lambda module: module and "changed")
    assert len(run(folder, "--methods", *FAST, "--seeds", "1")) == 10


def test_the_tables_never_mix_two_codes_of_ours(folder: Path) -> None:
    lines = run(folder, "--methods", "StreamDAGMM", "--seeds", "1")
    newer = dict(lines[0], code="newer", auroc=0.125)
    assert "| StreamDAGMM | 0.125 |" in quality.report([*lines, newer], streams.ROWS, ["thyroid"])


def test_a_method_without_its_environment_is_left_out_and_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(stream: Stream, seed: int) -> Scored:
        raise OSError("no network")

    monkeypatch.setitem(METHODS, "xStream", Method(missing))
    run(folder, "--methods", "xStream", "z-score norm", "--seeds", "1")
    said = capsys.readouterr()
    assert said.err.count("xStream is left out: no network") == 1
    assert "xStream" in said.out.split("Not measured: ")[1]


def test_a_slow_method_stops_early_and_takes_one_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []

    def note(stream: Stream, seed: int) -> Scored:
        lengths.append(len(stream))
        return Scored(np.zeros(len(stream)), 1.0, {})

    slow = Method(note, slow=True)
    monkeypatch.setitem(METHODS, "RRCF", slow)
    assert list(quality.runs(["RRCF"], 5)) == [("RRCF", 0)]
    long, _ = stream(np.zeros(12_000), [0, 1] * 6_000)
    assert quality.measured(long, slow, 0)["rows"] == lengths[0] == 10_000


def test_an_unknown_method_is_named(folder: Path) -> None:
    with pytest.raises(SystemExit, match="no method is called 'best'; choose from StreamDAGMM"):
        run(folder, "--methods", "best")


def test_scores_count_from_the_64th_event_of_a_short_stream() -> None:
    scores = np.concatenate([np.full(64, 9.0), np.arange(40.0)])
    figures = quality.figures(*stream(scores, [0] * 64 + [0] * 20 + [1] * 20))
    assert figures["auroc"] == 1.0


def test_one_class_alone_has_no_figures_and_a_score_that_is_no_number_neither() -> None:
    assert quality.figures(*stream(np.zeros(100), [0] * 100))["auroc"] is None
    broken = quality.figures(*stream(np.full(100, np.nan), [0, 1] * 50))
    assert broken["auroc"] is None and broken["not_finite"] == 36


def test_windows_with_too_few_of_a_class_do_not_count() -> None:
    labels = np.zeros(3_000, dtype=np.bool_)
    labels[:5] = labels[1_000:1_004] = labels[2_000:2_500] = True
    scores = np.arange(3_000.0)
    assert quality.windowed_auroc(labels, scores) == 0.0
    assert quality.windowed_auroc(labels, -scores) == 1.0
    assert quality.windowed_auroc(labels[1_000:2_000], scores[1_000:2_000]) is None


@pytest.mark.parametrize("name", [name for name in METHODS if name not in ("xStream", "RRCF")])
def test_every_method_scores_every_event_of_a_stream_with_texts(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memstream, "EPOCHS", 20)
    given = streams.load(folder, streams.PLANS[5])
    found = METHODS[name].run(given, 0)
    assert found.scores.shape == (160,) and np.isfinite(found.scores).all()


def test_rows_are_standardised_by_the_past_alone() -> None:
    rows = np.random.default_rng(0).normal(5.0, 2.0, size=(600, 2))
    changed = rows.copy()
    changed[599] = 1e6
    np.testing.assert_array_equal(standardised(rows)[:599], standardised(changed)[:599])


def test_a_line_is_json_on_one_line(folder: Path) -> None:
    run(folder, "--methods", "z-score norm")
    texts = (folder / "results.jsonl").read_text().splitlines()
    assert [json.loads(text)["asked"] for text in texts] == [30_000, 30_000]
