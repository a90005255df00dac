"""The way back: exact where pixels only change places, half a pixel true where they are resampled."""

from __future__ import annotations

import doctest
import json

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageOps

import offgraph as og
from offgraph.geometry import frame as frame_module
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.frame import Frame
from offgraph.geometry.orientation import orientation_map

RNG = np.random.default_rng(3)


def make_image(*shape: int, dtype: str = "uint8") -> np.ndarray:
    return RNG.integers(1, 250, shape).astype(dtype)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_pillows(orientation: int):
    stored = make_image(5, 7, 3)
    file = PillowImage.fromarray(stored)
    file.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(file))
    way = Frame((orientation_map(orientation, (5, 7)),))
    assert way.output_size == upright.shape[:2]
    for kind in ("mask", "heatmap"):
        np.testing.assert_array_equal(way.undo(**{kind: upright}), stored)


@pytest.mark.parametrize("orientation", [0, 9, None])
def test_orientations_that_are_none(orientation):
    with pytest.raises(og.OffgraphError, match="known are 1 to 8"):
        orientation_map(orientation, (5, 7))


@pytest.mark.parametrize(
    "steps",
    [
        [og.Flip("X"), og.Flip("Y")],
        [og.Rotate(90, reshape=True)],
        [og.Rotate(180), og.Flip("X"), og.Rotate(-90, reshape=True)],
        [og.Pad(((3, 1), (0, 9)), mode="reflect"), og.Flip("Y")],
        [og.CenterCrop((12, 14), pad=True), og.Rotate(270, reshape=True), og.Pad(2)],
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", ["uint8", "int64", "uint64", "float32"])
def test_moves_come_back_in_equal_bytes(steps, dtype):
    image = make_image(10, 13, 2, dtype=dtype)
    if dtype.endswith("64"):
        image += np.iinfo(dtype).max - 300  # values that float64 does not hold
    way = og.Compose(steps)
    out = way(image=np.zeros((10, 13), np.uint8), mask=image[..., 0] if dtype != "float32" else None)
    if dtype != "float32":
        back = out.frame.undo(mask=out.mask)
        assert back.dtype == image.dtype
        np.testing.assert_array_equal(back, image[..., 0])
    else:
        out = way(image=image)
        np.testing.assert_array_equal(out.frame.undo(image=out.image), image)
        np.testing.assert_array_equal(out.frame.undo(heatmap=out.image[..., 0]), image[..., 0])


def test_what_was_cut_off_is_filled():
    mask = make_image(10, 12)
    out = og.Compose([og.CenterCrop((4, 6))])(image=mask, mask=mask)
    back = out.frame.undo(mask=out.mask, fill=255)
    expected = np.full_like(mask, 255)
    expected[3:7, 3:9] = mask[3:7, 3:9]
    np.testing.assert_array_equal(back, expected)


def test_what_was_cut_off_and_padded_again_is_still_not_there():
    mask = make_image(10, 12)
    out = og.Compose([og.CenterCrop((4, 6)), og.Pad(3, mode="nearest")])(image=mask, mask=mask)
    back = out.frame.undo(mask=out.mask)
    assert not back[:3].any() and not back[7:].any() and not back[:, :3].any() and not back[:, 9:].any()
    np.testing.assert_array_equal(back[3:7, 3:9], mask[3:7, 3:9])


@pytest.mark.parametrize("size", [(20, 24), (7, 50), (33, 9), (16, 16)])
def test_a_resize_comes_back_to_the_pixel(size):
    """A ramp, shrunk or enlarged, comes back as the ramp: a shift of half a pixel would be seen."""
    rows = np.broadcast_to(np.arange(40.0)[:, None], (40, 30)).copy()
    columns = np.broadcast_to(np.arange(30.0)[None, :], (40, 30)).copy()
    recipe = og.Compose([og.Resize(size)])
    for ramp, n, m in ((rows, 40, size[0]), (columns.T.copy(), 30, size[1])):
        ramp = ramp if n == 40 else ramp.T
        out = recipe(image=ramp)
        back = out.frame.undo(heatmap=out.image)
        edge = 2 * max(1, -(-n // m))
        inner = np.s_[edge:-edge, :] if n == 40 else np.s_[:, edge:-edge]
        assert np.abs((back - ramp)[inner]).mean() < 0.1
        assert abs((back - ramp)[inner].mean()) < 0.02


def test_a_mask_through_the_usual_recipe():
    """Objects come back where they were, to a pixel, through resize, turn, shear and crop."""
    rows, columns = np.ogrid[:120, :160]
    mask = (((rows - 60) ** 2 + (columns - 80) ** 2) < 30**2).astype(np.uint8)
    recipe = og.Compose(
        [
            og.Resize((96, 128)),
            og.Augment(og.Rotate((-15, 15)), og.Affine(shear=(-0.2, 0.2))),
            og.CenterCrop((90, 90)),
        ]
    )
    out = recipe(image=mask, mask=mask, key=og.Key(5))
    back = out.frame.undo(mask=out.mask)
    assert back.shape == mask.shape
    union, both = (back | mask).sum(), (back & mask).sum()
    assert both / union > 0.95
    np.testing.assert_allclose(np.argwhere(back).mean(axis=0), [60, 80], atol=0.3)


def test_frames_join_and_travel_as_json():
    stored = make_image(6, 9)
    first = Frame((orientation_map(6, (6, 9)),))
    upright = np.rot90(stored, -1)
    out = og.Compose([og.Rotate(17, reshape=True), og.Flip("X")])(image=upright, mask=upright)
    whole = Frame.from_json(json.loads(json.dumps(first.then(out.frame).to_json())))
    assert (whole.input_size, whole.output_size) == ((6, 9), out.frame.output_size)
    step_by_step = first.undo(mask=out.frame.undo(mask=out.mask))
    np.testing.assert_array_equal(whole.undo(mask=out.mask), step_by_step)


def test_volumes_and_channels():
    volume = make_image(4, 6, 8)
    out = og.Compose([og.Rotate(90, plane="ZX", reshape=True), og.Flip("Z")])(image=volume, axes="ZYX")
    np.testing.assert_array_equal(out.frame.undo(image=out.image), volume)
    first = make_image(3, 6, 8)
    out = og.Compose([og.Rotate(90, reshape=True)])(image=first, axes="CYX")
    np.testing.assert_array_equal(out.frame.undo(image=out.image, axes="CYX"), first)


def test_half_precision_comes_back_as_single():
    heatmap = RNG.random((6, 8)).astype(np.float16)
    back = Frame((AffineMap.window((-1, -1), (6, 8), (4, 6)),)).undo(heatmap=heatmap)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, heatmap[1:5, 1:7])


def test_coordinates_round_trip():
    out = og.Compose([og.Resize((33, 47)), og.Rotate(12), og.Affine(scale=1.2, translate=(3, -1))])(
        image=make_image(50, 60)
    )
    points = RNG.uniform(0, 50, (20, 2))
    np.testing.assert_allclose(out.frame.map(out.frame.map.inverse()(points)), points, atol=1e-10)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "undo takes one of"),
        ({"mask": np.zeros((4, 4)), "image": np.zeros((4, 4))}, "undo takes one of"),
        (
            {"mask": np.zeros((5, 4), np.uint8)},
            r"shape \(5, 4\) does not lie on this frame's output grid of size \(4, 4\)",
        ),
        ({"mask": np.zeros(4, np.uint8)}, "does not lie on"),
        ({"mask": np.zeros((4, 4), np.uint8), "fill": -1}, "fill=-1 cannot be held by dtype uint8"),
        ({"heatmap": np.zeros((3, 4, 4)), "axes": "YXC"}, "does not lie on"),
    ],
)
def test_arrays_that_do_not_fit(arguments, says):
    with pytest.raises(og.OffgraphError, match=says):
        Frame.start((4, 4)).undo(**arguments)


def test_no_way_back():
    with pytest.raises(og.OffgraphError, match="has no inverse"):
        AffineMap(np.zeros((2, 2)), np.zeros(2), (4, 4), (4, 4)).inverse()


def test_maps_that_are_none():
    with pytest.raises(og.OffgraphError, match="needs a matrix of 2 x 2"):
        AffineMap(np.eye(3), np.zeros(3), (4, 4), (4, 4))
    with pytest.raises(og.OffgraphError, match="finite"):
        AffineMap(np.full((2, 2), np.nan), np.zeros(2), (4, 4), (4, 4))
    with pytest.raises(og.OffgraphError, match="cannot follow"):
        AffineMap.identity((4, 4)).then(AffineMap.identity((5, 4)))
    with pytest.raises(og.OffgraphError, match="at least one map"):
        Frame(())


def test_an_image_without_pixels():
    way = Frame((AffineMap.window((0, 0), (0, 3), (4, 4)),))
    np.testing.assert_array_equal(way.undo(mask=np.zeros((0, 3), np.uint8), fill=7), np.full((4, 4), 7))


def test_examples():
    assert doctest.testmod(frame_module, extraglobs={"np": np}).failed == 0


@pytest.mark.parametrize(
    "data", ["x", None, [3], [{}], [{"matrix": "a", "offset": 1, "input_size": 3, "output_size": 3}]]
)
def test_from_json_refuses_what_to_json_did_not_write(data):
    with pytest.raises(og.OffgraphError, match="to_json"):
        Frame.from_json(data)


def test_a_mask_of_floats_is_no_mask():
    with pytest.raises(og.OffgraphError, match="heatmap="):
        Frame.start((2, 2)).undo(mask=np.ones((2, 2)) * 0.3)
