"""Properties of the steps that change values: Pillow's bytes for any image, and no meaning in the order of axes."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageOps
from tests.support.registry import CASES, KEY, always, make_image, refusal

import offgraph as og
from offgraph.steps.base import Step

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")  # hints of single cases

COLOURS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3))) | st.builds(
    lambda shape, seed, mean, spread: np.clip(
        np.random.default_rng(seed).normal(mean, spread, (*shape, 3)), 0, 255
    ).astype(np.uint8),
    st.tuples(st.integers(1, 60), st.integers(1, 60)), st.integers(0, 99), st.integers(0, 255), st.floats(0, 60),
)  # fmt: skip
"""Few colours that Hypothesis can make simpler, and many as photographs have them."""


@settings(max_examples=200, deadline=None)
@given(COLOURS, st.integers(0, 255), st.integers(1, 8), st.floats(0, 49.9))
def test_bytes_of_pillow(image: np.ndarray, threshold: int, bits: int, cutoff: float):
    file = Image.fromarray(image)
    for step, expected in (
        (og.Invert(), ImageOps.invert(file)),
        (og.Solarize(threshold / 255), ImageOps.solarize(file, threshold)),
        (og.Posterize(bits), ImageOps.posterize(file, bits)),
        (og.Equalize(), ImageOps.equalize(file)),
        (og.AutoContrast(cutoff), ImageOps.autocontrast(file, cutoff)),
        (og.ToGrey(), file.convert("L").convert("RGB")),
    ):
        out = og.Compose([step])(image=image, axes="YXC").image
        np.testing.assert_array_equal(out, np.asarray(expected), err_msg=repr(step))


@settings(max_examples=100, deadline=None)
@given(COLOURS, st.floats(-720, 720), st.floats(0, 3), st.floats(0, 3))
def test_a_turn_of_hues_and_back(image: np.ndarray, degrees: float, saturation: float, value: float):
    """In floats, where nothing is rounded, and where saturation and value are not cut off."""
    turned = og.HueSaturation(degrees, range=255).apply(
        og.Image(image / 1.0, "YXC"), {"hue": degrees, "saturation": 1.0, "value": 1.0}
    )
    back = og.HueSaturation(range=255).apply(turned, {"hue": -degrees, "saturation": 1.0, "value": 1.0})
    np.testing.assert_allclose(back.array, image, rtol=0, atol=1e-9)
    out = og.Compose([og.HueSaturation(degrees, saturation, value)])(image=image, axes="YXC").image
    assert np.abs(out.max(-1) - np.minimum(image.max(-1) * value, 255)).max() <= 0.5 + 1e-4


STEPS = [
    (step, n)
    for step, n in CASES
    if step.kind in ("color", "statistics", "noise") and not step.draws_from  # else there is no image alone
]


@pytest.mark.parametrize(("step", "n"), STEPS, ids=[f"{n}D-{step!r}" for step, n in STEPS])
def test_the_order_of_axes_has_no_meaning(step: Step, n: int):
    """Channels first, last or in between: the same values at the same places, of every frame."""
    step = always(step)
    image = make_image(step, n, "uint8", 3)
    assert not refusal(step, image)
    expected = og.Compose([step])(image=image, key=KEY).targets.image
    for order in permutations(image.axes):
        axes = "".join(order)
        if [name for name in axes if name != "C"] != list("ZYX"[-n:]):
            continue
        moved = og.Image(image.array.transpose([image.axes.index(name) for name in axes]), axes)
        out = og.Compose([step])(image=moved, key=KEY).targets.image
        back = out.array.transpose([out.axes.index(name) for name in expected.axes])
        np.testing.assert_array_equal(back, expected.array)
    video = og.Image(np.stack([image.array] * 2, axis=1), f"{image.axes[0]}T{image.axes[1:]}")
    frames = og.Compose([step])(image=video, key=KEY).targets.image
    assert frames.axes.index("T") == 1
    np.testing.assert_array_equal(frames.array.take(0, axis=1), expected.array)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 5), st.sampled_from([1, 7, "3%", "50%", "100%", (2, 9), ("1%", "90%")]),
    st.integers(0, 1000),
)  # fmt: skip
def test_rectangles_lie_within_the_image(height: int, width: int, holes: int, size: Any, index: int):
    image = np.ones((height, width), np.uint8)
    out = og.Compose([og.CoarseDropout(holes, size=size)])(image=image, key=og.Key(index=index))
    found = out.record["steps"][0]["params"]["holes"]
    assert len(found) == holes
    for hole in found:
        for (start, stop), n in zip(hole, (height, width)):
            assert 0 <= start < stop <= n
    covered = np.zeros_like(image)
    for rows, columns in found:
        covered[slice(*rows), slice(*columns)] = 1
    np.testing.assert_array_equal(out.image, 1 - covered)
