import numpy as np
import pytest
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {2: [og.Shadow(), og.Shadow((2, 4), strength=(0, 1), corners=(3, 9), rows=(0, 1))]}


def test_a_triangle_by_the_even_odd_rule():
    image = np.full((8, 10, 3), 200, np.uint8)
    recipe = og.Compose([og.Shadow(1, strength=0.5)])
    out = recipe(image=image, key=og.Key())
    record = {**out.record}
    record["steps"][0]["params"]["shadows"] = [{"strength": 0.25, "corners": [[0, 0], [1, 0], [1, 1]]}]
    again = recipe.replay(record, image=image).image
    y, x = np.indices((8, 10))
    below = (x + 0.5) / 10 < (y + 0.5) / 8
    np.testing.assert_array_equal(again[..., 0], np.where(below, 150, 200))
    assert (again == again[..., :1]).all()


def test_shadows_fall_where_they_may_and_nowhere_else():
    image = np.full((50, 60), 100, np.uint8)
    recipe = og.Compose([og.Shadow(2, strength=1, rows=(0.2, 0.6), columns=(0.5, 1))])
    seen = np.min([recipe(image=image, key=og.Key(index=i)).image for i in range(60)], axis=0)
    assert (seen[:10] == 100).all() and (seen[30:] == 100).all() and (seen[:, :30] == 100).all()
    assert (seen[12:28, 34:56] == 0).mean() > 0.9


def test_overlapping_shadows_darken_twice_and_other_values_are_copied():
    image = np.random.default_rng(0).normal(0, 1, (40, 40))
    out = og.Compose([og.Shadow(3, strength=0.5, rows=(0, 1))])(image=image, key=og.Key(seed=2)).image
    halvings = np.log2(image / out)
    np.testing.assert_allclose(halvings, np.rint(halvings), atol=1e-9)
    assert set(np.rint(halvings).ravel()) <= {0, 1, 2, 3} and (out == image).any() and (halvings > 1.5).any()


def test_what_is_drawn():
    step = og.Shadow((1, 2), strength=(0.2, 0.7), rows=(0.3, 0.9))
    assert is_even(drawn(step, lambda p: p["shadows"][0]["strength"]), 0.2, 0.7)
    assert is_even(drawn(step, lambda p: p["shadows"][0]["corners"][4][0]), 0.3, 0.9)


def test_a_record_holds_no_endless_list():
    with pytest.raises(og.StepError, match="at most 100"):
        og.Shadow((1, 101))
