"""Rows of tables: made as plain as JSON, or refused by the name of the field."""

import datetime
import decimal
import math
from typing import Any

import numpy as np
import pytest

from stream_dagmm_connectors.dead_letters import Rejection, dead_letter
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.events import LinePosition
from stream_dagmm_connectors.ports import Record


def decoded(row: dict[Any, Any]) -> dict[str, Any] | str:
    """The features of a row, or why it is no event."""
    answer = Decoder().decode(row)
    return answer.reason if isinstance(answer, Rejection) else dict(answer.features)


def test_a_table_row_is_made_plain() -> None:
    row = {
        "decimal": decimal.Decimal("1.5"),
        "day": datetime.date(2024, 2, 29),
        "span": datetime.timedelta(minutes=1),
        "bytes": b"text",
        "float32": np.float32(0.5),
        "flag": np.bool_(True),
        "list": (1, None, {"x": 2}),
        "nothing": None,
        7: 8,
    }
    assert decoded(row) == {
        "decimal": 1.5,
        "day": "2024-02-29",
        "span": 60.0,
        "bytes": "text",
        "float32": 0.5,
        "flag": True,
        "list.0": 1,
        "list.2.x": 2,
        "7": 8,
    }


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "expected a finite number"),
        (-math.inf, "expected a finite number"),
        (10**400, "no number that fits a double"),
        (decimal.Decimal("sNaN"), "no number that fits a double"),
        (b"\xff", "expected UTF-8"),
        ("\ud800", "UTF-8 can write"),
        (object, "expected a number, a boolean, text"),
    ],
)
def test_what_json_has_no_value_for_is_refused_by_field(value: object, reason: str) -> None:
    found = str(decoded({"x": value}))
    assert found.startswith("field 'x'")
    assert reason in found


def test_a_row_that_holds_itself_is_refused() -> None:
    row: dict[str, Any] = {"x": 1}
    row["me"] = row
    assert "nested more than 32 deep" in decoded(row)
    letter = dead_letter(Record(LinePosition(1), row), Rejection("deep"), "s", "0")
    assert "'me'" in letter.raw
