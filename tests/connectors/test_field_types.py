"""The one memory of decoding: which fields are numbers, by their first 1,000 sightings."""

from typing import Any

import numpy as np
import pytest

from stream_dagmm_connectors.dead_letters import Rejection
from stream_dagmm_connectors.decoding import Decoder, Event
from stream_dagmm_connectors.field_types import MAX_FIELDS, FieldTypes


def numeric_for(sightings: int) -> Decoder:
    decoder = Decoder()
    for _ in range(sightings):
        decoder.decode(b'{"amount": 1}')
    return decoder


def test_text_is_refused_once_a_field_was_a_number_a_thousand_times() -> None:
    answer = numeric_for(1_000).decode(b'{"amount": "n/a"}')
    assert answer == Rejection(
        "field 'amount' is 'n/a', expected a number as in its first 1,000 sightings"
    )


def test_text_in_the_first_thousand_sightings_makes_a_field_mixed_for_good() -> None:
    decoder = numeric_for(999)
    assert isinstance(decoder.decode(b'{"amount": "n/a"}'), Event)
    for _ in range(2_000):
        decoder.decode(b'{"amount": 1}')
    assert isinstance(decoder.decode(b'{"amount": "n/a"}'), Event)


def test_missing_values_and_refused_events_are_no_sightings() -> None:
    decoder = numeric_for(999)
    decoder.decode(b'{"amount": null}')
    decoder.decode(b'{"amount": 1, "bad": NaN}')
    assert isinstance(decoder.decode(b'{"amount": "n/a"}'), Event)


def test_a_refused_event_leaves_no_trace_in_its_other_fields() -> None:
    decoder = numeric_for(1_000)
    before = decoder.to_state()["names"]
    decoder.decode(b'{"new": 1, "amount": "n/a"}')
    assert decoder.to_state()["names"] == before


def test_a_numeric_field_accepts_numbers_booleans_and_nothing_after_a_refusal() -> None:
    decoder = numeric_for(1_000)
    decoder.decode(b'{"amount": "n/a"}')
    for raw in (b'{"amount": 2}', b'{"amount": true}', b'{"amount": null}', b"{}"):
        assert isinstance(decoder.decode(raw), Event)


def test_decoding_goes_on_from_its_state_as_if_it_had_never_stopped() -> None:
    raws = [b'{"a": 1, "b": "x", "c.\\u0000": 2}'] * 1_500 + [b'{"a": "x"}', b'{"b": 1}']
    whole = Decoder()
    expected = [whole.decode(raw) for raw in raws]
    for cut in (0, 1, 999, 1_000, 1_001):
        first, second = Decoder(), Decoder()
        got: list[Any] = [first.decode(raw) for raw in raws[:cut]]
        second.load_state(first.to_state())
        got += [second.decode(raw) for raw in raws[cut:]]
        assert got == expected
        assert same_state(second.to_state(), whole.to_state())


def same_state(one: dict[str, Any], other: dict[str, Any]) -> bool:
    sightings = np.array_equal(one["sightings"], other["sightings"])
    return bool(one["names"] == other["names"] and sightings)


def test_the_memory_for_field_types_is_bounded_and_blind_to_the_order_of_keys() -> None:
    names = [f"f{index}" for index in range(3 * MAX_FIELDS)]
    forwards, backwards = FieldTypes(), FieldTypes()
    forwards.see(dict.fromkeys(names, 1.0))
    backwards.see(dict.fromkeys(reversed(names), 1.0))
    assert len(forwards.to_state()["names"]) == MAX_FIELDS
    assert forwards.to_state()["names"] == backwards.to_state()["names"]
    forwards.see({"x" * 1_000_000: 1.0})
    assert max(map(len, forwards.to_state()["names"])) < 300


def test_a_state_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one number"):
        Decoder().load_state({"names": ["a", "b"], "sightings": np.array([1])})
    with pytest.raises(ValueError, match="from -1 to 1000"):
        Decoder().load_state({"names": ["a"], "sightings": np.array([5_000])})
