"""The report: bounded, escaped, and a page that a real browser draws without a network."""

import re
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from stream_dagmm_connectors.evaluation import judge
from stream_dagmm_connectors.events import LinePosition, ScoredEvent
from stream_dagmm_connectors.metrics import Counters, Speed
from stream_dagmm_connectors.report import Report
from stream_dagmm_connectors.report.charts import Scale
from stream_dagmm_connectors.report.sketches import Curves, Distribution, Timeline
from stream_dagmm_connectors.steps import Step

HOSTILE = '<script>document.title="owned"</script>"\'&{{ 7 * 7 }}'


def row(number: int, score: float, field: str = "amount") -> ScoredEvent:
    strange = score > 5.0
    return ScoredEvent(
        id=f"s:{number}:x",
        source="s",
        position=LinePosition(number),
        time=f"2026-01-01T00:{number % 60:02}",
        score=score,
        p_value=0.001 if strange else 0.5,
        alarm=strange,
        warming_up=False,
        contributions={field: score + 1.0, "(rest)": -1.0} if strange else None,
        lineage="x",
        learned=number - 1,
    )


def reported(scores: list[float], field: str = "amount") -> Report:
    report, counters = Report(), Counters()
    for start in range(0, len(scores), 50):
        part = scores[start : start + 50]
        rows = [row(start + n + 1, score, field) for n, score in enumerate(part)]
        counters.count(rows, [])
        values: dict[str, float | list[float]] = {
            "reconstruction": 1.0 / (start + 1),
            "energy": float("nan") if start == 0 else 4.0,
            "component_weights": [0.5, 0.3, 0.2],
        }
        report.observe(Step(rows, [], counters, partial(dict, values)))
    return report


def ordinary() -> list[float]:
    scores = np.abs(np.random.default_rng(0).normal(size=2000))
    scores[::100] += 9.0
    return [float(score) for score in scores]


def test_the_page_holds_every_figure_with_words_for_those_who_cannot_see_it() -> None:
    ticks = iter(range(100))
    speed = Speed(clock=lambda: float(next(ticks)))
    speed.count(100)
    speed.count(100)
    page = reported(ordinary()).page(
        source="s", detector="d", verdict=judge([0.1, 0.9], [0, 1]), speed=speed
    )
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert titles == [
        "Score over time",
        "Distribution of scores",
        "Learning: component weights",
        "Learning: energy",
        "Learning: reconstruction",
        "Throughput",
        "Strangest events",
    ]
    drawn = page.count('role="img"')
    assert drawn == len(titles) - 1 == page.count("<desc ")


def test_nothing_on_the_page_needs_a_network_or_a_script() -> None:
    page = reported(ordinary(), HOSTILE).page(source=HOSTILE, detector=HOSTILE)
    assert not re.findall(r"(?:src|href)=|https?://|@import|url\((?!#)", page)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_without_events_or_diagnostics_the_page_still_stands() -> None:
    assert "None: no event had" in Report().page(source="s", detector="d")
    report, counters = Report(), Counters()
    rows = [row(1, 3.0)]
    counters.count(rows, [])
    report.observe(Step(rows, [], counters, dict))
    page = report.page(source="s", detector="d")
    assert "1 event, 0 alarms. Each point stands for up to 1 event;" in page
    assert 'class="line" d="M' in page and "m-6 0h12" in page  # one point is a dash, not nothing


def test_a_page_of_a_run_that_learned_nothing_says_so() -> None:
    page = Report(learns=False).page(source="s", detector="d")
    assert "which learned none of them" in page
    assert "then learned" not in page


def test_scores_of_any_size_are_drawn() -> None:
    page = reported([0.0, -1e300, 1e300, 1e-300, 5.5]).page(source="s", detector="d")
    assert "nan" not in page
    assert "inf" not in page


def test_a_restored_report_writes_the_same_page() -> None:
    report, again = reported(ordinary()), Report()
    again.restore(report.to_state())
    assert again.page(source="s", detector="d") == report.page(source="s", detector="d")


def test_memory_is_bounded_and_no_event_is_lost_from_the_counts() -> None:
    timeline, distribution, curves = Timeline(), Distribution(), Curves()
    random = np.random.default_rng(1)
    for step in range(200):
        scores = random.standard_cauchy(500) * 10.0 ** (step / 10)
        alarms = scores > 100.0
        timeline.add(scores, alarms)
        distribution.add(scores, alarms)
        curves.add(step, {str(n): list(range(100)) for n in range(50)})
    assert len(timeline.spans()) <= 400
    assert len(distribution.bins()) <= 256
    assert sum(events for _, _, events, _ in distribution.bins()) == 100_000
    assert timeline.spans()[-1].last == 100_000
    assert len(curves.series()) <= 12


@pytest.mark.parametrize("ends", [(0.0, 1.0), (-1e300, 1e300), (3.0, 3.1), (1.0, 1e6)])
def test_ticks_are_few_and_lie_within_the_scale(ends: tuple[float, float]) -> None:
    for bent in (False, True):
        ticks = Scale(*ends, 0.0, 100.0, bent).ticks()
        assert 1 <= len(ticks) <= 20
        assert all(-1e-6 <= tick.at <= 100.0 + 1e-6 for tick in ticks)


@pytest.mark.needs("chromium")
def test_a_real_browser_draws_the_page_and_runs_nothing_in_it(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    reported(ordinary(), HOSTILE).write(page, source=HOSTILE, detector="d")
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    browser += ["--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}"]
    picture = tmp_path / "page.png"
    drawn = subprocess.run(
        [*browser, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=60
    ).stdout
    assert "owned</title>" not in drawn
    assert drawn.count("<svg") > 5
    assert "<script>document" not in drawn
    subprocess.run([*browser, f"--screenshot={picture}", page.as_uri()], check=True, timeout=60)
    assert picture.stat().st_size > 10_000
