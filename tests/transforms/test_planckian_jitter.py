import numpy as np
import pytest
from tests.support.even import drawn, is_even

import offgraph as og


def make_image(rng, shape, dtype):
    return rng.integers(0, 256, shape).astype(dtype)


CASES = {2: [og.PlanckianJitter(range=255), og.PlanckianJitter(9000)], 3: [og.PlanckianJitter(4000)]}


def gains(kelvin):
    grey = np.full((1, 1, 3), 1000.0)
    return og.Compose([og.PlanckianJitter(kelvin, range=10000)])(image=grey).image[0, 0] / 1000


def test_the_locus_of_black_bodies():
    """Chromaticities of Planck's locus in tables (Wyszecki and Stiles): x, y at 3,000, 6,500 and 10,000 K."""
    neutral = None
    for kelvin, x, y in ((6500, 0.3135, 0.3237), (3000, 0.4369, 0.4041), (10000, 0.2806, 0.2883)):
        matrix = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
        linear = matrix @ [x / y, 1, (1 - x - y) / y]
        ratios = linear / linear[1]
        neutral = ratios if neutral is None else neutral
        np.testing.assert_allclose(gains(kelvin), (ratios / neutral) ** (1 / 2.2), rtol=0.02)


def test_the_middle_leaves_the_image_and_the_ends_are_warm_and_cold():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_array_equal(og.Compose([og.PlanckianJitter(6500)])(image=image).image, image)
    reds, blues = zip(*((gains(k)[0], gains(k)[2]) for k in (2000, 3000, 5000, 8000, 15000, 40000)))
    assert (np.diff(reds) < 0).all() and (np.diff(blues) > 0).all()


def test_what_is_drawn():
    assert is_even(drawn(og.PlanckianJitter((3000, 9000)), lambda params: params["temperature"]), 3000, 9000)


@pytest.mark.parametrize("temperature", [100, (3000, 50000)])
def test_what_is_too_cold_or_too_hot(temperature):
    with pytest.raises(og.StepError, match="expected kelvin from 1,500 to 40,000"):
        og.PlanckianJitter(temperature)
