"""Measurements: connected components, and statistics of labelled regions.

Left out: an output that is read-only, which SciPy's `label` writes all the same, and for `value_indices` foreign byte order,
and ranges of values for which it takes too much memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from tests.parity.calls.binary import pixels
from tests.parity.calls.call import Call, flags, images, outputs, seeds
from tests.support.cases import OutputForm, laid_out

SUMS = ("sum", "sum_labels", "mean", "variance", "standard_deviation", "center_of_mass")
EXTREMES = ("minimum", "maximum", "minimum_position", "maximum_position", "extrema")
ANY_FUNCTION = ("median", "histogram", "labeled_comprehension")
WITHOUT_OUTPUT = (*SUMS, *EXTREMES, *ANY_FUNCTION, "find_objects", "value_indices")

LABEL_DTYPES = ("i4", "i4", "i8", "u1", "u2", "i1", "i2", "u4", "u8", "f4", "f8", "?")
LAYOUTS = ("C", "C", "C", "F", "reversed", "strided", "swapped", "misaligned")


def symmetric(draw: st.DrawFn, rank: int) -> np.ndarray | None:
    """A structure of `label`: mostly symmetric, of any elements."""
    if draw(st.integers(0, 2)) == 0:
        return None
    elements = np.random.default_rng(draw(seeds)).random((3,) * rank) < draw(st.sampled_from((0.1, 0.4, 1.0)))
    if draw(st.integers(0, 19)):
        elements = elements | elements[(slice(None, None, -1),) * rank]
    return laid_out(np.asarray(elements), draw(st.sampled_from(("C", "F", "reversed"))))


def components(draw: st.DrawFn, name: str) -> Call:
    image = draw(pixels())
    form = draw(outputs(image))
    if form is not None and form.layout == "readonly":
        form = None
    return Call(name, image, {"structure": symmetric(draw, image.ndim)}, form)


def marks(draw: st.DrawFn, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Labels in blocks or as noise; now and then with negative ones, or far more than there are elements."""
    rng = np.random.default_rng(draw(seeds))
    few = draw(st.sampled_from((2, 5, 40)))
    labels = np.asarray(rng.integers(0, few, shape))
    if draw(flags) and labels.size:
        coarse = tuple(max(1, -(-length // 5)) for length in shape)
        labels = np.asarray(rng.integers(0, few, coarse))
        for axis in range(len(shape)):
            labels = labels.repeat(5, axis).take(range(shape[axis]), axis)
    if draw(st.integers(0, 5)) == 0:
        labels = labels * draw(st.sampled_from((-1, 3, 1000))) + draw(st.sampled_from((0, -2, 10**6)))
    return laid_out(np.asarray(labels).astype(dtype), draw(st.sampled_from(LAYOUTS)))


def objects(draw: st.DrawFn, name: str) -> Call:
    image = draw(images(empty=True)) if draw(flags) else None
    shape = image.shape if image is not None else tuple(draw(st.lists(st.integers(1, 12), max_size=3)))
    labels = marks(draw, shape, draw(st.sampled_from(LABEL_DTYPES)))
    if labels.dtype.kind == "u" and labels.dtype.itemsize > 2:
        # Negative labels became large ones, whose boxes take more memory than there is.
        labels = np.minimum(labels, labels.dtype.type(10**6))
    return Call(name, labels, {"max_label": draw(st.sampled_from((0, 0, 1, 7, -3, 1000, 2.5)))})


def grouped(draw: st.DrawFn, name: str) -> Call:
    shape = tuple(draw(st.lists(st.integers(0, 12), max_size=4)))
    labels = marks(draw, shape, draw(st.sampled_from(LABEL_DTYPES)))
    # SciPy's keys have the bytes of foreign order in the wrong order.
    labels = np.array(labels, labels.dtype.newbyteorder("="))
    labels[labels > 2 * 10**6] = (
        7  # negative numbers as unsigned ones: a table of 2³² entries, as long as SciPy gets it
    )
    return Call(name, labels, {"ignore_value": draw(st.sampled_from((None, None, 0, 3, -1, 2.7)))})


def measured(draw: st.DrawFn, name: str) -> Call:
    image = draw(images(empty=draw(st.integers(0, 9)) == 0))
    arguments: dict[str, Any] = {}
    if draw(st.integers(0, 5)):
        shape = list(image.shape)
        if draw(st.integers(0, 9)) == 0 and image.ndim:
            shape[draw(st.integers(0, image.ndim - 1))] = 1
        arguments["labels"] = marks(draw, tuple(shape), draw(st.sampled_from(LABEL_DTYPES)))
        kinds = ("none", "one", "some", "some", "some", "some", "array", "floats", "scalar array", "table")
        match draw(st.sampled_from(kinds)):
            case "one":
                arguments["index"] = draw(st.integers(-1, 6))
            case "some":
                arguments["index"] = draw(st.lists(st.integers(-2, 45), max_size=9))
            case "array":
                arguments["index"] = np.arange(draw(st.integers(0, 50)))
            case "floats":
                arguments["index"] = [1.0, 2.5, 0.0]
            case "scalar array":
                arguments["index"] = np.array(draw(st.integers(0, 3)))
            case "table":
                arguments["index"] = np.arange(6).reshape(2, 3)
    return Call(name, image, arguments)


def described(draw: st.DrawFn, name: str) -> Call:
    """Calls of what takes functions, with functions that tell the order of what they get."""
    call = measured(draw, name)
    if name == "histogram":
        low = draw(st.sampled_from((0, -3.5, 100)))
        call.arguments |= {"min": low, "max": low + draw(st.sampled_from((1, 255, -2))), "bins": 5}
    if name != "median":
        call.arguments |= {"labels": call.arguments.get("labels"), "index": call.arguments.get("index")}
    if name == "labeled_comprehension":
        with_positions = draw(st.booleans())
        call.arguments |= {
            "func": weighted_at if with_positions else weighted,
            "out_dtype": draw(st.sampled_from((float, "f4", int, object))),
            "default": draw(st.sampled_from((0, -1))),
            "pass_positions": with_positions,
        }
    return call


def weighted(values: np.ndarray) -> Any:
    with np.errstate(all="ignore"):
        return np.float64((np.nan_to_num(values) * np.arange(1, values.size + 1) % 1000).sum())


def weighted_at(values: np.ndarray, positions: np.ndarray) -> Any:
    return weighted(values) + weighted(positions)


def flooded(draw: st.DrawFn, name: str) -> Call:
    """Calls of a watershed, on noise, slopes and plains."""
    shape = tuple(draw(st.lists(st.integers(1, 14), min_size=1, max_size=4)))
    rng = np.random.default_rng(draw(seeds))
    image = np.asarray(rng.integers(0, draw(st.sampled_from((1, 3, 12, 256))), shape))
    if draw(st.integers(0, 9)) == 0:
        image = image * 257
    if draw(flags):
        image = image * 0 + np.indices(shape).sum(0)
    dtype = "u2" if image.max() > 255 or draw(flags) else "u1"
    image = laid_out(image.astype(dtype), draw(st.sampled_from(LAYOUTS)))
    marked = rng.integers(-4, 5, shape) * (rng.random(shape) < draw(st.sampled_from((0.02, 0.2, 0.7))))
    if draw(st.integers(0, 9)) == 0:
        marked = marked * 1000
    markers = laid_out(marked.astype(draw(st.sampled_from(("i1", "i2", "i4", "i8", "i8")))), "C")
    structure = None
    if draw(flags):
        structure = rng.random((3,) * len(shape)) < draw(st.sampled_from((0.3, 1.0)))
    form = None
    if draw(flags):
        kinds = ("array", "array", "array", "wrong shape", "type")
        dtypes = ("i1", "i2", "i4", "i8", "u1")
        form = OutputForm(
            draw(st.sampled_from(kinds)), draw(st.sampled_from(dtypes)), draw(st.sampled_from(LAYOUTS))
        )
    return Call(name, image, {"markers": markers, "structure": structure}, form)


MEASURES = {
    **dict.fromkeys(ANY_FUNCTION, described),
    "watershed_ift": flooded,
    "label": components,
    "find_objects": objects,
    "value_indices": grouped,
    **dict.fromkeys((*SUMS, *EXTREMES), measured),
}
