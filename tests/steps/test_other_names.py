"""Names and arguments as other libraries have them are answered with ours."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import offgraph as og
from offgraph.core.suggestions import other_libraries_name

STEPS: Any = og
"""Calls that no type checker would let pass."""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("HorizontalFlip", "Albumentations' HorizontalFlip is Flip here"),
        ("RandomHorizontalFlip", "torchvision's RandomHorizontalFlip is Flip here"),
        ("RandomRotation", "RandomRotation is Rotate here"),
        ("NoOp", "instead of Albumentations' NoOp: no step is needed"),
        ("Normalise", "did you mean Normalize?"),
        ("open_sorce", "did you mean open_source?"),
    ],
)
def test_names_that_are_not_there(name: str, says: str):
    with pytest.raises(
        AttributeError, match=f"^module 'offgraph' has no attribute '{name}'; .*{re.escape(says)}"
    ):
        getattr(og, name)


def test_a_name_that_programs_ask_for_loads_nothing():
    code = (
        "import sys, offgraph as og\n"
        "assert not any(hasattr(og, name) for name in ('__wrapped__', '_ipython_display_', 'shape', 'nothing'))\n"
        "assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "name", ["Resize", "RandomCrop", "CenterCrop", "RandomResizedCrop", "LetterBox", "PadTo"]
)
def test_a_size_is_one_argument(name: str):
    step = getattr(og, name)
    for args, given in (((224, 160), {}), ((), {"height": 224, "width": 160})):
        with pytest.raises(
            og.StepError, match=rf"^{name}: a size is one argument: write {name}\(\(224, 160\)\)$"
        ):
            step(*args, **given)
    step((224, 160))
    with pytest.raises(og.StepError) as other:
        step(224, height=3)
    assert "one argument" not in str(other.value)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: STEPS.Rotate(limit=15),
            "limit: is not a parameter; it is called angle here. Known are angle",
        ),
        (lambda: STEPS.Rotate(5, interpolation=1), "it is called order here"),
        (lambda: STEPS.Rotate(5, border_mode=4), "it is called mode here"),
        (lambda: STEPS.Rotate(5, value=0), "it is called cval here"),
        (lambda: STEPS.GaussianFilter(sigma_limit=3), "it is called sigma here"),
        (lambda: STEPS.Flip(always_apply=True), "it is called p here"),
        (lambda: STEPS.Rotate(5, angel=3), "did you mean angle? Known are"),
        (lambda: STEPS.Flip(limit=3), "limit: is not a parameter; known are axis"),
        (
            lambda: STEPS.Flip("horizontal"),
            "left and right, top and bottom, or slices change places, got 'horizontal'",
        ),
        (lambda: STEPS.Flip(1), "'X', 'Y' or 'Z': .*, got 1"),
    ],
)
def test_arguments_as_others_call_them(call, says: str):
    with pytest.raises(og.StepError, match=says.replace("?", r"\?")):
        call()


def test_what_is_called_otherwise_is_a_parameter():
    for step in og.STEPS.values():
        known = list(step.__dataclass_fields__)
        assert not any(other_libraries_name(name, known) for name in known)


def test_channels_first_and_batches_are_recognised():
    recipe = og.Compose([og.Resize(8)])
    with pytest.raises(
        og.StepError, match=r"channels are first, axes='CYX', or np\.moveaxis\(array, 0, -1\)"
    ):
        recipe(np.zeros((3, 20, 30), np.uint8))
    with pytest.raises(og.StepError, match=r"a batch of images is called image by image.*'TYXC'"):
        recipe(np.zeros((16, 20, 30, 3), np.uint8))
    with pytest.raises(og.StepError, match=r"channels last \[|channels last$"):
        recipe(np.zeros((20, 20, 30), np.uint8))
