import numpy as np
import pytest
from PIL import Image, ImageOps

import offgraph as og

CASES = {
    2: [og.Equalize(), og.Equalize(range=200), og.Equalize(like="opencv")],
    3: [og.Equalize(), og.Equalize(range=200, like="opencv")],
}
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 16), (40, 50), (300, 200)])
@pytest.mark.parametrize("spread", [0, 1, 20, 256])
def test_bytes_of_pillow(size, spread):
    image = np.minimum(60 + RNG.integers(0, spread + 1, (*size, 3)) * RNG.random((*size, 1)), 255).astype(
        np.uint8
    )
    out = og.Compose([og.Equalize()])(image=image, axes="YXC").image
    np.testing.assert_array_equal(out, np.asarray(ImageOps.equalize(Image.fromarray(image))))


def test_levels_of_opencv():
    """Numbers that `cv2.equalizeHist` of OpenCV 5.0 gave; with OpenCV, tests/references compares whole images."""
    image = np.array([[9, 3, 3, 200, 7, 7, 7], [9, 9, 9, 3, 7, 255, 8], [12, 12, 3, 3, 3, 90, 91]], np.uint8)
    out = og.Compose([og.Equalize(like="opencv")])(image=image).image
    assert dict(zip(image.ravel().tolist(), out.ravel().tolist())) == {
        3: 0,
        7: 68,
        8: 85,
        9: 153,
        12: 187,
        90: 204,
        91: 221,
        200: 238,
        255: 255,
    }
    assert out.dtype == np.uint8
    same = np.full((4, 5), 77, np.uint8)
    assert (og.Compose([og.Equalize(like="opencv")])(image=same).image == 77).all()


@pytest.mark.parametrize("top", [255, 4095])
def test_the_lowest_becomes_0_and_the_highest_white(top):
    """A level's share of the pixels above the lowest, by a loop over the levels."""
    image = (RNG.normal(top / 3, top / 20, (120, 90))).astype(np.uint16)
    out = og.Compose([og.Equalize(range=top, like="opencv")])(image=image).image
    lowest = int((image == image.min()).sum())
    scale = np.float32(top) / np.float32(image.size - lowest)
    for level in np.unique(image):
        up_to = int((image <= level).sum()) - lowest
        assert (out[image == level] == int(np.rint(np.float32(up_to) * scale))).all()
    assert (out.min(), out.max()) == (0, top)


def test_what_was_written_before_has_its_fingerprint():
    plain = og.Compose([og.Equalize()])
    assert (
        "like" not in plain.to_yaml()
        and plain.fingerprint == og.Compose([og.Equalize(like=None)]).fingerprint
    )
    assert plain.fingerprint != og.Compose([og.Equalize(like="opencv")]).fingerprint
    assert og.Compose.from_yaml(og.Compose([og.Equalize(like="opencv")]).to_yaml()).steps[0].like == "opencv"


def test_16_bits_become_even():
    image = (RNG.normal(2000, 100, (400, 300))).astype(np.uint16)
    out = og.Compose([og.Equalize(range=4095)])(image=image).image
    assert out.dtype == np.uint16 and out.max() <= 4095
    counts = np.histogram(out, 8, (0, 4096))[0] / out.size
    assert np.abs(counts - 1 / 8).max() < 0.01
    assert (np.diff(out.ravel()[np.argsort(image, axis=None)].astype(int)) >= 0).all()


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint32"])
def test_what_has_no_levels_to_count(dtype):
    with pytest.raises(og.StepError, match="takes uint8 or uint16, whose levels can be counted"):
        og.Compose([og.Equalize(range=255)])(image=np.zeros((4, 5), dtype))
