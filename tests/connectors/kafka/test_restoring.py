"""A partition that is not as it was left stops the process with the next step, or begins anew."""

from __future__ import annotations

import copy
import hashlib
import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fsspec
import orjson
import pytest

from stream_dagmm import checkpoint
from stream_dagmm_connectors.kafka.checkpoint_blobs import ORPHAN_AGE_S, BlobStore
from stream_dagmm_connectors.kafka.checkpoint_topic import CHUNK_BYTES, TopicStore
from stream_dagmm_connectors.kafka.checkpoints import Earlier, Key, Save, Store
from stream_dagmm_connectors.kafka.client import Committed, Fetched, NotYet, Place
from stream_dagmm_connectors.kafka.pacing import Kind
from stream_dagmm_connectors.kafka.partition import PartitionModel
from stream_dagmm_connectors.kafka.positions import Progress, read_metadata
from stream_dagmm_connectors.kafka.surprises import Stopped
from stream_dagmm_connectors.scoring import Judgement
from tests.connectors.kafka.fakes import FakeClients, FakeKafka, FakeWriter, Trap
from tests.connectors.kafka.streams import event
from tests.connectors.kafka.test_crash_points import (
    DONE,
    EVENTS,
    PARTITIONS,
    RECIPE,
    TOPICS,
    fresh,
    process,
    run,
)

FIRST, SCORED = Place("events", 0), Place("scored", 0)
KEY = Key("group", "topic", 0, "lineage")


def left() -> FakeKafka:
    """Kafka as a whole run leaves it, with more events to come."""
    kafka = fresh()
    run(process(kafka, Trap()), kafka)
    for partition in range(PARTITIONS):
        kafka.append(Place("events", partition), b'{"a": 1.0}', None, DONE)
    return kafka


def test_a_lineage_that_leaves_a_stretch_out_learns_as_if_it_had_never_been() -> None:
    records = [Fetched(n, event(n)) for n in range(60)]
    left_out = PartitionModel(RECIPE, FIRST, "id", 0, parent="before", skipped=[(20, 30)])
    never = PartitionModel(RECIPE, FIRST, "id", 0, parent="before")
    left_out.relearn(records[:25])
    left_out.relearn(records[25:])
    never.relearn(records[:20] + records[30:])
    ours, theirs = left_out.progress, never.progress
    assert (ours.records, ours.learned, ours.history) == (50, 50, theirs.history)
    assert ours.lineage != theirs.lineage
    one, two = (model.score([Fetched(60, event(60))])[0] for model in (left_out, never))
    scores = [orjson.loads(out.value or b"")["score"] for out in (one, two)]
    assert scores[0] == scores[1]
    again = read_metadata(60, ours.metadata(None))
    assert again is not None and again[0].skipped == ((20, 30),)
    assert Progress.from_state(ours.to_state()) == ours


def renamed(kafka: FakeKafka, **changes: object) -> None:
    """Change what is committed beside the first partition's offset."""
    was = kafka.offsets[FIRST]
    words = orjson.loads(was.metadata) | changes
    kafka.offsets[FIRST] = Committed(was.offset, orjson.dumps(words).decode())


def moved(kafka: FakeKafka) -> None:
    kafka.offsets[FIRST] = Committed(5, "")


def beyond(kafka: FakeKafka) -> None:
    """The log was truncated, and came to new records since."""
    kafka.offsets[FIRST] = kafka.offsets[FIRST]._replace(offset=EVENTS + 100)


def rewritten(kafka: FakeKafka) -> None:
    """Other bytes at an old offset, and no checkpoint to begin from."""
    renamed(kafka, checkpoint=None)
    record, transaction = kafka.logs[FIRST][3]
    kafka.logs[FIRST][3] = (record._replace(value=b'{"a": 99.0}'), transaction)


SURPRISES: list[tuple[Kind, Callable[[FakeKafka], None], str]] = [
    ("moved-offsets", moved, "somebody moved it"),
    ("new-topic", lambda kafka: renamed(kafka, topic_id="another"), "deleted and made again"),
    ("new-arithmetic", lambda kafka: renamed(kafka, arithmetic="0" * 16), "same kind of machine"),
    ("new-configuration", lambda kafka: renamed(kafka, lineage="0" * 16), "run it as it was"),
    ("lost-history", beyond, "not in the log any more"),
    ("lost-history", rewritten, "deleted, compacted or changed"),
]


@pytest.mark.parametrize(("kind", "spoil", "words"), SURPRISES)
def test_a_surprise_stops_the_process_and_says_what_to_do(
    kind: Kind, spoil: Callable[[FakeKafka], None], words: str
) -> None:
    kafka = left()
    spoil(kafka)
    before = len(kafka.visible(Place("scored", 0)))
    with pytest.raises(Stopped, match=words) as stopped:
        process(kafka, Trap()).run()
    assert f"--on-{kind} new-lineage" in str(stopped.value)
    assert len(kafka.visible(Place("scored", 0))) == before


@pytest.mark.parametrize(("kind", "spoil", "words"), SURPRISES)
def test_a_surprise_that_is_allowed_begins_a_new_lineage_with_its_parent(
    kind: Kind, spoil: Callable[[FakeKafka], None], words: str
) -> None:
    kafka = left()
    was = orjson.loads(kafka.offsets[FIRST].metadata)
    spoil(kafka)
    one = process(kafka, Trap(), policies={kind: "new-lineage"})
    one_turn = one.turn
    turns, arrived = iter(range(30)), [False]

    def counted() -> None:
        one_turn()
        if next(turns, None) is None:
            one.stop()
        elif one.ours.live and not any(arrived):
            arrived.append(True)
            kafka.append(FIRST, b'{"a": 2.0}', None, DONE)

    one.turn = counted  # type: ignore[method-assign]
    one.run()
    words_now = orjson.loads(kafka.offsets[FIRST].metadata)
    assert words_now["lineage"] != was["lineage"]
    assert words_now["records"] >= 1
    assert words_now["parent"] is None or kind != "moved-offsets"


def begun_anew(kafka: FakeKafka, trap: Trap, poll_records: int) -> list[int]:
    """Offsets that a process scores which finds its history rewritten, and may go on."""
    before = len(kafka.visible(SCORED))
    end = kafka.logs[FIRST][-1][0].offset + 1
    one = process(kafka, trap, policies={"lost-history": "new-lineage"}, poll_records=poll_records)
    turn, turns = one.turn, itertools.count()

    def counted() -> None:
        turn()
        assert next(turns) < 2_000, "stands still"
        if kafka.offsets[FIRST].offset == end:
            one.stop()

    one.turn = counted  # type: ignore[method-assign]
    one.run()
    after = kafka.visible(SCORED)[before:]
    return [orjson.loads(row.value or b"")["position"]["offset"] for row in after]


def spoilt() -> FakeKafka:
    kafka = left()
    rewritten(kafka)
    for number in range(5):
        kafka.append(FIRST, event(number), None, DONE)
    return kafka


@pytest.mark.parametrize("poll_records", [1, 7, 10, 100])
def test_a_new_lineage_begun_among_the_records_of_a_poll_scores_each_once(
    poll_records: int,
) -> None:
    assert begun_anew(spoilt(), Trap(), poll_records) == list(range(EVENTS, EVENTS + 6))


@pytest.mark.parametrize("poll_records", [7, 10])
def test_an_answer_that_does_not_come_as_a_new_lineage_begins_is_asked_for_again(
    poll_records: int,
) -> None:
    calls, start = Trap(), spoilt()
    begun_anew(copy.deepcopy(start), calls, poll_records)
    for at, name in enumerate(calls.calls):
        if name in {"committed", "seek", "beginning", "end", "topic id", "partitions"}:
            trap = Trap(at, "before", NotYet)
            offsets = begun_anew(copy.deepcopy(start), trap, poll_records)
            assert offsets == list(range(EVENTS, EVENTS + 6)), f"{name}, call {at}"


def test_another_alarm_rate_is_another_configuration() -> None:
    kafka = left()
    other = replace(RECIPE, judgement=Judgement(0.01, 0.1))
    words = r"run it as it was \(alarm_rate: 0.05 there, 0.01 here\); to begin a new model"
    with pytest.raises(Stopped, match=words):
        process(kafka, Trap(), recipe=other).run()


def topic_store() -> tuple[Store, FakeWriter]:
    kafka = FakeKafka(TOPICS)
    clients = FakeClients(kafka, Trap())
    writer = FakeWriter(kafka, Trap(), "")
    writer.start()
    return TopicStore("checkpoints", clients.log_reader(), keep=2), writer


@pytest.fixture(params=["topic", "directory", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Store, FakeWriter]:
    in_topic, writer = topic_store()
    url = str(tmp_path) if request.param == "directory" else f"memory://{tmp_path.name}"
    return (in_topic if request.param == "topic" else BlobStore(url, keep=2)), writer


def test_a_checkpoint_comes_back_by_its_pointer_and_by_a_search(
    store: tuple[Store, FakeWriter],
) -> None:
    kept, writer = store
    data = hashlib.sha256(b"seed").digest() * (CHUNK_BYTES // 16)  # two chunks and a bit
    first, earlier = kept.save(writer, Save(KEY, 100, data), [])
    second, earlier = kept.save(writer, Save(KEY, 200, data[::-1]), earlier)
    assert (found := kept.load(KEY, first)) is not None and found.data == data
    assert (found := kept.load(KEY, second)) is not None and found.data == data[::-1]
    assert (found := kept.search(KEY, 199)) is not None and found.offset == 100
    assert (found := kept.search(KEY, 200)) is not None and found.offset == 200
    assert kept.search(KEY, 99) is None
    assert kept.search(KEY._replace(lineage="other"), 200) is None
    assert [e.offset for e in earlier] == [100, 200]


def test_checkpoints_are_listed_by_partition_with_lineage_and_size(
    store: tuple[Store, FakeWriter],
) -> None:
    kept, writer = store
    earlier: list[Earlier] = []
    for offset in (100, 200, 300):
        data = checkpoint.dumps({"progress": {"topic_id": "topic", "lineage": "lineage"}})
        _, earlier = kept.save(writer, Save(KEY, offset, data), earlier)
    other = checkpoint.dumps({"progress": {"topic_id": "topic", "lineage": "other"}})
    kept.save(writer, Save(KEY._replace(lineage="other"), 150, other), [])
    listed = kept.listed("group", "topic", 0)
    there = [(one.offset, one.key.lineage) for one in listed]
    assert [pair for pair in there if pair[0] != 100] == [
        (150, "other"),
        (200, "lineage"),
        (300, "lineage"),
    ]
    assert {one.size_bytes for one in listed} == {len(data), len(other)}
    assert kept.listed("group", "topic", 1) == []
    assert kept.topic_ids("group", 0) == {"topic"}


def test_older_checkpoints_get_tombstones() -> None:
    kept, writer = topic_store()
    _, earlier = kept.save(writer, Save(KEY, 100, b"one"), [])
    _, earlier = kept.save(writer, Save(KEY, 200, b"two"), earlier)
    _, earlier = kept.save(writer, Save(KEY, 300, b"three"), earlier)
    assert [e.offset for e in earlier] == [200, 300]
    log = writer._kafka.visible(Place("checkpoints", 0))
    gone = [orjson.loads(r.key or b"")[4:] for r in log if r.value is None]
    assert gone == [[100, "manifest"], [100, 0]]


def test_lineages_that_are_long_ago_are_dropped_with_the_first_checkpoint_of_a_new_one() -> None:
    kept, writer = topic_store()
    for number in range(7):
        key, earlier = KEY._replace(lineage=f"{number}"), list[Earlier]()
        for offset in (100, 200):
            _, earlier = kept.save(writer, Save(key, offset, b"data", "0"), earlier)
    kept.save(writer, Save(KEY._replace(partition=1), 100, b"another partition's"), [])
    left = [(one.key.lineage, one.offset) for one in kept.listed("group", "topic", 0)]
    assert sorted(left) == [(name, offset) for name in "03456" for offset in (100, 200)]
    assert len(kept.listed("group", "topic", 1)) == 1


@pytest.fixture(params=["local", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A directory, and what stands for an object store."""
    return str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}"


def test_a_missing_or_damaged_blob_is_told(url: str) -> None:
    kept, (_, writer) = BlobStore(url), topic_store()
    pointer, _ = kept.save(writer, Save(KEY, 100, b"data"), [])
    files, root = fsspec.core.url_to_fs(url)
    files.pipe_file(f"{root}/{pointer['file']}", b"dada")
    with pytest.raises(ValueError, match="is damaged"):
        kept.load(KEY, pointer)
    files.rm_file(f"{root}/{pointer['file']}")
    with pytest.raises(ValueError, match="give all members of the group the store that wrote it"):
        kept.load(KEY, pointer)


def test_orphans_go_after_a_week(url: str) -> None:
    now_s = time.time()
    kept, (_, writer) = BlobStore(url, keep=1, now_s=lambda: now_s), topic_store()
    files, root = fsspec.core.url_to_fs(url)
    _, earlier = kept.save(writer, Save(KEY, 100, b"one"), [])
    _, earlier = kept.save(writer, Save(KEY, 200, b"two"), earlier)
    assert len(files.ls(root)) == 2
    now_s += ORPHAN_AGE_S + 60
    kept.save(writer, Save(KEY, 300, b"three"), earlier)
    assert kept.search(KEY, 199) is None
    assert kept.search(KEY, 300) is not None


def test_blobs_of_lineages_that_are_long_ago_go_after_a_week(url: str) -> None:
    now_s = time.time()
    kept, (_, writer) = BlobStore(url, now_s=lambda: now_s), topic_store()
    for number in range(7):
        kept.save(writer, Save(KEY._replace(lineage=f"{number}"), 100, b"%d" % number, "0"), [])
    assert len(kept.listed("group", "topic", 0)) == 7
    now_s += ORPHAN_AGE_S + 60
    last = KEY._replace(lineage="6")
    kept.save(writer, Save(last, 200, b"more", "0"), [Earlier(100, 1)])
    left = [(one.key.lineage, one.offset) for one in kept.listed("group", "topic", 0)]
    assert len(left) == 6 and {("0", 100), ("6", 100), ("6", 200)} < set(left)


def test_the_same_checkpoint_saved_again_is_the_same_blob(url: str) -> None:
    kept, (_, writer) = BlobStore(url), topic_store()
    files, root = fsspec.core.url_to_fs(url)
    first = kept.save(writer, Save(KEY, 100, b"data"), [])
    assert kept.save(writer, Save(KEY, 100, b"data"), []) == first
    assert len(files.ls(root)) == 1


def test_a_store_that_cannot_be_opened_is_told() -> None:
    with pytest.raises(ValueError, match="install what fsspec asks for"):
        BlobStore("nowhere://bucket")
