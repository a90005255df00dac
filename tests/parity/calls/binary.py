"""Binary morphology.

Left out, because SciPy writes beside the image: several passes of a structure longer than the image. Several passes of
a structure whose middle is not set, or that lies beside its middle, may never come to rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage
from hypothesis import strategies as st
from tests.parity.calls.call import Call, flags, images, origin_of, outputs, seeds
from tests.support.cases import laid_out

PASSES = ("binary_erosion", "binary_dilation", "binary_opening", "binary_closing")
FLOODS = ("binary_propagation", "binary_fill_holes")


@st.composite
def pixels(draw: st.DrawFn) -> np.ndarray:
    """Noise of any density, blobs, and any values at all."""
    image = draw(images())
    kind = draw(st.sampled_from(("noise", "noise", "blobs", "values")))
    if kind == "values":
        return image
    rng = np.random.default_rng(draw(seeds))
    set_ = rng.random(image.shape) < draw(st.sampled_from((0.05, 0.5, 0.95)))
    if kind == "blobs" and image.size:
        set_ = scipy.ndimage.uniform_filter(rng.normal(size=image.shape), 5) > 0
    dtype = image.dtype if draw(st.integers(0, 2)) == 0 else np.dtype(bool)
    return laid_out(
        np.asarray(set_).astype(dtype), draw(st.sampled_from(("C", "C", "F", "reversed", "strided")))
    )


def structure_of(draw: st.DrawFn, image: np.ndarray) -> np.ndarray:
    """A cross, a box, a disk or random cells, no longer than the image along any axis."""
    kind = draw(st.sampled_from(("cross", "box", "disk", "random", "random")))
    if kind == "cross":
        structure = scipy.ndimage.generate_binary_structure(image.ndim, draw(st.integers(1, 3)))
    else:
        lengths = [draw(st.sampled_from((1, 2, 3, 3, 5, 7))) for _ in range(image.ndim)]
        structure = np.ones(lengths, draw(st.sampled_from(("?", "u1"))))
    if kind == "disk":
        middle = [np.arange(n) - n // 2 for n in structure.shape]
        radii = np.sqrt(sum(np.square(g) for g in np.meshgrid(*middle, indexing="ij")))
        structure = np.asarray(radii <= max(structure.shape) / 2)
    if kind == "random":
        structure = np.random.default_rng(draw(seeds)).random(structure.shape) < 0.5
    return structure[tuple(slice(0, max(1, n)) for n in image.shape)]


def repeats(structure: np.ndarray | None, image: np.ndarray, origin: list[int]) -> bool:
    """Whether SciPy takes several passes without danger, and comes to rest."""
    lengths = (3,) * image.ndim if structure is None else structure.shape
    middle = structure is None or bool(structure[tuple(n // 2 for n in lengths)])
    return middle and not any(origin) and all(n <= m for n, m in zip(lengths, image.shape))


def mask_of(draw: st.DrawFn, image: np.ndarray) -> np.ndarray:
    density = draw(st.sampled_from((0.3, 0.8)))
    mask = np.asarray(np.random.default_rng(draw(seeds)).random(image.shape) < density)
    return mask.astype(draw(st.sampled_from(("?", "?", "u1", "f4"))))


def passed(draw: st.DrawFn, name: str) -> Call:
    image = draw(pixels())
    structure = structure_of(draw, image) if draw(st.integers(0, 3)) else None
    origin = origin_of(draw, [3] * image.ndim if structure is None else list(structure.shape))
    counts = (1, 1, 2, 5, 5, 0, -1) if repeats(structure, image, origin) else (1,)
    arguments: dict[str, Any] = {
        "structure": structure,
        "origin": origin,
        "iterations": draw(st.sampled_from(counts)),
        "border_value": draw(st.sampled_from((0, 1))),
        "brute_force": draw(flags),
    }
    if draw(st.integers(0, 2)) == 0:
        arguments["mask"] = mask_of(draw, image)
    return Call(name, image, arguments, draw(outputs(image)))


def flooded(draw: st.DrawFn, name: str) -> Call:
    image = draw(pixels())
    structure = structure_of(draw, image) if draw(st.integers(0, 2)) == 0 else None
    if not repeats(structure, image, []):
        image = np.pad(image, [(0, max(0, 3 - n)) for n in image.shape])
        structure = None
    arguments: dict[str, Any] = {"structure": structure}
    if name == "binary_propagation":
        arguments |= {"mask": mask_of(draw, image), "border_value": draw(st.sampled_from((0, 1)))}
    return Call(name, image, arguments, draw(outputs(image)))


def hit(draw: st.DrawFn, name: str) -> Call:
    image = draw(pixels())
    arguments: dict[str, Any] = {"structure1": structure_of(draw, image)}
    if draw(flags):
        arguments["structure2"] = ~arguments["structure1"].astype(bool)
    if draw(flags):
        arguments["origin1"] = origin_of(draw, list(arguments["structure1"].shape))
    return Call(name, image, arguments, draw(outputs(image)))


def structure_alone(draw: st.DrawFn, name: str) -> Call:
    rank = draw(st.integers(0, 4))
    if name == "generate_binary_structure":
        return Call(name, None, {"rank": rank, "connectivity": draw(st.integers(-1, 5))})
    structure = structure_of(draw, np.zeros((9,) * min(max(rank, 1), 3)))
    iterations = draw(st.integers(-1, 4))
    origin = draw(st.sampled_from((None, 0, 1)))
    return Call(name, None, {"structure": structure, "iterations": iterations, "origin": origin})


BINARY = {
    **dict.fromkeys(PASSES, passed),
    **dict.fromkeys(FLOODS, flooded),
    "binary_hit_or_miss": hit,
    "generate_binary_structure": structure_alone,
    "iterate_structure": structure_alone,
}
