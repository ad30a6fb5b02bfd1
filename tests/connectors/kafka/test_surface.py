"""Any River anomaly detector over a real broker, from Python."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from river import anomaly, preprocessing

from stream_dagmm import GaussianMixture
from stream_dagmm_connectors import Decoder, JsonLinesSink, KafkaSink, KafkaSource, Pipeline
from stream_dagmm_connectors.kafka.pipeline import KafkaPipeline
from stream_dagmm_connectors.scoring import Detector
from tests.broker.broker import Broker
from tests.broker.topics import make_topic
from tests.connectors.kafka.streams import event, fill, read
from tests.connectors.kafka.test_command import is_there
from tests.connectors.kafka.test_members import until
from tests.connectors.scaler import SavedScaler

README = Path(__file__).parents[3] / "README.md"
QUICK = {"commit_every_ms": 50, "poll_records": 100, "checkpoint_every": 100}


def source(broker: Broker, *topics: str, **options: Any) -> KafkaSource:
    said: dict[str, Any] = {"group": topics[0], **QUICK, **options}
    return KafkaSource(*topics, bootstrap_servers=broker.bootstrap, **said)


@contextmanager
def running(pipeline: KafkaPipeline) -> Iterator[None]:
    """Run on a thread while the block runs; whatever it raises comes out here."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            pipeline.run()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        pipeline.stop()
        thread.join(180)
    assert not thread.is_alive()
    if raised:
        raise raised[0]


def one_by_one(detector: Any, count: int) -> list[float]:
    scores = []
    for n in range(count):
        x = orjson.loads(event(n))
        scores.append(detector.score_one(x))
        detector.learn_one(x)
    return scores


def scores(broker: Broker, topic: str) -> list[float]:
    if not is_there(broker, topic):
        return []
    return [orjson.loads(record.value)["score"] for record in read(broker, topic)]


MAKERS: dict[str, Callable[[], Any]] = {
    "trees": lambda: preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=7),
    "ours": lambda: GaussianMixture(batch_size=32, seed=7),
    "scaled": lambda: SavedScaler() | GaussianMixture(batch_size=32, seed=7),
}


@pytest.mark.parametrize("name", MAKERS)
def test_scores_are_those_of_the_detector_alone_also_after_a_restart(
    broker: Broker, topic: Callable[..., str], name: str
) -> None:
    events, make = topic(), MAKERS[name]
    scored = f"{events}-scored"
    for first, last in ((0, 250), (250, 400)):
        fill(broker, events, [event(n) for n in range(first, last)])
        with running(Pipeline(source(broker, events), make(), KafkaSink(scored))):
            until(lambda: len(scores(broker, scored)) >= last)  # noqa: B023 - called at once
    assert scores(broker, scored) == one_by_one(make(), 400)
    assert is_there(broker, f"{scored}.checkpoints") == (name != "trees")


def test_the_ten_lines_of_the_readme_score_a_topic_until_sigterm(broker: Broker) -> None:
    make_topic(broker, "events")
    fill(broker, "events", [event(n) for n in range(100)])
    (code,) = re.findall(r"^```py\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
    assert len(code.splitlines()) <= 10
    code = code.replace("127.0.0.1:9092", broker.bootstrap)
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    with process:
        try:
            until(lambda: len(scores(broker, "scored")) == 100)
            process.terminate()
            assert process.wait(180) == 0
        finally:
            process.kill()


def test_delivery_follows_from_what_the_detector_offers() -> None:
    def delivery(detector: Detector, **options: Any) -> str:
        events = KafkaSource("a", bootstrap_servers="127.0.0.1:1", **options)
        return Pipeline(events, detector, KafkaSink("b"))._options.delivery

    assert delivery(anomaly.HalfSpaceTrees()) == "at-least-once"
    assert delivery(GaussianMixture()) == "exactly-once"
    assert delivery(GaussianMixture(), delivery="at-least-once") == "at-least-once"
    forgetful = preprocessing.StandardScaler() | GaussianMixture()
    assert delivery(forgetful, delivery="at-least-once") == "at-least-once"
    with pytest.raises(ValueError, match="StandardScaler before GaussianMixture"):
        delivery(forgetful)
    with pytest.raises(ValueError, match="HalfSpaceTrees offers no to_state"):
        delivery(anomaly.HalfSpaceTrees(), delivery="exactly-once")


def test_ends_and_options_that_do_not_fit_are_refused_before_anything_is_connected() -> None:
    kafka = KafkaSource("a", bootstrap_servers="127.0.0.1:1")
    with pytest.raises(ValueError, match="Kafka at both ends"):
        Pipeline(kafka, GaussianMixture(), JsonLinesSink("nowhere.jsonl"))  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="comit_every_ms"):
        Pipeline(
            KafkaSource("a", bootstrap_servers="127.0.0.1:1", comit_every_ms=5),
            GaussianMixture(),
            KafkaSink("b"),
        )
    with pytest.raises(ValueError, match=r"has no clone\(\)"):
        Pipeline(kafka, object(), KafkaSink("b"), decoder=Decoder())  # type: ignore[call-overload]
