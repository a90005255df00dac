import numpy as np

import offgraph as og

CASES = {2: [og.Identity(), og.Identity(p=0.5)], 3: [og.Identity()]}


def test_nothing_is_touched_and_nothing_drawn():
    image = np.random.default_rng(0).normal(size=(5, 6))
    image[0, 0] = np.nan
    out = og.Compose([og.Identity()])(image=image, mask=np.arange(30).reshape(5, 6), boxes=[[1, 1, 3, 4]])
    np.testing.assert_array_equal(out.image, image)
    np.testing.assert_array_equal(out.mask, np.arange(30).reshape(5, 6))
    assert out.boxes is not None and out.boxes.array.tolist() == [[1, 1, 3, 4]]
    assert out.frame.map.is_identity and not og.Compose([og.Identity()]).draws


def test_its_neighbours_are_joined_across_it():
    recipe = og.Compose([og.Rotate(5), og.Identity(), og.Rotate(5)])
    assert "steps 1 Rotate, 3 Rotate" in recipe.explain(og.ArraySpec((40, 40), "uint8", "YX"))
