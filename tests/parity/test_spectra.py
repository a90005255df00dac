"""Filters of spectra against live SciPy: what the drawn calls of `calls/spectra.py` rarely meet."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from tests.parity.calls.call import Call, assert_call
from tests.parity.calls.spectra import FILTERS
from tests.support.cases import OutputForm

from offgraph import ndimage
from offgraph.core.threads import num_threads


def spectrum(shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(len(shape))
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("shape", [(300, 257), (64, 64, 33), (5000,), (1, 90), (90, 1)])
@pytest.mark.parametrize("threads", [1, 3])
def test_large_spectra(name, shape, threads):
    image = spectrum(shape)
    with num_threads(threads):
        for n in (-1, 2 * shape[-1] - 2):
            assert_call(
                Call(
                    name,
                    image,
                    {"sigma" if "gauss" in name else "shift" if "shift" in name else "size": 3.7, "n": n},
                )
            )


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("image", [np.ones(()), np.ones((0, 3)), np.ones((3, 0)), np.ones((2, 2, 2, 2)), np.ones(4, "f2"),
                                   np.ones(4, "g"), np.ones(4, "G"), np.ones(3, "S1"), np.ones((1, 1))])  # fmt: skip
def test_odd_arrays(name, image):
    parameter = "sigma" if "gauss" in name else "shift" if "shift" in name else "size"
    for axis in (-1, 0, 1.5, 7):
        assert_call(Call(name, image, {parameter: 1.5, "axis": axis}))
    assert_call(Call(name, image, {parameter: 1.5}, OutputForm("array", "c16", "readonly")))


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("n", [2**31, 2**32, 2**31 - 1, 2**40])
def test_lengths_beyond_an_int(name, n):
    parameter = "sigma" if "gauss" in name else "shift" if "shift" in name else "size"
    assert_call(Call(name, spectrum((4, 5)), {parameter: 1.5, "n": n}))


@pytest.mark.parametrize("name", FILTERS)
def test_in_place(name):
    ours, theirs = spectrum((30, 40)), spectrum((30, 40))
    getattr(ndimage, name)(ours, 3.0, output=ours)
    getattr(scipy.ndimage, name)(theirs, 3.0, output=theirs)
    assert ours.tobytes() == theirs.tobytes()


def test_an_output_that_overlaps_the_input_is_no_danger():
    values = spectrum((9, 5))
    expected = scipy.ndimage.fourier_gaussian(values[:-1].copy(), 1)
    ndimage.fourier_gaussian(values[:-1], 1, output=values[1:])
    assert np.array_equal(values[1:], expected)


@pytest.mark.parametrize("name", FILTERS)
def test_an_output_whose_steps_are_no_multiples_of_its_elements(name):
    parameter = "sigma" if "gauss" in name else "shift" if "shift" in name else "size"
    for shape in ((1, 2), (1, 1), (3, 4)):
        assert_call(Call(name, np.ones(shape), {parameter: 1.5}, OutputForm("array", "c8", "packed")))
