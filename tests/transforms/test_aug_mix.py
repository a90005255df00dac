import json

import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.AugMix(),
        og.AugMix(9, width=2, depth=2, alpha=0.4, all_ways=False, mode="reflect", range=200, p=0.5),
    ]
}
PHOTO = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


def test_it_is_the_weighted_mean_of_its_versions():
    recipe = og.Compose([og.AugMix(6, width=3, depth=(1, 3))])
    for index in range(20):
        out = recipe(image=PHOTO, key=og.Key(index=index))
        params = out.record["steps"][0]["params"]
        assert abs(sum(params["weights"]) - 1) < 1e-12 and min(params["weights"]) >= 0
        total = (1 - params["share"]) * PHOTO
        for weight, parts in zip(params["weights"], params["versions"]):
            image = PHOTO
            for part in parts:
                one = og.Compose([og.AugMix(6)._ways[part["number"] - 1]])  # alone, by a record of its own
                record = one(image=image, key=og.Key()).record
                record["steps"][0]["params"] = part["params"]
                image = one.replay(record, image=image).image
            total = total + params["share"] * weight * image
        np.testing.assert_array_equal(out.image, np.rint(total).astype(np.uint8))


def test_a_weaker_one_changes_less():
    def apart(severity: int) -> float:
        recipe = og.Compose([og.AugMix(severity, all_ways=False, mode="reflect")])
        outs = [recipe(image=PHOTO, key=og.Key(index=i)).image.astype(float) for i in range(30)]
        return float(np.mean([np.abs(out - PHOTO).mean() for out in outs]))

    assert apart(1) < apart(9)


def test_the_ways_of_the_paper():
    recipe = og.Compose([og.AugMix(depth=3, all_ways=False)])
    found = set()
    for index in range(200):
        drawn = recipe(image=PHOTO[:8, :8], key=og.Key(index=index)).record["steps"][0]["params"]
        found |= {part["number"] for parts in drawn["versions"] for part in parts}
    assert found == {1, 2, 3, 7, 8, 10, 12, 13, 14, 15}


def test_masks_and_boxes_stay_and_records_replay():
    recipe = og.Compose([og.AugMix()])
    out = recipe(image=PHOTO, mask=PHOTO[..., 0], boxes=[[1, 2, 9, 8]], key=og.Key(seed=2))
    np.testing.assert_array_equal(out.mask, PHOTO[..., 0])
    assert out.boxes.array.tolist() == [[1, 2, 9, 8]]
    again = recipe.replay(json.loads(json.dumps(out.record)), image=PHOTO)
    np.testing.assert_array_equal(again.image, out.image)


def test_what_is_refused():
    with pytest.raises(og.StepError, match="AugMix: Brightness: range= is needed"):
        og.Compose([og.AugMix()])(image=PHOTO / 255, key=og.Key())
    with pytest.raises(og.StepError, match="severity: expected a whole number from 1 to 10"):
        og.AugMix(11)
