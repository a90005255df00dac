import io

import numpy as np
import pytest
from PIL import Image
from tests.support.even import drawn, is_even_among

import offgraph as og

CASES = {
    2: [
        og.JpegCompression(30),
        og.JpegCompression((20, 90), subsampling="444"),
        og.JpegCompression(40, channels="bgr"),
    ]
}


def photo(channels=3):
    rows, columns = np.indices((60, 83))
    waves = [128 + 100 * np.sin(rows / (5 + c)) * np.cos(columns / (7 + c)) for c in range(channels)]
    return np.clip(
        np.stack(waves, -1) + np.random.default_rng(0).normal(0, 6, (60, 83, channels)), 0, 255
    ).astype(np.uint8)


@pytest.mark.parametrize("quality", [1, 30, 60, 75, 90, 95, 96, 100])
@pytest.mark.parametrize(("subsampling", "pillow"), [("444", 0), ("422", 1), ("420", 2)])
@pytest.mark.parametrize("size", [(60, 83), (1, 1), (17, 8)])
def test_bytes_of_pillows_file_of_the_same_quality(quality, subsampling, pillow, size):
    for image in (photo()[: size[0], : size[1]], photo(1)[: size[0], : size[1]]):
        file = io.BytesIO()
        options = {"subsampling": pillow} if image.shape[2] == 3 else {}
        Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).save(
            file, "JPEG", quality=quality, **options
        )
        saved = np.asarray(Image.open(file)).reshape(image.shape)
        out = og.Compose([og.JpegCompression(quality, subsampling=subsampling)])(
            image=image, axes="YXC"
        ).image
        np.testing.assert_array_equal(out, saved)


def test_the_error_falls_with_the_quality():
    image = photo()
    errors = [
        np.abs(og.Compose([og.JpegCompression(q)])(image=image).image.astype(int) - image).mean()
        for q in (5, 30, 95)
    ]
    assert errors[0] > 1.5 * errors[1] > 1.5 * errors[2] > 0


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((60, 83), "YX"), ((1, 60, 83), "CYX"), ((3, 60, 83), "CYX"), ((2, 60, 83, 3), "TYXC")],
)
def test_every_layout(shape, axes):
    image = (
        np.broadcast_to(photo(1)[..., 0], (*shape[:-2], 60, 83))
        if axes[-1] != "C"
        else np.stack([photo()] * 2)
    )
    out = og.Compose([og.JpegCompression(80)])(image=image, axes=axes).image
    assert out.shape == image.shape and 0 < np.abs(out.astype(int) - image).mean() < 8


def test_what_is_drawn():
    assert is_even_among(
        drawn(og.JpegCompression((40, 44)), lambda params: params["quality"]).tolist(), range(40, 45)
    )


@pytest.mark.parametrize(("shape", "dtype"), [((9, 9), "uint16"), ((9, 9), "float32"), ((9, 9, 4), "uint8")])
def test_what_jpeg_does_not_hold(shape, dtype):
    with pytest.raises(og.StepError, match="JPEG takes uint8 of 1 or 3 channels"):
        og.Compose([og.JpegCompression(50)])(image=np.zeros(shape, dtype))


@pytest.mark.parametrize("quality", [0, 101, 55.5, (10, 200)])
def test_what_is_no_quality(quality):
    with pytest.raises(og.StepError, match="quality: expected a whole number from 1 to 100"):
        og.JpegCompression(quality)


@pytest.mark.parametrize("subsampling", ["444", "420"])
def test_channels_in_the_order_of_opencv(subsampling):
    """As if the image were turned round before and after; one channel has no order."""
    options = {"subsampling": subsampling}
    image = photo()
    out = og.Compose([og.JpegCompression(40, channels="bgr", **options)])(image=image).image
    turned = og.Compose([og.JpegCompression(40, **options)])(image=image[..., ::-1].copy()).image
    np.testing.assert_array_equal(out, turned[..., ::-1])
    assert (
        out.flags.c_contiguous
        and (out != og.Compose([og.JpegCompression(40, **options)])(image=image).image).any()
    )
    grey = photo(1)
    one, other = (
        og.Compose([og.JpegCompression(40, channels=order)])(image=grey).image for order in ("rgb", "bgr")
    )
    np.testing.assert_array_equal(one, other)
