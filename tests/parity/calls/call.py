"""What every drawn call is made of: an image, its arguments, and the comparison with SciPy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.ndimage
from hypothesis import strategies as st
from tests.support.cases import (
    COMPLEX_DTYPES,
    LAYOUTS,
    MODES,
    REAL_DTYPES,
    OutputForm,
    assert_equal_arrays,
    assert_same,
    laid_out,
    outcome,
    values,
)

from offgraph import ndimage

SIZES = (1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 63, 64, 65, 70, 127, 129, 130)
CHANNELS = (1, 2, 3, 4, 7)
WRITEBACK = "RuntimeWarning: WRITEBACKIFCOPY"

seeds = st.integers(0, 2**32 - 1)
modes = st.sampled_from(MODES)
fills = st.sampled_from((0.0, 3, -3.7, 254.5, 300.0, 1e20))
flags = st.booleans()
orders = st.sampled_from((0, 1, 1, 1, 2, 3, 3, 4, 5))


@dataclass
class Call:
    """One call of a function; an image of None stands for a function that takes none."""

    name: str
    image: np.ndarray | None
    arguments: dict[str, Any] = field(default_factory=dict)
    form: OutputForm | None = None

    def on(self, module: Any, shape: tuple[int, ...] | None = None) -> tuple[Any, Any]:
        """What the function of that module does, and the output array it was given: one of its own."""
        arguments, output = dict(self.arguments), None
        if self.form is not None and self.image is not None:
            output = arguments["output"] = self.form.make(self.image.shape if shape is None else shape)
        first = () if self.image is None else (self.image,)
        done = outcome(getattr(module, self.name), *first, **arguments)
        done.warnings = [text for text in done.warnings if not text.startswith(WRITEBACK)]
        return done, output


def in_bytes(value: Any) -> Any:
    """Lists, tuples and dictionaries with every number and array in them as type, shape and bytes; NaN is one value."""
    if isinstance(value, dict):
        return [(in_bytes(key), in_bytes(each)) for key, each in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [in_bytes(each) for each in value]
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        return value.shape, [in_bytes(each) for each in value.ravel().tolist()]
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.dtype.kind == "f":
            array = np.where(np.isnan(array), np.array(np.nan, array.dtype), array).astype(array.dtype)
        return type(value), array.dtype, array.shape, array.tobytes()
    return type(value), value


def assert_call(call: Call) -> None:
    """Ours and SciPy's value, exception, warnings and written output are equal."""
    shape = None
    if call.name in ("zoom", "rotate", "affine_transform", "map_coordinates", "geometric_transform"):
        # SciPy tells the shape of the output.
        plain, _ = Call(call.name, call.image, call.arguments).on(scipy.ndimage)
        shape = plain.value.shape if plain.error is None else None
    theirs, written = call.on(scipy.ndimage, shape)
    ours, mine = call.on(ndimage, shape)
    if isinstance(theirs.error, SystemError):
        # NumPy's, over any error of SciPy's with an output of foreign byte order.
        return
    has_objects = isinstance(theirs.value, np.ndarray) and theirs.value.dtype.hasobject
    if has_objects or isinstance(theirs.value, tuple | list | dict | np.generic):
        ours.value, theirs.value = in_bytes(ours.value), in_bytes(theirs.value)
    assert_same(ours, theirs)
    if theirs.error is None and isinstance(written, np.ndarray):
        assert_equal_arrays(mine, written)


@st.composite
def shapes(draw: st.DrawFn, empty: bool = True) -> tuple[int, ...]:
    """Lines, planes, images with channels last or first, volumes; sometimes tiny, or with an empty axis."""
    kinds = ("line", "plane", "plane", "picture", "picture", "picture", "planes", "volume", "four", "tiny")
    size, few, channels = st.sampled_from(SIZES), st.integers(1, 9), st.sampled_from(CHANNELS)
    match draw(st.sampled_from(kinds)):
        case "line":
            return (draw(st.one_of(size, st.integers(200, 300))),)
        case "plane":
            return tuple(draw(st.permutations((draw(st.integers(1, 40)), draw(size)))))
        case "picture":
            return draw(st.integers(1, 30)), draw(size), draw(channels)
        case "planes":
            return draw(channels), draw(st.integers(1, 20)), draw(size)
        case "volume":
            return draw(few), draw(st.integers(1, 12)), draw(st.integers(1, 40))
        case "four":
            return draw(few), draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 20))
    return tuple(draw(st.lists(st.integers(0 if empty else 1, 3), min_size=1, max_size=3)))


def filled(shape: tuple[int, ...], dtype: str, seed: int, kind: str) -> np.ndarray:
    """The kinds of :func:`tests.support.cases.values`, and images: flat areas, edges, and neighbours one or a half apart."""
    if kind not in ("picture", "bytes"):
        return values(shape, dtype, seed, kind)
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, shape).astype(float)
    if kind == "picture" and image.ndim:
        half = image.shape[-1 if image.shape[-1] > 7 else 0] // 2
        flat = np.moveaxis(image, -1 if image.shape[-1] > 7 else 0, 0)
        flat[half:] = rng.integers(0, 256)
        flat[half + half // 2 :] += rng.integers(0, 2, flat[half + half // 2 :].shape) / rng.integers(1, 3)
    image = np.minimum(image, 127) if dtype == "i1" else np.minimum(image, 255)
    return (image > 100 if dtype == "?" else image).astype(dtype)


@st.composite
def images(
    draw: st.DrawFn, dtypes: tuple[str, ...] = REAL_DTYPES, empty: bool = True, nan: bool = True
) -> np.ndarray:
    """An image of any dtype, sort of values and memory layout."""
    dtype = draw(st.sampled_from(("u1", "u1", "f4", "f8", *dtypes)))
    kinds = ("picture", "picture", "bytes", "plain", "flat", "extreme", "special")
    image = filled(draw(shapes(empty)), dtype, draw(seeds), draw(st.sampled_from(kinds)))
    if not nan and image.dtype.kind == "f":
        image = np.nan_to_num(image, nan=1, posinf=np.inf, neginf=-np.inf)
    return laid_out(image, draw(st.sampled_from(("C",) * 6 + LAYOUTS)))


def of_samples(image: np.ndarray) -> np.ndarray:
    """The same with memory for each of its samples, if it is one broadcast: SciPy takes its second for the border."""
    is_one = all(stride == 0 for length, stride in zip(image.shape, image.strides) if length > 1)
    return image.copy() if is_one and image.size > 1 else image


@st.composite
def outputs(draw: st.DrawFn, image: np.ndarray, dtypes: tuple[str, ...] = REAL_DTYPES) -> OutputForm | None:
    """Half of the time none; else a type or an array of any dtype and layout; rarely a wrong one."""
    kinds = ("none", "none", "none", "none", "type", "dtype", "array", "array", "array", "wrong shape")
    kind = draw(st.sampled_from(kinds * 3 if draw(st.integers(0, 3)) else kinds))
    if kind == "none":
        return None
    return OutputForm(
        kind, draw(st.sampled_from(dtypes)), draw(st.sampled_from(LAYOUTS)) if image.ndim else "C"
    )


def any_dtypes(draw: st.DrawFn) -> tuple[str, ...]:
    return REAL_DTYPES if draw(st.integers(0, 5)) else COMPLEX_DTYPES


def spatial(draw: st.DrawFn, image: np.ndarray) -> tuple[int, ...]:
    """The axes to work along: those of the image without its channels, one, or all."""
    everything = tuple(range(image.ndim))
    if image.ndim < 2:
        return everything
    kind = draw(st.sampled_from(("picture", "picture", "all", "one")))
    if kind == "picture":
        return everything[:-1] if image.shape[-1] in CHANNELS else everything[1:]
    return everything if kind == "all" else (draw(st.sampled_from(everything)),)


def origin_of(draw: st.DrawFn, sizes: list[int]) -> list[int]:
    return [draw(st.integers(-(n // 2), max((n - 1) // 2, -(n // 2)))) if draw(flags) else 0 for n in sizes]


def several_modes(draw: st.DrawFn, count: int) -> str | list[str]:
    return [draw(modes) for _ in range(count)] if count and draw(st.integers(0, 3)) == 0 else draw(modes)
