"""Messages about huge values stay readable: no number in them is longer than a reader can take in."""

from __future__ import annotations

import dataclasses
import re
import warnings
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.registry import CASES

import offgraph as og
from offgraph.core.counting import number_text
from offgraph.plan.draw import draw
from offgraph.plan.placed import place

LONG = re.compile(r"\d{21,}|\d{1,3}(,\d{3}){7,}")
"""Runs of digits, with and without commas between thousands."""

HUGE = st.one_of(
    st.floats(1e13, 1.7e308),
    st.floats(1e-308, 1e-12),
    st.integers(2**31, 10**20 - 1),
    st.floats(1e13, 1e308).map(lambda value: (value, value)),
    st.floats(1e13, 1e300).map(lambda value: (value, value * 8)),
    st.floats(1e13, 1e308).map(lambda value: {"YX": value}),
    st.integers(2**31, 10**20 - 1).map(lambda value: (value, value)),
)
"""Values that show in a message as they were written with 21 digits at most."""


def _fields() -> list[tuple[og.Step, str]]:
    one_each = {type(step): step for step, n in reversed(CASES) if n == 2}
    return [
        (step, field.name)
        for step in one_each.values()
        for field in dataclasses.fields(step)  # type: ignore[arg-type]  # steps are dataclasses
        if field.init and field.name != "id"
    ]


def _messages(step: og.Step, name: str, value: object) -> list[str]:
    """What is said when a field gets a value, and when such a step is drawn for an image; nothing runs."""
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            changed = dataclasses.replace(step, **{name: value})  # type: ignore[type-var]
            spec = og.ArraySpec((12, 13, 3), "uint8", "YXC")
            said += [str(finding) for finding in og.Compose([changed]).lint(spec)]
            draw(place([changed]), spec, og.Key(1))
        except Exception as error:
            said.append(str(error))
    return said


@pytest.mark.parametrize(("step", "name"), _fields(), ids=lambda part: str(part)[:40])
@settings(max_examples=12, deadline=None)
@given(value=HUGE)
@example(value=1e300)
@example(value=1e-300)
def test_no_message_has_a_long_number(step, name, value):
    for text in _messages(step, name, value):
        assert not LONG.search(text) and len(text) < 1200, text


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (og.GaussianFilter(1e300), "a window of 8.00e+300 samples, more than the limit of 1,048,576"),
        (og.MedianFilter(2001), "a window of 4,004,001 samples"),
        (og.Spacing(1e-300, given=1.0), "would make 1.20e+301 x 1.30e+301 pixels"),
        (og.Pad(2**20), "would make 2097164 x 2097165 pixels"),
    ],
)
def test_what_is_said(step, said):
    with pytest.raises(og.StepError, match=re.escape(said)):
        og.Compose([step])(image=np.zeros((12, 13), np.uint8))


@given(st.integers(-(10**330), 10**330))
def test_a_number_in_words_is_the_number(number):
    text = number_text(number)
    assert len(text) <= 20
    if abs(number) < 10**15:
        assert int(text.replace(",", "")) == number
    else:
        assert abs(Decimal(text) - number) <= Decimal(abs(number)) * Decimal("0.005")


def test_long_values_of_axes_are_cut():
    with pytest.raises(og.StepError) as refused:
        og.MaxFilter((10**300, 10**300))  # type: ignore[arg-type]
    assert "write {'Y': 1000" in str(refused.value) and len(str(refused.value)) < 300
