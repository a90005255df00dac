"""Checks of what a batch may hold: images of one depth, shape and dtype, masks of one dtype, finite values.

What a batch holds must not depend on the order of a pass. So neither the first image of a batch nor the first of the
source decides: a few images spread over the source are looked at, and the majority decides. Everything here raises
`StepError`; the loader decides whether that ends a pass or leaves an image out.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from offgraph.core.choices import NonFinite
from offgraph.core.errors import ArgumentError, StepError
from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec, OpenSpec
from offgraph.pipeline.probe import _channels
from offgraph.recipe.compose import Compose
from offgraph.recipe.result import Result
from offgraph.targets import Image, Mask, Targets
from offgraph.transforms import CenterCrop, RandomCrop, Resize

__all__ = [
    "advice",
    "check_alike",
    "check_finite",
    "check_non_finite_option",
    "fit_mask",
    "parse_mask_dtype",
    "run_checked",
]


# ---- shape and dtype


def check_alike(image: ArraySpec, name: str, reference: OpenSpec, recipe: Compose, *, kind: str) -> None:
    """Refuse an image or mask that cannot be stacked with another: ``None`` in the reference fits every length.

    Parameters
    ----------
    image, reference : ArraySpec
    name : str
        Name of the image that the reference was taken from, for the message.
    recipe : Compose
        What was run: the advice names no step that is in it already.
    kind : {"image", "mask"}

    Raises
    ------
    StepError
    """
    same = len(image.shape) == len(reference.shape) and all(
        want is None or have == want for have, want in zip(image.shape, reference.shape)
    )
    if same and image.dtype == reference.dtype and image.axes == reference.axes:
        return
    raise StepError(
        f"the {kind} is {image.dtype} of shape {image.shape}, but {name} is {reference.dtype} of shape "
        f"{_shape(reference)}; {advice(kind, image, reference, recipe)}"
    )


def _shape(spec: OpenSpec) -> str:
    return str(spec.shape).replace("None", "any")


def advice(kind: str, one: OpenSpec, other: OpenSpec, recipe: Compose) -> str:
    """Advise how to make two images or masks alike; never with a step that the recipe has already."""
    if kind == "mask" and one.dtype != other.dtype:
        return "save all masks with the same dtype"
    if set(one.axes) - {"C"} != set(other.axes) - {"C"}:
        return f"open files with the axes {one.axes} and {other.axes} as sources of their own"
    if _channels(one) != _channels(other):
        counts = {_channels(one) or 1, _channels(other) or 1}
        if counts <= {1, 2, 3, 4}:
            return "open the source with color='rgb' or color='grey': then all images have the same channels"
        return "save all images with the same channels"
    if one.dtype != other.dtype:
        return "save all images with the same dtype"
    present = {type(step) for step in recipe.steps}
    missing = [step.__name__ for step in (Resize, CenterCrop, RandomCrop) if step not in present]
    if Resize not in present:
        return "put Resize(...) in the recipe"
    if missing:
        return f"end the recipe with {missing[0]}(...): the Resize(...) in it does not make all sizes equal"
    return "look at the last step that changes the size: it gives every image a size of its own"


def fit_mask(mask: Mask, dtype: str, name: str, instead: str | None = None) -> Mask:
    """Bring a mask of labels to the dtype of its source's masks; every label keeps its number.

    A narrower mask is widened. A wider one is narrowed where all its labels fit.

    Parameters
    ----------
    mask : Mask
    dtype : str
    name : str
        Name of an image whose mask has that dtype, for the message.
    instead : str, optional
        What else to do where a label does not fit; to pass ``mask_dtype`` unless given.

    Raises
    ------
    StepError
        Where a label does not fit; names it.
    """
    have, want = mask.array.dtype, np.dtype(dtype)
    if have == want:
        return mask
    if not np.can_cast(have, want, "safe") and mask.array.size:
        low, high = (0, 1) if want.kind == "b" else (np.iinfo(want).min, np.iinfo(want).max)
        ends = int(mask.array.min()), int(mask.array.max())
        outside = [label for label in ends if not low <= label <= high]
        if outside:
            instead = instead or f"pass mask_dtype={have.name!r}"
            raise StepError(
                f"the mask is {have.name} and holds the label {outside[-1]}, but the masks of its source, such as that "
                f"of {name}, are {want.name}, which ends at {high}; save all masks with the same dtype, or {instead}"
            )
    return Mask(mask.array.astype(want), mask.axes)


def parse_mask_dtype(value: Any) -> str | None:
    """Return the name of a dtype for masks, or refuse what is not an integer dtype."""
    if value is None:
        return None
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = None
    if dtype is None or dtype.kind not in "bui":
        raise ArgumentError(f"mask_dtype={value!r:.80}: give an integer dtype such as 'uint16' or 'int32'")
    return dtype.name


# ---- NaN and infinity


def check_non_finite_option(value: Any) -> NonFinite:
    """Return the option, or refuse what it does not take."""
    if value not in get_args(NonFinite):
        raise ArgumentError(f"non_finite={value!r:.80}: choose 'error' or 'allow'")
    return value


def check_finite(image: Image, what: str) -> None:
    """Refuse an image of floats that holds NaN or infinity; integers pass at no cost.

    Parameters
    ----------
    image : Image
    what : str
        What holds them, for the message: ``"the file"``, or the step that made them.

    Raises
    ------
    StepError
        Names how many there are, where the first one is, and what to do.
    """
    array = image.array
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    wrong = ~np.isfinite(array)
    first = np.unravel_index(int(np.argmax(wrong)), array.shape)
    place = ", ".join(f"{name} {index}" for name, index in zip(image.axes, first))
    raise StepError(
        f"{what} {int(np.count_nonzero(wrong)):,} of {array.size:,} values that are NaN or infinite, the first, "
        f"{array[first]}, at {place}; repair the image, or pass non_finite='allow' where they are meant"
    )


def run_checked(
    recipe: Compose,
    targets: Targets,
    key: Key,
    *,
    start: int = 0,
    stop: int | None = None,
    non_finite: NonFinite = "error",
) -> Result:
    """Run a recipe, or a part of it, and refuse NaN and infinity in what it is given and in what it makes.

    Raises
    ------
    StepError
        Where a step cannot be applied, or a value is not finite: names the file's own, or the step that made it.
    """
    if non_finite == "error":
        check_finite(targets.image, "the file holds")
    done = recipe.run(targets, key, start, stop)
    if non_finite == "error":
        made = done.targets.image
        if made.array.dtype.kind == "f" and not np.isfinite(made.array).all():
            _blame(recipe, targets.image, key, start, len(recipe.steps) if stop is None else stop)
            check_finite(made, "the recipe makes")
    return done


def _blame(recipe: Compose, image: Image, key: Key, start: int, stop: int) -> None:
    """Name the step that made a value that is not finite, by running the recipe up to each."""
    for end in range(start + 1, stop + 1):
        step = recipe.steps[end - 1]
        check_finite(
            recipe.run(Targets.of_image(image), key, start, end).targets.image,
            f"step {end}, {step.name}, makes",
        )
