"""What a probe and a scrape are told."""

import math
import random
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream_dagmm_connectors.kafka.client import Place
from stream_dagmm_connectors.kafka.health import served
from stream_dagmm_connectors.kafka.meter import Meter
from tests.connectors.kafka.fakes import Trap
from tests.connectors.kafka.test_crash_points import (
    BAD,
    EVENTS,
    EXPECTED,
    PARTITIONS,
    RECIPE,
    emitted,
    fresh,
    process,
    run,
)

WHERE = (("partition", "0"), ("topic", "events"))
CHECKPOINTS = Place("checkpoints", 0)
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def get(port: int | None, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def scrape(port: int | None) -> Samples:
    """Every sample, by name and labels, as Prometheus's own parser reads it."""
    code, text = get(port, "/metrics")
    assert code == 200
    return {
        (sample.name.removeprefix("stream_dagmm_"), tuple(sorted(sample.labels.items()))): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_scrape_counts_events_dead_letters_tombstones_and_commits() -> None:
    kafka = fresh()
    one = process(kafka, Trap())
    run(one, kafka)
    with served(one, "127.0.0.1", 0) as port:
        seen = scrape(port)
    assert seen["events_total", WHERE] == EVENTS - len(BAD)
    assert seen["dead_letters_total", (*WHERE[:1], ("stage", "decode"), *WHERE[1:])] == 2
    assert seen["tombstones_total", WHERE] == 1
    assert seen["partitions_live", ()] == PARTITIONS
    assert seen["transactions_committed_total", ()] == one.delivery.commits
    assert seen["checkpoint_bytes", WHERE] > 0
    assert seen["lag", WHERE] == 0
    assert seen["end_to_end_seconds_count", ()] == 0  # these records carry no time


def test_whoever_counts_changes_no_byte_of_output_or_checkpoint() -> None:
    watched, alone = fresh(), fresh()
    meter = Meter(clock=lambda: -random.random(), wall_clock=lambda: math.nan)
    one = process(watched, Trap(), recipe=replace(RECIPE, scored=meter.scored))
    one.meter = meter
    run(one, watched)
    run(process(alone, Trap()), alone)
    assert emitted(watched) == emitted(alone) == EXPECTED
    assert watched.visible(CHECKPOINTS) == alone.visible(CHECKPOINTS) != []
    assert meter.scores.buckets()[-1][1] == sum(len(values) for values in EXPECTED.values()) - 4


def test_a_probe_tells_a_loop_that_turns_from_one_that_hangs() -> None:
    kafka = fresh()
    one = process(kafka, Trap())
    run(one, kafka)
    one.watchdog.heard()
    one.watchdog._exit_after_s = 1e9  # the clock of these processes runs fast
    with served(one, "127.0.0.1", 0, stuck_after_s=1e9) as port:
        assert get(port, "/healthz") == (200, "alive\n")
    with served(one, "127.0.0.1", 0, stuck_after_s=0.0) as port:
        assert get(port, "/healthz")[0] == 503


@pytest.mark.parametrize(("coming", "code"), [(set(), 200), ({Place("events", 0)}, 503)])
def test_a_member_whose_partition_waits_for_its_model_is_not_ready(
    coming: set[Place], code: int
) -> None:
    kafka = fresh()
    one = process(kafka, Trap())
    run(one, kafka)
    one.watchdog.heard()
    one.watchdog._unready_after_s = 1e9  # the clock of these processes runs fast
    one.ours.coming |= coming
    with served(one, "127.0.0.1", 0) as port:
        assert get(port, "/readyz")[0] == code
        assert get(port, "/else")[0] == 404


def test_a_process_that_is_no_member_yet_is_not_ready() -> None:
    with served(process(fresh(), Trap()), "127.0.0.1", 0) as port:
        assert get(port, "/readyz")[0] == 503


def test_no_port_serves_nothing() -> None:
    with served(process(fresh(), Trap()), "127.0.0.1", None) as port:
        assert port is None
