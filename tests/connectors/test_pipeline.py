"""The loop against fakes: a crash at any call changes no byte, and another run is refused."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from river import anomaly, preprocessing

from stream_dagmm_connectors import pipeline as loop
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.evaluation import LabelledScore
from stream_dagmm_connectors.events import LinePosition, decode_dead_letter, decode_scored
from stream_dagmm_connectors.pipeline import Pipeline
from stream_dagmm_connectors.ports import Record
from stream_dagmm_connectors.report import Report
from stream_dagmm_connectors.scoring import Judgement
from stream_dagmm_connectors.steps import BadRecord
from tests.connectors.fakes import Crash, Disk, DiskSink, DiskStore, Fuse, ScriptedSource, ZScore
from tests.connectors.fakes import stream as made

LINES = made(700)


@pytest.fixture(autouse=True)
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of 64 records, so that a stream of some hundred has many borders."""
    monkeypatch.setattr(loop, "RECORDS_A_STEP", 64)


def run_of(disk: Disk, fuse: Fuse | None = None, **options: Any) -> Pipeline:
    fuse = fuse or Fuse()
    lines = options.pop("lines", LINES)
    return Pipeline(
        ScriptedSource(lines, fuse),
        options.pop("detector", None) or ZScore(),
        DiskSink(disk, "scored", fuse),
        dead_letters=DiskSink(disk, "dead", fuse),
        checkpoints=options.pop("checkpoints", DiskStore(disk, fuse)),
        decoder=options.pop("decoder", None) or Decoder(label="y", time="t"),
        judgement=options.pop("judgement", None) or Judgement(alarm_rate=0.02, explain_below=0.05),
        checkpoint_every=options.pop("checkpoint_every", 150),
        **options,
    )


@pytest.fixture(scope="module")
def whole() -> Disk:
    disk = Disk()
    run_of(disk).run()
    return disk


def calls_of_a_run() -> int:
    fuse = Fuse()
    run_of(Disk(), fuse).run()
    return fuse.calls


def crash_points() -> Iterator[tuple[int, bool]]:
    for call in range(1, calls_of_a_run() + 1):
        yield call, False
        yield call, True


def test_every_event_is_scored_once_in_order_and_every_other_record_is_a_dead_letter(
    whole: Disk,
) -> None:
    rows = [decode_scored(line) for line in whole.files["scored"].splitlines()]
    dead = [decode_dead_letter(line) for line in whole.files["dead"].splitlines()]
    events = [n for n, line in enumerate(LINES, 1) if line.startswith(b'{"')]
    assert [row.position for row in rows] == [LinePosition(n) for n in events]
    assert [row.learned for row in rows] == list(range(700))
    assert [letter.raw for letter in dead] == ["{not json"] * 7
    assert {row.lineage for row in rows} == {rows[0].id.rsplit(":", 1)[1]}


def test_a_crash_before_or_after_any_call_changes_no_byte(whole: Disk) -> None:
    for call, after in crash_points():
        disk = Disk()
        with pytest.raises(Crash):
            run_of(disk, Fuse(call, after=after)).run()
        run_of(disk).run()
        assert disk.files == whole.files, f"crash {'after' if after else 'before'} call {call}"


def test_a_life_that_ends_every_few_calls_ends_with_the_same_bytes(whole: Disk) -> None:
    disk, lives = Disk(), 0
    finished = False
    while not finished and lives < 50:
        lives += 1
        with contextlib.suppress(Crash):
            run_of(disk, Fuse(18)).run()
            finished = True
    assert lives > 3
    assert disk.files == whole.files


def test_how_often_was_saved_and_how_long_the_steps_are_changes_no_byte(
    whole: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "RECORDS_A_STEP", 7)
    disk = Disk()
    run_of(disk, checkpoint_every=33).run()
    assert disk.files == whole.files


def test_an_alarm_needs_a_past_and_is_explained(whole: Disk) -> None:
    rows = [decode_scored(line) for line in whole.files["scored"].splitlines()]
    assert all(row.warming_up and 0 < row.p_value <= 1 and not row.alarm for row in rows[:512])
    assert not any(row.warming_up for row in rows[512:])
    alarms = [row for row in rows if row.alarm]
    assert alarms
    for row in alarms:
        assert row.contributions is not None
        assert sum(row.contributions.values()) == pytest.approx(row.score)


def test_a_finished_run_that_is_run_again_changes_nothing(whole: Disk) -> None:
    disk = Disk()
    disk.files, disk.checkpoint = dict(whole.files), whole.checkpoint
    summary = run_of(disk).run()
    assert disk.files == whole.files
    assert (summary.events, summary.dead_letters) == (700, {"decode": 7})


class StopsItself(ScriptedSource):
    """Asks the run to stop when so many records were read, as a signal would."""

    pipeline: Pipeline
    at_line = 300

    def read(self, at_most: int) -> list[Record]:
        records = super().read(at_most)
        if records and records[-1].position >= LinePosition(self.at_line):  # type: ignore[operator]
            self.pipeline.stop()
        return records


class WaitsForever(ScriptedSource):
    """Is interrupted while it waits for its next record."""

    def read(self, at_most: int) -> list[Record]:
        if self._next > 200:
            raise KeyboardInterrupt
        return super().read(at_most)


@pytest.mark.parametrize("kind", [StopsItself, WaitsForever])
def test_a_stopped_run_saves_and_goes_on_to_the_same_bytes(
    whole: Disk, kind: type[ScriptedSource]
) -> None:
    disk = Disk()
    source = kind(LINES, Fuse())
    first = run_of(disk)
    first._source = source
    if isinstance(source, StopsItself):
        source.pipeline = first
    summary = first.run()
    assert summary.interrupted
    assert 0 < summary.events < 700
    assert source.closed
    assert run_of(disk).run() == (700, *run_of(Disk()).run()[1:])
    assert disk.files == whole.files


class NeverDue:
    """A pace whose wait is always interrupted."""

    at_most = 10

    def wait(self, times: object) -> None:
        raise KeyboardInterrupt


def test_events_in_hand_when_a_wait_is_interrupted_are_scored_and_are_the_last() -> None:
    summary = run_of(Disk(), pace=NeverDue()).run()
    assert (summary.events, summary.interrupted) == (10, True)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (
            {"judgement": Judgement(alarm_rate=0.5, explain_below=0.05)},
            "alarm_rate: 0.02 there, 0.5",
        ),
        ({"detector": ZScore(floor=0.5)}, "detector.arguments.floor: 1e-09 there, 0.5 here"),
        ({"decoder": Decoder(label="y")}, 'events.time: "t" there, null here'),
        ({"labelled": None}, ""),
    ],
)
def test_a_checkpoint_of_another_configuration_is_refused_by_name(
    whole: Disk, changes: dict[str, Any], named: str
) -> None:
    disk = Disk()
    disk.files, disk.checkpoint = dict(whole.files), whole.checkpoint
    if not named:
        changes = {"labelled": DiskSink(disk, "labelled", Fuse())}
        named = "output labelled: here only"
    with pytest.raises(ValueError, match="made by another run") as refusal:
        run_of(disk, **changes).run()
    assert named in str(refusal.value)
    assert "start afresh" in str(refusal.value)
    assert disk.files == whole.files


def test_a_checkpoint_of_another_source_or_arithmetic_is_refused(whole: Disk) -> None:
    disk = Disk()
    disk.files, disk.checkpoint = dict(whole.files), whole.checkpoint
    other = run_of(disk)
    other._told["source"] = "elsewhere"
    with pytest.raises(ValueError, match='source: "script" there, "elsewhere" here'):
        other.run()
    other = run_of(disk)
    other._fingerprint = {"arithmetic": "slide rule"}
    with pytest.raises(ValueError, match=r'arithmetic\.arithmetic: "Python floats" there'):
        other.run()


def test_under_fail_a_bad_record_stops_every_run_until_another_rule_passes_it(whole: Disk) -> None:
    disk = Disk()
    for _ in range(3):
        with pytest.raises(BadRecord, match=r"^script:98: not JSON"):
            run_of(disk, on_error="fail").run()
        assert len(disk.files["scored"].splitlines()) == 97
    run_of(disk, on_error="dead-letter").run()
    assert disk.files == whole.files


def test_skipped_records_are_counted_and_not_kept(whole: Disk) -> None:
    disk = Disk()
    assert run_of(disk, on_error="skip").run().dead_letters == {"decode": 7}
    assert disk.files.get("dead", b"") == b""
    assert disk.files["scored"] == whole.files["scored"]


class Listed:
    """Labelled scores in a list."""

    def __init__(self) -> None:
        self.rows: list[LabelledScore] = []

    def write(self, rows: list[LabelledScore]) -> None:
        self.rows += rows

    def flush(self) -> dict[str, int]:
        return {"rows": len(self.rows)}

    def cut_back(self, extent: dict[str, int]) -> None:
        del self.rows[extent["rows"] :]

    def close(self) -> None:
        pass


def test_labels_go_beside_the_scores_and_never_into_the_features(whole: Disk) -> None:
    labelled = Listed()
    run_of(Disk(), labelled=labelled).run()
    assert [row.label for row in labelled.rows[:50]] == [0] * 49 + [1]
    scored = [json.loads(line)["score"] for line in whole.files["scored"].splitlines()]
    assert [row.score for row in labelled.rows] == scored


def test_a_plain_river_detector_learns_each_event_after_its_score() -> None:
    disk = Disk()
    detector = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=1)
    alone = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=1)
    run_of(disk, detector=detector, checkpoints=None).run()
    rows = [json.loads(line) for line in disk.files["scored"].splitlines()]
    for row, line in zip(rows, (x for x in LINES if x.startswith(b'{"')), strict=True):
        x = {k: v for k, v in json.loads(line).items() if k in "ab"}
        assert row["score"] == alone.score_one(x)
        assert row["contributions"] is None
        alone.learn_one(x)


def test_what_a_plain_detector_fails_over_is_shown_with_what_helps() -> None:
    detector = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=1)
    lines = [b'{"kind": "a"}', b'{"kind": "b"}']
    with pytest.raises(TypeError) as raised:
        run_of(Disk(), detector=detector, checkpoints=None, lines=lines).run()
    (note,) = raised.value.__notes__
    assert "given {'kind': 'a'}" in note and "compose.SelectType(int, float) | ..." in note


def test_a_detector_that_cannot_be_saved_is_refused_with_checkpoints() -> None:
    with pytest.raises(ValueError, match="HalfSpaceTrees offers no to_state and from_state"):
        run_of(Disk(), detector=anomaly.HalfSpaceTrees()).run()


def test_without_learning_the_model_stays_as_it_was() -> None:
    detector = ZScore()
    for value in (0.0, 1.0, 2.0):
        detector.learn_one({"a": value, "b": value})
    before = json.dumps(detector.to_state())
    disk = Disk()
    judgement = Judgement(alarm_rate=0.02, explain_below=0.05, learn=False)
    run_of(disk, detector=detector, judgement=judgement).run()
    assert json.dumps(detector.to_state()) == before
    assert {json.loads(row)["learned"] for row in disk.files["scored"].splitlines()} == {3}


def test_a_resumed_run_reports_the_whole_stream() -> None:
    disk, report, again = Disk(), Report(), Report()
    run_of(Disk(), observers={"report": report}).run()
    with pytest.raises(Crash):
        run_of(disk, Fuse(30), observers={"report": Report()}).run()
    run_of(disk, observers={"report": again}).run()
    first = report.page(source="script", detector="ZScore")
    assert again.page(source="script", detector="ZScore") == first


def test_an_empty_source_ends_at_once_with_empty_outputs() -> None:
    disk = Disk()
    assert run_of(disk, lines=[]).run() == (0, 0, {}, False)
    assert disk.files.get("scored", b"") == b""


def test_bad_arguments_are_refused_before_anything_is_read() -> None:
    with pytest.raises(ValueError, match="checkpoint_every must be at least 1 record, got 0"):
        run_of(Disk(), checkpoint_every=0)
    with pytest.raises(ValueError, match="alarm_rate must be above 0 and at most 1, got 2"):
        Judgement(alarm_rate=2)
