"""Morphology against live SciPy: equal bytes, dtype, shape and exceptions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from tests.cases import (
    ALL_DTYPES,
    REAL_DTYPES,
    OutputForm,
    arrays,
    assert_equal_arrays,
    assert_same,
    examples,
    laid_out,
    outcome,
)

from offgraph import ndimage
from offgraph.threads import num_threads

WRITEBACK = "RuntimeWarning: WRITEBACKIFCOPY"


def compare(name, image, *, output=None, **keywords):
    """Call ours and SciPy's, each with arguments of its own, and compare what they give and what they write."""
    made, outcomes = [], []
    for module in (ndimage, scipy.ndimage):
        if output is not None:
            keywords["output"] = output()
            made.append(keywords["output"])
        # SciPy writes into a mask of int8.
        own = {key: value.copy() if key == "mask" else value for key, value in keywords.items()}
        outcomes.append(outcome(getattr(module, name), image, **own))
    # SciPy forgets to write back into an output of foreign byte order; NumPy does it later, with a warning, or with
    # a SystemError over any other error.
    if isinstance(outcomes[1].error, SystemError):
        return
    for each in outcomes:
        each.warnings = [text for text in each.warnings if not text.startswith(WRITEBACK)]
    assert_same(*outcomes)
    if outcomes[1].error is None and made and isinstance(made[1], np.ndarray):
        assert_equal_arrays(*made)
        assert (outcomes[0].value is made[0]) == (outcomes[1].value is made[1])


@st.composite
def binary(draw, dtypes=REAL_DTYPES, min_dims=0, max_dims=3, max_size=9):
    """An array of pixels, often rather full or rather empty, sometimes wider than a machine word."""
    if draw(st.integers(0, 19)) == 0 and min_dims == 0:
        return np.array(draw(st.integers(0, 2))).astype(draw(st.sampled_from(dtypes)))
    image = draw(arrays(dtypes, max(min_dims, 1), max_dims, 0, max_size))
    seed, kept = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from((0.1, 0.5, 0.9)))
    if draw(st.booleans()) and image.ndim:
        shape = list(image.shape)
        shape[draw(st.integers(0, image.ndim - 1))] = draw(st.integers(40, 150))
        shape = tuple(shape)
    else:
        shape = image.shape
    if draw(st.integers(0, 3)):
        pixels = np.random.default_rng(seed).random(shape) < kept
        image = laid_out(pixels.astype(image.dtype), draw(st.sampled_from(("C", "F", "reversed", "strided"))))
    return image


@st.composite
def structures(draw, rank):
    """Any structure: boxes, crosses, holes, even sizes, none of it set, now and then of the wrong rank or empty."""
    kind = draw(st.sampled_from(("default", "cross", "box", "random", "random", "random", "odd")))
    if kind == "default":
        return None
    if kind == "cross":
        return scipy.ndimage.generate_binary_structure(rank, draw(st.integers(0, 3)))
    if kind == "odd":
        rank, least = draw(st.integers(0, 3)), 0
    else:
        least = 1
    shape = tuple(draw(st.lists(st.integers(least, 6), min_size=rank, max_size=rank)))
    if kind == "box":
        return np.ones(shape, draw(st.sampled_from(("?", "u1", "f8"))))
    kept = draw(st.sampled_from((0.0, 0.3, 0.6, 0.9)))
    elements = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).random(shape) < kept
    elements = np.asarray(elements)
    if draw(st.booleans()) and elements.size:
        elements[tuple(length // 2 for length in shape)] = True
    return laid_out(elements, draw(st.sampled_from(("C", "F", "reversed"))))


@st.composite
def places(draw, image, structure):
    """Axes and origins; mostly ones that fit, and none with which SciPy would read beside the image."""
    keywords = {}
    count = image.ndim
    if structure is not None and structure.ndim < image.ndim and draw(st.integers(0, 9)):
        count = structure.ndim
        keywords["axes"] = tuple(draw(st.permutations(range(image.ndim)))[:count])
    elif draw(st.integers(0, 9)) == 0:
        keywords["axes"] = draw(st.sampled_from((0, -1, (0, 0), (5,), (1, 0), None, 1.5)))
    axes = keywords.get("axes")
    # SciPy moves origins to the axes named, but not the structure's axes.
    if draw(st.booleans()) and (axes is None or np.ndim(axes) == 0 or list(axes) == sorted(axes)):
        lengths = (3,) * count if structure is None else structure.shape
        lows = [(-(length // 2), (length - 1) // 2) if length else (0, 0) for length in lengths]
        keywords["origin"] = [draw(st.integers(*low)) for low in lows]
    if draw(st.integers(0, 19)) == 0:
        keywords["origin"] = draw(st.sampled_from((99, [0], [0.5], "no", None)))
    return keywords


@st.composite
def outputs(draw, image):
    """Makers of outputs: none, an array of any dtype and layout, a wrong one, or the input itself."""
    kind = draw(st.sampled_from(("none", "none", "type", "array", "array", "array", "wrong shape")))
    layout = draw(st.sampled_from(("C", "F", "reversed", "strided", "swapped", "misaligned", "readonly")))
    layout = layout if image.ndim else "C"
    form = OutputForm(kind, draw(st.sampled_from(("?", "?", "u1", *ALL_DTYPES))), layout)
    return None if kind == "none" else lambda: form.make(image.shape)


def centred(structure):
    return structure is None or (
        structure.size and structure[tuple(n // 2 for n in structure.shape)] and structure.ndim
    )


@st.composite
def repeated(draw):
    """A call of erosion or dilation with all arguments."""
    image = draw(binary(ALL_DTYPES if draw(st.integers(0, 9)) == 0 else REAL_DTYPES))
    structure = draw(structures(draw(st.integers(0, image.ndim)) if image.ndim else 0))
    keywords = draw(places(image, structure))
    keywords["structure"] = structure
    keywords["border_value"] = draw(st.sampled_from((0, 1, 1, 7, -1, True)))
    keywords["brute_force"] = draw(st.sampled_from((False, False, True)))
    counts = [1, 1, 2, 2, 3, 5]
    if centred(structure) and not any(np.atleast_1d(keywords.get("origin", 0)) != 0):
        # Others may never come to rest, in SciPy too.
        counts += [0, -1, -1, 40]
    keywords["iterations"] = draw(st.sampled_from(counts))
    if draw(st.booleans()):
        mask = np.random.default_rng(draw(st.integers(0, 99))).random(image.shape) < draw(
            st.sampled_from((0.2, 0.7, 0.95))
        )
        dtype = draw(st.sampled_from(("?", "?", *REAL_DTYPES)))
        mask = np.asarray(mask).astype(dtype)
        if dtype not in ("?", "i1") and draw(st.booleans()):
            # Values that another cast makes zero.
            mask *= np.array(draw(st.sampled_from((0.5, 2, 100, 256 if dtype != "u1" else 3)))).astype(dtype)
        keywords["mask"] = (
            laid_out(mask, draw(st.sampled_from(("C", "C", "F", "swapped")))) if mask.ndim else mask
        )
    return image, keywords


@pytest.mark.parametrize("name", ["binary_erosion", "binary_dilation"])
def test_erosion_and_dilation(name):
    @examples(700)
    @given(st.data(), repeated())
    def run(data, call):
        image, keywords = call
        compare(name, image, output=data.draw(outputs(image)), **keywords)

    run()
