"""What a framework is given of a batch: its arrays by name, as a model with any number of inputs and outputs takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.errors import ArgumentError, StepError
from offgraph.core.specs import ArraySpec, OpenSpec
from offgraph.pipeline.checks import advice

if TYPE_CHECKING:
    from offgraph.loading.batch import Batch
    from offgraph.loading.loader import Loader

__all__ = ["Elements", "Part", "label_weights", "leaves", "mapped"]

_VALID, _VALID_PIXELS = "valid", "valid pixels"
"""Weights of images, and of their masks: Keras takes one per image to be one per column of a mask."""
_LABEL_WEIGHT, _PIXEL_WEIGHT = "class weight", "class weight of pixels"
"""The same times the weight of each class."""

Structure = Any
"""Names of parts: one, or a tuple or dict of structures."""


@dataclass(frozen=True)
class Part:
    """One array of a batch.

    Parameters
    ----------
    shape : tuple of int or None
        Without the batch axis; None for a length that differs.
    dtype : str
    ragged : bool
        Whether its second axis has another length in each image.
    """

    shape: tuple[int | None, ...]
    dtype: str
    ragged: bool = False


class Elements:
    """Chooses and checks the arrays of batches.

    Parameters
    ----------
    loader : Loader
    inputs, outputs : str, sequence or mapping, optional
        What the model takes and what it learns: the name of a part, a sequence of names, or a mapping from the names of
        the model's inputs or outputs to them. Unless given, what the loader's task learns from.

    Raises
    ------
    ArgumentError
        For a part that the loader does not have; lists those it has.
    OffgraphError
        Where no image can be used.
    """

    def __init__(self, loader: Loader, inputs: Any = None, outputs: Any = None) -> None:
        self.loader = loader
        self._image, self._mask = loader.specs()
        self.parts = self._all_parts()
        self.structure = (
            self._default() if inputs is None and outputs is None else self._asked(inputs, outputs)
        )
        self.names = tuple(leaves(self.structure))
        """Names of the parts, from left to right in the structure."""

    @property
    def channels_last(self) -> bool:
        """Whether the channels of an image are its last axis."""
        place = self._image.axes.find("C")
        return self.loader.data_format == "channels_last" if place < 0 else place == len(self._image.axes) - 1

    def _all_parts(self) -> dict[str, Part]:
        loader, image = self.loader, self._image
        shape = image.shape
        if "C" not in image.axes:
            shape = (*shape, 1) if loader.data_format == "channels_last" else (1, *shape)
        parts = {"image": Part(shape, image.dtype)}
        if loader.label_spec is not None:
            parts["label"] = Part(*loader.label_spec)
        if self._mask is not None:
            parts["mask"] = Part(self._mask.shape, self._mask.dtype)
        layout = loader.object_layout
        if layout is not None:
            ragged = layout.layout == "ragged"
            rows = None if ragged else layout.most
            parts["boxes"] = Part((rows, 2 * layout.axes), "float32", ragged)
            parts["classes"] = Part((rows,), "int64", ragged)
            if layout.keypoints is not None:
                parts["points"] = Part((rows, layout.keypoints, 2), "float32", ragged)
                parts["visible"] = Part((rows, layout.keypoints), "int64", ragged)
            if layout.mixed:
                parts["weights"] = Part((rows,), "float32", ragged)
        parts["index"] = Part((), "int64")
        if loader.class_weight is not None:
            if loader.label_spec is not None:
                parts[_LABEL_WEIGHT] = Part((), "float32")
            elif self._mask is not None:
                parts[_PIXEL_WEIGHT] = Part(self._mask.shape, "float32")
        if loader.pad_last:
            parts[_VALID] = Part((), "float32")
            if self._mask is not None:
                parts[_VALID_PIXELS] = Part((1,) * len(self._mask.shape), "float32")
        return parts

    def _default(self) -> Structure:
        if "label" in self.parts:
            return self._weighed("image", "label")
        if "boxes" in self.parts:
            learnt = {n: n for n in ("boxes", "classes", "points", "visible") if n in self.parts}
            return "image", learnt | ({"masks": "mask"} if "mask" in self.parts else {})
        return self._weighed("image", "mask") if "mask" in self.parts else "image"

    def _weighed(self, taken: Structure, learnt: Structure) -> Structure:
        """What is taken and learnt, with weights where classes have them, or images fill up the last batch."""
        if not self.loader.pad_last and self.loader.class_weight is None:
            return taken, learnt
        return taken, learnt, mapped(learnt, map(self._weight_of, leaves(learnt)))

    def _weight_of(self, name: str) -> str:
        """The part that holds the weights of another part."""
        weight = {"label": _LABEL_WEIGHT, "mask": _PIXEL_WEIGHT}.get(name, "")
        if weight in self.parts:
            return weight
        weight = _VALID_PIXELS if name == "mask" else _VALID
        if weight not in self.parts:  # of a loader without pad_last: all count alike
            shape = (1,) * len(self._mask.shape) if name == "mask" and self._mask is not None else ()
            self.parts[weight] = Part(shape, "float32")
        return weight

    def _asked(self, inputs: Any, outputs: Any) -> Structure:
        default = self._default()
        taken = "image" if inputs is None else self._parsed("inputs", inputs)
        if outputs is not None:
            return self._weighed(taken, self._parsed("outputs", outputs))
        return (taken, *default[1:]) if isinstance(default, tuple) else taken

    def _parsed(self, argument: str, given: Any) -> Structure:
        if isinstance(given, str):
            if given not in self.parts:
                raise ArgumentError(
                    f"{argument}: {given!r:.80} is no part of a batch of this loader; choose among "
                    + ", ".join(map(repr, self.parts))
                )
            return given
        if isinstance(given, Mapping) and given and all(isinstance(name, str) for name in given):
            return {name: self._parsed(argument, part) for name, part in given.items()}
        if isinstance(given, list | tuple) and given:
            return tuple(self._parsed(argument, part) for part in given)
        raise ArgumentError(
            f"{argument}={given!r:.80}: give the name of a part such as 'image', a list of names, or a dict from the names "
            "of the model's to them, such as {'photo': 'image'}"
        )

    def arrays(self, batch: Batch) -> list[Any]:
        """Arrays of a batch, one per name; of a ragged part a tuple with one array per image.

        Raises
        ------
        StepError
            Where image or mask have another shape or dtype than most of the source.
        """
        return [self._array(name, batch) for name in self.names]

    def _array(self, name: str, batch: Batch) -> Any:
        if name == "image":
            self._check(batch.image, self._image, name)
            return batch.image.reshape(len(batch), *self.parts[name].shape)  # type: ignore[arg-type]  # all are known
        if name in (_VALID, _VALID_PIXELS):
            shape = self.parts[name].shape
            return self._valid(batch).reshape(len(batch), *shape)  # type: ignore[arg-type]  # all are known
        if name in (_LABEL_WEIGHT, _PIXEL_WEIGHT):
            labels, weights = batch.label if name == _LABEL_WEIGHT else batch.mask, self.loader.class_weight
            assert labels is not None and weights is not None  # else the part is not there
            found, valid = label_weights(labels, weights), self._valid(batch)
            return found if batch.valid is None else found * valid.reshape(-1, *(1,) * (found.ndim - 1))
        if name == "mask":
            self._check(batch.mask, self._mask, name)
        return getattr(batch if name in ("mask", "label", "index") else batch.objects, name)

    def _valid(self, batch: Batch) -> np.ndarray:
        """1 for each image, 0 for those that fill up a batch."""
        return np.ones(len(batch), np.float32) if batch.valid is None else batch.valid.astype(np.float32)

    def _check(self, array: np.ndarray | None, spec: OpenSpec | None, kind: str) -> None:
        if array is None or spec is None:
            raise StepError(f"a batch has no {kind}s, but the first image has a {kind}")
        if array.shape[1:] != spec.shape or array.dtype.name != spec.dtype:
            axes = {-1: spec.axes.replace("C", ""), 0: spec.axes, 1: spec.axes + "C"}
            axes_here = axes.get(array.ndim - 1 - len(spec.axes), spec.axes)
            here = ArraySpec(array.shape[1:], array.dtype.name, axes_here)
            raise StepError(
                f"the {kind}s of a batch are {here.dtype} of shape {here.shape}, but most {kind}s of the source are "
                f"{spec.dtype} of shape {spec.shape}, and a dataset has one dtype and one shape; "
                + advice(kind, here, spec, self.loader.recipe)
            )


def label_weights(labels: np.ndarray, weights: dict[int, float]) -> np.ndarray:
    """Return the weight of each label as float32: of class numbers, 0 for one that has none, or of shares of classes.

    Parameters
    ----------
    labels : ndarray
        Class numbers of images or pixels; or float shares of classes, (B, K).
    weights : dict of int to float

    Examples
    --------
    >>> label_weights(np.array([[0, 1], [255, 1]]), {0: 0.5, 1: 2.0})
    array([[0.5, 2. ],
           [0. , 2. ]], dtype=float32)
    """
    if labels.dtype.kind == "f":
        row = np.array([weights.get(number, 0.0) for number in range(labels.shape[1])], np.float32)
        return labels.astype(np.float32, copy=False) @ row
    most = max(weights)
    table = np.zeros(most + 2, np.float32)
    table[list(weights)] = list(weights.values())
    return table[np.minimum(labels, np.int64(most + 1))]


def leaves(structure: Structure) -> Iterator[Any]:
    """Leaves of a structure; of a dict in the order of its keys, as TensorFlow flattens it."""
    if isinstance(structure, dict):
        for name in sorted(structure):
            yield from leaves(structure[name])
    elif isinstance(structure, tuple):
        for one in structure:
            yield from leaves(one)
    else:
        yield structure


def mapped(structure: Structure, values: Iterator[Any]) -> Structure:
    """The same structure with other leaves, taken in the order of `leaves`."""
    if isinstance(structure, dict):
        made = {name: mapped(structure[name], values) for name in sorted(structure)}
        return {name: made[name] for name in structure}
    if isinstance(structure, tuple):
        return tuple(mapped(one, values) for one in structure)
    return next(values)
