"""A step called alone does what the recipe of it alone does, with the same errors."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import offgraph as og

IMAGE = np.random.default_rng(5).integers(0, 256, (20, 30, 3), dtype=np.uint8)
LABELS = (IMAGE[..., 0] > 128).astype(np.uint8)
STEPS = [
    og.Resize((8, 12)),
    og.Flip("X"),
    og.Rotate((-15, 15), mode="reflect"),
    og.MedianFilter(3),
    og.GaussianNoise((0.02, 0.1)),
    og.OneOf([og.Gamma(1.5), og.Transpose()]),
    og.Normalize("imagenet"),
    og.Flip("X", p=0.5, id="mirror"),
]


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_a_step_alone_is_its_recipe(step: og.Step):
    given: dict[str, Any] = {"image": IMAGE, "mask": LABELS, "boxes": [[2, 3, 12, 15]], "points": [[4, 5]]}
    for key in (og.Key(seed=7), og.Key(seed=7, epoch=2, index=9)):
        alone, recipe = step(**given, key=key), og.Compose([step])(**given, key=key)
        assert np.array_equal(alone.image, recipe.image) and alone.image.dtype == recipe.image.dtype
        assert alone.mask is not None and alone.boxes is not None and alone.points is not None
        assert recipe.mask is not None and recipe.boxes is not None and recipe.points is not None
        assert np.array_equal(alone.mask, recipe.mask)
        assert np.array_equal(alone.boxes.array, recipe.boxes.array)
        assert np.array_equal(alone.points.places, recipe.points.places)
        assert alone.record == recipe.record
        assert og.Compose([step]).replay(alone.record, image=IMAGE).image.tolist() == alone.image.tolist()


def test_results_of_models_and_layers_are_called_alone_too():
    shown = np.linspace(0, 1, 24).reshape(4, 6)
    assert np.array_equal(og.Threshold(0.5)(shown).image, shown >= 0.5)
    augment = og.Augment(og.Flip("X", p=0.5), og.Rotate((-5, 5)))
    assert np.array_equal(augment(IMAGE, seed=3).image, og.Compose([augment])(IMAGE, seed=3).image)


def test_the_image_may_stand_without_its_name():
    assert np.array_equal(og.Flip("X")(IMAGE).image, IMAGE[:, ::-1])
    assert np.array_equal(og.Compose([og.Flip("X")])(IMAGE).image, IMAGE[:, ::-1])
    with pytest.raises(TypeError, match="positional"):
        og.Flip("X")(IMAGE, LABELS)  # type: ignore[misc]


def test_a_seed_is_short_for_a_key():
    step = og.Rotate((-15, 15))
    for callee in (step, og.Compose([step])):
        assert np.array_equal(callee(IMAGE, seed=7).image, callee(IMAGE, key=og.Key(seed=7)).image)
        assert callee(IMAGE, seed=7).record["key"]["seed"] == 7
        with pytest.raises(og.ArgumentError, match="seed=7 stands for key="):
            callee(IMAGE, seed=7, key=og.Key(seed=7))
        unfit: Any
        for unfit in (-1, 1.5, "7", True):
            with pytest.raises(og.ArgumentError, match="seed"):
                callee(IMAGE, seed=unfit)
        with pytest.raises(og.ArgumentError, match=r"write key=Key\(seed=…, epoch=…, index=…\), or seed=3"):
            callee(IMAGE, key=3)  # type: ignore[arg-type]
        with pytest.raises(og.StepError, match=r"step 1, Rotate draws.*seed=… for one image") as refused:
            callee(IMAGE)
        assert "eval" not in str(refused.value)
    with pytest.raises(og.StepError, match=r"eval\(\) to leave out Augment"):
        og.Compose([og.Augment(step)])(IMAGE)
    assert len({og.GaussianNoise(0.1)(IMAGE, seed=seed).image.tobytes() for seed in range(3)}) == 3


def test_errors_are_those_of_a_recipe():
    wrong: dict[str, Any]
    for wrong in ({"image": "cat.jpg"}, {"image": IMAGE, "mask": LABELS[:4]}, {"image": IMAGE[:, :, None]}):
        messages = []
        for callee in (og.Resize(8), og.Compose([og.Resize(8)])):
            with pytest.raises(og.StepError) as error:
                callee(**wrong)
            messages.append(str(error.value))
        assert messages[0] == messages[1]


def test_names_of_other_libraries_are_answered():
    for name, advice in {
        "bboxes": "boxes=",
        "keypoints": "points=",
        "masks": "mask=",
        "label": "metadata=",
    }.items():
        given: dict[str, Any] = {name: [[1, 2, 3, 4]]}
        with pytest.raises(og.StepError, match=advice):
            og.Resize(8)(IMAGE, **given)
        with pytest.raises(og.StepError, match=advice):
            og.Rotate((-5, 5))(IMAGE, **given)  # said before a key is asked for


def test_a_called_step_is_the_same_step():
    step = og.Rotate((-15, 15))
    before = (repr(step), hash(step), step.fields())
    step(IMAGE, seed=1)
    assert (repr(step), hash(step), step.fields()) == before
    fresh = og.Rotate((-15, 15))
    assert step == fresh and len(pickle.dumps(step)) == len(pickle.dumps(fresh))
    for other in (pickle.loads(pickle.dumps(step)), copy.deepcopy(step), copy.copy(step)):
        assert other == step and np.array_equal(other(IMAGE, seed=1).image, step(IMAGE, seed=1).image)


def test_a_step_of_ones_own_is_called_alone():
    @og.register
    class AloneForTest(og.PointwiseStep):
        """Invert bytes."""

        def reference(self, ndi, image, params, channel=0):
            return 255 - image

    try:
        assert np.array_equal(AloneForTest()(IMAGE).image, 255 - IMAGE)
    finally:
        from offgraph.steps.base import STEPS as known

        del known["AloneForTest"]


def test_signatures_are_alike():
    """Editors show the same keywords for a step, a layer and a recipe."""
    wanted = inspect.signature(og.Compose.__call__).parameters
    for cls in (og.Step, og.Augment, og.Rotate):
        shown = inspect.signature(cls.__call__).parameters
        assert {name: (each.kind, each.default, each.annotation) for name, each in shown.items()} == {
            name: (each.kind, each.default, each.annotation) for name, each in wanted.items()
        }


def test_targets_are_read_by_name_too():
    out = og.Flip("X")(IMAGE, mask=LABELS, cells=og.Mask(LABELS))
    assert out["image"] is out.image and np.array_equal(out["cells"], out.cells)
    with pytest.raises(KeyError, match="there is no target 'boxes' here; there are image, mask, cells"):
        out["boxes"]
    assert "mask" in out and "boxes" not in out and list(out) == ["image", "mask", "cells"]
