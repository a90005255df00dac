"""What a generator does to images, as a recipe of the steps that the loader runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from offgraph.core.errors import ArgumentError
from offgraph.migration.generator import from_generator
from offgraph.migration.report import MigrationReport
from offgraph.recipe.compose import Compose
from offgraph.recipe.layers import Augment
from offgraph.steps.base import Step
from offgraph.transforms.geometric import Affine, Flip
from offgraph.transforms.pointwise import Brightness

__all__ = ["Work", "check_range", "work_of"]

_PIXELS = (
    "rotation_range", "width_shift_range", "height_shift_range", "shear_range", "zoom_range", "channel_shift_range",
    "horizontal_flip", "vertical_flip", "brightness_range", "fill_mode", "cval", "interpolation_order",
)  # fmt: skip
_STATISTICS = (
    "samplewise_center", "samplewise_std_normalization", "featurewise_center", "featurewise_std_normalization",
    "zca_whitening",
)  # fmt: skip
WHITE = 255.0
"""The value of white of images of floats, which Keras takes for 0 to 255."""


@dataclass(frozen=True)
class Work:
    """What is done to each image.

    Parameters
    ----------
    recipe : Compose
        Run by the loader.
    report : MigrationReport
        How far it agrees with Keras, argument by argument.
    standardize : callable or None
        What is left to do to a batch afterwards, in place.
    """

    recipe: Compose
    report: MigrationReport
    standardize: Callable[[np.ndarray], np.ndarray] | None


def work_of(generator: Any, dtype: str, loading: dict[str, Any]) -> Work:
    """Return the work of a generator.

    Where all that is done to values is `rescale`, and a `preprocessing_function` that a step stands for, these are steps;
    else values are standardized on whole batches, by the generator's own method.

    Parameters
    ----------
    generator : ImageDataGenerator
    dtype : str
        Of the images: ``"uint8"`` of files.
    loading : dict
        ``target_size`` and what belongs to it, for images from files.
    """
    arguments = {name: getattr(generator, name) for name in _PIXELS} | loading
    if list(generator.zoom_range) == [1, 1]:
        del arguments["zoom_range"]
    values = {"rescale": generator.rescale, "preprocessing_function": generator.preprocessing_function}
    in_steps = not any(getattr(generator, name) for name in _STATISTICS) and _has_steps(values)
    made = from_generator(arguments | (values if in_steps else {}), "ImageDataGenerator")
    told = from_generator(arguments | values | _statistics(generator), "ImageDataGenerator").report
    standardized = not in_steps and (
        any(values.values()) or any(getattr(generator, name) for name in _STATISTICS)
    )
    # Steps one after another, as Keras runs them: joined, they would read the image at its full size.
    recipe = Compose(_layered(made.recipe.steps, dtype), fuse=False)
    return Work(
        recipe, _by_batches(told) if standardized else told, generator.standardize if standardized else None
    )


def _by_batches(report: MigrationReport) -> MigrationReport:
    """The same report, where values are standardized by the generator itself: nothing that it does is without an equal."""
    steps = tuple(
        replace(step, verdict="exact", notes=("done to whole batches, by Keras' formulas in its order",))
        if step.verdict == "none"
        else step
        for step in report.steps
    )
    return replace(report, steps=steps)


def _has_steps(values: dict[str, Any]) -> bool:
    """Whether steps of values stand for all of the arguments that are given, with the same order and numbers."""
    function = values["preprocessing_function"]
    if function is None:
        return True
    report = from_generator({"preprocessing_function": function}).report
    stands = all(step.verdict != "none" and "Lambda" not in "".join(step.steps) for step in report.steps)
    # Without a line in the report, the function changes nothing.
    return stands and not values["rescale"]


def _statistics(generator: Any) -> dict[str, Any]:
    found = {name: getattr(generator, name) for name in _STATISTICS}
    if generator.mean is not None:
        found["mean"] = np.ravel(generator.mean).tolist()
    if generator.std is not None:
        found["std"] = np.ravel(generator.std).tolist()
    if generator.zca_whitening_matrix is not None:
        found["zca_whitening_matrix"] = generator.zca_whitening_matrix
    return found


def _layered(steps: Iterable[Step], dtype: str) -> list[Any]:
    """Steps with names, those that draw within `Augment`.

    A draw is addressed by the name of its step: two generators with one seed draw alike, though one has steps that the
    other lacks.
    """
    items: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hints, which the report has
        named = [_with_name(step, dtype) for step in steps]
    for step in named:
        if not step.draws:
            items.append(step)
        elif items and isinstance(items[-1], Augment):
            items[-1] = Augment(*items[-1].steps, step)
        else:
            items.append(Augment(step))
    return items


def _with_name(step: Step, dtype: str) -> Step:
    if isinstance(step, Affine):
        return replace(step, id="affine")
    if isinstance(step, Flip):
        return replace(step, id=f"flip {step.axis}")
    if isinstance(step, Brightness):
        white = WHITE if np.dtype(dtype).kind == "f" else None
        return replace(step, id="channel shift" if step.factor == 1 else "brightness", range=white)
    return step


def check_range(generator: Any, arrays: np.ndarray) -> None:
    """Refuse floats outside 0 to 255 where brightness is drawn: what is lighter than white would be cut.

    Raises
    ------
    ArgumentError
    """
    drawn = generator.brightness_range is not None or generator.channel_shift_range
    if not drawn or arrays.dtype.kind != "f" or not arrays.size:
        return
    low, high = float(np.nanmin(arrays)), float(np.nanmax(arrays))
    if low < 0 or high > WHITE:
        raise ArgumentError(
            f"x goes from {low:g} to {high:g}: brightness_range and channel_shift_range take values from 0 to 255; leave the "
            "normalization to rescale or preprocessing_function, which come after them"
        )
