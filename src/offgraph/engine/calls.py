"""What all native calls share: SciPy's argument rules, and arrays converted to what the native module takes.

The messages of the exceptions are SciPy's, since callers match them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = [
    "as_double",
    "call_native",
    "check_output",
    "even_strides",
    "is_native",
    "mode_code",
    "native_input",
    "output_array",
    "parts",
    "same_elements",
]


_MODES = {
    "nearest": 0,
    "wrap": 1,
    "reflect": 2,
    "grid-mirror": 2,
    "mirror": 3,
    "constant": 4,
    "grid-wrap": 5,
    "grid-constant": 6,
}
_FILTER_MODES = {**_MODES, "grid-wrap": 1, "grid-constant": 4}

_NATIVE_CHARS = frozenset("?bBhHiIlLqQfd")
_BY_CHAR = {char: np.dtype(np.dtype(char).name) for char in _NATIVE_CHARS}

# Built once: every call looks at these.
_DTYPES = type | np.dtype


def mode_code(mode: str, *, is_filter: bool = False) -> int:
    """The number of a border mode in the native module; filters know one wrap and one constant."""
    modes = _FILTER_MODES if is_filter else _MODES
    if type(mode) is str and mode in modes:
        return modes[mode]
    # A comparison, not a look-up: anything may be passed, also what cannot be hashed.
    for name, code in modes.items():
        if mode == name:
            return code
    raise RuntimeError("boundary mode not supported")


def output_array(
    output: Any,
    input: np.ndarray,
    shape: tuple[int, ...] | None = None,
    complex_output: bool = False,
    zeroed: bool = False,
    above: int = 0,
) -> np.ndarray:
    """The array to write into: made from a dtype, or the caller's own after a check.

    The warning points at the caller of the public function, which calls this or is this many functions (`above`) above the one
    that does. A new array is `zeroed` on request: where not every element is written.
    """
    if shape is None:
        shape = input.shape
    make = np.zeros if zeroed else np.empty
    if output is None:
        # The name drops the byte order: results are native.
        if complex_output:
            dtype: Any = np.promote_types(input.dtype, np.complex64)
        else:
            dtype = _BY_CHAR.get(input.dtype.char) or input.dtype.name
        return make(shape, dtype=dtype)
    if isinstance(output, _DTYPES):
        if complex_output and np.dtype(output).kind != "c":
            warnings.warn("promoting specified output dtype to complex", stacklevel=3 + above)
            output = np.promote_types(output, np.complex64)
        return make(shape, dtype=output)
    if isinstance(output, str):
        dtype = np.dtype(output)
        if complex_output and dtype.kind != "c":
            raise RuntimeError("output must have complex dtype")
        if not issubclass(dtype.type, np.number):
            raise RuntimeError("output must have numeric dtype")
        return make(shape, dtype=dtype)
    output = np.asarray(output)
    if output.shape != shape:
        raise RuntimeError("output shape not correct")
    if complex_output and output.dtype.kind != "c":
        raise RuntimeError("output must have complex dtype")
    return output


def as_double(value: Any) -> float:
    """Convert to float by C's rule: anything with ``__float__`` or ``__index__``, so not a string, not a complex number."""
    return math.copysign(value, value)


def parts(image: Any, output: Any, cval: Any = 0.0) -> list[tuple[np.ndarray, Any, Any]]:
    """Image, output and fill value; for a complex image those of the real and of the imaginary part."""
    if image.dtype.kind != "c":
        return [(image, output, cval)]
    return [(image.real, output.real, np.real(cval)), (image.imag, output.imag, np.imag(cval))]


def native_input(array: np.ndarray, unsupported: str = "data type not supported") -> np.ndarray:
    """The same values in native byte order and aligned, copied only where needed.

    Raises
    ------
    RuntimeError
        With the text `unsupported`, for an element type other than the native module's eleven.
    """
    dtype = array.dtype
    if dtype.char not in _NATIVE_CHARS:
        raise RuntimeError(unsupported)
    if dtype.isnative and array.flags.aligned and even_strides(array):
        return array
    return np.array(array, dtype=dtype.newbyteorder("="))


def is_native(dtype: Any) -> bool:
    """Whether the native module takes elements of this type, in native byte order."""
    return np.dtype(dtype).char in _NATIVE_CHARS


def same_elements(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are the same memory, element by element."""
    if a is b:
        return True
    same_layout = a.dtype == b.dtype and a.shape == b.shape and a.strides == b.strides
    return same_layout and a.__array_interface__["data"] == b.__array_interface__["data"]


def check_output(output: np.ndarray, unsupported: str = "data type not supported") -> None:
    """Refuse an output that cannot be written or holds another type than the native module's eleven."""
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    if output.dtype.char not in _NATIVE_CHARS:
        raise RuntimeError(unsupported)


def call_native(kernel: Callable[..., None], output: np.ndarray, *arguments: Any) -> None:
    """Call ``kernel(output, *arguments)`` with an output it can write, and bring the result into `output`.

    A byte-swapped or misaligned array, and one whose elements share memory, is written through a temporary one.
    Nothing is called for an output without elements.
    """
    if output.size == 0:
        return
    flags, direct = output.flags, output.dtype.isnative and even_strides(output)
    if direct and flags.aligned and (flags.c_contiguous or _lie_apart(output)):
        kernel(output, *arguments)
        return
    temporary = np.array(output, dtype=output.dtype.newbyteorder("="), order="C")
    kernel(temporary, *arguments)
    output[...] = temporary


def even_strides(array: np.ndarray) -> bool:
    """Whether every stride is a whole number of elements: NumPy allows any stride on an axis of length 1."""
    itemsize = array.itemsize
    for stride in array.strides:  # noqa: SIM110  # half the time of a generator, and this runs twice per call
        if stride % itemsize:
            return False
    return True


def _lie_apart(array: np.ndarray) -> bool:
    """Whether no two elements share memory: each stride is larger than the extent of all axes with smaller strides."""
    extent = array.itemsize
    for stride, length in sorted((abs(s), n) for s, n in zip(array.strides, array.shape) if n > 1):
        if stride < extent:
            return False
        extent += stride * (length - 1)
    return True
