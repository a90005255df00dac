from collections import Counter

import numpy as np
import pytest
from tests.support.even import drawn, is_even_among

import offgraph as og

CASES = {
    2: [
        og.OneOf([og.Rotate((-20, 20)), og.Flip("X"), og.GaussianFilter(1)]),
        og.OneOf([og.RandomCrop(9), og.Resize((12, 14)), og.Identity()], p=0.5),
        og.OneOf([og.Elastic("4%", p=0.1)]),
    ],
    3: [og.OneOf([og.Rotate90(), og.Flip("Z"), og.MedianFilter(3)])],
}


def number(params):
    return params["steps"][0]["number"]


def test_each_is_as_likely():
    step = og.OneOf([og.Flip("X"), og.Flip("Y"), og.Rotate(5)])
    assert is_even_among(drawn(step, number), [1, 2, 3])


def test_p_inside_is_a_weight_and_the_chosen_one_is_applied():
    step = og.OneOf([og.Flip("X", p=0.3), og.Flip("Y", p=0.1), og.Identity(p=0), og.Rotate(5, p=0.1)])
    counts = Counter(drawn(step, number, count=5000).tolist())
    assert set(counts) == {1, 2, 4}
    for place, share in ((1, 0.6), (2, 0.2), (4, 0.2)):
        assert abs(counts[place] - 5000 * share) < 4 * np.sqrt(5000 * share * (1 - share))


def test_its_values_do_not_depend_on_the_others():
    turn = og.Rotate((-9, 9))
    alone = og.OneOf([turn])
    among = og.OneOf([og.Flip(), turn, og.Flip("Y")])
    angles = drawn(alone, lambda params: params["steps"][0]["params"]["angle"], count=30)
    for index, params in enumerate(drawn(among, lambda params: params, count=30)):
        if number(params) == 2:
            assert params["steps"][0]["params"]["angle"] == angles[index]


def test_what_draws():
    assert og.OneOf([og.Flip(), og.Flip("Y")]).draws and og.OneOf([og.Rotate((-1, 1))]).draws
    assert not og.OneOf([og.Flip(p=0.5)]).draws and not og.OneOf([og.Flip(), og.Flip("Y", p=0)]).draws


def test_the_spec_after_it():
    def after(*steps):
        return og.Compose([og.OneOf(steps)]).output_spec(og.ArraySpec((30, 40), "uint8", "YX"))

    assert after(og.Resize((12, 14)), og.RandomCrop((12, 20))).shape == (12, None)
    assert after(og.Resize((12, 14), p=0.1), og.CenterCrop((12, 14))) == og.ArraySpec((12, 14), "uint8", "YX")
    with pytest.raises(og.StepError, match="would make some images float32 and others uint8: put the step"):
        after(og.Rescale(0.5), og.Flip())


def test_fused_across_its_border():
    recipe = og.Compose([og.OneOf([og.Rotate(5)]), og.Affine(scale=1.1)])
    assert "[steps 1 Rotate in OneOf, 2 Affine]" in recipe.explain(og.ArraySpec((40, 40), "uint8", "YX"))


def test_bool_images_are_refused_where_one_step_would_average():
    with pytest.raises(og.StepError, match="step 1, OneOf: cannot average a bool image"):
        og.Compose([og.OneOf([og.Flip(), og.Resize(5)])])(image=np.eye(4, dtype=bool), key=og.Key())


def test_no_weight_at_all():
    with pytest.raises(og.StepError, match=r"OneOf: .*expected a step with p above 0"):
        og.OneOf([og.Flip(p=0), og.Identity(p=0)])
