"""One image transformed by Keras' parameters: a dict of numbers, drawn or given."""
# ruff: noqa: NPY002 - Keras draws from NumPy's global generator, and so do those who seed it

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from offgraph import ndimage
from offgraph.core.arguments import whole_number

__all__ = ["apply_parameters", "draw_parameters", "fresh_seed", "seed_global"]


def seed_global(seed: int | None) -> None:
    """Seed NumPy's global generator, unless there is no seed."""
    if seed is not None:
        np.random.seed(whole_number("seed", seed, least=0))


def fresh_seed() -> int:
    """Draw a seed from NumPy's global generator."""
    return int(np.random.randint(2**31 - 1))


def draw_parameters(generator: Any, shape: tuple[int, ...], seed: int | None) -> dict[str, Any]:
    """Draw the parameters of one transform from NumPy's global generator, in Keras' order: the same seed, the same numbers.

    Parameters
    ----------
    generator : ImageDataGenerator
    shape : tuple of int
        Of one image.
    seed : int, optional
        Given to `numpy.random.seed` first.
    """
    seed_global(seed)
    theta = _even(generator.rotation_range)
    tx = _shifted(generator.height_shift_range, shape[generator.row_axis - 1])
    ty = _shifted(generator.width_shift_range, shape[generator.col_axis - 1])
    shear = _even(generator.shear_range)
    low, high = generator.zoom_range
    zx, zy = (1, 1) if low == high == 1 else np.random.uniform(low, high, 2)
    # Both are drawn, whether or not they are asked for.
    across = (np.random.random() < 0.5) * generator.horizontal_flip
    down = (np.random.random() < 0.5) * generator.vertical_flip
    intensity = None if generator.channel_shift_range == 0 else _even(generator.channel_shift_range)
    brightness = (
        None if generator.brightness_range is None else np.random.uniform(*generator.brightness_range)
    )
    return {
        "theta": theta,
        "tx": tx,
        "ty": ty,
        "shear": shear,
        "zx": zx,
        "zy": zy,
        "flip_horizontal": across,
        "flip_vertical": down,
        "channel_shift_intensity": intensity,
        "brightness": brightness,
    }


def _even(far: float) -> Any:
    return np.random.uniform(-far, far) if far else 0


def _shifted(far: Any, length: int) -> Any:
    """A shift: a number of a list or below a whole number, with either sign, or an even draw; a share below 1."""
    given = np.asarray(far)
    if not (far if isinstance(far, list | tuple) else given.any()):  # Keras draws from a list of zeros, too
        return 0
    if given.ndim or given.dtype.kind in "iu":
        shift = np.random.choice(given if given.ndim else int(given)) * np.random.choice([-1, 1])
    else:
        shift = np.random.uniform(-given, given)
    return shift * length if given.max() < 1 else shift


def apply_parameters(generator: Any, image: np.ndarray, given: Mapping[str, Any]) -> np.ndarray:
    """Return an image transformed by parameters as `draw_parameters` gives them; those that are left out change nothing.

    Parameters
    ----------
    generator : ImageDataGenerator
        For the fill mode, the order and where the channels stand.
    image : ndarray
        Three axes.
    given : mapping

    Returns
    -------
    ndarray
        The same shape and, except for `brightness`, which gives float32, the same dtype.
    """
    last = np.moveaxis(np.asarray(image), generator.channel_axis - 1, -1)
    matrix = _pull_matrix(given)
    if matrix is not None:
        last = _warped(generator, last, matrix)
    intensity = given.get("channel_shift_intensity")
    if intensity is not None:
        low, high = np.min(last), np.max(last)
        last = np.clip(last + intensity, low, high)
    if given.get("flip_horizontal"):
        last = last[:, ::-1]
    if given.get("flip_vertical"):
        last = last[::-1]
    if given.get("brightness") is not None:
        last = _brighter(last, given["brightness"])
    return np.moveaxis(last, -1, generator.channel_axis - 1)


def _pull_matrix(given: Mapping[str, Any]) -> np.ndarray | None:
    """The 3×3 matrix from (row, column) of the output to those of the input, about the centre; None for none.

    Keras multiplies turn, shift, shear and zoom, each of (x, y) with x down and y across.
    """
    theta, shear = np.deg2rad(given.get("theta", 0)), np.deg2rad(given.get("shear", 0))
    tx, ty = given.get("tx", 0), given.get("ty", 0)
    zx, zy = given.get("zx", 1), given.get("zy", 1)
    if theta == tx == ty == shear == 0 and zx == zy == 1:
        return None
    turn = np.array([[np.cos(theta), -np.sin(theta), 0], [np.sin(theta), np.cos(theta), 0], [0, 0, 1]])
    shift = np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    slant = np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]])
    # Written for (column, row): rows and columns change places before the image is read.
    return (turn @ shift @ slant @ np.diag([zx, zy, 1.0]))[[1, 0, 2]][:, [1, 0, 2]]


def _warped(generator: Any, image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    centre = (np.array(image.shape[:2]) - 1) / 2
    plane = matrix[:2, :2]
    offset: Any = matrix[:2, 2] + centre - plane @ centre
    made = [
        ndimage.affine_transform(
            image[..., channel],
            plane,
            offset,
            order=generator.interpolation_order,
            mode=generator.fill_mode,
            cval=generator.cval,
        )
        for channel in range(image.shape[-1])
    ]
    return np.stack(made, axis=-1)


def _brighter(image: np.ndarray, factor: float) -> np.ndarray:
    """Multiply in whole numbers from 0 to 255, as Pillow does; values outside are stretched to that range and back."""
    low, high = np.min(image), np.max(image)
    outside = low < 0 or high > 255
    pixels = image.astype(np.float32)
    if outside:
        pixels -= low
        if high > low:
            pixels /= pixels.max()
        pixels *= 255
    levels = np.clip(np.floor(np.floor(pixels) * np.float32(factor)), 0, 255).astype(np.float32)
    return levels / 255 * (high - low) + low if outside else levels
