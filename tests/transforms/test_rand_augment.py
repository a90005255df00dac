import numpy as np
import pytest
from tests.support.even import is_even_among

import offgraph as og

CASES = {2: [og.RandAugment(), og.RandAugment((1, 3), magnitude=20, mode="nearest", p=0.5)]}
RGB = og.ArraySpec((331, 331, 3), "uint8", "YXC")


def drawn(step, count=3000):
    for index in range(count):
        yield step.sample(og.Draw(og.Key(seed=3, index=index), "x"), RGB)["steps"]


def test_ways_are_even_and_come_again():
    found = list(drawn(og.RandAugment(2)))
    ways = [1, 2, 3, 4, 5, *range(7, 16)]
    assert {len(parts) for parts in found} == {2}
    for place in (0, 1):
        assert is_even_among([parts[place]["number"] for parts in found], ways)
    again = sum(parts[0]["number"] == parts[1]["number"] for parts in found) / len(found)
    assert 0.055 < again < 0.09  # one in fourteen


def test_how_many():
    assert is_even_among([len(parts) for parts in drawn(og.RandAugment((1, 3)))], [1, 2, 3])


def strengths(step):
    found = {}
    for parts in drawn(step):
        for part in parts:
            inner = part["params"]
            if part["step"] == "OneOf":
                inner = inner["steps"][0]["params"]
            found.setdefault(part["number"], []).append(inner)
    return found


@pytest.mark.parametrize("magnitude", [1, 9, 30])
def test_strengths_are_those_of_torchvision(magnitude):
    found = strengths(og.RandAugment(1, magnitude=magnitude))
    share = magnitude / 30

    def among(place, value, wanted):
        values = np.array([value(params) for params in found[place]])
        np.testing.assert_allclose(np.unique(values), sorted(set(wanted)), atol=1e-3)
        if len(set(wanted)) == 2:
            assert 0.35 < (values > np.mean(wanted)).mean() < 0.65

    among(2, lambda params: params["shear"]["X"], [-0.3 * share, 0.3 * share])
    among(3, lambda params: params["shear"]["Y"], [-0.3 * share, 0.3 * share])
    among(4, lambda params: params["factor"], [1 - 0.9 * share, 1 + 0.9 * share])
    among(7, lambda params: params["shift"][1], [-150 * share, 150 * share])
    among(10, lambda params: params["angle"], [-30 * share, 30 * share])
    among(12, lambda params: params["bits"], [8 - round(magnitude / (30 / 4))])
    among(13, lambda params: params["threshold"], [1 - share])


def test_the_same_way_twice_draws_twice():
    signs = set()
    for parts in drawn(og.RandAugment(4, magnitude=9)):
        angles = [p["params"]["steps"][0]["params"]["angle"] for p in parts if p["number"] == 10]
        if len(angles) == 2:
            signs.add(tuple(np.sign(angles)))
    assert len(signs) == 4


def test_replays():
    image = np.random.default_rng(0).integers(0, 256, (32, 40, 3)).astype(np.uint8)
    recipe = og.Compose([og.RandAugment(5, magnitude=15)])
    out = recipe(image=image, key=og.Key(seed=4))
    np.testing.assert_array_equal(recipe.replay(out.record, image=image).image, out.image)


@pytest.mark.parametrize(
    "arguments", [{"n": 0}, {"n": 15}, {"magnitude": 0}, {"magnitude": 31}, {"magnitude": 9.5}]
)
def test_bad_parameters(arguments):
    with pytest.raises(
        og.StepError, match=r"RandAugment: (n|magnitude): expected a whole number from 1 to (14|30)"
    ):
        og.RandAugment(**arguments)
