"""Resize to a number of pixels."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import Field

from offgraph.core.axes import SPATIAL
from offgraph.core.specs import ArraySpec, SpecT, scaled
from offgraph.core.suggestions import did_you_mean
from offgraph.engine.library_resize import (
    LIBRARIES,
    Library,
    LibraryKernel,
    refusal,
    refuse_image,
    resize_like,
)
from offgraph.engine.resize import KERNELS, resize_reference
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.resampling import Resampling
from offgraph.steps import ops
from offgraph.steps.base import drawn, varies
from offgraph.steps.compiled import CompiledStep, compiled_resize
from offgraph.steps.declaration import step
from offgraph.steps.kinds import GeometricStep, resampling_rule
from offgraph.steps.parameters import Parsed, PositiveAxisRange, Size, along_axes

__all__ = ["Resize"]


class _KernelName(Parsed):
    """A kernel's name, or another word for it."""

    _WORDS: ClassVar = {"bilinear": "triangle", "bicubic": "cubic"}

    def parse(self, value: Any) -> str:
        """Return the name."""
        known = get_args(LibraryKernel)
        name = self._WORDS.get(value, value) if isinstance(value, str) else value
        if name not in known:
            near = did_you_mean(str(value), (*known, *self._WORDS))
            raise ValueError(f"expected one of {', '.join(map(repr, known))}, got {value!r:.80}{near}")
        return name

    def schema(self) -> dict[str, Any]:
        """JSON Schema of all words."""
        return {"enum": [*get_args(LibraryKernel), *self._WORDS]}


@step
class Resize(GeometricStep):
    """Resize to a size in pixels, or by a scale, without aliasing.

    A geometric step. Output pixel i covers the input from i to i + 1 times the ratio of the sizes (a half-pixel
    grid: the image's edges stay edges). When it shrinks, the kernel widens with the ratio, so that every input
    pixel counts. Exactness: the bytes of two float64 weight matrices, taps added left to right, axis 0 first,
    one rounding at the end. Masks take the nearest pixel on the same grid, of two equally near the later one:
    pixel ``floor((2 i + 1) n / (2 N))`` of n for pixel i of N, in integer arithmetic.

    With `like` the image's pixels are those that another library's resize gives, so that pretrained weights get what they
    were trained with; every other target moves as without. Its exactness, for what the library's own release gives:
    'pillow' and 'pillow12' the bytes; 'opencv' the bytes of its own code, of bytes with 'cubic' within 1, of float32 and
    16 bits within 1e-6 of the largest value, and where a build leaves it to Intel's IPP within 1 and 2e-5; 'tf' the
    bytes, with the lanczos kernels within 1e-6 of the largest value; 'torch' the bytes of uint8 on processors with AVX2,
    on others within 1, and floats within 2e-6 of the largest value, without AVX2 within 1e-5.

    Parameters
    ----------
    size : int or tuple of int, optional
        (height, width), or (depth, height, width) for a volume, in pixels; one number is the length of every side. With None in
        place of all lengths but one, such as ``(256, None)``, the aspect is kept, rounded to whole pixels, at least 1.
        Either this or `scale`.
    scale : float or (low, high), or one of them for each axis by name, optional
        Factor on every spatial axis, above 0; the size is rounded to whole pixels, at least 1. ``{"Z": 2, "YX": 0.5}``
        gives each axis of a volume its own factor; axes that are not named keep their length.
    kernel : str
        'triangle' (linear), 'box', 'cubic' (Keys, a = -0.5), 'cubic75' (a = -0.75), 'lanczos3', 'lanczos4', 'lanczos5', 'area'
        (the mean of what a pixel covers) or 'nearest'; the last two are the same with and without `antialias`. 'bilinear' and
        'bicubic' are other words for 'triangle' and 'cubic'. With `like`, one of the library's, with its own numbers:
        Pillow: nearest, box, triangle, hamming, cubic, lanczos3. OpenCV: nearest, nearest-exact (as of version 5),
        triangle, cubic (a = -0.75), area, lanczos4. TensorFlow: nearest, triangle, cubic, area, lanczos3, lanczos5, gaussian, mitchell. PyTorch: nearest,
        nearest-exact, triangle, cubic (a = -0.75 without antialiasing), area, lanczos3.
    antialias : bool, optional
        Widen the kernel when shrinking. Without it pixels are skipped, and fine patterns alias into false coarse ones. By
        default True, and with `like` what the library does unless it is told: True of Pillow, which always does, and of
        torchvision; False of OpenCV, which never does, and of `tf.image.resize`.
    like : {"pillow", "pillow12", "opencv", "tf", "torch"}, optional
        The library whose resize it is, for images of two spatial axes. Pillow's axes come in another order from version 13
        on, 'pillow12' is what there was before. 'tf' gives float32, but for 'nearest'. 'torch' is that of tensors; of
        PIL images torchvision's is Pillow's. Pillow takes uint8, uint16, int32 and float32; OpenCV uint8, uint16, int16,
        float32 and float64; TensorFlow and PyTorch most.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Resize((1, 2))])(image=np.array([[0, 10, 20, 30]], np.uint8)).image
    array([[ 7, 23]], dtype=uint8)
    >>> og.Compose([og.Resize((1, 2), like="opencv")])(image=np.array([[0, 10, 20, 30]], np.uint8)).image
    array([[ 5, 25]], dtype=uint8)
    """

    later: ClassVar[tuple[str, ...]] = ("like",)
    version: ClassVar[int] = 2
    """2: nearest neighbour, of masks and by the box kernel without antialiasing, is decided in integer arithmetic."""

    size: Size | None = None
    scale: PositiveAxisRange | None = None
    kernel: Annotated[Literal[LibraryKernel, "bilinear", "bicubic"], _KernelName()] = "triangle"
    antialias: bool | None = None
    like: Library | None = Field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if (self.size is None) == (self.scale is None):
            raise ValueError("expected either size=(height, width) or scale=factor, got both or none of them")
        if self.antialias is None:
            object.__setattr__(self, "antialias", self.default("antialias"))
        if self.like is not None:
            if text := refusal(self.like, self.kernel, self.averaging):
                raise ValueError(text)
        elif self.kernel not in KERNELS:
            raise ValueError(
                f"kernel={self.kernel!r} is another library's; give like=, or one of {', '.join(KERNELS)}"
            )

    def default(self, name: str) -> Any:
        """Of `antialias`, what the library does."""
        if name == "antialias":
            return True if self.like is None else LIBRARIES[self.like].antialias
        return super().default(name)

    @property
    def averaging(self) -> bool:
        """`antialias`, which is known once the step is made."""
        return bool(self.antialias)

    @property
    def averages(self) -> bool:
        """Always: a bool mask is looked up, a bool image has nothing between true and false."""
        return True

    @property
    def varies(self) -> bool:
        """Whether the scale is a range."""
        return varies(self.scale)

    def sample(self, draw: Any, spec: ArraySpec) -> dict[str, Any]:
        """The scale, where there is one."""
        return {} if self.scale is None else {"scale": drawn(draw, self.scale)}

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """The given size, or each length times the scale, rounded half to even, at least 1."""
        if self.size is not None:
            return tuple(length for length in self._given_size(size) if length is not None)
        scales = along_axes("scale", params["scale"], SPATIAL[-len(size) :], 1.0)
        return tuple(max(1, scaled(n, scale)) for n, scale in zip(size, scales))

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The lengths that are given, and those of known lengths whose scale is one number."""
        if self.size is not None:
            return self._given_size(size)
        scales = along_axes("scale", self.scale, SPATIAL[-len(size) :], 1.0)
        return tuple(
            None if n is None or isinstance(scale, tuple) else max(1, scaled(n, scale))
            for n, scale in zip(size, scales)
        )

    def _given_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if isinstance(self.size, int):
            return (self.size,) * len(size)
        given = self.size or ()
        if len(given) != len(size):
            raise ValueError(f"size={given} has {len(given)} lengths, the image {len(size)} spatial axes")
        if None not in given:
            return given
        side, now = next((length, n) for length, n in zip(given, size) if length is not None)
        if side is None or now is None:
            return given
        if now == 0:
            raise ValueError(f"an image of {size} has no pixels to resize")
        # In integers: n * side / now, rounded half to even, must not depend on floating-point rounding.
        return tuple(
            length if length is not None or n is None else max(1, round(Fraction(n * side, now)))
            for length, n in zip(given, size)
        )

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The new size; of the same dtype, but where TensorFlow gives float32."""
        after = super().output_spec(spec, params)
        return after.cast("float32") if self.like == "tf" and self.kernel != "nearest" else after

    def map(self, params: dict[str, Any], spec: ArraySpec) -> AffineMap:
        """Half-pixel grid: ``input = (output + 0.5) * ratio - 0.5``."""
        size = spec.size
        if 0 in size:
            raise ValueError(f"an image of {size} has no pixels to resize")
        output = self.output_size(size, params)
        ratio = np.array(size) / np.array(output)
        return AffineMap(np.diag(ratio), 0.5 * ratio - 0.5, size, output)

    def resampling(self, params: dict[str, Any]) -> Resampling:
        """No output pixel reads beyond the border."""
        return resampling_rule(1, "nearest", 0.0, 0)

    def lower(self, params: dict[str, Any], spec: ArraySpec) -> tuple[ops.Op, ...]:
        """Weigh the pixels of an image; look up the nearest of a mask."""
        grid = self.map(params, spec)
        size, rule = grid.output_size, self.resampling(params)
        if self.like is None:
            return (ops.Resize(grid, rule, size=size, kernel=self.kernel, antialias=self.averaging),)
        refuse_image(self.like, spec.dtype, len(spec.size))
        dtype = self.output_spec(spec, params).dtype
        return (ops.ResizeLike(grid, rule, self.like, self.kernel, self.averaging, dtype),)

    def compiled(self) -> CompiledStep | None:
        """Size or scale, and the kernel."""
        if self.like is not None:
            return None
        return compiled_resize(self.size, self.scale, self.kernel, self.averaging)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Two weight matrices; no ndimage function antialiases. With `like` the library's definition."""
        size, axes = self.output_size(image.shape, params), tuple(range(image.ndim))
        options: dict[str, Any] = {"axes": axes, "kernel": self.kernel, "antialias": self.averaging}
        if self.like is None:
            return resize_reference(image, size, **options)
        return resize_like(image, size, like=self.like, **options)
