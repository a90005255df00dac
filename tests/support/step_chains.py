"""Random chains of one to eight geometric steps of the registry, for properties that hold whatever the steps are."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import ndimage

import offgraph as og
from offgraph.geometry import Frame

WHOLE = (
    "CenterCrop",
    "Crop",
    "CropToAspect",
    "D4",
    "Flip",
    "Orientation",
    "Pad",
    "PadTo",
    "RandomCrop",
    "Rotate90",
    "Transpose",
)
"""Steps that only move whole pixels."""
CONSTANT = st.just("constant")
MODES = st.sampled_from(["constant", "nearest", "reflect", "mirror", "grid-wrap"])
KEYS = st.builds(og.Key, st.integers(0, 9999))


def steps(mode: st.SearchStrategy[str] = CONSTANT, n: int = 2) -> dict[str, st.SearchStrategy[og.Step]]:
    """A strategy for each geometric step of `n` axes, by name; none folds an image or makes it small.

    `GridShuffle` is left out: its map jumps, so that half a pixel more or less, which resampling takes, is another cell.
    """
    rule: dict[str, Any] = {"mode": mode, "mask_cval": st.just(0)}
    axes = "ZYX"[-n:]
    shares = st.sampled_from(["90%", ("100%",) * (n - 1) + ("80%",)])
    plane = {"plane": st.sampled_from(["YX", "ZX"])} if n == 3 else {}
    angle = st.one_of(st.sampled_from([90.0, 180.0]), st.floats(-45, 45))
    found: dict[str, st.SearchStrategy[og.Step]] = {
        "Affine": st.builds(
            og.Affine, scale=st.floats(0.85, 1.3), shear=st.floats(-0.15, 0.15), rotate=st.floats(-20, 20),
            translate=st.tuples(*[st.floats(-3, 3)] * n), **rule,
        ),
        "CenterCrop": st.builds(og.CenterCrop, shares, **rule),
        "Crop": st.builds(og.Crop, st.just("80%"), st.integers(0, 4), pad=st.just(True), **rule),
        "CropToAspect": st.builds(og.CropToAspect, st.floats(0.8, 1.3), position=st.sampled_from(["centre", "random"])),
        "D4": st.builds(og.D4, **plane),
        "Elastic": st.builds(
            og.Elastic, st.sampled_from(["2%", "4%"]), nodes=st.integers(3, 6), **rule
        ),
        "Flip": st.builds(og.Flip, st.sampled_from(axes), p=st.sampled_from([1.0, 0.5])),
        "GridDistortion": st.builds(og.GridDistortion, st.sampled_from([0.2, 0.4]), cells=st.integers(2, 5), **rule),
        "LensDistortion": st.builds(og.LensDistortion, st.floats(-0.2, 0.3), **rule),
        "LetterBox": st.builds(og.LetterBox, st.sampled_from([70, (60,) * (n - 1) + (80,)]), st.sampled_from(["centre", "random"])),
        "Orientation": st.builds(og.Orientation, st.sampled_from(["SAR", "LIP"]), st.sampled_from(["SAR", "RPI"])),
        "Pad": st.builds(og.Pad, st.integers(0, 5), **rule),
        "PadTo": st.builds(og.PadTo, multiple=st.sampled_from([8, 15]), position=st.sampled_from(["centre", "random"]), **rule),
        "Perspective": st.builds(og.Perspective, st.sampled_from([0.05, 0.12]), inwards=st.booleans(), **rule),
        "RandomCrop": st.builds(og.RandomCrop, shares, **rule),
        "RandomResizedCrop": st.builds(
            og.RandomResizedCrop, st.sampled_from([64, (60, 80)]), st.just((0.7, 1.0)),
            kernel=st.sampled_from(["triangle", "cubic"]),
        ),
        "Resize": st.builds(og.Resize, scale=st.sampled_from([0.85, 1.0, 1.3])),
        "ResizeLonger": st.builds(og.ResizeLonger, st.sampled_from([60, (55, 85)])),
        "ResizeShorter": st.builds(og.ResizeShorter, st.sampled_from([60, (50, 75)]), st.sampled_from([None, 80])),
        "Rotate": st.builds(og.Rotate, angle, reshape=st.booleans(), **plane, **rule),
        "Rotate90": st.builds(og.Rotate90, st.sampled_from([(0, 3), 1, 2]), **plane),
        "Scale": st.builds(og.Scale, st.floats(0.85, 1.3), **rule),
        "Shift": st.builds(og.Shift, st.tuples(*[st.one_of(st.floats(-3, 3), st.just(2.0))] * n), **rule),
        "ShiftScaleRotate": st.builds(
            og.ShiftScaleRotate, st.tuples(*[st.floats(-3, 3)] * n), scale=st.floats(0.85, 1.2), rotate=st.floats(-20, 20), **rule
        ),
        "Spacing": st.builds(og.Spacing, st.sampled_from([1.0, 1.25]), st.just(1.1)),
        "ThinPlateSpline": st.builds(og.ThinPlateSpline, st.sampled_from(["2%", "3%"]), points=st.integers(2, 4), **rule),
        "Transpose": st.builds(og.Transpose, **plane),
        "Zoom": st.builds(
            og.Zoom, st.sampled_from([1.25, 0.9]), grid=st.sampled_from(["corners", "pixels"]), order=st.just(1), **rule
        ),
    }  # fmt: skip
    return {name: made for name, made in found.items() if n in og.STEPS[name].dimensions}


def step_chains(
    mode: st.SearchStrategy[str] = CONSTANT, names: Collection[str] = (), n: int = 2, most: int = 8
) -> st.SearchStrategy[list[og.Step]]:
    """One to eight steps, of all or of some names."""
    chosen = [made for name, made in steps(mode, n).items() if not names or name in names]
    return st.lists(st.one_of(chosen), min_size=1, max_size=most)


DISCS = [(15, 15, 9), (40, 20, 11), (20, 50, 12), (48, 52, 9), (35, 38, 5)]
"""Row, column and radius of discs apart from each other, on a grid of 61 x 70."""


def discs_at(places: np.ndarray) -> np.ndarray:
    """Labels 1 to 5 of the discs at any coordinates, shape (..., 2)."""
    labels = np.zeros(places.shape[:-1], np.uint8)
    for label, (y, x, radius) in enumerate(DISCS, 1):
        labels[(places[..., 0] - y) ** 2 + (places[..., 1] - x) ** 2 <= radius**2 + 0.5] = label
    return labels


def pixels(size: Iterable[int]) -> np.ndarray:
    """Coordinates of all pixels, shape (*size, n)."""
    return np.moveaxis(np.indices(tuple(size)), 0, -1).astype(float)


def near_boundaries(labels: np.ndarray, reach: int, shown: np.ndarray | None = None) -> np.ndarray:
    """Pixels with another label, the image's border or a pixel that is not shown within `reach` pixels on each axis."""
    marked = labels.astype(np.int64) if shown is None else np.where(shown, labels.astype(np.int64), -1)
    size = 2 * reach + 1
    least = ndimage.minimum_filter(marked, size, mode="constant", cval=-1)
    return least != ndimage.maximum_filter(marked, size, mode="constant", cval=-1)


def from_inside(frame: Frame) -> np.ndarray:
    """Output pixels whose coordinates stay inside every image of the chain: no border rule has a part in them."""
    places = pixels(frame.output_size)
    inside = np.ones(frame.output_size, bool)
    for step in reversed(frame.maps):
        places = step(places)
        with np.errstate(invalid="ignore"):
            inside &= ((places >= 0) & (places <= np.array(step.input_size) - 1)).all(-1)
    return inside
