"""What was found, as a page.

`Report` watches the loop and remembers a bounded summary; `write` turns it into the page. What it
remembers is part of the checkpoint, so a resumed run reports the whole stream; only throughput
belongs to one process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
import numpy as np

from stream_dagmm_connectors.evaluation import Verdict
from stream_dagmm_connectors.events import ScoredEvent, place
from stream_dagmm_connectors.metrics import Counters, Speed
from stream_dagmm_connectors.report import figures
from stream_dagmm_connectors.report.charts import Figure, readable
from stream_dagmm_connectors.report.sketches import Curves, Distribution, Timeline, Top

if TYPE_CHECKING:
    from stream_dagmm.checkpoint import Tree
    from stream_dagmm_connectors.steps import Step

LONGEST_NAME = 80
"""Characters of a field's name or a time that the page shows; a hostile one may be a megabyte."""

LEARNED = "Every event was scored by the model as it stood before that event was learned."
NOT_LEARNED = "Every event was scored by one model, which learned none of them."


class Tile(NamedTuple):
    """One figure at the head of the page."""

    name: str
    value: str
    note: str = ""


class Report:
    """An observer of the loop that can write what it saw as one HTML page.

    Memory is bounded whatever the length of the stream. Cold, the page says so; `learns` tells it
    whether the events taught the model.
    """

    def __init__(self, *, learns: bool = True) -> None:
        self._learns = learns
        self._timeline = Timeline()
        self._distribution = Distribution()
        self._curves = Curves()
        self._top = Top()
        self._counters = Counters()
        self._first_time: str | None = None
        self._last_time: str | None = None
        self._lineage = ""

    def observe(self, step: Step) -> None:
        """See one turn of the loop."""
        self._counters = step.counters
        if not step.scored:
            return
        scores = np.array([row.score for row in step.scored], dtype=np.float64)
        alarms = np.array([row.alarm for row in step.scored], dtype=np.bool_)
        self._timeline.add(scores, alarms)
        self._distribution.add(scores, alarms)
        for row in step.scored:
            if row.contributions is not None:
                self._top.add(row.score, _remembered(row))
        if self._curves.due(step.counters.events):
            self._curves.add(step.counters.events, step.diagnostics())
        self._note_times(step.scored)
        self._lineage = step.scored[-1].lineage

    def _note_times(self, rows: Sequence[ScoredEvent]) -> None:
        times = [short(row.time) for row in rows if row.time is not None]
        if times:
            self._first_time = times[0] if self._first_time is None else self._first_time
            self._last_time = times[-1]

    def to_state(self) -> Tree:
        """What a checkpoint keeps."""
        return {
            "timeline": self._timeline.to_state(),
            "distribution": self._distribution.to_state(),
            "curves": self._curves.to_state(),
            "top": self._top.to_state(),
            "first_time": self._first_time,
            "last_time": self._last_time,
            "lineage": self._lineage,
            "counters": self._counters.to_state(),
        }

    def restore(self, state: Any) -> None:
        """Go on from `to_state`."""
        self._timeline.restore(state["timeline"])
        self._distribution.restore(state["distribution"])
        self._curves.restore(state["curves"])
        self._top.restore(state["top"])
        self._first_time, self._last_time = state["first_time"], state["last_time"]
        self._lineage = state["lineage"]
        self._counters = Counters.from_state(state["counters"])

    def write(
        self,
        path: Path,
        *,
        source: str,
        detector: str,
        verdict: Verdict | None = None,
        speed: Speed | None = None,
    ) -> None:
        """Write the page; whatever the fields are called, they are text on it."""
        page = self.page(source=source, detector=detector, verdict=verdict, speed=speed)
        path.write_text(page, encoding="utf-8", errors="backslashreplace")

    def page(
        self,
        *,
        source: str,
        detector: str,
        verdict: Verdict | None = None,
        speed: Speed | None = None,
    ) -> str:
        """The HTML of the page."""
        return template("report.html.jinja").render(
            title=f"Anomalies in {short(source)}",
            subtitle=self._subtitle(detector),
            tiles=self._tiles(verdict, speed),
            figures=self._figures(speed),
            top=[_shown(row) for row in self._top.rows()],
            refused=[(s, f"{n:,}") for s, n in sorted(self._counters.dead_letters.items())],
            footer=f"{LEARNED if self._learns else NOT_LEARNED} Lineage {self._lineage or 'none'}.",
        )

    def _subtitle(self, detector: str) -> str:
        span = ""
        if self._first_time is not None:
            span = f", events from {self._first_time} to {self._last_time}"
        return f"Scored by {detector}{span}"

    def _tiles(self, verdict: Verdict | None, speed: Speed | None) -> list[Tile]:
        seen = self._counters
        refused = sum(seen.dead_letters.values())
        tiles = [
            Tile(
                "Events", f"{seen.events:,}", "scored, then learned" if self._learns else "scored"
            ),
            Tile("Alarms", f"{seen.alarms:,}", f"{seen.alarm_rate:.3%} of the events"),
            Tile("Dead letters", f"{refused:,}", "records that were no events"),
        ]
        if verdict is not None and verdict.auroc is not None:
            note = f"{verdict.anomalies:,} anomalies in {verdict.events:,} labelled events"
            tiles.append(Tile("AUROC", f"{verdict.auroc:.4f}", note))
            tiles.append(
                Tile(
                    "Average precision", f"{verdict.average_precision:.4f}", "over the same events"
                )
            )
        if speed is not None and speed.events:
            rate = f"{speed.overall_per_s:,.0f}/s"
            tiles.append(Tile("Throughput", rate, "events, this process"))
        return tiles

    def _figures(self, speed: Speed | None) -> list[Figure]:
        if not self._counters.events:
            return []
        drawn: list[Figure | None] = [
            figures.score_over_time(self._timeline.spans()),
            figures.distribution_of_scores(self._distribution.bins()),
        ]
        for number, (name, samples) in enumerate(self._curves.series().items()):
            drawn.append(figures.learning_curve(number, name, samples))
        if speed is not None and speed.curve():
            drawn.append(figures.throughput(speed.curve()))
        return [figure for figure in drawn if figure is not None]


def short(value: object) -> str:
    """A value as text of at most 80 characters.

    >>> len(short("x" * 1000))
    80
    """
    text = str(value)
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def _remembered(row: ScoredEvent) -> dict[str, Any]:
    shares = [[short(name), share] for name, share in (row.contributions or {}).items()]
    return {
        "place": place(row.source, row.position),
        "time": None if row.time is None else short(row.time),
        "score": row.score,
        "p_value": row.p_value,
        "alarm": row.alarm,
        "shares": shares,
    }


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    values = [share for _, share in row["shares"]]
    low, high = min([0.0, *values]), max([0.0, *values])
    return {
        **row,
        "score": readable(row["score"]),
        "p_value": readable(row["p_value"]),
        "shares": [_bar(name, share, low, high) for name, share in row["shares"]],
    }


def _bar(name: str, share: float, low: float, high: float) -> dict[str, str | float]:
    # Halves, so that the distance of two huge contributions does not overflow.
    span = (high / 2 - low / 2) or 1.0
    zero, end = (round(200 * (v / 2 - low / 2) / span, 2) for v in (0.0, share))
    return {
        "name": name,
        "value": readable(share),
        "zero": zero,
        "x": min(zero, end),
        "width": round(abs(end - zero), 2),
        "style": "up" if share > 0.0 else "downward",
    }


def template(name: str) -> jinja2.Template:
    """A template of this folder; whatever is put into it is text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stream_dagmm_connectors.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(name)
