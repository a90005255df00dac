import numpy as np
import pytest

import offgraph as og

CASES = {2: [og.Flip(), og.Flip("Y", p=0.5)], 3: [og.Flip("Z"), og.Flip("X")]}


def test_an_axis_that_is_not_there():
    with pytest.raises(og.StepError, match="axis='Z': the image has axes YX"):
        og.Compose([og.Flip("Z")])(image=np.zeros((4, 4), np.uint8))


def test_half_of_the_images():
    recipe = og.Compose([og.Flip(p=0.5)])
    image = np.arange(2, dtype=np.uint8).reshape(1, 2)
    flipped = sum(int(recipe(image=image, key=og.Key(index=i)).image[0, 0]) for i in range(400))
    assert 160 < flipped < 240
