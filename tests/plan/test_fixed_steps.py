"""Steps that draw nothing are worked out once for all images of a spec: no image may notice."""

from __future__ import annotations

import numpy as np
import pytest

import offgraph as og
from offgraph.core.errors import StepError

RECIPE = og.Compose(
    [
        og.Resize((9, 8)),
        og.Affine(translate=(1.5, "10%"), scale={"Y": 1.1}),
        og.Rotate(20.0),
        og.GaussianFilter(0.7),
        og.Flip("Y", p=0.5),
        og.Rescale(0.5),
    ]
)


def photo(seed: int, size: tuple[int, int] = (12, 10)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)


@pytest.mark.parametrize("size", [(12, 10), (10, 12), (9, 8)])
def test_a_used_recipe_gives_what_a_new_one_gives(size):
    for seed in range(3):
        new = og.Compose(RECIPE.items)
        expected, found = (r(image=photo(seed, size), key=og.Key(seed)) for r in (new, RECIPE))
        assert found.image.tobytes() == expected.image.tobytes()
        assert found.record == expected.record


def test_a_record_that_is_written_to_changes_no_other():
    first = RECIPE(image=photo(1), key=og.Key(1))
    kept = repr(first.record)
    first.record["steps"][1]["params"]["translate"][0] = 99
    first.record["steps"][2]["params"]["angle"] = 99
    first.record["steps"][0]["params"]["more"] = 99
    again = RECIPE(image=photo(1), key=og.Key(1))
    assert repr(again.record) == kept
    assert (again.image == first.image).all()


def test_a_record_with_another_value_is_replayed_with_it():
    """Nothing draws the angle, but the record has the last word."""
    made = RECIPE(image=photo(1), key=og.Key(1))
    made.record["steps"][2]["params"]["angle"] = 35.0
    other = og.Compose([og.Rotate(35.0) if type(s) is og.Rotate else s for s in RECIPE.steps])
    expected = other(image=photo(1), key=og.Key(1)).image
    assert (RECIPE.replay(made.record, image=photo(1)).image == expected).all()


def test_limits_of_memory_hold_for_each_call():
    recipe = og.Compose([og.Resize((300, 300))])
    recipe(image=photo(1))
    with pytest.raises(StepError, match="more than the limit of 1,000 pixels"):
        recipe(image=photo(1), max_pixels=1000)
    recipe(image=photo(1))


def test_what_is_refused_is_refused_again():
    recipe = og.Compose([og.CenterCrop((20, 20))])
    for _ in range(2):
        with pytest.raises(StepError, match="larger than the image"):
            recipe(image=photo(1))
