"""Morphology against live SciPy: equal bytes, dtype, shape and exceptions."""

from __future__ import annotations

import signal
import warnings

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.support.cases import (
    ALL_DTYPES,
    MODES,
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
from offgraph.core.threads import num_threads

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
    ordered = axes is None or np.ndim(axes) == 0 or list(axes) == sorted(axes)
    if not ordered and structure is not None and len(set(structure.shape)) > 1:
        keywords["axes"], ordered = tuple(sorted(axes)), True
    if draw(st.booleans()) and ordered:
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
    layout = draw(
        st.sampled_from(("C", "F", "reversed", "strided", "swapped", "misaligned", "packed", "readonly"))
    )
    layout = layout if image.ndim else "C"
    form = OutputForm(kind, draw(st.sampled_from(("?", "?", "u1", *ALL_DTYPES))), layout)
    return None if kind == "none" else lambda: form.make(image.shape)


def centred(structure):
    return structure is None or (
        structure.size and structure[tuple(n // 2 for n in structure.shape)] and structure.ndim
    )


def exceeds(structure, image):
    """Whether SciPy, in a second pass, may take the wrong offsets and write beside the image, along whichever axes."""
    lengths = (3,) if structure is None else structure.shape
    return image.ndim > 0 and max(lengths, default=0) > min(image.shape)


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
    keywords["brute_force"] |= exceeds(structure, image)
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


@pytest.mark.parametrize("name", ["binary_opening", "binary_closing"])
def test_opening_and_closing(name):
    @examples(150)
    @given(st.data(), repeated())
    def run(data, call):
        image, keywords = call
        mask = keywords.get("mask")
        # Several passes write into a mask of int8 (docs/differences.md), and the second half reads it.
        assume(mask is None or mask.dtype != np.int8 or keywords.get("iterations", 1) == 1)
        compare(name, image, output=data.draw(outputs(image)), **keywords)

    run()


@pytest.mark.parametrize("name", ["binary_propagation", "binary_fill_holes"])
def test_propagation_and_fill(name):
    @examples(300)
    @given(st.data(), binary())
    def run(data, image):
        structure = data.draw(structures(image.ndim))
        if not centred(structure) or exceeds(structure, image):
            structure = None
            if image.ndim:
                image = np.pad(image, [(0, max(0, 3 - length)) for length in image.shape])
        keywords = {"structure": structure}
        if name == "binary_propagation":
            mask = np.random.default_rng(data.draw(st.integers(0, 99))).random(image.shape) < 0.6
            keywords |= {"mask": np.asarray(mask), "border_value": data.draw(st.integers(0, 1))}
        compare(name, image, output=data.draw(outputs(image)), **keywords)

    run()


@examples(300)
@given(st.data(), binary())
def test_hit_or_miss(data, image):
    structure1 = data.draw(structures(image.ndim))
    keywords = {"structure1": structure1, "structure2": data.draw(st.sampled_from((None, structure1)))}
    if structure1 is not None and data.draw(st.booleans()):
        pixels = np.random.default_rng(data.draw(st.integers(0, 99))).random(structure1.shape) < 0.4
        keywords["structure2"] = np.asarray(pixels)
    compare("binary_hit_or_miss", image, output=data.draw(outputs(image)), **keywords)


@examples(200)
@given(st.data(), st.integers(0, 3))
def test_structures(data, rank):
    structure = data.draw(structures(rank))
    if structure is None:
        structure = scipy.ndimage.generate_binary_structure(rank, 1)
    iterations = data.draw(st.integers(-1, 4))
    origin = data.draw(st.sampled_from((None, 0, 1, [1] * rank, [1])))
    theirs = outcome(scipy.ndimage.iterate_structure, structure, iterations, origin)
    ours = outcome(ndimage.iterate_structure, structure, iterations, origin)
    if isinstance(theirs.value, tuple):
        assert ours.value[1] == theirs.value[1]
        assert_equal_arrays(ours.value[0], theirs.value[0])
    else:
        assert_same(ours, theirs)


@pytest.mark.parametrize("rank", [-1, 0, 1, 2, 3, 4, np.int64(2), 1.5])
@pytest.mark.parametrize("connectivity", [-1, 0, 1, 1.5, 2, 9])
def test_generate_binary_structure(rank, connectivity):
    assert_same(
        outcome(ndimage.generate_binary_structure, rank, connectivity),
        outcome(scipy.ndimage.generate_binary_structure, rank, connectivity),
    )


def maze(shape, seed):
    """Winding ways one pixel wide: what spreads along them turns thousands of times."""
    rng = np.random.default_rng(seed)
    walls = np.ones(shape, bool)
    walls[1:-1:2, 1:-1] = False
    for row in range(2, shape[0] - 1, 2):
        walls[row, rng.integers(1, shape[1] - 1)] = False
    return ~walls


@pytest.mark.parametrize("structure", [None, np.ones((3, 3))])
@pytest.mark.parametrize("iterations", [-1, 3, 700, 5000])
def test_long_ways(simd_level, structure, iterations):
    ways = maze((61, 333), 4)
    seed = np.zeros(ways.shape, bool)
    seed[1, 1] = True
    for brute_force in (False, True):
        arguments = (seed, structure, iterations, ways, None, 0, 0, brute_force)
        assert_equal_arrays(
            ndimage.binary_dilation(*arguments), scipy.ndimage.binary_dilation(*arguments[:7], False)
        )


@pytest.mark.parametrize("threads", [1, 2])
def test_every_level_and_thread_count(simd_level, threads):
    rng = np.random.default_rng(0)
    image = scipy.ndimage.gaussian_filter(rng.normal(size=(1500, 1200)), 5) > 0
    disk = np.hypot(*np.mgrid[-7:8, -7:8]) < 7.4
    grey = rng.integers(0, 256, (90, 130), np.uint8)
    with num_threads(threads):
        for structure, iterations in ((None, 4), (np.ones((3, 3)), 5), (disk, 1), (disk, 3)):
            for name in ("binary_erosion", "binary_dilation"):
                ours = getattr(ndimage, name)(image, structure, iterations)
                assert_equal_arrays(ours, getattr(scipy.ndimage, name)(image, structure, iterations))
        assert_equal_arrays(ndimage.binary_fill_holes(image), scipy.ndimage.binary_fill_holes(image))
        for keywords in ({"footprint": disk}, {"structure": disk * 3.5}):
            ours = ndimage.grey_dilation(grey, **keywords)
            assert_equal_arrays(ours, scipy.ndimage.grey_dilation(grey, **keywords))


@st.composite
def grey_calls(draw):
    """An image and a window; NaN, which SciPy's answer depends on the order of, is left to other tests."""
    image = draw(arrays(REAL_DTYPES, 1, 3, 0, 9))
    if image.dtype.kind == "f" and np.isnan(image).any():
        image = np.nan_to_num(image, nan=1, posinf=np.inf, neginf=-np.inf)
    if 0 in image.strides:
        # SciPy takes the second sample of a broadcast line for the border (test_order_statistics.py tests what we do).
        image = image.copy()
    rank = image.ndim if draw(st.integers(0, 3)) else draw(st.integers(1, 3))
    keywords = {}
    if rank < image.ndim:
        keywords["axes"] = tuple(sorted(draw(st.permutations(range(image.ndim)))[:rank]))
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=rank, max_size=rank)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = draw(st.sampled_from(("size", "footprint", "structure", "both", "all", "none")))
    if kinds in ("size", "all"):
        keywords["size"] = draw(st.sampled_from((3, shape)))
    if kinds in ("footprint", "both", "all"):
        keywords["footprint"] = np.asarray(rng.random(shape) < 0.6)
        keywords["footprint"].flat[rng.integers(0, np.prod(shape))] = True
    if kinds in ("structure", "both"):
        heights = rng.integers(-300, 300, shape) / draw(st.sampled_from((1, 7)))
        keywords["structure"] = laid_out(heights, draw(st.sampled_from(("C", "F", "reversed"))))
    if draw(st.booleans()):
        keywords["origin"] = [draw(st.integers(-(n // 2), (n - 1) // 2)) for n in shape]
    keywords["mode"] = draw(st.sampled_from((*MODES, "no such mode", ["wrap"] * rank)))
    keywords["cval"] = draw(st.sampled_from((0.0, 1, 2.5, -3.5, 300)))
    return image, keywords


@pytest.mark.parametrize(
    "name",
    [
        "grey_erosion",
        "grey_dilation",
        "grey_opening",
        "grey_closing",
        "morphological_gradient",
        "morphological_laplace",
        "white_tophat",
        "black_tophat",
    ],
)
def test_grey(name):
    @examples(200)
    @given(st.data(), grey_calls())
    def run(data, call):
        image, keywords = call
        compare(name, image, output=data.draw(outputs(image)), **keywords)

    run()


@pytest.mark.parametrize("name", ["grey_erosion", "grey_dilation", "binary_erosion", "binary_dilation"])
def test_an_output_that_is_the_input(name):
    images = [np.arange(40).reshape(5, 8) % 7 // 3 for _ in range(2)]
    for image, module in zip(images, (ndimage, scipy.ndimage)):
        keywords = {"size": 3} if name.startswith("grey") else {"structure": np.ones((2, 3))}
        assert getattr(module, name)(image[:, :6], output=image[:, 2:], **keywords).base is image
    assert_equal_arrays(*images)


# The deliberate differences of docs/differences.md.


def test_an_origin_outside_the_structure_is_refused():
    # SciPy takes it for an index from the end, and reads beside the image.
    with pytest.raises(ValueError, match="invalid origin"):
        ndimage.binary_erosion(np.ones((5, 5)), np.ones((3, 3)), origin=-2)


def test_a_structure_longer_than_the_image_is_no_danger():
    image = np.zeros((4, 3, 9), bool)
    image[0, 0, 0] = True
    structure = np.ones((6, 5, 1))
    ours = ndimage.binary_dilation(image, structure, 3)
    assert_equal_arrays(ours, scipy.ndimage.binary_dilation(image, structure, 3, brute_force=True))


def test_a_mask_is_read_only_and_before_anything_is_written():
    mask = np.array([1, 1, 0, 1, 1], np.int8)
    before = mask.copy()
    image = np.array([1, 0, 0, 0, 0], bool)
    spread = ndimage.binary_dilation(image, iterations=-1, mask=mask)
    assert spread.tolist() == [True, True, False, False, False]
    assert np.array_equal(mask, before)
    scipy.ndimage.binary_dilation(image, iterations=-1, mask=mask)
    assert not np.array_equal(mask, before)
    shared = np.array([1, 1, 1, 0, 0], bool)
    ndimage.binary_dilation(image, iterations=-1, mask=shared, output=shared)
    assert shared.tolist() == [True, True, True, False, False]


def test_an_output_of_foreign_byte_order_gives_no_warning():
    output = np.zeros(5, ">i2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ndimage.binary_dilation(np.array([0, 0, 1, 0, 0]), iterations=2, output=output)
    assert output.tolist() == [1, 1, 1, 1, 1]


def test_heights_fewer_than_the_footprint_are_refused():
    # SciPy reads past them.
    for footprint in (np.ones((3, 3)), np.zeros((1, 1))):
        with pytest.raises((RuntimeError, ValueError)):
            ndimage.grey_erosion(np.ones((5, 5)), footprint=footprint, structure=np.ones((1, 1)))


def test_an_endless_erosion_ends_with_an_interruption():
    # A structure beside its centre moves pixels around; from time to time signals are looked at.
    def stop(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            ndimage.binary_erosion(np.arange(64) % 2, [1, 0, 1], iterations=-1, border_value=1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "name", ["grey_erosion", "grey_dilation", "grey_opening", "white_tophat", "morphological_gradient"]
)
def test_an_array_without_axes_has_a_height(name):
    for output in (None, np.zeros((), ">f8")):
        ours, theirs = (
            getattr(ndi, name)(
                np.array(5.0), structure=np.array(1.0), output=None if output is None else output.copy()
            )
            for ndi in (ndimage, scipy.ndimage)
        )
        assert ours == theirs and np.shape(ours) == np.shape(theirs)
