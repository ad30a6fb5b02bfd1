"""`stream-dagmm run` and `stream-dagmm topics`, as people call them."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson

from tests.broker.broker import Broker
from tests.broker.topics import make_topic
from tests.connectors.kafka.streams import event, fill, read
from tests.connectors.kafka.test_members import until

PROGRAM = Path(sys.executable).with_name("stream-dagmm")


def start(words: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(PROGRAM), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_run_scores_a_topic_until_it_is_told_to_stop(broker: Broker) -> None:
    topic = make_topic(broker, "command-run")
    fill(broker, topic, [event(n) for n in range(300)])
    words = ["run", "--bootstrap-servers", broker.bootstrap, "--input", topic]
    words += ["--output", "command-scored", "--group", "command", "--detector", "gaussian-mixture"]
    with start([*words, "--ignore", "c", "--include-event"]) as process:
        until(
            lambda: (
                is_there(broker, "command-scored") and len(read(broker, "command-scored")) == 300
            )
        )
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=180)
        assert process.returncode == 0, said
    last = orjson.loads(read(broker, "command-scored")[-1].value)
    assert last["learned"] == 299
    assert last["event"] == orjson.loads(event(299))


def is_there(broker: Broker, topic: str) -> bool:
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(**broker.client())
    try:
        return topic in admin.list_topics()
    finally:
        admin.close()


def test_topics_print_shows_what_topics_create_makes(broker: Broker) -> None:
    topic = make_topic(broker, "command-topics", 3)
    words = ["--bootstrap-servers", broker.bootstrap, "--input", topic, "--output", "made"]
    with start(["topics", "print", *words]) as process:
        printed, said = process.communicate(timeout=180)
    assert process.returncode == 0, said
    assert printed.splitlines()[0].startswith(
        "kafka-topics.sh --create --topic made --partitions 3"
    )
    assert not is_there(broker, "made")
    with start(["topics", "create", *words]) as process:
        printed, said = process.communicate(timeout=180)
    assert process.returncode == 0, said
    assert printed == "there: made, made.dead-letters, made.checkpoints\n"
    assert all(is_there(broker, f"made{end}") for end in ("", ".dead-letters", ".checkpoints"))


def test_an_output_with_fewer_partitions_is_refused_at_the_start(broker: Broker) -> None:
    topic = make_topic(broker, "command-wide", 2)
    make_topic(broker, "command-narrow", 1)
    words = ["--bootstrap-servers", broker.bootstrap, "--input", topic]
    with start(["run", *words, "--output", "command-narrow"]) as process:
        _, said = process.communicate(timeout=180)
    assert process.returncode == 2
    assert "command-narrow has 1 partitions, the input 2" in said


def test_a_compacted_input_is_warned_of_and_missing_topics_are_told_where_none_may_be_made(
    broker: Broker,
) -> None:
    topic = make_topic(broker, "command-compacted", cleanup_policy="compact")
    words = ["--bootstrap-servers", broker.bootstrap, "--input", topic, "--output", "of-compacted"]
    with start(["topics", "create", "--no-create-topics", *words]) as process:
        _, said = process.communicate(timeout=180)
    assert process.returncode == 2
    assert "kafka-topics.sh --create --topic of-compacted --partitions 1" in said
    with start(["topics", "create", *words]) as process:
        _, said = process.communicate(timeout=180)
    assert process.returncode == 0, said
    assert "input topic command-compacted is compacted" in said


def test_a_replay_says_nothing_of_what_its_client_does(broker: Broker) -> None:
    topic = make_topic(broker, "command-replay")
    fill(broker, topic, [event(n) for n in range(50)])
    words = [f"kafka://{topic}", "--bootstrap-servers", broker.bootstrap]
    with start(["replay", *words, "--detector", "gaussian-mixture"]) as process:
        printed, said = process.communicate(timeout=180)
    assert process.returncode == 0 and printed.startswith("events")
    assert "kafka" not in said and "bootstrap" not in said.lower()


def test_a_broker_that_is_not_there_is_said_in_one_line() -> None:
    words = ["--bootstrap-servers", "127.0.0.1:1", "--input", "a", "--output", "b"]
    words += ["--exit-after", "3"]
    revert = ["checkpoint", "revert", "--partition", "0", "--skip", "1..2", *words]
    with start(["topics", "create", *words]) as create, start(revert) as other:
        for process, code in ((create, 1), (other, 2)):
            _, said = process.communicate(timeout=180)
            assert process.returncode == code
            assert "127.0.0.1:1" in said and said.count("\n") == 1
