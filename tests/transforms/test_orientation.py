import itertools

import numpy as np
import pytest

import offgraph as og

CASES = {3: [og.Orientation("SAR", "SPL"), og.Orientation("LIP", "SAR", p=0.5), og.Orientation("RAS", "ras")]}
CODES = [
    "".join(code)
    for pairs in itertools.permutations(["LR", "AP", "SI"])
    for code in itertools.product(*pairs)
]


def marked(code):
    """A volume whose values say where they lie: 1 further left, 10 further anterior, 100 further superior."""
    size = {"L": 2, "R": 2, "A": 3, "P": 3, "S": 4, "I": 4}
    volume = np.zeros([size[letter] for letter in code], np.int16)
    for axis, letter in enumerate(code):
        worth = {"L": 1, "A": 10, "S": 100}.get(letter) or -{"R": 1, "P": 10, "I": 100}[letter]
        places = np.arange(volume.shape[axis])
        ordered = places if worth > 0 else places[::-1]
        volume += (abs(worth) * ordered.astype(np.int16)).reshape([-1 if a == axis else 1 for a in range(3)])
    return volume


@pytest.mark.parametrize("to", ["SAR", "LIP", "ASL"])
@pytest.mark.parametrize("given", CODES)
def test_every_volume_comes_to_lie_alike(to, given):
    out = og.Compose([og.Orientation(to, given)])(image=marked(given), mask=marked(given), axes="ZYX")
    np.testing.assert_array_equal(out.image, marked(to))
    np.testing.assert_array_equal(out.mask, marked(to))
    np.testing.assert_array_equal(out.frame.undo(mask=out.mask), marked(given))


def test_sizes_are_known():
    assert og.Orientation("ASL", "LPI").open_size((2, None, 4)) == (None, 4, 2)


@pytest.mark.parametrize("code", ["RA", "RRS", "RAX", "RAL", 3, "RASP"])
def test_bad_codes(code):
    with pytest.raises(og.StepError, match="Orientation: to: expected a letter for each axis"):
        og.Orientation(code, "RAS")


def test_an_image_is_refused():
    with pytest.raises(og.StepError, match="takes 3 spatial axes, the image has 2"):
        og.Compose([og.Orientation("RAS", "LPS")])(image=np.zeros((4, 4), np.uint8))
