"""Mutated files through the whole native path: read, header and orientation, and decoded within a plan.

A plan begins with maps of whole pixels, and of the file only what they keep is decoded. The oracle is the file decoded
whole, turned upright and moved by NumPy.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from offgraph.core.choices import Decoding
from offgraph.core.specs import ArraySpec
from offgraph.engine.files import EncodedImage, ReadProgress, header, read_images
from offgraph.engine.native_plan import NativeOp, native_file_target, resize_op, run_plans
from offgraph.formats.base import FormatError
from offgraph.formats.exif import upright
from offgraph.formats.jpeg import read_header
from offgraph.geometry import GridMap, Resampling
from offgraph.plan.native import native_op
from offgraph.steps.ops import Grid

FILL = 7
"""The value outside an image."""
MOST_MAPS = 3


def drawn_maps(size: tuple[int, int], draws: random.Random) -> list[GridMap]:
    """Crops, flips, turns, and crops that reach over a border, one after the other."""
    maps: list[GridMap] = []
    for _ in range(draws.randrange(MOST_MAPS + 1)):
        match draws.randrange(8):
            case 0:
                made = GridMap.flip(draws.choice([(0,), (1,), (0, 1)]), size)
            case 1:
                made = GridMap.transpose((1, 0), size)
            case 2:
                start = [draws.randrange(-9, length) for length in size]
                made = GridMap.crop(start, [draws.randrange(1, 30) for _ in size], size)
            case _:
                start = [draws.randrange(length) for length in size]
                lengths = [
                    draws.randrange(1, length - first + 1) for first, length in zip(start, size, strict=True)
                ]
                made = GridMap.crop(start, lengths, size)
        maps.append(made)
        size = (made.output_size[0], made.output_size[1])
    return maps


def said_header(data: bytes) -> tuple[int, int, int] | None:
    """Height, width and orientation by the reader in Python; None where it refuses the file."""
    try:
        found = read_header(data)
    except FormatError:
        return None
    return found.height, found.width, found.orientation


def path_outcome(
    path: Path, data: bytes, image: np.ndarray | None, size: tuple[int, int, int], draws: random.Random
) -> str | None:
    """What is wrong with the path of a JPEG; None if nothing is.

    Parameters
    ----------
    path : Path
        Where it is written.
    data : bytes
    image : ndarray of uint8, shape (height, width, channels), or None
        Decoded whole, as stored; None where that is refused, and a part above the damage may be decoded.
    size : tuple of int
        Height, width and channels by its header.
    draws : Random
    """
    path.write_bytes(data)
    (file,) = read_images([path], len(data), ReadProgress())
    if file is None:
        return "a file with a good header is not read"
    found = header(file)
    if found != (*size, found.orientation, len(data), 8):
        return f"the file's header is {found}"
    if image is not None and said_header(data) != (found.height, found.width, found.orientation):
        return f"the reader in Python finds {said_header(data)}, not {found}"
    return plan_outcome(file, image, draws)


def png_path_outcome(path: Path, data: bytes, image: np.ndarray | None, draws: random.Random) -> str | None:
    """What is wrong with the path of a PNG; None if nothing is.

    Parameters
    ----------
    path : Path
        Where it is written.
    data : bytes
    image : ndarray of uint8 or uint16, shape (height, width, channels), or None
        Decoded whole; None where that is refused. Those with an alpha channel are left to Python.
    draws : Random
    """
    path.write_bytes(data)
    (file,) = read_images([path], len(data), ReadProgress())
    if image is not None and (file is None) != (image.shape[2] not in (1, 3)):
        return f"decoded from memory, {image.shape[2]} channels, and as a file it is {file}"
    if file is None:
        return None
    found = header(file)
    if image is not None and found != (*image.shape, 1, len(data), 8 * image.itemsize):
        return f"the file's header is {found}"
    return plan_outcome(file, image, draws)


def plan_outcome(file: EncodedImage, image: np.ndarray | None, draws: random.Random) -> str | None:
    """What is wrong with plans that begin with the file; `image` is it decoded whole, or None."""
    found = header(file)
    is_rgb = draws.random() < 0.5
    axes = "YXC" if is_rgb or found.channels == 3 else "YX"
    turned = found.orientation >= 5
    at: tuple[int, int] = (found.width, found.height) if turned else (found.height, found.width)
    maps = drawn_maps(at, draws)
    ops, spec = [], ArraySpec((*at, 3)[: len(axes)], f"uint{found.depth}", axes)
    for each in maps:
        op = native_op(Grid(each, Resampling(0, "constant", FILL)), spec)
        assert op is not None
        ops.append(op)
        spec = spec.resized(each.output_size)
    output = np.full(spec.shape, 77, spec.dtype)
    decoding: Decoding = draws.choice(("window", "full"))
    (failure,) = run_plans([[native_file_target(file, output, ops, is_rgb=is_rgb, decoding=decoding)]])
    scaled = _scaled_outcome(file, spec, ops, is_rgb, draws)
    if image is None:
        return None
    chain = f"orientation {found.orientation}, {maps}"
    if scaled is not None:
        return f"decoded whole, and not at a scale: {scaled!r}; {chain}"
    if failure is not None:
        return f"decoded whole, and not in a plan: {failure[2]!r}; {chain}"
    wanted = upright(image if axes == "YXC" else image[..., 0], found.orientation, axes)
    if axes == "YXC" and wanted.shape[2] == 1:
        wanted = wanted.repeat(3, 2)
    for each in maps:
        wanted = each.take(wanted, (0, 1), "constant", FILL)
    return None if np.array_equal(output, wanted) else f"a plan makes another image; {chain}"


def _scaled_outcome(
    file: EncodedImage, spec: ArraySpec, ops: list[NativeOp], is_rgb: bool, draws: random.Random
) -> object:
    """What ends a resize of an image that is decoded at a scale; None where it is made, of whatever values."""
    size = tuple(max(1, length // draws.choice((2, 4, 8))) for length in spec.size)
    kernel = draws.choice(("triangle", "cubic", "box"))
    resize = resize_op(spec.size, size, kernel=kernel, antialias=True)
    output = np.full(spec.resized(size).shape, 77, spec.dtype)
    (failure,) = run_plans(
        [[native_file_target(file, output, [*ops, resize], is_rgb=is_rgb, decoding="scaled")]]
    )
    return None if failure is None else failure[2]
