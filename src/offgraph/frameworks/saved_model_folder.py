"""TensorFlow's SavedModel folders, as functions of a batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.errors import OffgraphError

__all__ = ["is_saved_model_folder", "open_saved_model_folder"]

_SIGNATURE = "serving_default"


def is_saved_model_folder(path: Path) -> bool:
    """Whether a folder holds a SavedModel."""
    return (path / "saved_model.pb").is_file()


def open_saved_model_folder(path: Path) -> tuple[Callable[[np.ndarray], Any], tuple[int | None, ...]]:
    """Open the signature that serves: what it computes of a batch, and the shape of one image.

    Raises
    ------
    OffgraphError
        Where TensorFlow is not installed or cannot load it, or the signature takes something other than one batch of
        images.
    """
    try:
        import tensorflow as tf
    except ImportError as error:
        raise OffgraphError(
            f"{path}: a SavedModel is loaded by TensorFlow, which is not installed; run: pip install 'offgraph[tensorflow]'"
        ) from error
    try:
        loaded: Any = tf.saved_model.load(str(path))
    except Exception as error:  # whatever TensorFlow raises for a damaged folder
        raise OffgraphError(
            f"{path}: TensorFlow cannot load it: {' '.join(str(error).split()):.300}"
        ) from error
    signature = loaded.signatures.get(_SIGNATURE)
    if signature is None:
        raise OffgraphError(
            f"{path}: it has no signature {_SIGNATURE!r}, but {', '.join(map(repr, loaded.signatures)) or 'none'}; export it "
            "with keras.Model.export(path)"
        )
    taken: dict[str, Any] = signature.structured_input_signature[1]
    if len(taken) != 1 or next(iter(taken.values())).shape.rank not in (3, 4, 5):
        listed = ", ".join(f"{name} {spec.shape}" for name, spec in taken.items())
        raise OffgraphError(
            f"{path}: its signature takes {listed or 'nothing'}; a model takes one batch of images"
        )
    ((name, spec),) = taken.items()
    dtype = spec.dtype.as_numpy_dtype

    def run(batch: np.ndarray) -> dict[str, np.ndarray]:
        made: Any = loaded.signatures[_SIGNATURE](**{name: tf.constant(batch.astype(dtype, copy=False))})
        return {key: value.numpy() for key, value in made.items()}

    return run, tuple(spec.shape.as_list()[1:])
