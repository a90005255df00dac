import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.Normalize(mean=0.4, std=0.2, range=255),
        og.Normalize(mean=[0.4], std=(0.2,), range=4095, p=1),
        og.Normalize("imagenet", range=255),
    ],
    3: [og.Normalize(mean=0.4, std=0.2, range=65535)],
}


def spec(dtype: str, channels: int = 3) -> og.ArraySpec:
    return og.ArraySpec((4, 4, channels), dtype, "YXC")


def test_imagenet_is_per_channel():
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    out = og.Compose([og.Normalize("imagenet")])(image=image).image
    expected = (image / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_array_equal(out, expected.astype(np.float32))


def test_channels_first():
    image = np.random.default_rng(0).integers(0, 256, (3, 40, 50), np.uint8)
    first = og.Compose([og.Normalize("imagenet")])(image=image, axes="CYX").image
    last = og.Compose([og.Normalize("imagenet")])(image=image.transpose(1, 2, 0)).image
    np.testing.assert_array_equal(first, last.transpose(2, 0, 1))


@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535)])
def test_white_is_the_largest_of_the_dtype(dtype, top):
    recipe = og.Compose([og.Normalize(mean=0, std=1)])
    assert recipe(image=np.full((2, 2), top, dtype)).image.tolist() == [[1, 1], [1, 1]]


def test_12_bits_in_16():
    recipe = og.Compose([og.Normalize(mean=0, std=1, range=4095)])
    assert recipe(image=np.full((2, 2), 4095, np.uint16)).image.max() == 1


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_a_float_or_signed_image_must_say_its_range(dtype):
    with pytest.raises(og.StepError, match=f"Normalize: range= is needed for an image of dtype {dtype}"):
        og.Compose([og.Normalize("imagenet")])(image=np.zeros((2, 2, 3), dtype))


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels(channels):
    with pytest.raises(og.StepError, match=f"statistics of 3 channels do not fit an image of {channels}"):
        og.Compose([og.Normalize("imagenet")]).output_spec(spec("uint8", channels))


def test_statistics_of_values_up_to_255_are_noticed():
    with pytest.warns(og.OffgraphWarning, match="divide them by 255"):
        og.Normalize(mean=(123.7, 116.3, 103.5), std=(58.4, 57.1, 57.4))
    og.Normalize(mean=(123.7, 116.3, 103.5), std=(58.4, 57.1, 57.4), range=1)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"mean": 0.5},
        {"stats": "imagenet", "mean": 0.5, "std": 1},
        {"mean": 0, "std": 0},
        {"stats": "coco"},
    ],
)
def test_bad_statistics(parameters):
    with pytest.raises(og.StepError, match=r"Normalize: .*(expected|should be)"):
        og.Normalize(**parameters)


def test_it_cannot_be_drawn():
    with pytest.raises(og.StepError, match="needs p=1"):
        og.Compose([og.Normalize("imagenet", p=0.5)]).output_spec(spec("uint8"))
