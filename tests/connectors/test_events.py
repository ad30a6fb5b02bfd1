"""The rows on the wire: equal to their schema, equal bytes for equal rows, exact numbers."""

import json
import math
import struct
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from stream_dagmm_connectors.events import (
    DeadLetter,
    LinePosition,
    PartitionPosition,
    Position,
    ScoredEvent,
    decode_dead_letter,
    decode_scored,
    encode,
    encode_lines,
    event_id,
    json_schema,
    largest_contributions,
    place,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
words = st.text()  # no lone surrogates: hypothesis leaves them out, and so does the decoder
positions: st.SearchStrategy[Position] = st.builds(
    LinePosition, line=st.integers(1, 2**62)
) | st.builds(PartitionPosition, partition=st.integers(0, 2**31), offset=st.integers(0, 2**62))
scored = st.builds(
    ScoredEvent,
    schema=st.just(1),
    id=words,
    source=words,
    position=positions,
    time=st.none() | words | st.integers(-(2**63), 2**63 - 1) | finite,
    score=finite,
    p_value=st.floats(0, 1, exclude_min=True),
    alarm=st.booleans(),
    warming_up=st.booleans(),
    contributions=st.none() | st.dictionaries(words, finite, max_size=6),
    lineage=words,
    learned=st.integers(0, 2**62),
)


def an_event() -> ScoredEvent:
    return ScoredEvent(
        id="events:3@1841:5b2a",
        source="events",
        position=PartitionPosition(3, 1841),
        time=None,
        score=0.1,
        p_value=0.5,
        alarm=False,
        warming_up=False,
        contributions=None,
        lineage="5b2a",
        learned=7,
    )


@given(scored)
def test_a_row_reads_back_exactly_and_its_json_is_what_pydantic_writes(row: ScoredEvent) -> None:
    assert decode_scored(encode(row)) == row
    assert json.loads(encode(row)) == json.loads(TypeAdapter(ScoredEvent).dump_json(row))


@given(finite)
def test_scores_survive_bit_for_bit(score: float) -> None:
    back = decode_scored(encode(replace(an_event(), score=score))).score
    assert struct.pack("<d", back) == struct.pack("<d", score)


def test_the_keys_come_in_one_order() -> None:
    assert encode(an_event()) == (
        b'{"schema":1,"id":"events:3@1841:5b2a","source":"events","position":{"partition":3,'
        b'"offset":1841},"time":null,"score":0.1,"p_value":0.5,"alarm":false,"warming_up":false,'
        b'"contributions":null,"lineage":"5b2a","learned":7}'
    )


def test_lines_are_the_rows_each_with_its_newline() -> None:
    assert encode_lines([an_event()] * 2) == (encode(an_event()) + b"\n") * 2
    assert encode_lines([]) == b""


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_refused_with_its_place(score: float) -> None:
    with pytest.raises(ValueError, match=r"events-3@1841: score is .*, expected a finite number"):
        encode(replace(an_event(), score=score))


@pytest.mark.parametrize(
    ("key", "value"),
    [("schema", 2), ("p_value", 0), ("p_value", 1.5), ("learned", -1), ("position", {"line": 0})],
)
def test_a_row_outside_its_ranges_is_refused_by_name(key: str, value: object) -> None:
    row = json.loads(encode(an_event())) | {key: value}
    with pytest.raises(ValidationError, match=key):
        decode_scored(json.dumps(row))


def test_every_field_of_the_schema_is_described_and_in_order() -> None:
    definitions = json_schema()["$defs"]
    for kind in (ScoredEvent, DeadLetter):
        described: dict[str, Any] = definitions[kind.__name__]
        names = list(kind.__dataclass_fields__)
        assert list(described["properties"]) == names
        assert set(described["required"]) | {"schema"} == set(names)
        assert all("description" in described["properties"][name] for name in names)


def test_a_dead_letter_reads_back_exactly() -> None:
    row = DeadLetter(
        id="a:1:b",
        source="a",
        position=LinePosition(1),
        stage="decode",
        reason="not JSON: it is empty",
        raw="",
        encoding="utf-8",
        length=0,
        sha256="e3b0",
    )
    assert decode_dead_letter(encode(row)) == row
    assert asdict(row)["position"] == {"line": 1}


def test_positions_go_up_by_one_and_name_themselves() -> None:
    assert LinePosition(1).after() == LinePosition(2) > LinePosition(1)
    assert PartitionPosition(3, 9).after() == PartitionPosition(3, 10)
    assert event_id("a", PartitionPosition(3, 9), "f") == "a:3@9:f"
    assert place("a.csv", LinePosition(2)) == "a.csv:2"


@given(st.dictionaries(words, finite.map(lambda value: value / 1e6), max_size=12))
def test_the_largest_contributions_and_the_rest_keep_the_sum(values: dict[str, float]) -> None:
    kept = largest_contributions(values)
    assert len(kept) <= 6
    assert list(kept)[-1] == "(rest)"
    rounding = 1e-15 * math.fsum(map(abs, values.values()))
    assert abs(math.fsum(kept.values()) - math.fsum(values.values())) <= rounding


def test_equal_contributions_are_ranked_by_name_and_not_by_the_order_they_came_in() -> None:
    one = largest_contributions({"b": 1.0, "a": -1.0, "c": 2.0}, count=2)
    assert list(one.items()) == [("c", 2.0), ("a", -1.0), ("(rest)", 1.0)]
