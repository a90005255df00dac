import io

import numpy as np
import pytest
from PIL import Image

import offgraph as og

CASES = {2: [og.ToGrey(), og.ToGrey(channels=3, method="mean")], 3: [og.ToGrey(channels=1)]}
PHOTO = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


def test_bytes_of_pillow_and_of_reading_a_file_as_grey():
    out = og.Compose([og.ToGrey(channels=1)])(image=PHOTO).image[..., 0]
    np.testing.assert_array_equal(out, np.asarray(Image.fromarray(PHOTO).convert("L")))
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "PNG")
    np.testing.assert_array_equal(out, og.imread(file.getvalue(), color="grey"))


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64", "int32"])
def test_other_dtypes(dtype):
    """The integer weights of 16 bits are off by up to half a level of 16 bits, before they are rounded."""
    image = (PHOTO.astype(np.float64) * 200).astype(dtype)
    out = og.Compose([og.ToGrey()])(image=image).image
    expected = image.astype(np.float64) @ [0.299, 0.587, 0.114]
    assert out.shape == image.shape and out.dtype == dtype
    assert np.abs(out[..., 0] - expected).max() <= {"uint16": 1.0, "int32": 0.5}.get(dtype, 0.01)


def test_the_mean():
    out = og.Compose([og.ToGrey(method="mean")])(image=np.array([[[1, 2, 6]]], np.uint8)).image
    assert out.tolist() == [[[3, 3, 3]]]


@pytest.mark.parametrize(
    ("shape", "axes", "channels", "after"),
    [
        ((4, 5), "YX", None, ((4, 5), "YX")),
        ((4, 5), "YX", 3, ((4, 5, 3), "YXC")),
        ((4, 5), "YX", 1, ((4, 5), "YX")),
        ((3, 4, 5), "CYX", 1, ((1, 4, 5), "CYX")),
        ((3, 6, 4, 5), "CZYX", None, ((3, 6, 4, 5), "CZYX")),
        ((4, 5, 1), "YXC", 3, ((4, 5, 3), "YXC")),
    ],
)
def test_how_many_channels_there_are(shape, axes, channels, after):
    image = np.ones(shape, np.uint8) * 9
    recipe = og.Compose([og.ToGrey(channels=channels)])
    out = recipe(image=image, axes=axes)
    assert (out.image.shape, out.targets.image.axes) == after and (out.image == 9).all()
    spec = recipe.output_spec(
        og.OpenSpec((*[None] * (len(shape) - 1), shape[-1]) if axes[-1] == "C" else (*shape,), "uint8", axes)
    )
    assert spec.axes == after[1]


def test_one_image_in_five():
    recipe = og.Compose([og.ToGrey(p=0.2)])
    grey = [
        np.ptp(recipe(image=PHOTO[:2, :2], key=og.Key(index=index)).image, axis=-1).max() == 0
        for index in range(1000)
    ]
    assert abs(np.mean(grey) - 0.2) < 5 * (0.16 / 1000) ** 0.5


def test_many_channels():
    with pytest.raises(og.StepError, match="takes 1 or 3 channels, the image has 4"):
        og.Compose([og.ToGrey()])(image=np.zeros((4, 5, 4), np.uint8))
