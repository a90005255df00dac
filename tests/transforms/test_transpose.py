import numpy as np

import offgraph as og

CASES = {2: [og.Transpose(), og.Transpose(p=0.5)], 3: [og.Transpose(), og.Transpose(plane="ZX")]}


def test_it_is_a_transposition():
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    np.testing.assert_array_equal(og.Compose([og.Transpose()])(image=image).image, image.transpose(1, 0, 2))
    volume = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    out = og.Compose([og.Transpose(plane="ZX")])(image=volume, axes="ZYX")
    np.testing.assert_array_equal(out.image, volume.transpose(2, 1, 0))


def test_twice_is_nothing():
    image = np.arange(24, dtype=np.uint8).reshape(4, 6)
    out = og.Compose([og.Transpose(), og.Transpose()])(image=image, points=[[1, 5]])
    np.testing.assert_array_equal(out.image, image)
    np.testing.assert_array_equal(out.points.places, [[1, 5]])


def test_points_and_the_way_back():
    out = og.Compose([og.Transpose()])(image=np.zeros((4, 6), np.uint8), points=[[1, 5]])
    np.testing.assert_array_equal(out.points.places, [[5, 1]])
    np.testing.assert_array_equal(out.frame.undo(points=out.points).places, [[1, 5]])


def test_lengths_that_are_known():
    spec = og.Compose([og.Transpose()]).output_spec(og.ArraySpec((4, 6, 3), "uint8", "YXC"))
    assert spec.shape == (6, 4, 3)
