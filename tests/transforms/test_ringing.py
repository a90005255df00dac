import math

import numpy as np
import pytest
from scipy import integrate, special

import offgraph as og

CASES = {2: [og.Ringing(), og.Ringing((1, 3), cutoff=2, mode="constant", cval=9)], 3: [og.Ringing(2)]}


def test_the_kernel_is_the_transform_of_a_disk():
    """The two-dimensional Fourier integral of 1 up to the cutoff: an integral of J0 over radii."""
    cutoff, radius = 1.1, 5
    impulse = np.zeros((31, 31))
    impulse[15, 15] = 1
    out = og.Compose([og.Ringing(radius, cutoff=cutoff)])(image=impulse).image
    window = out[10:21, 10:21]
    assert abs(out.sum() - 1) < 1e-12 and np.count_nonzero(np.delete(out, range(10, 21), 0)) == 0
    exact = [integrate.quad(lambda w: w * special.j0(w * r), 0, cutoff)[0] / (2 * math.pi) for r in range(6)]
    np.testing.assert_allclose(window[5, 5:] / window[5, 5], np.array(exact) / exact[0], atol=1e-9)


def test_it_overshoots_and_keeps_what_is_flat():
    edge = np.repeat(np.repeat([[50, 150]], 20, axis=1), 9, axis=0).astype(np.uint8)
    out = og.Compose([og.Ringing(7, cutoff=0.8)])(image=edge).image
    assert out.max() > 153 and out.min() < 47
    flat = np.full((9, 9), 77, np.uint8)
    np.testing.assert_array_equal(og.Compose([og.Ringing(3)])(image=flat, key=og.Key()).image, flat)


def test_no_frequency_above_that_of_pixels():
    with pytest.raises(og.StepError, match="radians per pixel"):
        og.Ringing(3, cutoff=(1, 4))
