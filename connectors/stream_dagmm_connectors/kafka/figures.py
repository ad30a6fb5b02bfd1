"""The figures of a running loop, as Prometheus collects them.

Read from another thread, without a lock: every figure is one attribute, written by the loop alone,
and a scrape may see it a turn old.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from stream_dagmm_connectors.kafka.client import Place
from stream_dagmm_connectors.kafka.loop import Scoring
from stream_dagmm_connectors.kafka.meter import Histogram
from stream_dagmm_connectors.kafka.partition import PartitionModel

PREFIX = "stream_dagmm_"
WHERE = ["topic", "partition"]


class Figures(Collector):
    """Everything that is said of a run; what a name means stands beside it."""

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring

    def collect(self) -> Iterable[Metric]:
        """All of it, as it is now."""
        models = sorted(self._scoring.ours.models.items())
        yield from self._of_the_process()
        yield from self._times()
        yield from _of_the_stream(models)
        yield from self._positions(models)

    def _of_the_process(self) -> Iterator[Metric]:
        ours, delivery = self._scoring.ours, self._scoring.delivery
        silence_s = self._scoring.watchdog.silence_s
        restoring = len(ours.coming) + len(ours.targets)
        yield _gauge("ready", "1 while /readyz says so", ready(self._scoring))
        yield _gauge("broker_silence_seconds", "since a broker last answered", silence_s)
        yield _gauge("partitions_live", "partitions that are scored here", len(ours.live))
        yield _gauge("partitions_restoring", "partitions that wait for their model", restoring)
        yield _gauge("records_in_open_transaction", "sent and not yet committed", delivery.waiting)
        yield _counter("rebalances", "partitions came or went", self._scoring.rebalances)
        yield _counter("transactions_committed", "that held something", delivery.commits)
        yield _counter("transactions_aborted", "whose records were sent again", delivery.aborts)

    def _times(self) -> Iterator[Metric]:
        meter = self._scoring.meter
        yield _histogram("score", "scores, in no unit", meter.scores)
        yield _histogram("p_value", "uniform while nothing changes", meter.p_values)
        yield _histogram(
            "end_to_end_seconds",
            "from a record's timestamp to the commit of what became of it",
            meter.end_to_end_s,
        )
        yield _histogram(
            "score_and_learn_seconds", "of one partition's records of one poll", meter.step_s
        )
        yield _histogram(
            "restore_seconds", "from a partition's coming to going on, per partition",
            meter.restore_s,
        )  # fmt: skip
        yield _counter("relearned_records", "read again to bring a model up", meter.relearned)
        phases = CounterMetricFamily(
            f"{PREFIX}phase_seconds", "spent by the loop, by what it was at", labels=["phase"]
        )
        for phase, spent_s in list(meter.phases_s.items()):
            phases.add_metric([phase], spent_s)
        yield phases

    def _positions(self, models: list[tuple[Place, PartitionModel]]) -> Iterator[Metric]:
        scoring, meter = self._scoring, self._scoring.meter
        saved = {place: scoring.ours.saved.get(place, 0) for place, _ in models}
        yield _by_place(
            "next_offset", "of the input, to be read next",
            {place: model.progress.next_offset for place, model in models},
        )  # fmt: skip
        yield _by_place(
            "lag", "records behind the committed offset; 0 once all is emitted",
            {place: scoring.lag(place) for place, _ in models},
        )  # fmt: skip
        yield _by_place(
            "checkpoint_age_records", "read since the last checkpoint",
            {place: model.progress.records - saved[place] for place, model in models},
        )  # fmt: skip
        yield _by_place(
            "checkpoint_age_seconds", "since the last checkpoint here, or since it came",
            {place: meter.since_saved_s(place) for place, _ in models},
        )  # fmt: skip
        yield _by_place(
            "checkpoint_bytes", "of the last checkpoint made here",
            {place: meter.checkpoint_bytes.get(place) for place, _ in models},
        )  # fmt: skip


def ready(scoring: Scoring) -> bool:
    """Whether it is a member, brokers answer, and no partition of ours waits for its model."""
    waiting = scoring.ours.coming or scoring.ours.targets
    return scoring.joined and scoring.watchdog.ready and not waiting


def _of_the_stream(models: list[tuple[Place, PartitionModel]]) -> Iterator[Metric]:
    """Facts about the log, counted since the model's lineage began, in whatever process."""
    events = CounterMetricFamily(f"{PREFIX}events", "scored and learned", labels=WHERE)
    alarms = CounterMetricFamily(f"{PREFIX}alarms", "raised", labels=WHERE)
    tombstones = CounterMetricFamily(f"{PREFIX}tombstones", "records without value", labels=WHERE)
    feedback = CounterMetricFamily(f"{PREFIX}feedback", "labels that came late", labels=WHERE)
    for place, model in models:
        where = [place.topic, str(place.partition)]
        events.add_metric(where, model.counters.events)
        alarms.add_metric(where, model.counters.alarms)
        tombstones.add_metric(where, model.tombstones)
        feedback.add_metric(where, model.counters.feedback)
    yield from (events, alarms, tombstones, feedback)
    dead = CounterMetricFamily(
        f"{PREFIX}dead_letters", "records that were no events", labels=[*WHERE, "stage"]
    )
    for place, model in models:
        for stage, count in sorted(model.counters.dead_letters.items()):
            dead.add_metric([place.topic, str(place.partition), stage], count)
    yield dead


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}{name}", words, value=float(value))


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(f"{PREFIX}{name}", words, value=value)


def _histogram(name: str, words: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(
        f"{PREFIX}{name}", words, buckets=histogram.buckets(), sum_value=histogram.sum
    )


def _by_place(name: str, words: str, values: dict[Place, float | None]) -> Metric:
    """A gauge of each partition; one that is not known yet has none."""
    family = GaugeMetricFamily(f"{PREFIX}{name}", words, labels=WHERE)
    for place, value in values.items():
        if value is not None:
            family.add_metric([place.topic, str(place.partition)], value)
    return family
