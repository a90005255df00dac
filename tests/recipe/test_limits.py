"""What a recipe may ask for: memory is bounded on the drawn values, before anything is allocated."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import offgraph as og
from offgraph.core.specs import MAX_PIXELS, ArraySpec, OpenSpec
from offgraph.engine.resize import resize, weight_table
from offgraph.formats import decoding
from offgraph.plan.draw import MAX_WINDOW

IMAGE = np.full((20, 30, 3), 7, np.uint8)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (og.Resize((2_000_000_000, 2_000_000_000)), "Resize: .*would make 2000000000 x 2000000000 pixels"),
        (og.Resize(scale=1e4), r"scale=10000\.0 would make 200000 x 300000 pixels \(180,000,000,000 bytes\)"),
        (og.Resize(scale=1e308), "would make"),
        (og.Resize((1, 20_000_000)), "16,777,216 to a side"),
        (og.Resize((1, 10_000_000), kernel="lanczos3"), "takes 70,000,000 weights"),
        (og.Zoom(1e4, order=1, mode="nearest"), "with factor=10000.0 would make 200000 x 300000 pixels"),
        (og.Zoom(1e308, mode="nearest"), "would make"),
        (og.Pad(20_000), "would make 40020 x 40030 pixels"),
        (og.Pad(((0, 0), (0, 1 << 30)), mode="reflect"), "would make 20 x"),
        (og.CenterCrop((50_000, 50_000), pad=True), "would make 50000 x 50000 pixels"),
        (og.RandomCrop((50_000, 50_000), pad=True), "would make 50000 x 50000 pixels"),
        (og.GaussianFilter(2, truncate=1e6), "a window of 4,000,001 samples"),
        (og.GaussianFilter(1e300, truncate=1e300), "a window of inf samples"),
        (og.MedianFilter(10**6), "a window of 1,000,000,000,000 samples"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_memory_without_bound_is_refused_before_any_is_taken(step, says):
    recipe = og.Compose([og.Flip(), step])  # before the measuring: it imports what recipes need
    tracemalloc.start()
    try:
        with pytest.raises(og.StepError, match=says) as caught:
            recipe(image=IMAGE, key=og.Key(1))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(f"step 2, {step.name}: ")


def test_a_turn_of_a_line_makes_a_square_of_its_length():
    with pytest.raises(og.StepError, match=r"would make 1414[0-9] x 1414[0-9] pixels"):
        og.Compose([og.Rotate(45, reshape=True)])(image=np.zeros((2, 20_000), np.uint8))


def test_the_drawn_value_counts():
    """Of a range that reaches too far, the images that draw little are made."""
    recipe = og.Compose([og.Zoom((1.0, 1e6), order=0, mode="nearest")])
    with pytest.raises(og.StepError, match=r"Zoom\(factor=\(1\.0, 1000000\.0\).*with factor=\d"):
        recipe(image=IMAGE, key=og.Key(1))


def test_the_limit_can_be_moved():
    recipe = og.Compose([og.Pad(10)])
    with pytest.raises(og.StepError, match="more than the limit of 1,999 pixels"):
        recipe(image=IMAGE, max_pixels=1999)
    out = recipe(image=IMAGE, max_pixels=2000)
    assert out.image.shape == (40, 50, 3)
    with pytest.raises(og.StepError, match="more than the limit"):
        recipe.replay(out.record, image=IMAGE, max_pixels=1999)


def test_memory_counts_beside_pixels():
    """Eight bytes for each pixel of the limit: three channels of float64 take three times that."""
    image = IMAGE.astype(np.float64)
    with pytest.raises(og.StepError, match=r"40 x 50 pixels \(48,000 bytes\)"):
        og.Compose([og.Pad(10)])(image=image, max_pixels=5999)
    assert og.Compose([og.Pad(10)])(image=image, max_pixels=6000).image.nbytes == 48_000


def test_an_image_that_is_large_already_passes():
    """The limit is on what steps make: what is smaller, as large, or of another dtype is the reader's concern."""
    recipe = og.Compose([og.Flip(), og.Rescale(1 / 255), og.CenterCrop((10, 30)), og.GaussianFilter(1)])
    assert recipe(image=IMAGE, max_pixels=1).image.shape == (10, 30, 3)


def test_it_is_the_limit_of_files():
    assert MAX_PIXELS == decoding.MAX_PIXELS


def test_pixels_and_bytes_of_a_spec():
    spec = ArraySpec((5, 4, 3), "uint16", "YXC")
    assert (spec.pixels, spec.nbytes) == (20, 120)
    assert not hasattr(OpenSpec((None, 4), "uint8", "YX"), "pixels")
    assert OpenSpec((None, 4), "uint8", "YX").resized((5, 4)) == ArraySpec((5, 4), "uint8", "YX")


def test_a_replayed_record_is_held_to_the_limits():
    recipe = og.Compose([og.Zoom((1, 2), order=0, mode="nearest")])
    record = recipe(image=IMAGE, key=og.Key(1)).record
    record["steps"][0]["params"]["factor"] = 1e6
    with pytest.raises(og.StepError, match="would make"):
        recipe.replay(record, image=IMAGE)


def test_large_tables_of_weights_are_not_kept():
    before = len(weight_table(7, 100_000, "triangle", True)[0])
    assert before == 100_000
    assert weight_table(7, 100_000, "triangle", True) is not weight_table(7, 100_000, "triangle", True)
    assert weight_table(7, 100, "triangle", True) is weight_table(7, 100, "triangle", True)
    with pytest.raises(ValueError, match=r"takes .* weights, more than the limit"):
        resize(np.zeros((1, 4)), (1, 50_000_000), axes=(0, 1))


def test_many_channels_make_no_table_larger_than_the_image():
    image = np.arange(300 * 300, dtype=np.uint16).reshape(1, 300, 300)
    recipe = og.Compose([og.Rescale(2)])
    tracemalloc.start()
    try:
        out = recipe(image=og.Image(image, "YXC")).image
        assert tracemalloc.get_traced_memory()[1] < 4 << 20  # a table for each of 300 channels takes 78 MB
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(out, image.astype(np.float32) * 2)


def test_want_of_memory_is_the_machines_failure(monkeypatch: pytest.MonkeyPatch):
    def full(*args, **kwargs):
        raise MemoryError("Unable to allocate 9.00 GiB")

    monkeypatch.setattr(og.Flip, "apply", full)
    with pytest.raises(og.MachineError, match=r"step 1, Flip .*memory"):
        og.Compose([og.Flip()])(image=IMAGE)


def test_what_a_map_refuses_is_told_with_its_step():
    with pytest.raises(og.StepError, match=r"step 1, Affine: a map needs finite numbers"):
        og.Compose([og.Affine(scale=1e-308, translate=(1e300, 0))])(image=IMAGE)


def test_an_angle_without_digits_is_refused():
    """SciPy's sine and cosine of it are both 0: every pixel would be the same one."""
    with pytest.raises(og.StepError, match=r"an angle of 1e\+308 degrees"):
        og.Compose([og.Rotate(1e308)])(image=IMAGE)


def test_limits_are_words_of_the_plan():
    assert MAX_WINDOW >= 1023**2  # a median of 1023 x 1023 is slow, and possible
