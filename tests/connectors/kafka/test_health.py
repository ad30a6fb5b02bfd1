"""What a probe and a scrape are told."""

import urllib.error
import urllib.request

import pytest

from stream_dagmm_connectors.kafka.client import Place
from stream_dagmm_connectors.kafka.health import served
from tests.connectors.kafka.fakes import Trap
from tests.connectors.kafka.test_crash_points import BAD, EVENTS, PARTITIONS, fresh, process, run


def get(port: int | None, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_scrape_counts_events_dead_letters_tombstones_and_commits() -> None:
    kafka = fresh()
    one = process(kafka, Trap())
    run(one, kafka)
    bad, tombstones = 2, 1
    with served(one, "127.0.0.1", 0) as port:
        code, text = get(port, "/metrics")
    assert code == 200
    where = 'topic="events",partition="0"'
    assert f"stream_dagmm_events_total{{{where}}} {EVENTS - len(BAD)}\n" in text
    assert f'stream_dagmm_dead_letters_total{{{where},stage="decode"}} {bad}\n' in text
    assert f"stream_dagmm_tombstones_total{{{where}}} {tombstones}\n" in text
    assert f"stream_dagmm_partitions_live {PARTITIONS}\n" in text
    assert "# TYPE stream_dagmm_transactions_committed_total counter\n" in text


@pytest.mark.parametrize(("coming", "code"), [(set(), 200), ({Place("events", 0)}, 503)])
def test_a_member_whose_partition_waits_for_its_model_is_not_ready(
    coming: set[Place], code: int
) -> None:
    one = process(fresh(), Trap())
    one.watchdog.heard()
    one.watchdog._unready_after_s = 1e9  # the clock of these processes runs fast
    one.ours.coming |= coming
    with served(one, "127.0.0.1", 0) as port:
        assert get(port, "/readyz")[0] == code
        assert get(port, "/healthz")[0] == 200
        assert get(port, "/else")[0] == 404


def test_no_port_serves_nothing() -> None:
    with served(process(fresh(), Trap()), "127.0.0.1", None) as port:
        assert port is None
