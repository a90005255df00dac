"""`from_keras` with the arguments of `ImageDataGenerator`: equal to the live Keras for the same drawn values."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import offgraph as og

CAT = Path(__file__).parents[2] / "docs" / "images" / "cat.jpg"


@pytest.fixture(scope="module")
def generator_class():
    return pytest.importorskip("keras.src.legacy.preprocessing.image").ImageDataGenerator


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.ascontiguousarray(og.imread(CAT)[:200, :200])


def drawn_of(out: Any, step: str) -> dict[str, Any]:
    return next(entry["params"] for entry in out.record["steps"] if step in entry["step"])


def as_keras(params: dict[str, Any]) -> dict[str, float]:
    """The draws of `Affine` under the names of Keras; its matrix is written for (x, y), and applied to (row, column)."""
    shear, scale = params["shear"], params["scale"]
    slope = shear["X"] if isinstance(shear, dict) else 0.0
    by_axis = scale if isinstance(scale, dict) else {"Y": scale, "X": scale}
    down, right = params["translate"]
    return {
        "theta": params["rotate"],
        "tx": -right,
        "ty": -down,
        "shear": math.degrees(math.asin(-slope)),
        "zx": 1 / by_axis["X"],
        "zy": 1 / by_axis["Y"],
    }


@pytest.mark.parametrize(
    "arguments",
    [
        {"rotation_range": 30},
        {"width_shift_range": 0.2, "fill_mode": "reflect"},
        {"height_shift_range": 11.5, "fill_mode": "constant", "cval": 40.0},
        {"width_shift_range": 0.3, "height_shift_range": 0.1, "fill_mode": "wrap"},
        {"zoom_range": [0.7, 1.4]},
        {"rotation_range": 15, "interpolation_order": 3},
    ],
    ids=str,
)
def test_pixels_are_those_of_keras(generator_class, photo, arguments):
    recipe, report = og.from_keras(**arguments)
    live = generator_class(**arguments)
    for index in range(5):
        out = recipe(image=photo.astype(np.float32), key=og.Key(seed=3, index=index))
        theirs = live.apply_transform(photo.astype(np.float32), as_keras(drawn_of(out, "Affine")))
        np.testing.assert_allclose(out.image, theirs, atol=0.01)
        coarse = recipe(image=photo, key=og.Key(seed=3, index=index)).image
        assert np.abs(coarse - np.clip(theirs.astype(np.float64), 0, 255)).max() <= 1
    assert report.steps[0].verdict in ("close", "differs")


def test_a_shear_is_that_of_keras_but_for_the_cosine(generator_class, photo):
    recipe, report = og.from_keras(shear_range=3)
    out = recipe(image=photo.astype(np.float32), key=og.Key(seed=1))
    theirs = generator_class(shear_range=3).apply_transform(
        photo.astype(np.float32), as_keras(drawn_of(out, "Affine"))
    )
    moved = np.abs(out.image - photo).mean()
    assert np.abs(out.image - theirs).mean() < moved / 5
    assert report.steps[0].verdict == "differs" and "cosine" in str(report)


def test_flips_and_brightness_are_those_of_keras(generator_class, photo):
    recipe, report = og.from_keras(horizontal_flip=True, vertical_flip=True, brightness_range=(0.4, 1.6))
    live = generator_class(horizontal_flip=True, vertical_flip=True, brightness_range=(0.4, 1.6))
    for index in range(8):
        out = recipe(image=photo, key=og.Key(seed=5, index=index))
        across, down, bright = (entry for entry in out.record["steps"])
        theirs = live.apply_transform(
            photo.astype(np.float32),
            {
                "flip_horizontal": across["applied"],
                "flip_vertical": down["applied"],
                "brightness": bright["params"]["factor"],
            },
        )
        assert np.abs(out.image - theirs.astype(np.float64)).max() <= 1
    assert [step.verdict for step in report.steps] == ["exact", "exact", "close"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"rescale": 1 / 255},
        {"samplewise_center": True},
        {"samplewise_center": True, "samplewise_std_normalization": True},
        {"rescale": 1 / 127.5, "samplewise_std_normalization": True},
    ],
    ids=str,
)
def test_values_are_those_of_keras(generator_class, photo, arguments):
    recipe, report = og.from_keras(**arguments)
    theirs = generator_class(**arguments).standardize(photo.astype(np.float32))
    np.testing.assert_allclose(recipe(image=photo).image, theirs, rtol=1e-4, atol=1e-4)
    assert {step.verdict for step in report.steps} == {"exact"}


def test_a_generator_after_fit_brings_its_statistics(generator_class, photo):
    live = generator_class(featurewise_center=True, featurewise_std_normalization=True, rotation_range=5)
    live.fit(photo[np.newaxis].astype(np.float32))
    recipe, report = og.from_keras(live)
    theirs = live.standardize(photo.astype(np.float32))
    np.testing.assert_allclose(recipe.eval()(image=photo).image, theirs, rtol=1e-3, atol=1e-3)
    assert report.counts["none"] == 0


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_sizes_are_made_as_keras_loads_images(photo, interpolation, tmp_path):
    load_img = pytest.importorskip("keras.utils").load_img
    og.imwrite(tmp_path / "a.png", photo)
    theirs = np.asarray(load_img(tmp_path / "a.png", target_size=(150, 91), interpolation=interpolation))
    recipe, report = og.from_keras(target_size=(150, 91), interpolation=interpolation)
    apart = np.abs(recipe(image=photo).image.astype(int) - theirs)
    assert report.steps[0].verdict == "close"
    if interpolation == "nearest":
        assert (apart > 0).mean() < 0.2  # 200 to 150 has a place between two pixels for every third
    else:
        assert report.steps[0].levels == (1 if interpolation == "bilinear" else None)
        assert apart.max() <= (report.steps[0].levels or 3)  # sharper edges are further apart


@pytest.mark.parametrize(
    "model", ["mobilenet_v2", "densenet", "efficientnet", "resnet_v2", "vgg16", "resnet"]
)
def test_the_input_of_a_known_model(photo, model):
    applications = pytest.importorskip("keras.applications")
    function = getattr(applications, model).preprocess_input
    theirs = function(photo.astype(np.float32).copy())
    for given in (function, f"keras.applications.{model}.preprocess_input"):
        recipe, report = og.from_keras(preprocessing_function=given)
        np.testing.assert_allclose(recipe(image=photo).image, theirs, atol=1e-5)
        assert report.counts["exact"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"featurewise_center": True},
        {"featurewise_center": True, "featurewise_std_normalization": True, "rescale": 1 / 255},
        {"featurewise_center": True, "zca_whitening": True},
    ],
    ids=str,
)
def test_statistics_that_nobody_found_change_nothing_and_are_warned_of(generator_class, photo, arguments):
    live = generator_class(**arguments)
    with pytest.warns(UserWarning, match="hasn't been fit"):
        theirs = live.standardize(photo.astype(np.float32))
    for given in (arguments, live):
        with pytest.warns(og.OffgraphWarning, match="nothing before fit"):
            recipe, report = og.from_keras(given)
        np.testing.assert_allclose(recipe(image=photo).image, theirs, rtol=1e-6)
        assert report.counts["none"] == 0 and "Keras changes nothing" in str(report)


def test_a_fitted_whitening_is_that_of_the_generator_and_of_no_recipe(generator_class):
    images = np.random.default_rng(0).normal(100, 30, (40, 6, 7, 3)).astype(np.float32)
    live, ours = (
        cls(featurewise_center=True, zca_whitening=True) for cls in (generator_class, og.ImageDataGenerator)
    )
    live.fit(images), ours.fit(images)
    np.testing.assert_allclose(
        ours.standardize(images.copy()), live.standardize(images.copy()), rtol=1e-3, atol=1e-3
    )
    _, report = og.from_keras(live)
    assert [step.verdict for step in report.steps] == ["exact", "none"] and "og.ImageDataGenerator" in str(
        report
    )
    assert ours.flow(images).report.counts == {"exact": 2, "close": 0, "differs": 0, "none": 0}


def test_what_has_no_equal_is_said():
    recipe, report = og.from_keras(preprocessing_function="mine.brighter")
    assert recipe.steps == () and report.counts["none"] == 1 and report.mapped == 0
    for word in ("Lambda", "og.function"):
        assert word in str(report)


def test_a_function_of_ones_own_is_kept():
    named = og.function("tests.migration.darker", lambda image: image // 2)
    recipe, report = og.from_keras(preprocessing_function=named)
    assert recipe(image=np.full((2, 2), 8, np.uint8)).image.max() == 4
    assert report.counts["exact"] == 1
    recipe, report = og.from_keras(preprocessing_function=lambda image: image)
    assert recipe.steps == () and "og.function" in str(report)


def test_the_report_tells_traps_and_what_stands_elsewhere():
    report = og.from_keras(shear_range=0.2, validation_split=0.2).report
    assert "0.2 degrees" in str(report) and "og.split" in str(report)
    assert json.loads(json.dumps(report.to_json()))["steps"][0]["verdict"] == "differs"
    assert report.summary() == "Keras ImageDataGenerator: 1 step: 0 the same, 1 differs"


@pytest.mark.parametrize(
    ("given", "values"), [(3, [-2, -1, 0, 1, 2]), ([2, 5], [-5, -2, 2, 5]), (np.array([4]), [-4, 4])], ids=str
)
def test_shifts_by_pixels_are_those_of_keras(generator_class, given, values):
    """A whole number stands for the numbers below it, a list for its members, both with either sign."""
    recipe, report = og.from_keras(width_shift_range=given)
    image = np.zeros((9, 9), np.float32)
    ours = [
        drawn_of(recipe(image=image, key=og.Key(index=index)), "Affine")["translate"][1]
        for index in range(600)
    ]
    live = generator_class(width_shift_range=given)
    theirs = [live.get_random_transform((9, 9, 1), seed=seed)["ty"] for seed in range(600)]
    for value in values:
        assert abs(ours.count(value) - theirs.count(value)) < 90
    assert set(ours) == set(theirs) == set(values) and report.steps[0].verdict == "close"


def test_nothing_set_is_nothing_to_do():
    recipe, report = og.from_keras(rotation_range=0, rescale=None, horizontal_flip=False, zoom_range=[1, 1])
    assert recipe.steps == () and report.steps == () and report.mapped == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"rotation": 3}, "did you mean rotation_range"),
        ({"rotation_range": "x"}, "field rotation_range: expected a number, got 'x'"),
        ({"rotation_range": float("nan")}, "field rotation_range"),
        ({"rotation_range": 10**400}, "field rotation_range"),
        ({"zoom_range": [1, 2, 3]}, "field zoom_range"),
        ({"zoom_range": 1.5}, "field zoom_range: expected factors above 0"),
        ({"zoom_range": 0.1, "fill_mode": "mirror"}, "field fill_mode: expected one of nearest"),
        ({"zoom_range": 0.1, "interpolation_order": 9}, "field interpolation_order"),
        ({"brightness_range": 0.5}, "field brightness_range: expected (low, high)"),
        ({"horizontal_flip": "yes"}, "field horizontal_flip: expected true or false"),
        ({"target_size": [1, 2, 3]}, "field target_size"),
        ({"target_size": (10, 10), "interpolation": "cubic"}, "field interpolation"),
        ({"featurewise_center": True, "mean": []}, "field mean"),
    ],
    ids=str,
)  # fmt: skip
def test_what_keras_does_not_take_is_refused(arguments, says):
    with pytest.raises(og.RecipeError, match="ImageDataGenerator") as error:
        og.from_keras(**arguments)
    assert says in str(error.value)


def test_other_things_are_refused():
    with pytest.raises(og.ArgumentError, match="expected layers of Keras"):
        og.from_keras(3)
