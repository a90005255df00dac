import numpy as np
import pytest
from skimage.exposure import equalize_adapthist
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {2: [og.CLAHE(tiles=3), og.CLAHE((1, 4), tiles={"X": 2}, range=200)], 3: [og.CLAHE(2, tiles=2)]}
RNG = np.random.default_rng(0)


def literal(image, clip_limit, tiles, top=255):
    """Zuiderveld's method, tile by tile and pixel by pixel."""
    height, width = (-(-n // tiles) for n in image.shape)
    rows, columns = (
        np.abs((np.arange(length * tiles) + n - 1) % max(2 * n - 2, 1) - (n - 1))
        for n, length in zip(image.shape, (height, width))
    )
    whole = image[np.ix_(rows, columns)]
    tables = {}
    for tile in np.ndindex(tiles, tiles):
        part = whole[tile[0] * height : (tile[0] + 1) * height, tile[1] * width : (tile[1] + 1) * width]
        counts = [int((part == level).sum()) for level in range(top + 1)]
        limit = max(1, int(clip_limit * part.size / (top + 1)))
        excess = sum(max(count - limit, 0) for count in counts)
        counts = [min(count, limit) + excess // (top + 1) for count in counts]
        left = excess % (top + 1)
        place = 0
        while left and place <= top:
            counts[place] += 1
            left, place = left - 1, place + max((top + 1) // (excess % (top + 1)), 1)
        tables[tile] = np.rint(np.cumsum(counts) * (top / part.size))
    out = np.zeros(image.shape)
    for y, x in np.ndindex(*image.shape):
        v, u = y / height - 0.5, x / width - 0.5
        for j, wy in ((int(np.floor(v)), 1 - v % 1), (int(np.floor(v)) + 1, v % 1)):
            for i, wx in ((int(np.floor(u)), 1 - u % 1), (int(np.floor(u)) + 1, u % 1)):
                tile = min(max(j, 0), tiles - 1), min(max(i, 0), tiles - 1)
                out[y, x] += wy * wx * tables[tile][image[y, x]]
    return out


@pytest.mark.parametrize(("size", "tiles"), [((24, 32), 4), ((23, 31), 3), ((9, 9), 1), ((5, 4), 4)])
@pytest.mark.parametrize("clip_limit", [0.5, 3, 1000])
def test_the_method_written_out(size, tiles, clip_limit):
    image = np.clip(RNG.normal(100, 20, size), 0, 255).astype(np.uint8)
    out = og.Compose([og.CLAHE(clip_limit, tiles=tiles)])(image=image).image
    assert np.abs(out - literal(image, clip_limit, tiles)).max() <= 0.5 + 1e-9


def test_near_scikit_image():
    """Its clipping and borders differ; the image is the same."""
    rows, columns = np.indices((128, 128))
    image = (90 + 30 * np.sin(rows / 9) * np.cos(columns / 13) + rows / 4).astype(np.uint8)
    out = og.Compose([og.CLAHE(256, tiles=4)])(image=image).image
    other = equalize_adapthist(image, kernel_size=32, clip_limit=1.0)
    assert np.corrcoef(out.ravel(), other.ravel())[0, 1] > 0.97


def test_a_pixel_where_a_tile_is_weighed_alone_has_its_table():
    """OpenCV's place of a tile: its first pixel and half its length, half a pixel after its centre."""
    image = RNG.integers(0, 256, (32, 48), np.uint8)
    out = og.Compose([og.CLAHE(3, tiles=2)])(image=image).image
    for y, x in np.ndindex(2, 2):
        tile = image[16 * y : 16 * y + 16, 24 * x : 24 * x + 24]
        alone = og.Compose([og.CLAHE(3, tiles=1)])(image=tile).image
        assert out[16 * y + 8, 24 * x + 12] == alone[8, 12]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(
    ("size", "tiles", "clip_limit"), [((64, 80), 8, 2), ((61, 83), 4, 40), ((50, 50), 1, 3)]
)
def test_one_level_from_opencv(size, tiles, clip_limit, dtype):
    cv2 = pytest.importorskip("cv2", reason="it is compared with OpenCV")
    image = RNG.integers(0, np.iinfo(dtype).max, size, dtype)
    out = og.Compose([og.CLAHE(clip_limit, tiles=tiles)])(image=image).image
    theirs = cv2.createCLAHE(clipLimit=clip_limit, tileGridSize=(tiles, tiles)).apply(image)
    far = np.abs(out.astype(int) - theirs)
    assert far.max() <= 1 and far.mean() < 0.02


def test_16_bits_and_volumes():
    volume = RNG.normal(2000, 60, (8, 24, 24)).astype(np.uint16)
    out = og.Compose([og.CLAHE(40.0, tiles={"YX": 2}, range=4095)])(image=volume, axes="ZYX").image
    assert out.dtype == np.uint16 and out.max() <= 4095 and out.std() > 5 * volume.std()


def test_what_is_drawn():
    assert is_even(drawn(og.CLAHE((1, 4)), lambda params: params["clip_limit"]), 1, 4)


def test_floats_have_no_levels():
    with pytest.raises(og.StepError, match="takes uint8 or uint16"):
        og.Compose([og.CLAHE()])(image=np.zeros((9, 9), np.float32))
