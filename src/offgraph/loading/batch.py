"""One batch: what it holds, and how samples are copied into it."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from offgraph.core.display import NotebookView
from offgraph.core.errors import StepError
from offgraph.loading.labels import BatchLabels
from offgraph.loading.native_rows import MadeRows
from offgraph.loading.objects import BatchObjects, ObjectLayout
from offgraph.loading.training_sample import TrainingSample
from offgraph.pipeline.buffers import Buffers
from offgraph.pipeline.checks import check_alike
from offgraph.pipeline.failures import name_file
from offgraph.recipe.compose import Compose
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

__all__ = ["Batch", "LazyRecords", "collate", "each"]


@dataclass(frozen=True, eq=False)
class Batch(NotebookView):
    """A batch. It belongs to the caller: nothing else writes into its arrays.

    Parameters
    ----------
    image : ndarray
        (B, H, W), (B, H, W, C) or (B, D, H, W, …): the axes of one image after the batch axis. C-contiguous,
        starting on a 64-byte boundary.
    label : ndarray or None
        By the task of the source: class numbers, int64 (B,), or with ``one_hot=True`` float32 (B, K) of 0 and 1, K
        classes; for several classes per image float32 (B, K) of 0 and 1; for numbers to learn float32 (B,), or (B, n)
        of n targets. None without labels.
    mask : ndarray or None
        Labels of each pixel, (B, H, W), laid out as ``image`` is.
    index : ndarray of int64, shape (B,)
        Number of each image in its source; of each example in a built dataset, where the copies of an image are
        separate examples. ``records[i]["key"]["index"]`` is the image's number in the source in both.
    records : sequence of dict
        What was drawn for each image. Those of a built dataset are read from its files when they are asked for.
    objects : BatchObjects or None
        Boxes with their classes, and keypoints, of a source with the task ``"detect"``.
    valid : ndarray of bool, shape (B,), or None
        With ``pad_last=True``: False where an image fills up the batch, and stands in it or in another one already.
    """

    image: np.ndarray
    label: np.ndarray | None
    mask: np.ndarray | None
    index: np.ndarray
    records: Sequence[dict[str, Any]]
    objects: BatchObjects | None = None
    valid: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        label = "none" if self.label is None else f"{self.label.dtype} {self.label.shape}"
        mask = "none" if self.mask is None else f"{self.mask.dtype} {self.mask.shape}"
        objects = "" if self.objects is None else f", objects {self.objects!r}"
        image = f"{self.image.dtype} {self.image.shape}"
        return f"<Batch of {len(self)}: image {image}, label {label}, mask {mask}{objects}>"


class LazyRecords(Sequence[dict[str, Any]]):
    """Records that are made when they are asked for, once.

    Parameters
    ----------
    count : int
    make : callable
        Makes all of them.
    """

    def __init__(self, count: int, make: Callable[[], Iterable[dict[str, Any]]]) -> None:
        self._count, self._make = count, make

    @functools.cached_property
    def _made(self) -> tuple[dict[str, Any], ...]:
        made = tuple(self._make())
        self._make = tuple  # it holds on to the samples
        return made

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: Any) -> Any:
        return self._made[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._made == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # as of the dicts in it

    def __repr__(self) -> str:
        return repr(self._made)

    def __reduce__(self) -> Any:
        return tuple, (self._made,)


def each(parts: Sequence[TrainingSample | MadeRows]) -> list[TrainingSample]:
    """Return the single samples of what a batch is put together of."""
    samples: list[TrainingSample] = []
    for part in parts:
        if isinstance(part, MadeRows):
            samples.extend(part)
        else:
            samples.append(part)
    return samples


def collate(
    parts: Sequence[TrainingSample | MadeRows],
    labels: BatchLabels,
    recipe: Compose,
    buffers: Buffers,
    objects: ObjectLayout | None = None,
) -> Batch:
    """Copy samples into the arrays of one batch.

    Parameters
    ----------
    parts : sequence of TrainingSample or MadeRows
        The samples, in order; with masks in all of them or in none.
    labels : BatchLabels
        What the labels are made into.
    recipe : Compose
        What the samples went through, for the advice of an error.
    buffers : Buffers
        Where the arrays of images and masks come from.
    objects : ObjectLayout, optional
        How boxes and keypoints stand in the batch; None where there are none.

    Raises
    ------
    StepError
        Where images or masks differ in shape or dtype; names the file and both shapes.
    """
    blocks = [part for part in parts if isinstance(part, MadeRows)]
    if objects is None and len(blocks) == len(parts) and (filled := _filled_by(blocks)) is not None:
        numbers, stacked, recorded = blocks[0].numbers, blocks[0].labels, blocks[0].recorded
        if len(blocks) > 1:
            numbers = list(itertools.chain.from_iterable(block.numbers for block in blocks))
            stacked = list(itertools.chain.from_iterable(block.labels for block in blocks))
            recorded = functools.partial(_recorded, [block.recorded for block in blocks])
        return Batch(
            image=filled,
            label=labels.stack(stacked),
            mask=None,
            index=np.array(numbers, np.int64),
            records=LazyRecords(len(numbers), recorded),
        )
    samples = each(parts)
    return Batch(
        image=_stacked(samples, "image", recipe, buffers),
        label=labels.stack([sample.label for sample in samples]),
        mask=None if samples[0].mask is None else _stacked(samples, "mask", recipe, buffers),
        index=np.array([sample.number for sample in samples], np.int64),
        records=LazyRecords(len(samples), functools.partial(_each_recorded, [s.recorded for s in samples])),
        objects=None
        if objects is None
        else objects.stack([sample.targets for sample in samples], [sample.number for sample in samples]),
    )


def _each_recorded(makers: Sequence[Callable[[], dict[str, Any]]]) -> Iterable[dict[str, Any]]:
    return (make() for make in makers)


def _recorded(makers: Sequence[Callable[[], Iterable[dict[str, Any]]]]) -> Iterable[dict[str, Any]]:
    return itertools.chain.from_iterable(make() for make in makers)


def _filled_by(blocks: Sequence[MadeRows]) -> np.ndarray | None:
    """The array whose first rows blocks fill, one after another; None where that is not so."""
    batch, end = blocks[0].rows.batch, 0
    for block in blocks:
        if block.rows.batch is not batch or block.rows.start != end:
            return None
        end = block.rows.stop
    return batch.array()[:end]


def _filled(samples: Sequence[TrainingSample]) -> np.ndarray | None:
    """The array that the images of a batch were written into, each at its place; None where that is not so."""
    batch = None if samples[0].row is None else samples[0].row.batch
    if batch is None:
        return None
    right = all(
        sample.row is not None and sample.row.batch is batch and sample.row.number == place
        for place, sample in enumerate(samples)
    )
    return batch.array()[: len(samples)] if right else None


def _stacked(
    samples: Sequence[TrainingSample], kind: Literal["image", "mask"], recipe: Compose, buffers: Buffers
) -> np.ndarray:
    """Copy the images or masks of a batch into one array."""
    if kind == "image" and (filled := _filled(samples)) is not None:
        return filled
    targets: list[Image | Mask] = [getattr(sample, kind) for sample in samples]
    first = targets[0]
    for sample, target in zip(samples, targets):
        if target.spec == first.spec:
            continue
        try:
            check_alike(target.spec, f"{samples[0].name} in the same batch", first.spec, recipe, kind=kind)
        except StepError as error:
            raise name_file(error, sample.name) from None
    batch = buffers.empty((len(targets), *first.array.shape), first.array.dtype)
    for place, target in enumerate(targets):
        batch[place] = target.array
    return batch
