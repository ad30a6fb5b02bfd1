"""`stream-dagmm replay kafka://...`: a logged range, the same bytes every time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from stream_dagmm_connectors.cli import main
from stream_dagmm_connectors.events import PartitionPosition
from stream_dagmm_connectors.kafka.address import Range, parse, resolve, resolve_all
from stream_dagmm_connectors.kafka.client import Place
from stream_dagmm_connectors.kafka.log_source import LogSource
from stream_dagmm_connectors.pipeline import Pipeline
from tests.broker.broker import Broker
from tests.broker.topics import make_topic
from tests.connectors.fakes import Crash, Disk, DiskSink, DiskStore, Fuse, ZScore
from tests.connectors.kafka.fakes import FakeKafka, FakeLogReader, Transaction
from tests.connectors.kafka.streams import delete_before, event, fill, make_topics, read

FAST = ["--detector", "gaussian-mixture", "--batch-size", "32"]


def log_of(*values: bytes | None, topic: str = "events", partitions: int = 1) -> FakeLogReader:
    kafka = FakeKafka({topic: partitions})
    for value in values:
        kafka.append(Place(topic, 0), value, b"key", Transaction("committed"))
    return FakeLogReader(kafka)


def test_a_range_is_read_in_order_without_its_tombstones_and_ends_where_it_was_told() -> None:
    log = log_of(b"0", b"1", None, b"3", b"4", b"5")
    source = LogSource(log, resolve_all(parse("kafka://events?from=1&to=5"), log))
    got = []
    while not source.finished:
        got += source.read(2)
    assert [(r.position, r.value) for r in got] == [
        (PartitionPosition(0, 1), b"1"),
        (PartitionPosition(0, 3), b"3"),
        (PartitionPosition(0, 4), b"4"),
    ]
    assert source.read(2) == []


def test_a_resumed_source_goes_on_within_its_range_only() -> None:
    log = log_of(b"0", b"1", b"2")
    source = LogSource(log, [Range(Place("events", 0), 0, 3)])
    source.seek(PartitionPosition(0, 2))
    assert [record.value for record in source.read(9)] == [b"2"]
    with pytest.raises(ValueError, match="offset 7 of partition 0, outside of events-0 from 0"):
        source.seek(PartitionPosition(0, 7))
    with pytest.raises(ValueError, match="offset 0 of partition 1, outside of events-0 from 0"):
        source.seek(PartitionPosition(1, 0))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("kafka://events?from=yesterday", "expected an offset as in 1842 or a time with its zone"),
        ("kafka://events?from=2026-11-21T12:00:00", "with its zone"),
        ("kafka://events?until=7", "got until in"),
        ("kafka://events?partition=one", "expected a number from 0"),
        ("kafka://", "expected kafka://TOPIC"),
        ("kafka://events?to=9", "ends at offset 3, got to=9"),
        ("kafka://events?from=2&to=1", "expected at most the end 1"),
        ("kafka://events?partition=1", "has 1 partitions, got partition=1"),
    ],
)
def test_an_address_that_means_nothing_is_told_with_what_was_expected(
    address: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        resolve(parse(address), log_of(b"0", b"1", b"2"))


def test_a_topic_that_never_held_a_record_has_an_empty_range() -> None:
    log = log_of(partitions=3)
    (found,) = resolve_all(parse("kafka://events"), log)
    assert found == Range(Place("events", 0), 0, 0)
    assert LogSource(log, [found]).finished


def partitioned() -> FakeKafka:
    """Three partitions: events and what is none, nothing, events and tombstones at the end."""
    kafka = FakeKafka({"events": 3})
    first = [*(event(n) for n in range(150)), b"no event", *(event(n) for n in range(150, 200))]
    last = [*(event(n, 2) for n in range(90)), None, None]
    for number, values in ((0, first), (2, last)):
        for value in values:
            kafka.append(Place("events", number), value, None, Transaction("committed"))
    return kafka


def replay_of(said: str, kafka: FakeKafka, disk: Disk, fuse: Fuse | None = None) -> Pipeline:
    fuse, log = fuse or Fuse(), FakeLogReader(kafka)
    return Pipeline(
        LogSource(log, resolve_all(parse(said), log)),
        ZScore(),
        DiskSink(disk, "scored", fuse),
        dead_letters=DiskSink(disk, "dead", fuse),
        checkpoints=DiskStore(disk, fuse),
        checkpoint_every=40,
        another=ZScore,
    )


def test_several_partitions_give_one_after_the_other_what_each_gives_alone() -> None:
    kafka, whole, alone = partitioned(), Disk(), []
    replay_of("kafka://events", kafka, whole).run()
    for number in (0, 2):
        disk = Disk()
        replay_of(f"kafka://events?partition={number}", kafka, disk).run()
        alone.append(disk.files)
    assert whole.files["scored"] == alone[0]["scored"] + alone[1]["scored"]
    assert whole.files["scored"].count(b"\n") == 290
    assert whole.files["dead"] == alone[0]["dead"]


def test_a_crash_at_any_call_among_several_partitions_changes_no_byte() -> None:
    kafka, whole, fuse = partitioned(), Disk(), Fuse()
    replay_of("kafka://events", kafka, whole, fuse).run()
    for call in range(1, fuse.calls + 1):
        disk = Disk()
        with pytest.raises(Crash):
            replay_of("kafka://events", kafka, disk, Fuse(call)).run()
        replay_of("kafka://events", kafka, disk).run()
        assert disk.files == whole.files, f"crash before call {call}"


def command(broker: Broker, words: Sequence[str]) -> Result:
    said = [*words, "--bootstrap-servers", broker.bootstrap]
    return CliRunner().invoke(main, said, catch_exceptions=False)


def test_the_same_range_twice_gives_identical_bytes_in_files_and_in_a_topic(
    broker: Broker, tmp_path: Path
) -> None:
    topics = make_topics(broker, "replay-range")
    fill(broker, topics.events, [event(n) for n in range(400)])
    source = f"kafka://{topics.events}?from=50&to=350"
    for name in ("one", "two"):
        out = tmp_path / f"{name}.jsonl"
        done = command(broker, ["replay", source, "--out", str(out), *FAST])
        assert done.exit_code == 0, done.stderr
    one, two = ((tmp_path / f"{name}.jsonl").read_bytes() for name in ("one", "two"))
    assert one == two and one.count(b"\n") == 300
    done = command(broker, ["replay", source, "--out", f"kafka://{topics.scored}", *FAST])
    assert done.exit_code == 0, done.stderr
    written = read(broker, topics.scored)
    assert b"".join(record.value + b"\n" for record in written) == one
    assert (written[0].key, dict(written[0].headers)["trace"]) == (b"key-50", b"50")


def test_a_topic_of_several_partitions_gives_the_same_bytes_in_a_file_and_in_a_topic(
    broker: Broker, tmp_path: Path
) -> None:
    topics = make_topics(broker, "replay-all", partitions=3)
    for number, count in ((0, 120), (2, 80)):
        fill(broker, topics.events, [event(n, number) for n in range(count)], number)
    at = datetime.fromtimestamp(1_700_000_000.1, UTC).isoformat()
    source = f"kafka://{topics.events}?to={at}"
    whole, resumed, part = (tmp_path / f"{name}.jsonl" for name in ("whole", "resumed", "part"))
    assert command(broker, ["replay", source, "--out", str(whole), *FAST]).exit_code == 0
    held = ["--resume", str(tmp_path / "state"), "--checkpoint-every", "30"]
    for _ in range(2):  # the second time it is done, and changes nothing
        done = command(broker, ["replay", source, "--out", str(resumed), *held, *FAST])
        assert done.exit_code == 0, done.stderr
        assert resumed.read_bytes() == whole.read_bytes()
    alone = b""
    for number in (0, 2):
        one = ["replay", f"{source}&partition={number}", "--out", str(part), "--fresh", *FAST]
        assert command(broker, one).exit_code == 0
        alone += part.read_bytes()
    assert whole.read_bytes() == alone and alone.count(b"\n") == 180
    assert (
        command(broker, ["replay", source, "--out", f"kafka://{topics.scored}", *FAST]).exit_code
        == 0
    )
    for number, rows in ((0, alone.splitlines()[:100]), (1, []), (2, alone.splitlines()[100:])):
        assert [record.value for record in read(broker, topics.scored, number)] == rows


def test_what_needs_one_model_or_an_end_is_refused_for_several_partitions(
    broker: Broker, tmp_path: Path
) -> None:
    topic = make_topic(broker, "replay-several", partitions=2)
    for number in (0, 1):
        fill(broker, topic, [event(n, number) for n in range(5)], number)
    out = ["--out", str(tmp_path / "out.jsonl")]
    for flags, words in (
        (["--save-model", str(tmp_path / "model")], "which one --save-model means with partition="),
        (["--report", str(tmp_path / "page.html")], "which one --report means with partition="),
        ([*out, "--resume", str(tmp_path / "state")], "say where all end with to="),
    ):
        done = command(broker, ["replay", f"kafka://{topic}", *flags, *FAST])
        assert done.exit_code == 2 and words in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_range_by_time_goes_through_a_stored_model_to_nothing(
    broker: Broker, tmp_path: Path
) -> None:
    topic = make_topic(broker, "replay-time")
    fill(broker, topic, [event(n) for n in range(200)])
    at = datetime.fromtimestamp(1_700_000_000.1, UTC).isoformat()
    model = tmp_path / "model"
    first = ["replay", f"kafka://{topic}?to={at}", "--save-model", str(model), *FAST]
    assert command(broker, first).exit_code == 0
    out = tmp_path / "out.jsonl"
    then = ["replay", f"kafka://{topic}?from={at}", "--model", str(model)]
    then += ["--detector", "gaussian-mixture", "--out", str(out)]
    assert command(broker, then).exit_code == 0
    rows = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    assert [rows[0]["position"]["offset"], len(rows), rows[0]["learned"]] == [100, 100, 100]


def test_a_range_that_the_log_has_lost_is_refused_with_what_is_left(broker: Broker) -> None:
    topic = make_topic(broker, "replay-lost")
    fill(broker, topic, [event(n) for n in range(20)])
    delete_before(broker, topic, 5)
    done = command(broker, ["replay", f"kafka://{topic}?from=0", *FAST])
    assert done.exit_code == 2
    assert "begins at offset 5" in done.stderr


def test_a_topic_needs_brokers_and_cannot_be_cut_back() -> None:
    done = CliRunner().invoke(main, ["replay", "kafka://events"])
    assert done.exit_code == 2 and "--bootstrap-servers" in done.stderr
    done = CliRunner().invoke(main, ["replay", "shuttle", "--out", "kafka://x", "--resume", "s"])
    assert done.exit_code == 2 and "cut back" in done.stderr
