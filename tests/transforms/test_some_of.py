from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from tests.support.even import drawn, is_even_among

import offgraph as og

CASES = {
    2: [
        og.SomeOf([og.Rotate90(), og.Flip("X"), og.GaussianFilter((0.5, 1)), og.Flip("Y")], n=(1, 3)),
        og.SomeOf([og.RandomCrop(9), og.Flip(), og.Identity()], n=2, shuffle=True, p=0.5),
        og.SomeOf([og.Flip(), og.Rescale(0.5)], n=2),
        og.SomeOf([og.Flip()], n=0),
    ],
    3: [og.SomeOf([og.Rotate90(), og.Flip("Z"), og.MedianFilter(3)], n=(0, 3))],
}
FOUR = [og.Flip("X"), og.Flip("Y"), og.Rotate(5), og.Identity()]


def numbers(params):
    return tuple(part["number"] for part in params["steps"])


def chosen(step, count=4000):
    spec = og.ArraySpec((40, 60), "uint8", "YX")
    return [numbers(step.sample(og.Draw(og.Key(index=index), "x"), spec)) for index in range(count)]


def test_how_many_and_which():
    found = chosen(og.SomeOf(FOUR, n=(1, 3)))
    assert is_even_among([len(one) for one in found], [1, 2, 3])
    assert all(list(one) == sorted(set(one)) for one in found)
    two = [one for one in found if len(one) == 2]
    assert is_even_among(two, [(a, b) for a in range(1, 5) for b in range(a + 1, 5)])


def test_shuffled_all_orders_are_as_likely():
    assert is_even_among(chosen(og.SomeOf(FOUR[:3], n=3, shuffle=True)), permutations([1, 2, 3]))


def test_weights():
    """The first of two drawn by weight, then the rest by what is left."""
    step = og.SomeOf([og.Flip("X", p=0.6), og.Flip("Y", p=0.2), og.Rotate(5, p=0.2), og.Identity(p=0)], n=2)
    counts = Counter(chosen(step, 5000))
    wanted = {(1, 2): 0.6 / 2 + 0.2 * 0.75, (1, 3): 0.6 / 2 + 0.2 * 0.75, (2, 3): 2 * 0.2 * 0.25}
    assert counts.keys() == wanted.keys()
    for pair, share in wanted.items():
        assert abs(counts[pair] - 5000 * share) < 4 * np.sqrt(5000 * share * (1 - share))


def test_what_draws():
    assert og.SomeOf(FOUR, n=2).draws and og.SomeOf(FOUR, n=(4, 4), shuffle=True).draws
    assert not og.SomeOf(FOUR, n=4).draws and not og.SomeOf(FOUR, n=0).draws
    assert og.SomeOf([og.Rotate((-1, 1))], n=1).draws


def test_the_spec_after_it():
    def after(*steps, **options):
        return og.Compose([og.SomeOf(steps, **options)]).output_spec(og.ArraySpec((30, 40), "uint8", "YX"))

    sizes = og.Resize((30, 14)), og.CenterCrop((20, 10))
    assert after(*sizes, n=1).shape == (None, None) and after(*sizes, n=2).shape == (20, 10)
    assert after(og.Resize((30, 14)), og.Flip(), n=1).shape == (30, None)
    assert after(*sizes, n=0).shape == (30, 40)
    assert after(og.Rescale(0.5), og.Flip(), n=2).dtype == "float32"
    with pytest.raises(og.StepError, match="would make some images uint8 and others float32"):
        after(og.Rescale(0.5), og.Flip(), n=1)


@pytest.mark.parametrize("n", [-1, 1.5, (2, 1), "2"])
def test_bad_counts(n):
    with pytest.raises(og.StepError, match="SomeOf: n: expected a whole number from 0 to 1000, or a pair"):
        og.SomeOf(FOUR, n=n)


def test_more_than_there_are():
    with pytest.raises(og.StepError, match=r"n=\(1, 4\) is more than the 3 steps that can be chosen"):
        og.SomeOf([*FOUR[:3], og.Identity(p=0)], n=(1, 4))


def test_drawn_is_used():
    assert set(drawn(og.SomeOf(FOUR, n=1), lambda params: len(params["steps"]), count=9)) == {1}
