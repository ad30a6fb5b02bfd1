"""Files as sources: every format and compression gives the same records at the same places."""

import datetime
import gzip
import io
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_dagmm_connectors.decoding import Decoder, Event
from stream_dagmm_connectors.events import LinePosition, PartitionPosition
from stream_dagmm_connectors.files import SHUTTLE_LABEL, open_source
from stream_dagmm_connectors.files.json_lines import JsonLinesSource
from stream_dagmm_connectors.ports import Record, Unreadable
from tests.connectors.reading import CSV, JSON_LINES, PACKED, everything, lines_of, opened, zstd


@pytest.mark.parametrize(("ending", "pack"), PACKED)
@pytest.mark.parametrize("at_most", [1, 2, 1_000])
def test_json_lines_come_with_the_numbers_an_editor_shows(
    tmp_path: Path, ending: str, pack: Callable[[bytes], bytes], at_most: int
) -> None:
    source = opened(tmp_path / f"events.jsonl{ending}", pack(JSON_LINES))
    records = everything(source, at_most)
    assert lines_of(records) == [1, 3, 5]
    assert [record.value for record in records] == [b'{"x": 1}', b'{"x": 2}', b'{"x": 3}']
    assert source.finished
    assert source.name == f"events.jsonl{ending}"


def parquet(path: Path, rows: int = 3_000) -> Path:
    table = pa.table({"x": list(range(rows)), "n": [{"a": 1.5, "b": None}] * rows})
    pq.write_table(table, path, row_group_size=700)
    return path


@pytest.mark.parametrize("at_most", [1, 700, 10_000])
def test_parquet_rows_come_with_their_number(tmp_path: Path, at_most: int) -> None:
    records = everything(open_source(str(parquet(tmp_path / "events.parquet"))), at_most)
    assert lines_of(records) == list(range(1, 3_001))
    assert records[9].value == {"x": 9, "n": {"a": 1.5, "b": None}}
    assert Decoder().decode(records[9].value) == Event({"x": 9, "n.a": 1.5}, None, None)


def test_parquet_times_finer_than_a_microsecond_are_cut(tmp_path: Path) -> None:
    moment = pa.array([1_700_000_000_123_456_789], pa.timestamp("ns"))
    pq.write_table(pa.table({"at": moment}), tmp_path / "events.parquet")
    (record,) = everything(open_source(str(tmp_path / "events.parquet")))
    assert record.value == {"at": datetime.datetime(2023, 11, 14, 22, 13, 20, 123456)}


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_seeking_gives_what_is_left_after_any_record(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"events.{format}"
    if format == "parquet":
        parquet(path, 2_000)
    else:
        path.write_bytes(JSON_LINES if format == "jsonl" else CSV)
    whole = everything(open_source(str(path)))
    for index in {0, 1, 2, 699, 700, 701, 1_999} & set(range(len(whole))):
        source = open_source(str(path))
        source.seek(whole[index].position)
        assert everything(source, 1) == whole[index:]
        source = open_source(str(path))
        source.seek(whole[index].position.after())
        assert everything(source, 1) == whole[index + 1 :]


@given(st.binary(), st.integers(1, 4))
def test_no_bytes_make_the_line_source_raise(data: bytes, at_most: int) -> None:
    def source() -> JsonLinesSource:
        return JsonLinesSource("-", stream=io.BufferedReader(io.BytesIO(data)))

    expected = [line for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    got = everything(source(), at_most)
    assert [r.value for r in got] == [line.rstrip(b"\r\n") for line in expected]


def test_seeking_beyond_the_end_says_that_the_file_has_become_shorter(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"x": 1}\n' * 3)
    (tmp_path / "a.csv").write_bytes(b"x\n1\n2\n")
    parquet(tmp_path / "a.parquet", 3)
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        at_end = open_source(str(tmp_path / name))
        at_end.seek(LinePosition(4))
        assert everything(at_end) == []
        beyond = open_source(str(tmp_path / name))
        with pytest.raises(ValueError, match=r"shorter|expected at least 4"):
            beyond.seek(LinePosition(5))
        beyond.close()


def test_a_position_of_a_topic_is_refused_by_a_file(tmp_path: Path) -> None:
    source = opened(tmp_path / "a.jsonl", b"")
    with pytest.raises(ValueError, match="expected a line"):
        source.seek(PartitionPosition(0, 0))
    source.close()


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_line_over_the_limit_is_counted_and_not_held(tmp_path: Path, name: str) -> None:
    first, last = (b'{"x": 1}\n{}', b'\n{"x": 2}') if name == "a.jsonl" else (b"x\n1", b"\n2")
    data = first + b'\n"' + b"y" * 3_000_000 + b'"' + last
    records = everything(opened(tmp_path / name, data))
    assert lines_of(records)[-2:] == [3, 4]
    long = records[-2].value
    assert isinstance(long, Unreadable)
    assert (len(long.raw), long.length) == (64 << 10, 3_000_002)
    assert long.reason == "the record has 3000002 bytes, expected at most 1048576"


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    assert everything(opened(tmp_path / "a.jsonl", mark + b'{"x": 1}'))[0].value == b'{"x": 1}'
    assert everything(opened(tmp_path / "a.csv", mark + b"x\n1\n"))[0].value == {"x": 1}


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.jsonl.gz", "a.csv.zst", "a.log"])
def test_an_empty_file_has_no_events(tmp_path: Path, name: str) -> None:
    source = opened(tmp_path / name, b"")
    assert source.read(10) == []
    assert source.finished
    source.close()


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
@pytest.mark.parametrize("at_most", [1, 7, 100_000])
def test_a_compressed_file_cut_short_says_where_after_all_that_could_be_read(
    tmp_path: Path, pack: Callable[[bytes], bytes], at_most: int
) -> None:
    data = b"".join(b'{"x": %d}\n' % (n**3 % 1_000_003) for n in range(30_000))
    packed = pack(data)
    source = opened(tmp_path / "a.jsonl", packed[:-1000])
    records: list[Record] = []
    with pytest.raises(ValueError, match=r"a\.jsonl: damaged after line \d+: .*restore") as damage:
        while True:
            records += source.read(at_most)
    assert records[-1].position == LinePosition(len(records))
    assert f"after line {len(records)}:" in str(damage.value)
    source.close()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl.gz", b'{"x": 1}', "expected gzip; name it without the ending"),
        ("a.parquet", b'{"x": 1}', "expected parquet; say --format"),
        ("a.csv", b'{"x": 1}\n', "looks like jsonl, expected csv; say --format"),
        ("a.csv", b"PAR1....", "expected csv; say --format"),
        ("a.log", b"x,y\n1,2\n", "neither its name nor its beginning"),
        ("a.parquet", b"PAR1 and no more", "cannot be read as Parquet"),
        ("a.csv", b'"x\n', "the header cannot be read"),
        ("a.csv", b"\xff\n", "the header cannot be read"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused_with_the_way_out(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    with pytest.raises(ValueError, match=message), ExitStack() as stack:
        source = opened(tmp_path / name, data)
        stack.callback(source.close)
        source.read(1)


def test_a_place_where_no_file_is_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file; expected a path, '-' or 'shuttle'"):
        open_source(str(tmp_path / "none.jsonl"))
    with pytest.raises(ValueError, match="is a directory, expected a file"):
        open_source(str(tmp_path))


def test_a_stated_format_wins_over_the_name(tmp_path: Path) -> None:
    assert lines_of(everything(opened(tmp_path / "a.log", b"x\n1\n", format="csv"))) == [2]
    assert lines_of(everything(opened(tmp_path / "a.csv", b'{"x":1}\n', format="jsonl"))) == [1]


def test_an_unknown_ending_is_read_by_content(tmp_path: Path) -> None:
    assert lines_of(everything(opened(tmp_path / "a.log", zstd(JSON_LINES)))) == [1, 3, 5]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd])
def test_standard_input_is_read_through_a_pipe(
    monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    reading, writing = os.pipe()
    os.write(writing, pack(JSON_LINES))
    os.close(writing)
    with os.fdopen(reading, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        source = open_source("-")
        assert source.name == "stdin"
        assert lines_of(everything(source)) == [1, 3, 5]


def test_shuttle_is_rivers_stream_with_its_label() -> None:
    records = everything(open_source("shuttle"))
    events = Decoder(label=SHUTTLE_LABEL).decode_many(records)
    labels = [event.label for event in events if isinstance(event, Event)]
    assert (len(labels), labels.count(1)) == (49_097, 3_511)
    assert lines_of(records)[0] == 2


@pytest.mark.parametrize("at_most", [1, 300, 10_000])
def test_a_damaged_parquet_file_is_named_after_all_that_could_be_read(
    tmp_path: Path, at_most: int
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": ["é" * 9] * 5_000}), path, use_dictionary=False)
    data = path.read_bytes()
    middle = len(data) // 3
    source = opened(path, data[:middle] + b"\xff" * 999 + data[middle + 999 :])
    records: list[Record] = []
    with pytest.raises(
        ValueError, match=r"a\.parquet: damaged after row (\d+): .*restore"
    ) as damage:
        while True:
            records += source.read(at_most)
    assert f"after row {len(records)}:" in str(damage.value)
    source.close()
