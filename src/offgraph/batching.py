"""What may stand in one batch: images of one depth, shape and dtype, masks of one dtype, finite values.

What a batch is to hold must not depend on the order of a pass, so it is not the first image of a batch that tells, nor
the first of the source, which may be the odd one: a few images spread over the source are looked at, and most of them
decide. Everything here raises `StepError`; whether that ends a pass or leaves an image out is the loader's business.
"""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from offgraph.compose import Compose, Result
from offgraph.errors import ArgumentError, OffgraphWarning, StepError
from offgraph.feeding import BAD_FILE, ordered_map
from offgraph.machine import with_retries
from offgraph.random import Key
from offgraph.sources import Source
from offgraph.spec import ArraySpec
from offgraph.targets import Image, Mask
from offgraph.transforms import CenterCrop, Normalize, RandomCrop, Resize

__all__ = [
    "NonFinite",
    "Probe",
    "Reference",
    "advice",
    "check_alike",
    "check_finite",
    "check_non_finite_option",
    "converted_warning",
    "fit_mask",
    "look_at",
    "look_at_source",
    "parse_mask_dtype",
    "probe_sample",
    "run_checked",
    "scales_by_dtype",
    "to_depth",
]

NonFinite = Literal["error", "allow"]
"""What NaN and infinity do in an image of floats: count as a fault of the image, or pass."""


@dataclass(frozen=True)
class Probe:
    """What one image of a source looks like, known without running the recipe.

    Parameters
    ----------
    name : str
    stored : ArraySpec
        As it is read.
    image : ArraySpec
        After the recipe, with ``None`` for lengths that are drawn.
    mask : ArraySpec or None
    """

    name: str
    stored: ArraySpec
    image: ArraySpec
    mask: ArraySpec | None


@dataclass(frozen=True)
class Reference(Probe):
    """What every sample of a loader is held against: most of its images, and the widest of its masks."""

    @classmethod
    def of(
        cls, probes: list[Probe], mask_dtypes: Iterable[str] = (), mask_dtype: str | None = None
    ) -> Reference:
        """Choose from probes in the order of the source: the most frequent depth, of those the most frequent
        channels, of those the most frequent shape; in a tie what comes first in the source.

        Parameters
        ----------
        probes : list of Probe
            At least one.
        mask_dtypes : iterable of str
            Those of further masks, where they are known.
        mask_dtype : str, optional
            The one to give masks, whatever they have.
        """
        keys: tuple[Callable[[Probe], Hashable], ...] = (
            lambda probe: probe.stored.dtype,
            lambda probe: (probe.image.dtype, probe.image.axes, _channels(probe.image)),
            lambda probe: probe.image.shape,
        )
        kept = probes
        for key in keys:
            wanted = Counter(map(key, kept)).most_common(1)[0][0]
            kept = [probe for probe in kept if key(probe) == wanted]
        chosen = kept[0]
        mask = chosen.mask or next((probe.mask for probe in probes if probe.mask is not None), None)
        if mask is not None:
            found = [probe.mask.dtype for probe in probes if probe.mask is not None]
            mask = mask.cast(mask_dtype or _widest(found, mask_dtypes))
        return cls(chosen.name, chosen.stored, chosen.image, mask)


def probe_sample(
    name: str, stored: ArraySpec, mask: ArraySpec | None, recipe: Compose, start: int = 0
) -> Probe:
    """Say what a sample looks like after a recipe, of which `start` steps are done."""
    after = recipe.output_spec(stored, start)
    return Probe(name, stored, after, None if mask is None else mask.resized(after.size))


def _probe_source(source: Source, number: int, recipe: Compose) -> Probe:
    """Read one item, and say what it looks like after a recipe."""
    read = source.read(number)
    mask = None if read.mask is None else read.mask.spec
    return probe_sample(read.item.name, read.image.spec, mask, recipe)


def look_at(
    chosen: int,
    probe_chosen: Callable[[int], Probe],
    others: int,
    probe_other: Callable[[int], Probe],
    threads: int,
    name: Callable[[int], str],
) -> tuple[list[Probe], dict[str, str]]:
    """Look at chosen samples, and where none of them can be used, at the others until one can.

    Parameters
    ----------
    chosen, others : int
        How many there are.
    probe_chosen, probe_other : callable
        Look at one, by its number from 0.
    threads : int
    name : callable
        Name of one of the others.

    Returns
    -------
    list of Probe, dict
        Those that can be used, and why not by name for the others.

    Raises
    ------
    MachineError
        Where the machine failed.
    """
    bad: dict[str, str] = {}

    def look(address: tuple[bool, int]) -> Probe | None:
        was_chosen, number = address
        try:
            return with_retries(lambda: probe_chosen(number) if was_chosen else probe_other(number))
        except BAD_FILE as error:
            if not was_chosen:
                bad[name(number)] = str(error)
            return None

    with closing(ordered_map(look, [(True, i) for i in range(chosen)], threads=threads)) as looked:
        probes = [found for found in looked if found is not None]
    if not probes:
        with closing(ordered_map(look, ((False, i) for i in range(others)), threads=threads)) as looked:
            probes = list(itertools.islice((found for found in looked if found is not None), 1))
    return probes, bad


def look_at_source(source: Source, recipe: Compose, threads: int) -> tuple[list[Probe], dict[str, str]]:
    """Look at the typical items of a source; see `look_at`."""
    typical = source.of_typical()
    return look_at(
        len(typical),
        lambda number: _probe_source(typical, number, recipe),
        len(source),
        lambda number: _probe_source(source, number, recipe),
        threads,
        lambda number: source[number].name,
    )


def _widest(first: list[str], more: Iterable[str]) -> str:
    """Smallest integer dtype that holds all labels of some dtypes; the first of them where there is none."""
    listed = [*first, *more]
    found = np.result_type(*map(np.dtype, listed))
    return listed[0] if found.kind == "f" else found.name


def _channels(spec: ArraySpec) -> int | None:
    return spec.shape[spec.axes.index("C")] if "C" in spec.axes else None


# ---- depth


def scales_by_dtype(recipe: Compose) -> bool:
    """Whether a recipe takes every image by the largest value of its dtype, so that 255 and 65535 both become 1."""
    before = ArraySpec((None, None, 3), "uint8", "YXC")
    for step in recipe.steps:
        if isinstance(step, Normalize):
            return step.range is None
        try:
            before = step.output_spec(before)
        except (ValueError, TypeError):  # made for other images; what they become is not known here
            return False
        if np.dtype(before.dtype).kind == "f":
            return False
    return False


def to_depth(image: Image, stored: ArraySpec, name: str, *, scale: bool) -> tuple[Image, str | None]:
    """Bring an image to the depth that most of its source has, or refuse it.

    The same value means something else in 8 and in 16 bits, and a recipe such as ``Rescale(1 / 255)`` cannot know.

    Parameters
    ----------
    image : Image
        As read.
    stored : ArraySpec
        As most images of the source are read.
    name : str
        Of an image that is as most are, for the message.
    scale : bool
        Whether 8 and 16 bits may be converted, so that 255 and 65535 mean the same.

    Returns
    -------
    Image, str or None
        The image, and what was done to it.

    Raises
    ------
    StepError
        Where the dtypes differ and are not converted.
    """
    dtype = image.array.dtype
    if dtype.name == stored.dtype:
        return image, None
    if scale and {dtype.name, stored.dtype} == {"uint8", "uint16"}:
        if dtype == np.uint8:
            array = image.array.astype(np.uint16) * np.uint16(257)
        else:  # rounded to the nearest; 257 x goes back to x
            array = ((image.array.astype(np.uint32) + np.uint32(128)) // np.uint32(257)).astype(np.uint8)
        return Image(array, image.axes), f"converted from {dtype.name} to {stored.dtype}"
    raise StepError(
        f"the image is stored as {dtype.name}, but most of its source, such as {name}, as {stored.dtype}, and the same "
        f"value means something else in each; save it as {stored.dtype} too"
        + (
            ", or let Normalize(...) without range= make the floats: it divides by the largest value of each dtype"
            if {dtype.kind, np.dtype(stored.dtype).kind} == {"u"}
            else ""
        )
    )


def converted_warning(name: str, how: str, where: str) -> None:
    """Warn of the first image that was converted; `where` says what lists them all, or nothing."""
    warnings.warn(
        f"{name}: {how}, the depth of most images of its source, so that 255 and 65535 mean the same in all of them"
        f"{where}. Open the source with color='keep' to have it refused instead",
        OffgraphWarning,
        stacklevel=3,
    )


# ---- shape and dtype


def check_alike(image: ArraySpec, name: str, reference: ArraySpec, recipe: Compose, *, kind: str) -> None:
    """Refuse an image or mask that cannot be stacked with another: ``None`` in the reference fits every length.

    Parameters
    ----------
    image, reference : ArraySpec
    name : str
        Of what the reference was taken from, for the message.
    recipe : Compose
        What was run: no step that is in it already is advised.
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


def _shape(spec: ArraySpec) -> str:
    return str(spec.shape).replace("None", "any")


def advice(kind: str, one: ArraySpec, other: ArraySpec, recipe: Compose) -> str:
    """Say what makes two images or masks alike; never a step that the recipe has already."""
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


def fit_mask(mask: Mask, dtype: str, name: str) -> Mask:
    """Bring a mask of labels to the dtype of its source's masks; every label keeps its number.

    A narrower mask is widened. A wider one is narrowed where all its labels fit.

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
            raise StepError(
                f"the mask is {have.name} and holds the label {outside[-1]}, but the masks of its source, such as that "
                f"of {name}, are {want.name}, which ends at {high}; save all masks with the same dtype, or pass mask_dtype={have.name!r}"
            )
    return Mask(mask.array.astype(want), mask.axes)


def parse_mask_dtype(value: Any) -> str | None:
    """Return the name of a dtype for masks, or refuse what is none."""
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
        f"{array[first]}, at {place}; mend the image, or pass non_finite='allow' where they are meant"
    )


def run_checked(
    recipe: Compose,
    image: Image,
    mask: Mask | None,
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
        check_finite(image, "the file holds")
    done = recipe.run(image, mask, key, start, stop)
    if non_finite == "error":
        made = done.targets.image
        if made.array.dtype.kind == "f" and not np.isfinite(made.array).all():
            _blame(recipe, image, key, start, len(recipe.steps) if stop is None else stop)
            check_finite(made, "the recipe makes")
    return done


def _blame(recipe: Compose, image: Image, key: Key, start: int, stop: int) -> None:
    """Name the step that made a value that is not finite, by running the recipe up to each."""
    for end in range(start + 1, stop + 1):
        step = recipe.steps[end - 1]
        check_finite(
            recipe.run(image, None, key, start, end).targets.image, f"step {end}, {step.name}, makes"
        )
