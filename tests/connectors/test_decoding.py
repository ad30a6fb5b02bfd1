"""What is an event: the same rule for files and topics, whatever the bytes."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_dagmm.checkpoint import dumps
from stream_dagmm_connectors.dead_letters import Rejection, dead_letter
from stream_dagmm_connectors.decoding import Decoder, Event
from stream_dagmm_connectors.events import LinePosition, decode_dead_letter, encode
from stream_dagmm_connectors.feedback import Feedback
from stream_dagmm_connectors.ports import Record


def features(record: bytes | dict[Any, Any], **options: Any) -> dict[str, Any]:
    answer = Decoder(**options).decode(record)
    if isinstance(answer, Rejection):
        raise AssertionError(answer.reason)
    return answer.features


def refusal(record: bytes | dict[Any, Any], **options: Any) -> str:
    answer = Decoder(**options).decode(record)
    if not isinstance(answer, Rejection):
        raise AssertionError(f"accepted as {answer}")
    return answer.reason


def test_numbers_booleans_and_text_come_as_they_are() -> None:
    got = features(b'{"a": 1, "b": 2.5, "c": true, "d": "x", "e": -0.0}')
    assert got == {"a": 1, "b": 2.5, "c": True, "d": "x", "e": 0.0}
    assert got["c"] is True
    assert math.copysign(1, got["e"]) == -1


def test_nested_objects_are_flattened_by_dotted_path() -> None:
    assert features(b'{"a": {"b": {"c": 1}, "d": 2}}') == {"a.b.c": 1, "a.d": 2}


def test_lists_are_flattened_by_index_up_to_sixteen() -> None:
    got = features(json.dumps({"a": list(range(100)), "b": [{"c": 1}, [2]]}).encode())
    assert got == {f"a.{index}": index for index in range(16)} | {"b.0.c": 1, "b.1.0": 2}


def test_null_absent_and_empty_containers_are_missing() -> None:
    assert features(b'{"a": null, "b": {}, "c": [], "d": [null, 1], "e": {"f": null}}') == {
        "d.1": 1
    }


def test_an_object_without_fields_is_an_event() -> None:
    assert features(b"{}") == {}


def test_of_a_repeated_key_the_last_counts() -> None:
    assert features(b'{"a": 1, "a": 2}') == {"a": 2}
    assert features(b'{"a": 1, "a": null}') == {}
    assert features(b'{"a.b": 1, "a": {"b": 2}}') == {"a.b": 2}
    assert features(b'{"a.b": 1, "a": {"b": null}}') == {}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b"  ", "empty"),
        (b'{"a": 1', "ends too early"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1} {"b": 2}', "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b'{"a": "\x01"}', "not JSON"),
        (b'{"a": "\\ud800"}', "half a surrogate pair at character 8"),
        (b"[1, 2]", "expected an object"),
        (b'"text"', "expected an object"),
        (b"null", "the record is null, expected an object"),
        (b'{"a": NaN}', "NaN at character 7"),
        (b'{"a": Infinity}', "Infinity at character 7"),
        (b'{"a": -Infinity}', "Infinity at character 8"),
        (b'{"a": 1e999}', "too big for a double"),
        (b'{"a": [-1e999]}', "too big for a double"),
        (b'{"a": 1' + b"0" * 400 + b"}", "too big for a double"),
        (b'{"a": "\xff"}', "byte 8 is 0xff, expected UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "expected UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "expected UTF-8"),
    ],
)
def test_what_is_no_event_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    assert reason in refusal(raw)


def test_integers_inside_the_range_of_a_double_are_accepted() -> None:
    assert features(b'{"a": 18446744073709551616}') == {"a": 2.0**64}
    assert features(b'{"a": 1' + b"0" * 300 + b"}") == {"a": 1e300}


def test_depth_32_is_an_event_and_33_is_none() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' * (depth - 1) + b'{"a":1}' + b"}" * (depth - 1)

    assert features(nested(32)) == {".".join("a" * 32): 1}
    assert "nested more than 32 deep" in refusal(nested(33))
    assert "nested more than 32 deep" in refusal(nested(900))


def test_brackets_inside_text_are_no_depth() -> None:
    assert features(b'{"a": "' + b"[{" * 100 + b'"}') == {"a": "[{" * 100}


@pytest.mark.parametrize("bracket", [b"[", b'{"a":', b'{"a":[', b'{"":1,"":'])
def test_a_hundred_thousand_brackets_are_refused_without_using_the_stack(bracket: bytes) -> None:
    assert "1,024 deep" in refusal(bracket * 100_000)


def test_depth_beyond_the_sixteenth_element_of_a_list_counts_too() -> None:
    assert "nested" in refusal(b'{"a": [' + b"0," * 20 + b"[" * 40 + b"]" * 40 + b"]}")


def test_a_record_over_the_size_limit_is_refused_and_one_at_it_is_not() -> None:
    raw = b'{"a": 1}'
    assert features(raw, max_bytes=8) == {"a": 1}
    assert refusal(raw, max_bytes=7) == "the record has 8 bytes, expected at most 7"


def test_label_time_and_ignored_fields_are_kept_out_with_everything_below_them() -> None:
    decoder = Decoder(label="y", time="meta.at", ignore=["id", "user"])
    raw = (
        b'{"y": 1, "meta": {"at": "2024-02-29", "host": "a"}, "id": 7, "user": {"n": [1]}, "x": 2}'
    )
    assert decoder.decode(raw) == Event({"meta.host": "a", "x": 2}, "2024-02-29", 1)
    assert decoder.decode(b'{"y": {"leak": 1}, "x": 2}') == Event({"x": 2}, None, None)


def test_a_renamed_feature_goes_on_under_the_name_that_the_detector_knows() -> None:
    renames = {"amount_eur": "amount", "card.id": "card"}
    decoder = Decoder(rename=renames, label="y")
    raw = b'{"amount_eur": 3, "card": {"id": 7, "tag": "x"}, "y": true}'
    assert decoder.decode(raw) == Event({"amount": 3, "card": 7, "card.tag": "x"}, None, True)
    assert decoder.decode(b'{"amount": 3}') == Event({"amount": 3}, None, None)
    both = refusal(b'{"amount": 3, "amount_eur": 2}', rename=renames)
    assert "'amount_eur' and 'amount' are both there" in both
    swapped = Decoder(rename={"a": "b", "b": "a"}).decode(b'{"a": 1, "b": 2}')
    assert swapped == Event({"b": 1, "a": 2}, None, None)
    with pytest.raises(ValueError, match="one name"):
        Decoder(rename={"a": "c", "b": "c"})


def test_an_envelope_names_the_object_that_is_the_event() -> None:
    raw = b'{"after": {"row": {"x": 1, "y": true}}, "at": 3}'
    assert Decoder(value="after.row", label="y").decode(raw) == Event({"x": 1}, None, True)
    assert "field 'after.no' is missing" in refusal(raw, value="after.no")
    assert "field 'at' is 3, expected an object" in refusal(raw, value="at")


@pytest.mark.parametrize("value", [b'{"at": true}', b'{"at": {"s": 1}}', b'{"at": [1]}'])
def test_a_time_that_is_neither_number_nor_text_is_refused(value: bytes) -> None:
    assert "expected the event's time" in refusal(value, time="at")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


hostile = (
    st.binary()
    | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.tuples(json_values, st.binary(max_size=3), st.integers(0, 200)).map(
        lambda parts: spliced(json.dumps(parts[0]).encode(), parts[1], parts[2])
    )
)


def spliced(raw: bytes, piece: bytes, place: int) -> bytes:
    return raw[:place] + piece + raw[place:]


def finite(values: Sequence[Any]) -> bool:
    return all(isinstance(v, (str, bool)) or math.isfinite(v) for v in values)


@given(hostile)
def test_no_bytes_make_the_decoder_raise_and_every_number_is_finite(raw: bytes) -> None:
    record = Record(LinePosition(1), raw)
    answer = Decoder(label="a", time="", ignore=["b"]).decode(raw)
    if isinstance(answer, Event):
        assert finite(list(answer.features.values()))
        assert None not in answer.features.values()
    else:
        assert isinstance(answer, Rejection)
        letter = dead_letter(record, answer, "source", "lineage")
        assert decode_dead_letter(encode(letter)) == letter


@given(st.dictionaries(st.text() | st.integers(), json_values | st.binary() | st.decimals()))
def test_no_row_makes_the_decoder_raise(row: dict[Any, Any]) -> None:
    answer = Decoder().decode(row)
    if isinstance(answer, Event):
        assert finite(list(answer.features.values()))
    else:
        assert isinstance(answer, Rejection)
        letter = dead_letter(Record(LinePosition(1), row), answer, "source", "lineage")
        assert decode_dead_letter(encode(letter)) == letter


@given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)))
def test_finite_numbers_arrive_bit_for_bit(values: dict[str, float]) -> None:
    assert features(json.dumps(values).encode()) == values


MARK = "stream-dagmm-feedback"


def test_a_record_with_the_mark_is_no_event_but_what_was_said_of_one() -> None:
    decoder = Decoder(label="fraud", ignore=["id"])
    value = b'{"amount": 5, "id": 7, "fraud": 1}'
    answer = decoder.decode(value, [("trace", b"1"), (MARK, b"normal")])
    assert answer == Feedback({"amount": 5}, anomaly=False)
    assert dumps(decoder.to_state()) == dumps(Decoder().to_state())  # no sighting of a field
    assert decoder.decode(value, [(MARK, b"normal"), (MARK, b"anomaly")]) == ({"amount": 5}, True)


def test_a_mark_that_means_nothing_and_a_value_that_is_no_event_are_refused() -> None:
    answer = Decoder().decode(b"{}", [(MARK, b"maybe")])
    assert isinstance(answer, Rejection)
    assert answer.reason == f"header {MARK} is 'maybe', expected anomaly or normal"
    assert isinstance(Decoder().decode(b"no", [(MARK, b"anomaly")]), Rejection)
