"""Variants that training never drew are named, those that it drew are not; by the recipe, and by the model's own layers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.models import keras

import offgraph as og
from offgraph.frameworks.augmenting_layers import augmenting_symmetries
from offgraph.inference.trained_variants import never_drawn
from offgraph.inference.variants import variants_of

layers = keras.layers
QUARTERS, HALF, DIAGONAL = "turned by quarters", "turned by a half", "mirrored along a diagonal"
X, Y = "mirrored along X", "mirrored along Y"


def brightness(batch: np.ndarray) -> np.ndarray:
    light = batch.mean(axis=(1, 2, 3))
    return np.stack([1 - light, light], axis=1)


def unknown(augment: list[Any], tta: Any) -> set[str]:
    """What the variants do to images that such a training never did, of a model in memory."""
    recipe = og.Compose([og.Resize((32, 32)), og.Augment(*augment), og.Rescale(1 / 255)])
    saved = og.Predictor(brightness, recipe=recipe, task="classify").saved
    return set(never_drawn(saved, variants_of(tta, saved.input_spec)))


@pytest.mark.parametrize(
    ("augment", "mirrored", "flips", "d4"),
    [
        ([og.Gamma((0.7, 1.4))], {X}, {X, Y, HALF}, {X, Y, HALF, QUARTERS, DIAGONAL}),
        ([og.Flip("X", p=0.5)], set(), {Y, HALF}, {Y, HALF, QUARTERS, DIAGONAL}),
        ([og.Flip("X", p=0.5), og.Rotate((-15, 15))], set(), {Y, HALF}, {Y, HALF, QUARTERS, DIAGONAL}),
        ([og.Flip("X", p=0.5), og.Flip("Y", p=0.05)], set(), set(), {QUARTERS, DIAGONAL}),
        ([og.Rotate((-180, 180))], {X}, {X, Y}, {X, Y, DIAGONAL}),
        ([og.Rotate90(), og.Transpose(p=0.2)], set(), set(), set()),
        ([og.D4()], set(), set(), set()),
        ([og.OneOf([og.Gamma((0.7, 1.4)), og.Sequence([og.Flip("X"), og.Affine(scale=(0.8, 1.2))])])], set(), {Y, HALF},
         {Y, HALF, QUARTERS, DIAGONAL}),
        ([og.Affine(matrix=((0, -1), (1, 0)))], {X}, {X, Y}, {X, Y, DIAGONAL}),
    ],
)  # fmt: skip
def test_what_training_never_drew(augment: list[Any], mirrored: set[str], flips: set[str], d4: set[str]):
    assert unknown(augment, "mirrored") == mirrored
    assert unknown(augment, "flips") == flips
    assert unknown(augment, "d4") == d4


def test_a_crop_of_images_larger_than_usual():
    recipe = og.Compose(
        [og.Augment(og.RandomCrop((400, 400)), og.D4()), og.Resize((32, 32)), og.Rescale(1 / 255)]
    )
    saved = og.Predictor(brightness, recipe=recipe, task="classify").saved
    assert never_drawn(saved, variants_of("d4", saved.input_spec)) == ()
    recipe = og.Compose([og.Augment(og.RandomCrop((4000, 400))), og.Resize((32, 32)), og.Rescale(1 / 255)])
    saved = og.Predictor(brightness, recipe=recipe, task="classify").saved
    assert never_drawn(saved, variants_of("d4", saved.input_spec)) == (), "nothing is known"


def test_variants_of_ones_own():
    assert unknown([og.Gamma((0.7, 1.4))], [og.Rotate(8), og.Shift((2, 0))]) == set()
    assert unknown([og.Gamma((0.7, 1.4))], [og.Rotate(8), [og.Flip("X"), og.Rotate(-8)]]) == {X}
    assert unknown([og.Gamma((0.7, 1.4))], [og.Rotate(180)]) == {HALF}


@settings(max_examples=25, deadline=None)
@given(
    drawn=st.lists(st.sampled_from(["e", "r90", "r180", "r270", "v", "h", "t", "hvt"]), min_size=1, max_size=3),
    asked=st.sampled_from(["r90", "r180", "r270", "v", "h", "t", "hvt"]),
)  # fmt: skip
def test_a_chain_of_symmetries_draws_their_products(drawn: Any, asked: Any):
    """Every product of what the steps do, or leave out, found by running them on a numbered image."""
    image = np.arange(9, dtype=np.uint8).reshape(3, 3)
    known = {image.tobytes(): image}
    while True:
        more = [og.Compose([og.D4(name)])(image=one).image for one in known.values() for name in drawn]
        fresh = {one.tobytes(): one for one in more if one.tobytes() not in known}
        if not fresh:
            break
        known |= fresh
    there = og.Compose([og.D4(asked)])(image=image).image.tobytes() in known
    found = unknown([og.D4(name, p=0.5) for name in drawn], [og.D4(asked)])
    assert (found == set()) == there


def test_what_is_not_known_is_not_warned_of():
    """A function with the recipe that prepares its images; and steps that look at a mask before they draw."""
    prepare = og.Predictor(brightness, recipe=[og.Resize((8, 8)), og.Rescale(1 / 255)], task="classify").saved
    assert never_drawn(prepare, variants_of("d4", prepare.input_spec)) == ()
    assert unknown([og.CropAroundMask((16, 16))], "d4") == set()
    assert never_drawn(prepare, ()) == ()


def test_volumes():
    def same(batch: np.ndarray) -> np.ndarray:
        return batch

    options: dict[str, Any] = {"task": "segment", "input_shape": (None, None, None, 1)}
    recipe = [og.Augment(og.Flip("X", p=0.5), og.Flip("Z", p=0.5)), og.Rescale(1 / 255)]
    saved = og.Predictor(same, recipe=recipe, **options).saved
    assert set(never_drawn(saved, variants_of("flips", saved.input_spec))) == {
        Y, "mirrored along Z and Y", "mirrored along Y and X", "mirrored along Z and Y and X",
    }  # fmt: skip


def network(*own: Any) -> Any:
    return keras.Sequential(
        [keras.Input((16, 16, 3)), *own, layers.Flatten(), layers.Dense(2, activation="softmax")]
    )


def test_layers_of_the_model():
    assert augmenting_symmetries(network(layers.RandomFlip("horizontal"))) == ("h",)
    nested = network(keras.Sequential([keras.Input((16, 16, 3)), layers.RandomFlip()]))
    assert set(augmenting_symmetries(nested)) == {"h", "v"}
    assert augmenting_symmetries(network(layers.RandomRotation(0.05))) == ()
    assert augmenting_symmetries(network(layers.RandomRotation((-0.3, 0.1)))) == ("r90",)
    assert augmenting_symmetries(brightness) == ()


def test_a_predictor_says_it_once(tmp_path: Path):
    recipe = og.Compose([og.Resize((16, 16)), og.Augment(og.Flip("X", p=0.5)), og.Rescale(1 / 255)])
    for name, own in (("plain", ()), ("turning", (layers.RandomFlip(), layers.RandomRotation(0.5)))):
        og.save(network(*own), recipe, tmp_path / f"{name}.keras", class_names=["dark", "light"])
    said = r"plain\.keras: tta='d4' asks about images .*turned by quarters.*, which the recipe .* never drew.*og\.choose_tta"
    with pytest.warns(og.OffgraphWarning, match=said) as record:
        list(og.predict(tmp_path / "plain.keras", [np.zeros((20, 20, 3), np.uint8)], tta="d4"))
    assert sum("never drew" in str(one.message) for one in record) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", og.OffgraphWarning)
        og.Predictor(tmp_path / "plain.keras", tta="mirrored")
        og.Predictor(tmp_path / "plain.keras")
        og.Predictor(tmp_path / "turning.keras", tta="d4")
