"""Every comparison with another library is measured, where that library is installed; the docs hold what was measured."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.references import record
from tests.references.declared import LIBRARIES, Measured, Reference

import offgraph as og

ROWS = record.declared()
KEPT = json.loads(record.PATH.read_text())


@pytest.mark.parametrize("one", ROWS, ids=lambda one: f"{one.name}-{one.library}-{one.call}")
def test_a_step_is_as_near_as_it_is_said_to_be(one: Reference):
    if not one.is_installed():
        pytest.skip(f"{one.library} is not installed; docs/references.json has what was measured")
    found = one.measure()
    if one.bound == 0:
        assert found.equal, found
    else:
        assert found.largest <= one.bound, found


def test_the_figures_in_the_docs_are_of_these_comparisons():
    assert [{key: each[key] for key in record.said(one)} for one, each in zip(ROWS, KEPT, strict=True)] == [
        record.said(one) for one in ROWS
    ], "run python -m tests.references"
    for each in KEPT:
        assert each["equal"] if each["bound"] == 0 else each["largest"] <= each["bound"]
        assert each["version"] or each["library"] not in ("OpenCV", "Albumentations")


def test_bounds_are_not_far_from_what_is_measured():
    """A bound that nothing comes near says nothing: whole grey levels are exact, floats within two orders of magnitude."""
    for each in KEPT:
        if each["bound"] >= 1:
            assert each["largest"] > each["bound"] - 2, each
        elif each["bound"] > 0:
            assert each["largest"] == 0 or each["largest"] > each["bound"] / 1e7, each


def test_a_difference_with_a_reason():
    assert all(one.why for one in ROWS if one.bound > 0)
    assert all(each["library"] in LIBRARIES for each in KEPT)


def test_thirty_steps_and_seven_references():
    steps = {name for each in KEPT for name in each["steps"]}
    assert (
        len(steps) >= 50 and steps <= set(og.STEPS) and {each["library"] for each in KEPT} == set(LIBRARIES)
    )
    assert len({name for each in KEPT if each["bound"] == 0 for name in each["steps"]}) >= 30


def test_a_difference_is_seen():
    row = Reference(
        "SciPy", "", lambda: og.Brightness(shift=2 / 255), lambda image: image + np.uint8(1), images=("grey",)
    )
    found = row.measure()
    assert not found.equal and found.largest == 1 and found.mean == 1
    other = Reference("SciPy", "", og.Identity, lambda image: image.astype(float), images=("grey",)).measure()
    assert other == Measured(False, 0, 0)  # another type is another answer
