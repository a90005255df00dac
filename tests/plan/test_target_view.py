"""Steps that draw from a target see it as it is where they stand, and their records replay without it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import examples
from tests.support.registry import same_targets
from tests.support.step_chains import KEYS, MODES, step_chains

import offgraph as og
from offgraph.steps.base import Step
from offgraph.steps.ops import Grid, Resample

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.OffgraphWarning")

SIZE = (61, 70)
IMAGE = np.random.default_rng(3).integers(1, 256, (*SIZE, 3)).astype(np.uint8)
LABELS = np.zeros(SIZE, np.uint8)
LABELS[20:30, 18:31] = 1
LABELS[40:44, 39:60] = 2
LABELS[50, 12] = 3


def sample() -> dict[str, Any]:
    return {
        "image": og.Image(IMAGE),
        "mask": og.Mask(LABELS, swap=[(1, 2)]),
        "boxes": og.Boxes.of_labels(og.Mask(LABELS)),
        "other": og.Mask(LABELS + 1),
    }


def drawn(record: dict[str, Any]) -> dict[str, Any]:
    """Values of the last step, inside whatever it stands in."""
    params = record["steps"][-1]["params"]
    while "steps" in params:
        params = params["steps"][-1]["params"]
    return params


WAYS: dict[str, Any] = {
    "alone": lambda before, step: [*before, step],
    "in Augment": lambda before, step: [*before, og.Augment(step)],
    "in a sequence": lambda before, step: [og.Sequence([*before, step])],
    "in a part of a part": lambda before, step: [*before[:1], og.OneOf([og.Sequence([*before[1:], og.OneOf([step])])])],
}  # fmt: skip


@examples(100)
@given(
    before=step_chains(MODES, most=4),
    key=KEYS,
    way=st.sampled_from(list(WAYS)),
    labels=st.sampled_from([None, 2, [1, 3]]),
)
def test_the_mask_is_seen_as_it_is_there(before: list[Step], key: og.Key, way: str, labels: Any):
    step = og.CropAroundMask("50%", labels=labels)
    recipe = og.Compose(WAYS[way](before, step))
    out = recipe(**sample(), key=key)
    params = drawn(out.record)
    there = og.Compose(WAYS[way](before, og.Identity()))(**sample(), key=key)
    counted = np.isin(there.mask, [1, 2, 3] if labels is None else labels)
    assert params["labelled"] == counted.sum()
    if counted.any():
        pixel, start = np.array(params["pixel"]), np.array(params["start"])
        assert counted[tuple(pixel)]
        assert (start <= pixel).all() and (pixel < start + out.mask.shape).all()
    chained = og.Compose(WAYS[way](before, step), fuse=False)(**sample(), key=key)
    assert chained.record["steps"] == out.record["steps"]
    again = recipe.replay(json.loads(json.dumps(out.record)), image=IMAGE)
    np.testing.assert_array_equal(again.image, out.image)
    same_targets(out.targets.items(), recipe.replay(out.record, **sample()))


def test_an_object_that_one_step_takes_away_is_not_seen_by_the_next():
    recipe = og.Compose([og.MaskDropout(1), og.Flip("X"), og.MaskDropout(1), og.CropAroundMask(4)])
    for index in range(40):
        out = recipe(image=IMAGE, mask=LABELS, key=og.Key(index=index))
        first, second, last = (out.record["steps"][number]["params"] for number in (0, 2, 3))
        assert first["found"] == 3 and second["found"] == 2 and last["labelled"] in (1, 84, 130)
        flipped = LABELS[:, ::-1].copy()
        for params, of in ((first, LABELS.copy()), (second, flipped)):
            for start, length in zip(params["runs"][::2], params["runs"][1::2]):
                assert of.ravel()[start : start + length].all()
        assert flipped[tuple(last["pixel"])] and (out.mask > 0).any()


def test_the_image_is_planned_as_a_whole():
    """The operations before and after such a step still join: what it drew is numbers."""
    recipe = og.Compose([og.Rotate(10), og.CropAroundMask(40), og.Rotate((-5, 5))])
    text = recipe.explain(og.Image(IMAGE).spec)
    assert "step 2, CropAroundMask: drawn as from an empty target, as no sample is given" in text
    assert (
        "1. resample through one affine map" in text
        and "[steps 1 Rotate, 2 CropAroundMask, 3 Rotate]" in text
    )
    out = recipe(image=IMAGE, mask=LABELS, key=og.Key())
    assert [type(planned.op) for planned in out.history.chain] == [Resample, Grid, Resample]


def test_which_target_is_meant():
    recipe, image = og.Compose([og.CropAroundMask(9)]), og.Image(IMAGE)
    cells, more = og.Mask(LABELS), og.Mask(LABELS * 0)
    assert drawn(recipe(image=image, cells=cells, key=og.Key()).record)["labelled"] == (LABELS > 0).sum()
    assert drawn(recipe(image=image, mask=more, cells=cells, key=og.Key()).record)["labelled"] == 0
    with pytest.raises(
        og.StepError, match=r"draws from the mask, and there are cells, more: call the one .* 'mask'"
    ):
        recipe(image=image, cells=cells, more=more, key=og.Key())
    with pytest.raises(
        og.StepError,
        match="step 1, CropAroundMask: draws from the mask, and this sample has none: pass mask=",
    ):
        recipe(image=image, key=og.Key())


def test_what_is_not_applied_needs_no_target():
    recipe = og.Compose([og.Augment(og.OneOf([og.CropAroundMask(9, p=0.5), og.Flip("X", p=0.5)]))])
    kinds = set()
    for index in range(30):
        try:
            out = recipe(image=IMAGE, key=og.Key(index=index))
            kinds.add(out.record["steps"][0]["params"]["steps"][0]["step"])
        except og.StepError as error:
            kinds.add(str(error).partition(": ")[0])
    assert kinds == {"Flip", "step 1 of Augment, OneOf"}
    assert recipe.eval()(image=IMAGE).image.shape == IMAGE.shape


def test_a_recipe_that_draws_from_a_target_needs_a_key():
    with pytest.raises(
        og.StepError, match="step 1, MaskDropout draws, so this recipe needs to know for which image"
    ):
        og.Compose([og.MaskDropout()])(image=IMAGE, mask=LABELS)


@pytest.mark.filterwarnings("default")
def test_an_own_step_that_draws_from_boxes():
    @og.register
    class CropFirstBox(og.GeometricStep):
        """Keep the first box."""

        dimensions = (2,)
        draws_from = "boxes"

        def sample(self, draw, spec):
            boxes = draw.target("boxes")
            if boxes is None or not len(boxes.edges):
                return {"start": [0, 0], "stop": list(spec.size)}
            low, high = boxes.edges[0, :2] + 0.5, boxes.edges[0, 2:] + 0.5
            return {"start": low.round().astype(int).tolist(), "stop": high.round().astype(int).tolist()}

        def map(self, params, spec):
            size = [stop - start for start, stop in zip(params["start"], params["stop"])]
            return og.GridMap.crop(params["start"], size, spec.size)

        def open_size(self, size):
            return (None,) * len(size)

    try:
        out = og.Compose([og.Flip("X"), CropFirstBox()])(image=IMAGE, boxes=[[5, 6, 15, 26]], key=og.Key())
        np.testing.assert_array_equal(out.image, IMAGE[6:26, 5:15][:, ::-1])
        og.testing.check_step(CropFirstBox())
    finally:
        del og.STEPS["CropFirstBox"]
