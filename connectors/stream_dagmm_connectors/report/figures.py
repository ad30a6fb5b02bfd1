"""The figures of the report: from what the sketches remember to what the template draws."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from stream_dagmm_connectors.report.charts import (
    BOTTOM,
    TOP,
    Bar,
    Figure,
    Marker,
    Path,
    Scale,
    Tick,
    across,
    band,
    counted,
    line,
    readable,
    upward,
)
from stream_dagmm_connectors.report.sketches import Span

MOST_ROWS = 12
MOST_SHADES = 8

Samples = Sequence[tuple[int, Sequence[float]]]


def score_over_time(spans: Sequence[Span]) -> Figure:
    """The range and mean of the scores along the stream, alarms as triangles."""
    height = 320.0
    x = across(spans[0].first, spans[-1].last)
    y = upward(min(s.lowest for s in spans), max(s.highest for s in spans), height, bent=True)
    alarms = sum(s.alarms for s in spans)
    middle = [((s.first + s.last) / 2, s) for s in spans]
    return Figure(
        name="time",
        title="Score over time",
        description=f"{counted(spans[-1].last, 'event')}, {counted(alarms, 'alarm')}. Each point "
        f"stands for up to {_length(spans)}; the vertical scale is compressed far from zero.",
        height=height,
        x_label="event",
        y_label="score",
        x_ticks=x.ticks(),
        y_ticks=y.ticks(6),
        paths=[
            Path(band([(at, s.lowest, s.highest) for at, s in middle], x, y), "band"),
            Path(line([(at, s.mean) for at, s in middle], x, y), "line"),
        ],
        markers=[
            Marker(x.at(at), y.at(s.highest), _alarm_words(s)) for at, s in middle if s.alarms
        ],
        legend=[
            ("line", "mean score"),
            ("band", "lowest to highest"),
            ("marker", "alarms, on the highest score"),
        ],
        columns=["events", "mean score", "highest score", "alarms"],
        rows=[_span_row(part) for part in _grouped(spans)],
    )


def _length(spans: Sequence[Span]) -> str:
    return counted(spans[0].last - spans[0].first + 1, "event")


def _alarm_words(span: Span) -> str:
    alarms = counted(span.alarms, "alarm")
    return f"{alarms} in events {span.first:,} to {span.last:,}, highest {readable(span.highest)}"


def _grouped(spans: Sequence[Span]) -> list[Sequence[Span]]:
    size = math.ceil(len(spans) / MOST_ROWS)
    return [spans[start : start + size] for start in range(0, len(spans), size)]


def _span_row(spans: Sequence[Span]) -> list[str]:
    events = spans[-1].last - spans[0].first + 1
    mean = math.fsum(s.mean / events * (s.last - s.first + 1) for s in spans)
    return [
        f"{spans[0].first:,} to {spans[-1].last:,}",
        readable(mean),
        readable(max(s.highest for s in spans)),
        f"{sum(s.alarms for s in spans):,}",
    ]


def distribution_of_scores(bins: Sequence[tuple[float, float, int, int]]) -> Figure:
    """How often each score came, alarms hatched; counts on a logarithmic scale."""
    height = 260.0
    bins = _coarser(bins)
    x = across(bins[0][0], bins[-1][1], bent=True)
    most = max(events for _, _, events, _ in bins)
    top = math.log10(most) + 1.0
    y = Scale(0.0, top, height - BOTTOM, TOP)
    counts = [Tick(y.at(k + 1.0), f"{10**k:,}") for k in range(math.floor(top))]
    bars = [bar for one in bins for bar in _histogram_bars(one, x, y)]
    return Figure(
        name="distribution",
        title="Distribution of scores",
        description=f"{counted(sum(b[2] for b in bins), 'event')} by score; counts on a "
        "logarithmic scale, so that the few strange events can be seen beside the many ordinary "
        "ones.",
        height=height,
        x_label="score",
        y_label="events",
        x_ticks=x.ticks(),
        y_ticks=[Tick(y.at(0.0), "0"), *counts],
        bars=bars,
        legend=[("bar", "events"), ("hatched", "alarms among them")],
        columns=["score from", "to", "events", "alarms"],
        rows=[
            [readable(low), readable(high), f"{events:,}", f"{alarms:,}"]
            for low, high, events, alarms in _coarser(bins, MOST_ROWS)
        ],
    )


def _coarser(
    bins: Sequence[tuple[float, float, int, int]], most: int = 64
) -> list[tuple[float, float, int, int]]:
    """Neighbours joined into at most `most` bins of equal width on the bent scale."""
    low, high = math.asinh(bins[0][0]), math.asinh(bins[-1][1])
    width = (high - low) / most or 1.0

    def slot(one: tuple[float, float, int, int]) -> int:
        return min(int((math.asinh(one[0]) - low) / width + 1e-9), most - 1)

    joined = []
    for _, group in itertools.groupby(bins, key=slot):
        parts = list(group)
        counts = (sum(p[2] for p in parts), sum(p[3] for p in parts))
        joined.append((parts[0][0], parts[-1][1], *counts))
    return joined


def _histogram_bars(one: tuple[float, float, int, int], x: Scale, y: Scale) -> list[Bar]:
    low, high, events, alarms = one
    left, width = x.at(low), max(x.at(high) - x.at(low) - 1.0, 1.0)
    says = f"{events:,} events from {readable(low)} to {readable(high)}, {alarms:,} alarms"

    def bar(count: int, style: str) -> Bar:
        top = y.at(math.log10(count) + 1.0)
        return Bar(left, top, round(width, 2), round(y.start - top, 2), style, says)

    return [bar(events, "bar")] + ([bar(alarms, "hatched")] if alarms else [])


def learning_curve(number: int, name: str, samples: Samples) -> Figure | None:
    """One quantity that the detector gave as it learned; None where it was never finite.

    Lists of shares that sum to 1 (component weights) are stacked, other lists drawn as lines.
    """
    finite = [value for _, values in samples for value in values if math.isfinite(value)]
    if not finite:
        return None
    height = 220.0
    shares = all(abs(math.fsum(v) - 1.0) < 1e-6 and min(v) >= 0.0 for _, v in samples if len(v))
    stacked = shares and max(len(values) for _, values in samples) > 1
    x = across(samples[0][0], samples[-1][0])
    y = upward(0.0, 1.0, height) if stacked else _line_scale(finite, height)
    last = ", ".join(readable(value) for value in samples[-1][1])
    return Figure(
        name=f"curve-{number}",
        title=f"Learning: {name.replace('_', ' ')}",
        description=f"From {readable(samples[0][0])} to {readable(samples[-1][0])} events; "
        f"last: {last}.",
        height=height,
        x_label="events",
        y_label=name.replace("_", " ")[:24],
        x_ticks=x.ticks(),
        y_ticks=y.ticks(5),
        paths=_stacked(samples, x, y) if stacked else _lines(samples, x, y),
        legend=[(f"s{k}", f"component {k + 1}") for k in range(min(_widest(samples), MOST_SHADES))]
        if stacked
        else [],
        columns=["events", name.replace("_", " ")],
        rows=[
            [f"{events:,}", ", ".join(readable(v) for v in values)]
            for events, values in samples[:: math.ceil(len(samples) / MOST_ROWS)]
        ],
    )


def _line_scale(finite: Sequence[float], height: float) -> Scale:
    low, high = min(finite), max(finite)
    wide = high / 2 - low / 2 > 500.0
    return upward(low, high, height, bent=wide)


def _widest(samples: Samples) -> int:
    return max(len(values) for _, values in samples)


def _lines(samples: Samples, x: Scale, y: Scale) -> list[Path]:
    style = "line" if _widest(samples) == 1 else "thin"
    return [
        Path(line([(n, values[k]) for n, values in samples if k < len(values)], x, y), style)
        for k in range(_widest(samples))
    ]


def _stacked(samples: Samples, x: Scale, y: Scale) -> list[Path]:
    paths = []
    for k in range(_widest(samples)):
        edges = [(n, math.fsum(values[:k]), math.fsum(values[: k + 1])) for n, values in samples]
        paths.append(Path(band(edges, x, y), f"s{k % MOST_SHADES}"))
    return paths


def throughput(curve: Sequence[tuple[float, float]]) -> Figure:
    """Events per second of the process that wrote the page, along its life."""
    height = 220.0
    x = across(0.0, curve[-1][0])
    y = upward(0.0, max(rate for _, rate in curve), height)
    return Figure(
        name="throughput",
        title="Throughput",
        description=f"Of this process alone, over {readable(round(curve[-1][0], 1))} seconds; "
        "a resumed run begins anew.",
        height=height,
        x_label="seconds since the start",
        y_label="events per second",
        x_ticks=x.ticks(),
        y_ticks=y.ticks(5),
        paths=[Path(line(curve, x, y), "line")],
    )
