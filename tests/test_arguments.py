"""A bad argument says what it was called, what came and what was expected."""

import math
import re
from typing import Any

import numpy as np
import pytest

from stream_dagmm import arguments


def test_good_integers_come_back_as_plain_ones() -> None:
    values: list[Any] = [3, np.int64(3), np.uint8(3)]
    for value in values:
        assert type(arguments.at_least(1, batch_size=value)) is int
    assert arguments.at_least(0, seed=10**30) == 10**30


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None, math.nan, np.float64(2)])
def test_a_bad_integer_is_refused(value: object) -> None:
    expected = f"batch_size must be an integer of at least 1, got {value!r}"
    with pytest.raises(ValueError, match=re.escape(expected)):
        arguments.at_least(1, batch_size=value)  # type: ignore[arg-type]


def test_good_numbers_come_back_as_plain_floats() -> None:
    values: list[Any] = [3, 3.0, np.float32(3.0), np.int8(3)]
    for value in values:
        assert type(arguments.positive(half_life=value)) is float
    assert arguments.positive(half_life=math.inf) == math.inf
    assert arguments.not_negative(learning_rate=0) == 0.0


@pytest.mark.parametrize("value", [0, 0.0, -0.0, -3, -math.inf, math.nan, True, "1", None, 1j])
def test_what_is_not_positive_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=re.escape(f"half_life must be positive, got {value!r}")):
        arguments.positive(half_life=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1e-9, math.inf, math.nan, False, "0", None])
def test_what_is_negative_or_infinite_is_refused(value: object) -> None:
    expected = f"learning_rate must be a finite number of at least 0, got {value!r}"
    with pytest.raises(ValueError, match=re.escape(expected)):
        arguments.not_negative(learning_rate=value)  # type: ignore[arg-type]


def test_an_integer_beyond_every_float_is_refused() -> None:
    with pytest.raises(ValueError, match="half_life must be"):
        arguments.positive(half_life=10**400)
    with pytest.raises(ValueError, match="learning_rate must be"):
        arguments.not_negative(learning_rate=10**400)


@pytest.mark.parametrize("value", [0, 1, "True", None])
def test_a_flag_is_true_or_false_and_nothing_like_it(value: object) -> None:
    with pytest.raises(ValueError, match=re.escape(f"floor must be True or False, got {value!r}")):
        arguments.flag(floor=value)  # type: ignore[arg-type]
    assert arguments.flag(floor=False) is False
    assert arguments.flag(label=np.True_) is True


def test_an_integer_above_its_bound_is_refused() -> None:
    assert arguments.between(1, 1000, max_features=1000) == 1000
    with pytest.raises(ValueError, match="max_features must be at most 1000, got 1001"):
        arguments.between(1, 1000, max_features=1001)
    with pytest.raises(ValueError, match="max_features must be an integer of at least 1, got 0"):
        arguments.between(1, 1000, max_features=0)


def test_a_scale_so_small_that_dividing_by_it_overflows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"half_life must be at least 0\.001, got 1e-310"):
        arguments.positive(half_life=1e-310)
