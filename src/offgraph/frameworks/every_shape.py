"""Run a Keras model on batches of one shape after another."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["predict_batch"]


def predict_batch(model: Any, batch: np.ndarray) -> Any:
    """Return what ``model.predict_on_batch`` gives for a batch, also where the last one had another shape.

    Parameters
    ----------
    model : keras.Model, or what has its `predict_on_batch`
    batch : ndarray

    Raises
    ------
    Exception
        What the model's layers raise for a shape that they do not take.

    Notes
    -----
    With TensorFlow, Keras compiles a model for the shape of the first batch, and when a second shape comes once more, for any
    shape. Some layers, such as ``UpSampling2D(interpolation="bilinear")``, need known sizes to be compiled. A model that fails is
    therefore compiled afresh, for this shape alone, and tried again; the outputs are the same either way.
    """
    try:
        return model.predict_on_batch(batch)
    except Exception:
        compile_afresh = getattr(model, "make_predict_function", None)
        if compile_afresh is None or getattr(model, "predict_function", None) is None:
            raise
        compile_afresh(force=True)
        return model.predict_on_batch(batch)
