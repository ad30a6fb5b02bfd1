"""CSV: the line a row begins on, whatever its quotes hold."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_dagmm_connectors.dead_letters import Rejection
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.files.csv_source import CsvSource, cell
from stream_dagmm_connectors.ports import Record, Unreadable
from tests.connectors.reading import CSV, PACKED, everything, lines_of, opened


@pytest.mark.parametrize(("ending", "pack"), PACKED)
@pytest.mark.parametrize("at_most", [1, 2, 1_000])
def test_csv_rows_come_with_the_line_they_begin_on(
    tmp_path: Path, ending: str, pack: Callable[[bytes], bytes], at_most: int
) -> None:
    records = everything(opened(tmp_path / f"events.csv{ending}", pack(CSV)), at_most)
    assert lines_of(records) == [2, 4, 6]
    assert [record.value for record in records] == [
        {"x": 1, "y": "a"},
        {"x": 2, "y": "two\nlines"},
        {"x": 3, "y": None},
    ]
    assert [record.raw for record in records] == [b"1,a", b'2,"two\nlines"', b"3,"]


csv_text = st.lists(st.sampled_from(["1", "a", ",", '"', "\n", "\r\n", '""', "é", "\n\n"])).map(
    lambda pieces: ("x,y\n" + "".join(pieces)).encode()
)


@settings(max_examples=200)
@given(csv_text, st.integers(1, 4))
def test_no_csv_makes_the_source_raise_and_seeking_agrees_with_reading(
    data: bytes, at_most: int
) -> None:
    def source() -> CsvSource:
        return CsvSource("events.csv", stream=io.BufferedReader(io.BytesIO(data)))

    whole = everything(source())
    assert everything(source(), at_most) == whole
    assert lines_of(whole) == sorted(set(lines_of(whole)))
    for index, record in enumerate(whole):
        later = source()
        later.seek(record.position.after())
        assert everything(later) == whole[index + 1 :]


def refusals(records: list[Record]) -> list[str]:
    answers = Decoder().decode_many(records)
    return [answer.reason for answer in answers if isinstance(answer, Rejection)]


def test_csv_rows_that_are_none_become_dead_letters_and_the_others_do_not(tmp_path: Path) -> None:
    data = b'x,y\n1\n1,2,3\n1,2\n"a"b,2\n\xff,2\nnan,2\n1e999,2\n3,4\n"never closed,2\n'
    records = everything(opened(tmp_path / "a.csv", data))
    assert lines_of(records) == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert refusals(records) == [
        "the row has 1 cells, expected 2 as in the header",
        "the row has 3 cells, expected 2 as in the header",
        "',' expected after '\"'",
        "byte 1 is 0xff, expected UTF-8",
        "field 'x' is nan, expected a finite number or nothing",
        "field 'x' is inf, expected a finite number or nothing",
        "unexpected end of data",
    ]
    first = records[0].value
    assert isinstance(first, Unreadable)
    assert first.raw == b"1"


def test_a_quote_that_nobody_closes_does_not_swallow_the_file(tmp_path: Path) -> None:
    data = b'x\n"open\n' + b"1\n" * 100_000
    records = everything(opened(tmp_path / "a.csv", data))
    assert isinstance(records[0].value, Unreadable)
    assert len(records) > 30_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1", -1.0),
        ("1.5e3", 1500.0),
        (" 2", 2.0),
        ("", None),
        ("true", "true"),
        ("Nan", "Nan"),
        ("infinite", "infinite"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("\u0661", "\u0661"),
        ("9" * 300, float("9" * 300)),
    ],
)
def test_cells_are_numbers_where_they_read_as_one_and_text_otherwise(
    text: str, value: object
) -> None:
    assert cell(text) == value


def test_damage_in_a_csv_is_raised_after_all_that_could_be_read(tmp_path: Path) -> None:
    packed = gzip.compress(b"x\n" + b"".join(b"%d\n" % (n * n) for n in range(100_000)))
    source = opened(tmp_path / "a.csv", packed[:-50_000])
    records: list[Record] = []
    with pytest.raises(ValueError, match="damaged after line"):
        while True:
            records += source.read(1_000)
    assert len(records) > 1_000
    source.close()
