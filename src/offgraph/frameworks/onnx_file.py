"""ONNX files, run by onnxruntime, as functions of a batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.choices import Layout
from offgraph.core.errors import OffgraphError

__all__ = ["is_onnx_file", "open_onnx_file"]

_DTYPES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64", "tensor(uint8)": "uint8",
    "tensor(int8)": "int8", "tensor(uint16)": "uint16", "tensor(int16)": "int16", "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}  # fmt: skip
_CHANNELS = (1, 2, 3, 4)
"""Lengths of an axis that say that it holds channels: no image has as few rows."""


def is_onnx_file(path: Path) -> bool:
    """Whether a path names an ONNX file."""
    return path.suffix.lower() == ".onnx"


def open_onnx_file(
    path: Path, layout: Layout | None
) -> tuple[Callable[[np.ndarray], dict[str, np.ndarray]], tuple[int | None, ...]]:
    """Open a model: what it computes of a batch with the channels last, and the shape of one image.

    Parameters
    ----------
    path : Path
    layout : {"channels_first", "channels_last"} or None
        Where its images and masks have their channels; None to read it from its input.

    Raises
    ------
    OffgraphError
        Where onnxruntime is not installed or cannot load it, it takes something other than one batch of images, or its input
        leaves the layout open.
    """
    if not path.is_file():
        raise OffgraphError(f"{path}: there is no such file")
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise OffgraphError(
            f"{path}: an ONNX file is run by onnxruntime, which is not installed; run: pip install 'offgraph[onnx]'"
        ) from error
    try:
        session: Any = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except (
        Exception
    ) as error:  # whatever onnxruntime raises for a damaged file, or an operator that it does not know
        raise OffgraphError(
            f"{path}: onnxruntime cannot load it: {' '.join(str(error).split()):.300}"
        ) from error
    inputs, outputs = session.get_inputs(), [one.name for one in session.get_outputs()]
    if len(inputs) != 1 or len(inputs[0].shape) not in (3, 4, 5):
        listed = ", ".join(f"{one.name} {one.shape}" for one in inputs)
        raise OffgraphError(f"{path}: it takes {listed or 'nothing'}; a model takes one batch of images")
    dtype = _DTYPES.get(inputs[0].type)
    if dtype is None:
        raise OffgraphError(f"{path}: it takes {inputs[0].type}; a model takes numbers")
    lengths = [n if isinstance(n, int) and n > 0 else None for n in inputs[0].shape]
    batch, shape = lengths[0], lengths[1:]
    first = len(shape) > 2 and _channels_first(path, shape, layout)
    taken = tuple([*shape[1:], shape[0]] if first else shape)
    name = inputs[0].name

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        given = np.moveaxis(images, -1, 1) if first else images
        given = np.ascontiguousarray(given, dtype)
        # A file may fix the length of its batch: it is then run on as many images at a time.
        step = batch or len(given)
        parts = [_run(given[start : start + step], step) for start in range(0, len(given), step)]
        return {key: np.concatenate(of) for key, of in zip(outputs, zip(*parts, strict=True), strict=True)}

    def _run(images: np.ndarray, count: int) -> list[np.ndarray]:
        held = len(images)
        if held < count:
            images = np.concatenate([images, np.repeat(images[-1:], count - held, axis=0)])
        made = [np.asarray(one)[:held] for one in session.run(outputs, {name: images})]
        if not first:
            return made
        return [np.moveaxis(one, 1, -1) if one.ndim == images.ndim else one for one in made]

    return run, taken


def _channels_first(path: Path, shape: list[int | None], layout: Layout | None) -> bool:
    """Whether channels come before the spatial axes: as declared, or as one end of the shape says."""
    if layout is not None:
        return layout == "channels_first"
    front, back = shape[0] in _CHANNELS, shape[-1] in _CHANNELS
    if front == back:
        raise OffgraphError(
            f"{path}: it takes images of {tuple('any' if n is None else n for n in shape)}, which leaves open where the channels "
            "are; say layout='channels_first' (as PyTorch exports) or layout='channels_last'"
        )
    return front
