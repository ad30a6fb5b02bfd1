"""Files as sinks: cut off anywhere, resumed, and equal to an uninterrupted run."""

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_dagmm_connectors.events import (
    DeadLetter,
    LinePosition,
    PartitionPosition,
    Position,
    ScoredEvent,
    encode_lines,
)
from stream_dagmm_connectors.files import PartSink, open_sink
from stream_dagmm_connectors.ports import Sink
from tests.connectors.reading import contents

PLAIN = ["scored.jsonl", "scored.csv"]
PARTS = ["scored.jsonl.gz", "scored.jsonl.zst", "scored.csv.gz", "scored.csv.zst", "scored.parquet"]


def row(number: int, position: Position | None = None) -> ScoredEvent:
    return ScoredEvent(
        id=f"events:{number}:5b2a",
        source="events",
        position=LinePosition(number) if position is None else position,
        time=[None, number, number / 7, 'a "quoted",\ntime'][number % 4],
        score=number / 3,
        p_value=1 / (number + 1),
        alarm=number % 2 == 0,
        warming_up=number < 3,
        contributions={"é": 0.1 * number, "(rest)": 1e-9} if number % 3 == 0 else None,
        lineage="5b2a",
        learned=number - 1,
    )


ROWS = [row(number) for number in range(1, 31)]


def written(path: Path, rows: Sequence[ScoredEvent]) -> Any:
    sink = open_sink(str(path))
    sink.write(rows)
    sink.flush()
    sink.close()
    return contents(path)


@pytest.mark.parametrize("name", PLAIN + PARTS)
@settings(max_examples=15)
@given(cuts=st.tuples(*[st.integers(0, 30)] * 3).map(sorted), early=st.booleans())
def test_a_run_cut_off_after_any_flush_and_resumed_equals_one_that_was_not(
    tmp_path_factory: pytest.TempPathFactory, name: str, cuts: list[int], early: bool
) -> None:
    directory = tmp_path_factory.mktemp("run")
    flushed, lost, _ = cuts
    first = open_sink(str(directory / name))
    first.write(ROWS[: flushed // 2])
    if early:
        first.flush()
    first.write(ROWS[flushed // 2 : flushed])
    extent = json.loads(json.dumps(first.flush()))
    first.write(ROWS[flushed:lost])  # on the disk or not: the checkpoint knows nothing of it
    if early:
        first.flush()
    first.close()
    second = open_sink(str(directory / name))
    second.cut_back(extent)
    second.write(ROWS[flushed:])
    second.flush()
    second.close()
    assert contents(directory / name) == written(directory / f"whole-{name}", ROWS)


def test_json_lines_hold_the_very_bytes_of_the_rows(tmp_path: Path) -> None:
    assert written(tmp_path / "scored.jsonl", ROWS) == encode_lines(ROWS)


def test_csv_holds_every_field_and_reads_back_exactly(tmp_path: Path) -> None:
    written(tmp_path / "scored.csv", ROWS)
    with open(tmp_path / "scored.csv", newline="") as file:
        for cells, expected in zip(csv.DictReader(file), ROWS, strict=True):
            assert float(cells["score"]) == expected.score
            assert cells["line"] == str(expected.learned + 1)
            assert cells["alarm"] == str(expected.alarm).lower()
            found = json.loads(cells["contributions"] or "null")
            assert found == expected.contributions


def test_parquet_has_one_schema_whatever_the_rows_hold(tmp_path: Path) -> None:
    sink = PartSink(tmp_path / "scored.parquet")
    for part in (ROWS[:1], ROWS[1:], [row(40, PartitionPosition(3, 1841))]):
        sink.write(part)
        sink.flush()
    schemas = {pq.read_schema(part).to_string() for part in tmp_path.glob("*/part-*")}
    assert len(schemas) == 1
    table = pq.read_table(tmp_path / "scored.parquet")
    assert table.column("score").to_pylist() == [r.score for r in ROWS] + [40 / 3]
    assert table.column("offset").to_pylist() == [None] * 30 + [1841]


@pytest.mark.parametrize("name", PLAIN + PARTS)
def test_dead_letters_go_into_every_format(tmp_path: Path, name: str) -> None:
    letter = DeadLetter(
        id="a:1:b",
        source="a",
        position=LinePosition(1),
        stage="decode",
        reason="not JSON: it is empty",
        raw='"\x00\n',
        encoding="utf-8",
        length=3,
        sha256="e3b0",
    )
    sink: Sink[DeadLetter] = open_sink(str(tmp_path / name))
    sink.write([letter])
    sink.flush()
    sink.close()
    assert contents(tmp_path / name)


def test_compressed_parts_have_equal_bytes_for_equal_rows(tmp_path: Path) -> None:
    for name in ("one.jsonl.gz", "two.jsonl.gz"):
        written(tmp_path / name, ROWS)
    one, two = (part.read_bytes() for part in sorted(tmp_path.glob("*/part-*")))
    assert one == two
    assert gzip.decompress(one) == encode_lines(ROWS)


@pytest.mark.parametrize("name", PLAIN + PARTS)
def test_a_place_that_holds_rows_is_refused_until_overwriting_is_allowed(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    written(path, ROWS)
    before = contents(path)
    for use in ("write", "flush"):
        sink = open_sink(str(path))
        with pytest.raises(ValueError, match=r"already holds .* or say --fresh"):
            sink.write(ROWS) if use == "write" else sink.flush()
        sink.close()
    assert contents(path) == before
    sink = open_sink(str(path), overwrite=True)
    sink.write(ROWS[:3])
    sink.flush()
    sink.close()
    assert contents(path) == written(tmp_path / f"other-{name}", ROWS[:3])


@pytest.mark.parametrize("name", PLAIN + PARTS)
def test_an_output_that_lost_rows_is_refused_on_resume(tmp_path: Path, name: str) -> None:
    sink = open_sink(str(tmp_path / name))
    extent = {key: value + 9 for key, value in sink.flush().items()}
    sink.close()
    sink = open_sink(str(tmp_path / name))
    with pytest.raises(ValueError, match="the checkpoint recorded"):
        sink.cut_back({key: int(value) for key, value in extent.items()})


@pytest.mark.parametrize("name", PLAIN + PARTS)
def test_flushing_without_new_rows_changes_nothing(tmp_path: Path, name: str) -> None:
    sink = open_sink(str(tmp_path / name))
    sink.write(ROWS)
    extent, before = sink.flush(), contents(tmp_path / name)
    assert sink.flush() == extent
    sink.write([])
    assert sink.flush() == extent
    assert contents(tmp_path / name) == before
    sink.close()


def test_places_that_cannot_be_written_are_refused_with_the_way_out(tmp_path: Path) -> None:
    for name in ("none/a.jsonl", "none/a.parquet"):
        with pytest.raises(ValueError, match="does not exist; make it first"):
            open_sink(str(tmp_path / name)).flush()
    (tmp_path / "b.jsonl").mkdir()
    with pytest.raises(ValueError, match="is not a regular file"):
        open_sink(str(tmp_path / "b.jsonl")).flush()
    (tmp_path / "b.parquet").write_bytes(b"x")
    with pytest.raises(ValueError, match="is a file, expected a directory of parts"):
        open_sink(str(tmp_path / "b.parquet")).flush()
    for name in ("a.txt", "a", "a.parquet.gz"):
        with pytest.raises(ValueError, match="tells no format, expected one of"):
            open_sink(name)


def test_a_part_left_half_written_is_removed_on_resume(tmp_path: Path) -> None:
    sink = PartSink(tmp_path / "a.parquet")
    extent = sink.flush()
    (tmp_path / "a.parquet" / ".part-000001.parquet.tmp").write_bytes(b"half")
    sink = PartSink(tmp_path / "a.parquet")
    sink.cut_back(extent)
    assert list((tmp_path / "a.parquet").iterdir()) == []


CHILD = """
import os, signal, sys
from stream_dagmm_connectors.events import decode_scored
from stream_dagmm_connectors.files import open_sink
rows = [decode_scored(line) for line in sys.stdin]
sinks = [open_sink(name) for name in sys.argv[1:]]
for sink in sinks:
    sink.write(rows[:10])
print([sink.flush()["bytes"] for sink in sinks], flush=True)
for sink in sinks:
    sink.write(rows[10:20] * 500)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_between_flushes_leaves_what_was_flushed(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in PLAIN]
    connectors = Path(__file__).parents[2] / "connectors"
    child = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, paths)],
        input=encode_lines(ROWS),
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(connectors)},
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    for path, flushed in zip(paths, json.loads(child.stdout), strict=True):
        assert path.stat().st_size > flushed > 0
        sink = open_sink(str(path))
        sink.cut_back({"bytes": flushed})
        sink.write(ROWS[10:])
        sink.flush()
        sink.close()
        assert path.read_bytes() == written(tmp_path / f"whole-{path.name}", ROWS)
