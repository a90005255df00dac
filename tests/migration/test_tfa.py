"""`from_tfa`: `tf.image` against the live TensorFlow, `tfa.image` against the operation and the formula that it is made of."""

from __future__ import annotations

import functools
import json
import math
from typing import Any

import numpy as np
import pytest
from tests.migration.measure import photo

import offgraph as og
from offgraph.migration.tfa_table import TABLE


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow")


def projected(
    tf: Any, image: np.ndarray, transform: list[float], interpolation: str, fill_mode: str = "CONSTANT"
) -> np.ndarray:
    """The operation under `tfa.image.transform`, `rotate`, `translate` and `shear_x`: ``x_in = a0 x + a1 y + a2``."""
    out = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[np.newaxis].astype(np.float32),
        transforms=[transform],
        output_shape=image.shape[:2],
        interpolation=interpolation,
        fill_mode=fill_mode,
        fill_value=0.0,
    )
    return out.numpy()[0]


def ours(*calls: Any) -> tuple[np.ndarray, Any]:
    recipe, report = og.from_tfa(list(calls))
    return recipe(image=photo(), key=og.Key(seed=1)).image.astype(np.float64), report


def turned(angle: float, height: int, width: int) -> list[float]:
    """The documented formula of a turn about the centre."""
    cos, sin = math.cos(angle), math.sin(angle)
    right, down = width - 1, height - 1
    return [
        cos,
        -sin,
        (right - (cos * right - sin * down)) / 2,
        sin,
        cos,
        (down - (sin * right + cos * down)) / 2,
        0,
        0,
    ]


@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "reflect"])
def test_turns_shifts_and_matrices(tf, fill_mode):
    height, width = photo().shape[:2]
    options = {"interpolation": "bilinear", "fill_mode": fill_mode}
    for call, transform in (
        (("rotate", {"angles": 0.3, **options}), turned(0.3, height, width)),
        (("translate", {"translations": [7.5, -20], **options}), [1, 0, -7.5, 0, 1, 20, 0, 0]),
        (
            ("transform", {"transforms": [1, 0.1, 3, -0.2, 0.9, 5, 0, 0], **options}),
            [1, 0.1, 3, -0.2, 0.9, 5, 0, 0],
        ),
    ):
        theirs = projected(tf, photo(), transform, "BILINEAR", fill_mode.upper())
        found, report = ours(call)
        assert np.abs(found - theirs).max() <= 0.51, call
        assert report.steps[0].verdict == "close"


def test_shears_are_about_the_corner(tf):
    theirs = projected(tf, photo(), [1, 0.2, 0, 0, 1, 0, 0, 0], "NEAREST")
    found, _ = ours(("shear_x", {"level": 0.2, "replace": 0}))
    assert (found != theirs).mean() < 0.02
    theirs = projected(tf, photo(), [1, 0, 0, -0.1, 1, 0, 0, 0], "NEAREST")
    found, _ = ours(("shear_y", {"level": -0.1, "replace": 0}))
    assert (found != theirs).mean() < 0.02


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("flip_left_right", {}), ("flip_up_down", {}), ("rot90", {"k": 3}), ("transpose", {}),
        ("resize", {"size": [150, 200]}), ("resize", {"size": [77, 91], "method": "bicubic", "antialias": True}),
        ("resize", {"size": [97, 101], "method": "nearest"}), ("resize_with_crop_or_pad", {"target_height": 320, "target_width": 201}),
        ("adjust_brightness", {"delta": 0.2}), ("adjust_saturation", {"saturation_factor": 1.6}), ("adjust_hue", {"delta": 0.1}),
        ("adjust_gamma", {"gamma": 0.7}), ("rgb_to_grayscale", {}), ("per_image_standardization", {}),
        ("convert_image_dtype", {"dtype": "float32"}),
    ],
    ids=str,
)  # fmt: skip
def test_tensorflows_own_functions(tf, name, arguments):
    theirs = np.asarray(getattr(tf.image, name)(photo(), **arguments)).astype(np.float64)
    found, report = ours((name, arguments))
    (line,) = report.steps
    exact = 1e-3 if line.verdict == "exact" else 0
    assert np.abs(found - theirs).max() <= ((line.levels or 0) if line.verdict == "close" else exact)


def test_windows(tf):
    """A median and a mean of 3 x 3, their neighbours beyond the border mirrored: `tfa.image` pads with tf.pad's REFLECT."""
    padded = np.pad(photo().astype(np.float64), ((1, 1), (1, 1), (0, 0)), "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    found, report = ours({"median_filter2d": {"filter_shape": 3}})
    np.testing.assert_array_equal(found, np.median(windows, axis=(-2, -1)))
    assert report.counts["exact"] == 1
    found, report = ours({"mean_filter2d": {"filter_shape": [3, 3]}})
    assert np.abs(found - windows.mean(axis=(-2, -1))).max() <= report.steps[0].levels
    weights = np.exp(-(np.arange(-1, 2) ** 2) / 2 / 0.8**2)
    weights /= weights.sum()
    found, report = ours({"gaussian_filter2d": {"filter_shape": 3, "sigma": 0.8}})
    assert (
        np.abs(found - np.einsum("yxcij,i,j->yxc", windows, weights, weights)).max() <= report.steps[0].levels
    )


def test_what_is_drawn():
    def only(*call: Any) -> dict[str, Any]:
        return og.from_tfa([call]).recipe.steps[0].fields()

    assert only("rotate", {"angles": (-math.pi / 6, math.pi / 6)})["angle"] == pytest.approx([-30, 30])
    assert only("random_hue", {"max_delta": 0.1})["hue"] == [-36, 36]
    assert only("random_saturation", {"lower": 0.5, "upper": 1.5})["saturation"] == [0.5, 1.5]
    assert only("random_brightness", {"max_delta": 0.2})["shift"] == [-0.2, 0.2]
    assert only("random_jpeg_quality", {"min_jpeg_quality": 30, "max_jpeg_quality": 70})["quality"] == [
        30,
        69,
    ]
    assert only("translate", {"translations": [(-3, 3), 5]})["shift"] == {"Y": [5, 5], "X": [-3, 3]}
    assert og.from_tfa(["random_flip_left_right"]).recipe.steps[0] == og.Flip("X", p=0.5)


def test_ways_to_write_a_call(tmp_path):
    def rotate(images: Any, angles: float) -> Any:
        return images

    recipe = og.from_tfa([("rotate", {"angles": 0.5})]).recipe
    (tmp_path / "a.json").write_text(json.dumps([["rotate", {"angles": 0.5}]]))
    for other in (
        ("rotate", {"angles": 0.5}),
        {"rotate": {"angles": 0.5}},
        [{"_target_": "tfa.image.rotate", "angles": 0.5}],
        functools.partial(rotate, angles=0.5),
        tmp_path / "a.json",
    ):
        assert og.from_tfa(other).recipe == recipe
    assert og.from_tfa(["tf.image.stateless_random_flip_up_down"]).recipe.steps[0].p == 0.5


def test_what_has_no_equal_is_said():
    report = og.from_tfa(
        ["dense_image_warp", "mystery", ("transform", {"transforms": [1, 0, 0, 0, 1, 0, 0.1, 0]})]
    ).report
    assert report.counts["none"] == 3 and "Elastic" in str(report) and "projective" in str(report)
    assert all(row.ours or row.why for row in TABLE.rows())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([("rotate", {})], "step 1 (rotate), field angles: is missing"),
        ([("rotate", {"angles": "much"})], "field angles"),
        ([("rotate", {"angles": 1, "fill_mode": "mirror"})], "field fill_mode"),
        ([("rotate", {"angles": 1, "interpolation": "cubic"})], "field interpolation"),
        ([("translate", {"translations": 3})], "field translations"),
        ([("transform", {"transforms": [1, 2]})], "field transforms: expected eight numbers"),
        ([("median_filter2d", {"filter_shape": 0})], "field filter_shape"),
        ([("resize", {"size": [1]})], "field size"),
        ([("resize", {"size": [10, 10], "method": "fast"})], "field method"),
        ([{"a": 1, "b": 2}], "step 1: a call is written"),
        ([["a", "b", "c"]], "a call is written"),
        (["flip_left_right"] * 1500, "more than 1000 steps"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_call_is_refused(given, says):
    with pytest.raises(og.RecipeError) as error:
        og.from_tfa(given)
    assert says in str(error.value)


def test_other_things_are_refused():
    with pytest.raises(og.ArgumentError, match="expected calls"):
        og.from_tfa(3)
