import numpy as np
import pytest
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [og.Contrast(1.3, range=200), og.Contrast((0.6, 1.4), centre=0.4, range=255)],
    3: [og.Contrast(0.5)],
}


def test_the_grey_stays_and_distances_grow():
    image = np.array([[0.0, 0.25, 0.5, 0.625, 1.0]])
    assert og.Compose([og.Contrast(2, range=1)])(image=image).image.tolist() == [[0, 0, 0.5, 0.75, 1]]
    assert og.Compose([og.Contrast(0.5, centre=0, range=1)])(image=image).image.tolist() == [
        (image / 2)[0].tolist()
    ]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_every_value_of_integers(dtype):
    top = np.iinfo(dtype).max
    image = np.arange(top + 1).astype(dtype).reshape(1, -1)
    image = np.concatenate([image, image])  # more pixels than values: the engine looks up
    out = og.Compose([og.Contrast(1.4)])(image=image).image
    expected = np.clip((image - top / 2) * 1.4 + top / 2, 0, top)
    assert out.dtype == dtype and np.abs(out - expected).max() <= 0.5 + 1e-9


def test_what_is_drawn():
    assert is_even(drawn(og.Contrast((0.5, 2.0)), lambda params: params["factor"]), 0.5, 2.0)


def test_a_grey_outside_the_range():
    with pytest.raises(og.StepError, match="centre: expected a number from 0 to 1, got 128"):
        og.Contrast(2, centre=128)
