"""`from_keras` with preprocessing layers: equal to the live Keras; their configurations, files and models."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tests.migration.keras_cases import CASES
from tests.migration.measure import both_of_keras, photo

import offgraph as og
from offgraph.migration.keras_layers import TABLE


def layer(name: str, **config: Any) -> dict[str, Any]:
    return {
        "module": "keras.layers",
        "class_name": name,
        "config": {"name": "x", "trainable": True, **config},
    }


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_pixels_are_as_near_as_the_report_says(keras, name: str, arguments: dict[str, Any]):
    theirs, ours, report = both_of_keras(name, arguments, photo())
    assert theirs.shape == ours.shape
    (line,) = report.steps
    if line.verdict == "differs":
        pytest.skip("said to differ")
    if line.levels is None and line.verdict == "close":
        assert (np.abs(theirs.astype(np.float64) - ours) > 1).mean() < 0.01, (
            report
        )  # but for equally near pixels
        return
    apart = np.abs(theirs.astype(np.float64) - ours).max()
    assert apart <= (1e-5 if ours.dtype.kind == "f" else 0 if line.verdict == "exact" else line.levels), (
        report
    )


def test_what_has_no_bound_and_what_differs(keras):
    layers = keras.layers
    (line,) = og.from_keras(layers.RandomRotation(0.1, interpolation="nearest")).report.steps
    assert (line.verdict, line.levels) == ("close", None)
    for factor, value_range, verdict in (
        (0.5, (0, 255), "close"),
        (0.7, (0, 255), "differs"),
        (0.7, (0, 1), "close"),
    ):
        layer = layers.RandomSaturation((factor, factor), value_range=value_range)
        assert og.from_keras(layer).report.steps[0].verdict == verdict


def test_a_drawn_shear_is_that_of_keras(keras):
    recipe, report = og.from_keras(keras.layers.RandomShear(x_factor=0.2, y_factor=0.1))
    image = photo()
    out = recipe(image=image, key=og.Key(seed=1))
    shear = out.record["steps"][0]["params"]["shear"]
    live = keras.layers.RandomShear(x_factor=0.2, y_factor=0.1)
    theirs = live.transform_images(
        image[np.newaxis].astype(np.float32),
        {
            "shear_factor": np.array([[shear["X"], shear["Y"]]], np.float32),
            "input_shape": (1, *image.shape),
        },
        training=True,
    )
    assert np.abs(np.asarray(theirs)[0] - out.image).max() < 0.51
    assert report.steps[0].verdict == "close"


def test_layers_their_configuration_and_a_model_are_one(keras, tmp_path):
    layers = [
        keras.layers.Resizing(40, 50),
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(0.1, fill_mode="nearest"),
        keras.layers.Rescaling(1 / 255),
    ]
    recipe, report = og.from_keras(layers)
    assert report.mapped == 1 and [type(item).__name__ for item in recipe.items] == [
        "Resize",
        "Augment",
        "Rescale",
    ]
    model = keras.Sequential([keras.layers.Input((60, 60, 3)), *layers, keras.layers.Conv2D(2, 3)])
    (tmp_path / "model.json").write_text(model.to_json())
    functional = keras.Model(model.inputs, model.outputs)
    for other in (
        [each.get_config() | {"class_name": type(each).__name__} for each in layers],
        [keras.saving.serialize_keras_object(each) for each in layers],
        keras.layers.Pipeline(layers),
        keras.Sequential(layers).get_config(),
        model,
        functional,
        json.loads(model.to_json()),
        tmp_path / "model.json",
    ):
        assert og.from_keras(other).recipe == recipe
    assert "from Conv2D on are the model's own" in str(og.from_keras(model).report)
    assert og.from_keras(layers[1]).recipe.steps == (og.Flip("X", p=0.5),)


def test_an_adapted_normalization_brings_its_statistics(keras):
    image = photo()
    live = keras.layers.Normalization()
    live.adapt(image[np.newaxis].astype(np.float32))
    recipe, report = og.from_keras(live)
    np.testing.assert_allclose(recipe(image=image).image, np.asarray(live(image[np.newaxis]))[0], atol=1e-3)
    assert report.counts["exact"] == 1
    report = og.from_keras(layer("Normalization", axis=[-1], mean=None, variance=None)).report
    assert report.counts["none"] == 1 and "og.statistics" in str(report)


def test_what_is_drawn_is_what_keras_draws():
    def only(name: str, **config: Any) -> Any:
        return og.from_keras([layer(name, **config)]).recipe.steps[0]

    assert only("RandomRotation", factor=0.1).angle == (-36, 36)
    assert only("RandomTranslation", height_factor=0.1, width_factor=(0, 0.2)).shift == {
        "Y": ("-10%", "10%"),
        "X": ("0%", "20%"),
    }
    assert only("RandomZoom", height_factor=(-0.5, 0.25)).scale == (0.8, 2)
    assert only("RandomBrightness", factor=0.2, value_range=(0, 1)).range == 1
    assert only("RandomHue", factor=0.5).hue == (-90, 90)
    assert only("RandomInvert", factor=0.5).p == 0.25
    assert only("RandomPosterization", factor=(2, 5)).bits == (2, 4)
    assert only("RandomHeight", factor=0.5).scale == {"Y": (0.5, 1.5)}
    recipe, report = og.from_keras([layer("RandomColorJitter", brightness_factor=0.2, hue_factor=0.1)])
    assert [step.name for step in recipe.steps] == ["Brightness", "HueSaturation"] and report.steps[
        0
    ].verdict == "differs"


def test_what_has_no_equal_is_said():
    report = og.from_keras([layer("MixUp", alpha=0.2), layer("RandomThing"), layer("AugMix")]).report
    assert report.counts["none"] == 3
    assert "og.MixUp" in str(report) and "not known here" in str(report)


def test_every_layer_of_the_library_is_in_the_table(keras):
    base = keras.src.layers.preprocessing.image_preprocessing.base_image_preprocessing_layer
    names = {
        name
        for name in dir(keras.layers)
        if isinstance(cls := getattr(keras.layers, name), type)
        and issubclass(cls, base.BaseImagePreprocessingLayer)
    }
    assert len(names) > 20 and {name for name in names if name not in TABLE} == set()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([layer("Resizing", height=3)], "step 1 (Resizing), field width: is missing"),
        ([layer("RandomFlip", mode="diagonal")], "step 1 (RandomFlip), field mode: expected one of horizontal"),
        ([layer("RandomRotation", factor="much")], "field factor"),
        ([layer("RandomRotation", factor=0.1, fill_mode="mirror")], "field fill_mode"),
        ([layer("RandomZoom", height_factor=-1)], "field height_factor: expected above -1"),
        ([layer("Normalization", mean=[1], variance=[-1])], "field variance"),
        ([layer("CenterCrop", height=0, width=2)], "step 1 (CenterCrop): no step of Offgraph takes these arguments"),
        ([layer("RandomBrightness", factor=0.1, value_range=[1])], "field value_range"),
        ([{"config": {}}], "a layer is a mapping with class_name and config"),
        ([[[]]] * 3 + [{}], "a layer is a mapping"),
        ([layer("RandomFlip")] * 1500, "more than 1000 steps"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)  # fmt: skip
def test_what_keras_does_not_take_is_refused(given, says):
    with pytest.raises(og.RecipeError) as error:
        og.from_keras(given)
    assert says in str(error.value)


def test_deep_nesting_is_refused():
    deep: Any = layer("RandomFlip")
    for _ in range(1000):
        deep = layer("Sequential", layers=[deep])
    with pytest.raises(og.RecipeError, match="nested more than"):
        og.from_keras(deep)
    with pytest.raises(og.ArgumentError, match="no further arguments"):
        og.from_keras([layer("RandomFlip")], rotation_range=3)
