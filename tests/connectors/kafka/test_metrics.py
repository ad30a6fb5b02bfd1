"""What a scrape of a run on a real broker says, from the first event to the last."""

import signal
import socket
import time
import urllib.error
from pathlib import Path
from typing import Any

from kafka import KafkaProducer

from tests.broker.broker import Broker
from tests.connectors.kafka.member import Member
from tests.connectors.kafka.streams import Topics, event, make_topics
from tests.connectors.kafka.test_health import Samples, get, scrape
from tests.connectors.kafka.test_members import until

ROUNDS, A_ROUND = 5, 200


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def ready(port: int) -> bool:
    try:
        return get(port, "/readyz")[0] == 200
    except urllib.error.URLError:
        return False  # it does not listen yet


def produce_in_transactions(broker: Broker, topics: Topics, first: int) -> None:
    """Each round ends with a marker, which is an offset without a record."""
    producer = KafkaProducer(**broker.client(), transactional_id="metrics-producer")
    producer.init_transactions()
    for number in range(first, first + ROUNDS):
        producer.begin_transaction()
        for place in range(A_ROUND):
            value = b"no event" if place == 100 else event(number * A_ROUND + place)
            producer.send(topics.events, value, partition=0, timestamp_ms=int(1000 * time.time()))
        producer.commit_transaction()
    producer.close()


def of(topics: Topics, seen: Samples, name: str, **labels: str) -> float:
    where = {"topic": topics.events, "partition": "0"} | labels
    return seen.get((name, tuple(sorted(where.items()))), -1.0)


def test_a_scrape_of_a_real_run_says_what_happened_and_a_drained_topic_has_no_lag(
    broker: Broker, tmp_path: Path
) -> None:
    topics, port = make_topics(broker, "member-metrics"), free_port()
    told: dict[str, Any] = {
        "bootstrap_servers": broker.bootstrap,
        "input": [topics.events],
        "output": topics.scored,
        "group": topics.events,
        "commit_every_ms": 50,
        "checkpoint_every": 300,
        "session_timeout_ms": 6_000,
        "metrics_port": port,
        "group_instance_id": "one",
    }
    records, bad = ROUNDS * A_ROUND, ROUNDS
    with Member(told, tmp_path / "one") as one:
        until(lambda: ready(port))
        produce_in_transactions(broker, topics, first=0)
        until(lambda: of(topics, scrape(port), "events_total") == records - bad)
        until(lambda: of(topics, scrape(port), "lag") == 0)
        seen = scrape(port)
        assert get(port, "/healthz") == (200, "alive\n")
        assert of(topics, seen, "dead_letters_total", stage="decode") == bad
        assert of(topics, seen, "checkpoint_bytes") > 1_000
        assert 0 <= of(topics, seen, "checkpoint_age_seconds") < 60
        assert 0 <= of(topics, seen, "checkpoint_age_records") < 1_000
        assert seen["end_to_end_seconds_count", ()] == records
        assert 0 < seen["end_to_end_seconds_sum", ()] / records < 30
        assert seen["score_bucket", (("le", "+Inf"),)] == records - bad
        assert seen["p_value_bucket", (("le", "1.0"),)] == records - bad
        assert seen["rebalances_total", ()] >= 1
        assert seen["transactions_committed_total", ()] >= 1
        assert seen["transactions_aborted_total", ()] == 0
        assert seen["phase_seconds_total", (("phase", "score"),)] > 0
        one.send(signal.SIGKILL)
        one.wait()
    with Member(told, tmp_path / "two") as two:
        until(lambda: ready(port) and "lag" in get(port, "/metrics")[1])
        until(lambda: of(topics, scrape(port), "lag") == 0)
        seen = scrape(port)
        assert of(topics, seen, "events_total") == records - bad  # it moves with the partition
        assert seen["restore_seconds_count", ()] == 1
        assert seen["relearned_records_total", ()] < records
        assert seen["p_value_count", ()] == 0  # nothing went out of this process
        two.send(signal.SIGTERM)
        assert two.wait() == 0, two.said()
