"""One batch: what it holds, and how samples are copied into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from offgraph.core.display import NotebookView
from offgraph.core.errors import StepError
from offgraph.loading.labels import BatchLabels
from offgraph.loading.objects import BatchObjects, ObjectLayout
from offgraph.loading.samples import TrainingSample
from offgraph.pipeline.buffers import Buffers
from offgraph.pipeline.checks import check_alike
from offgraph.pipeline.failures import name_file
from offgraph.recipe.compose import Compose
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

__all__ = ["Batch", "collate"]


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
    records : tuple of dict
        What was drawn for each image.
    objects : BatchObjects or None
        Boxes with their classes, and keypoints, of a source with the task ``"detect"``.
    """

    image: np.ndarray
    label: np.ndarray | None
    mask: np.ndarray | None
    index: np.ndarray
    records: tuple[dict[str, Any], ...]
    objects: BatchObjects | None = None

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        label = "none" if self.label is None else f"{self.label.dtype} {self.label.shape}"
        mask = "none" if self.mask is None else f"{self.mask.dtype} {self.mask.shape}"
        objects = "" if self.objects is None else f", objects {self.objects!r}"
        image = f"{self.image.dtype} {self.image.shape}"
        return f"<Batch of {len(self)}: image {image}, label {label}, mask {mask}{objects}>"


def collate(
    samples: Sequence[TrainingSample],
    labels: BatchLabels,
    recipe: Compose,
    buffers: Buffers,
    objects: ObjectLayout | None = None,
) -> Batch:
    """Copy samples into the arrays of one batch.

    Parameters
    ----------
    samples : sequence of TrainingSample
        With masks in all of them or in none.
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
    return Batch(
        image=_stacked(samples, "image", recipe, buffers),
        label=labels.stack([sample.label for sample in samples]),
        mask=None if samples[0].mask is None else _stacked(samples, "mask", recipe, buffers),
        index=np.array([sample.number for sample in samples], np.int64),
        records=tuple(sample.record for sample in samples),
        objects=None if objects is None else objects.stack([sample.targets for sample in samples]),
    )


def _stacked(
    samples: Sequence[TrainingSample], kind: Literal["image", "mask"], recipe: Compose, buffers: Buffers
) -> np.ndarray:
    """Copy the images or masks of a batch into one array."""
    targets: list[Image | Mask] = [getattr(sample, kind) for sample in samples]
    first = targets[0]
    for sample, target in zip(samples, targets):
        try:
            check_alike(target.spec, f"{samples[0].name} in the same batch", first.spec, recipe, kind=kind)
        except StepError as error:
            raise name_file(error, sample.name) from None
    batch = buffers.empty((len(targets), *first.array.shape), first.array.dtype)
    for place, target in enumerate(targets):
        batch[place] = target.array
    return batch
