import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [og.Crop((10, 11), (3, 5)), og.Crop("50%"), og.Crop((20, 12), 13, pad=True, cval=5, mask_cval=1)],
    3: [og.Crop((3, 4, 5), (1, 0, 2)), og.Crop((5, 4, 5), 6, pad=True, mode="mirror")],
}


def test_it_is_a_slice_of_every_target():
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    out = og.Compose([og.Crop((8, 9), (4, 20))])(
        image=image, mask=image[..., 0], boxes=[[22, 6, 27, 9]], points=[[5, 21]]
    )
    np.testing.assert_array_equal(out.image, image[4:12, 20:29])
    np.testing.assert_array_equal(out.mask, image[4:12, 20:29, 0])
    assert out.boxes.array.tolist() == [[2, 2, 7, 5]] and out.points.array.tolist() == [[1, 1]]


def test_it_joins_its_neighbours_and_decodes_only_its_part():
    text = og.Compose([og.Rotate(10), og.Crop(20, 5), og.Rotate(-4)]).explain(
        og.ArraySpec((40, 50), "uint8", "YX")
    )
    assert "[steps 1 Rotate, 2 Crop, 3 Rotate]" in text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"size": (9, 4), "corner": (0, 5)},
            r"size=\(9, 4\) from corner=\(0, 5\) reaches beyond the image of \(8, 8\)",
        ),
        ({"size": 4, "corner": (0, 5, 1)}, "has 3 numbers, the image has 2 spatial axes"),
    ],
)
def test_what_does_not_fit(options, says):
    with pytest.raises(og.StepError, match=says):
        og.Compose([og.Crop(**options)])(image=np.zeros((8, 8), np.uint8))


@pytest.mark.parametrize("corner", [-1, (1, -1), 1.5, (1,), "3"])
def test_what_is_no_corner(corner):
    with pytest.raises(og.StepError, match="corner: expected a pixel from 0 for all axes"):
        og.Crop(4, corner)
