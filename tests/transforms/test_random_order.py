from itertools import permutations

import numpy as np
import pytest
from tests.support.even import is_even_among

import offgraph as og

CASES = {
    2: [
        og.RandomOrder([og.Rotate((-20, 20)), og.Flip("X", p=0.5), og.GaussianFilter(1)]),
        og.RandomOrder([og.RandomCrop(9), og.Flip()], p=0.5),
    ],
    3: [og.RandomOrder([og.Rotate90(), og.Flip("Z"), og.MedianFilter(3)])],
}


def orders(step, count=4000):
    spec = og.ArraySpec((40, 60), "uint8", "YX")
    for index in range(count):
        params = step.sample(og.Draw(og.Key(index=index), "x"), spec)
        yield tuple(part["number"] for part in params["steps"])


def test_all_orders_are_as_likely():
    step = og.RandomOrder([og.Flip("X"), og.Flip("Y"), og.Rotate(5)])
    assert is_even_among(orders(step), permutations([1, 2, 3]))
    assert step.draws and not og.RandomOrder([og.Flip()]).draws


def test_each_keeps_its_own_p():
    found = list(orders(og.RandomOrder([og.Flip("X", p=0.25), og.Flip("Y")])))
    assert all(2 in order for order in found)
    assert 0.22 < sum(1 in order for order in found) / len(found) < 0.28


def test_the_order_is_that_of_the_record():
    image = np.random.default_rng(0).integers(0, 256, (12, 12)).astype(np.uint8)
    steps = [og.Shift((3, 0)), og.Rotate90(1)]
    for index in range(6):
        out = og.Compose([og.RandomOrder(steps)])(image=image, key=og.Key(index=index))
        order = [part["number"] for part in out.record["steps"][0]["params"]["steps"]]
        same = og.Compose([steps[number - 1] for number in order])(image=image)
        np.testing.assert_array_equal(out.image, same.image)


def test_the_spec_after_it():
    def after(*steps):
        return og.Compose([og.RandomOrder(steps)]).output_spec(og.ArraySpec((30, 40), "uint8", "YX"))

    assert after(og.Resize((12, 14)), og.Flip()) == og.ArraySpec((12, 14), "uint8", "YX")
    assert after(og.Resize((12, 14)), og.Transpose()).shape == (None, None)
    assert after(og.Resize((12, 12)), og.Transpose()).shape == (12, 12)
    flips = [og.Flip("X"), og.Flip("Y")] * 3
    assert after(*flips).shape == (30, 40) and after(*flips, og.Resize((30, 9))).shape == (30, None)
    assert after(og.Rescale(0.5), og.Flip()).dtype == "float32"
    with pytest.raises(og.StepError, match="would make some images uint8 and others float32"):
        after(*flips, og.Rescale(0.5))
