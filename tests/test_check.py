"""The helpers that refuse bad arguments: what they let through, what they refuse, and what they say."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganlib import _check


def test_one_of_lets_a_valid_name_through() -> None:
    _check.one_of("loss", "hinge", ["minimax", "hinge"])


def test_one_of_names_argument_value_and_every_valid_name_close_ones_first() -> None:
    with pytest.raises(ValueError) as caught:
        _check.one_of("loss", "hing", (name for name in ["minimax", "rpgan", "hinge"]))
    assert str(caught.value) == "loss='hing' is not known; choose one of: hinge, minimax, rpgan"


@pytest.mark.parametrize("value", [None, 3, ["hinge"], ""])
def test_one_of_refuses_what_is_not_a_name(value: object) -> None:
    with pytest.raises(ValueError, match=re.escape(f"loss={value!r} is not known; choose one of: minimax, hinge")):
        _check.one_of("loss", value, ["minimax", "hinge"])


@pytest.mark.parametrize("value", [1, 7, np.int64(7), np.uint8(7), 10**20])
def test_positive_int_returns_python_ints(value: object) -> None:
    number = _check.positive_int("steps", value)
    assert number == value and type(number) is int


def test_positive_int_minimum_is_included() -> None:
    assert _check.positive_int("steps", 0, minimum=0) == 0
    with pytest.raises(ValueError, match="steps must be a whole number of at least 2, got 1"):
        _check.positive_int("steps", 1, minimum=2)


@pytest.mark.parametrize("value", [2.5, 2.0, math.nan, math.inf, -1, 0, np.float64(3.0), Fraction(5, 2)])
def test_positive_int_refuses_wrong_numbers(value: object) -> None:
    with pytest.raises(ValueError, match="steps must be a whole number of at least 1, got " + re.escape(repr(value))):
        _check.positive_int("steps", value)


@pytest.mark.parametrize("value", [True, np.bool_(True), "3", None, [3], 3j, torch.tensor(3)])
def test_positive_int_refuses_what_is_no_number(value: object) -> None:
    with pytest.raises(TypeError, match="steps must be a whole number of at least 1, got " + re.escape(repr(value))):
        _check.positive_int("steps", value)


@given(st.integers(), st.integers())
def test_positive_int_accepts_exactly_the_integers_from_the_minimum(value: int, minimum: int) -> None:
    if value >= minimum:
        assert _check.positive_int("n", value, minimum=minimum) == value
    else:
        with pytest.raises(ValueError):
            _check.positive_int("n", value, minimum=minimum)


@given(st.floats())
def test_finite_accepts_exactly_the_finite_floats(value: float) -> None:
    if math.isfinite(value):
        assert _check.finite("weight", value) == value
    else:
        with pytest.raises(ValueError, match="weight must be a finite number, got"):
            _check.finite("weight", value)


def test_finite_minimum_and_types() -> None:
    number = _check.finite("weight", np.float32(0.5), minimum=0.5)
    assert number == 0.5 and type(number) is float
    with pytest.raises(ValueError, match=re.escape("weight must be a finite number of at least 0, got -0.1")):
        _check.finite("weight", -0.1, minimum=0.0)
    for value in (True, "1", None, [1.0], 1j):
        with pytest.raises(TypeError, match="weight must be a finite number, got"):
            _check.finite("weight", value)


def test_tensor() -> None:
    _check.tensor("x", torch.zeros(()))
    for value, came in ((np.zeros(2), "ndarray"), ([1.0], "list"), (None, "NoneType")):
        with pytest.raises(TypeError, match=f"^x must be a tensor, got {came}$"):
            _check.tensor("x", value)


def test_shape_says_what_was_expected_and_what_came() -> None:
    image = torch.zeros(3, 28)
    _check.shape("images", image, "(3, 28)", True)
    with pytest.raises(ValueError, match=re.escape("images must have shape (N, 1, 28, 28), got (3, 28)")):
        _check.shape("images", image, "(N, 1, 28, 28)", image.ndim == 4)
    with pytest.raises(TypeError, match=r"images must be a tensor of shape .*, got ndarray"):
        _check.shape("images", np.zeros((3, 28)), "(N, 1, 28, 28)", True)
