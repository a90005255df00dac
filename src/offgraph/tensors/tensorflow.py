"""Batches of a loader as a ``tf.data.Dataset``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.errors import OffgraphError, StepError
from offgraph.feeding import advice
from offgraph.spec import ArraySpec

if TYPE_CHECKING:
    import tensorflow as tf

    from offgraph.loader import Loader

__all__ = ["dataset"]


def dataset(loader: Loader) -> tf.data.Dataset:
    """Give the whole batches of a loader to TensorFlow.

    An element is ``(image, mask)`` where the source has masks, ``(image, label)`` where it has classes, and
    ``image`` alone where it has neither. Pictures without a channel axis get one, of length 1, as convolutions want
    it. Shapes are static; the batch axis is ``None`` only where a short last batch is possible. Every pass over
    the dataset is the next epoch of the loader. TensorFlow takes the batch's own memory, without a copy; a pass
    that is broken off leaves no thread behind. ``options().autotune.enabled`` is False, as TensorFlow's autotuning often
    makes a pass wait at its end; where parallel ``map`` calls added behind it gain by autotuning, turn it on again.

    After Ctrl-C in ``model.fit`` the program can hang at its end: TensorFlow waits for its own generator threads,
    as with any ``Dataset.from_generator``. ``os._exit(1)`` where KeyboardInterrupt is caught ends it at once.

    Parameters
    ----------
    loader : Loader

    Returns
    -------
    tf.data.Dataset
        Its cardinality is ``len(loader)``; unknown with ``on_error="skip"``.

    Raises
    ------
    OffgraphError
        Where TensorFlow is not installed, or no picture can be used.
    """
    try:
        import tensorflow as tf
    except ImportError as error:
        raise OffgraphError(
            "TensorFlow is not installed; run: pip install 'offgraph[tensorflow]', or iterate over the loader itself"
        ) from error
    skips = loader.on_error == "skip"
    whole = loader.drop_last or (loader.num_pictures % loader.batch_size == 0 and not skips)
    size = loader.batch_size if whole else None
    image_spec, mask_spec = loader.specs()
    image_shape = image_spec.shape if "C" in image_spec.axes else (*image_spec.shape, 1)
    signature: Any = tf.TensorSpec((size, *image_shape), image_spec.dtype)
    if mask_spec is not None:
        signature = (signature, tf.TensorSpec((size, *mask_spec.shape), mask_spec.dtype))
    elif loader.has_labels:
        signature = (signature, tf.TensorSpec((size,), tf.int64))

    def batches() -> Iterator[Any]:
        for batch in loader:
            _check(batch.image, image_spec, "image")
            image = batch.image.reshape(len(batch), *image_shape)
            if mask_spec is not None:
                _check(batch.mask, mask_spec, "mask")
                yield image, batch.mask
            elif loader.has_labels:
                yield image, batch.label
            else:
                yield image

    # There is nothing to tune in one generator, but TensorFlow's tuning thread sleeps for ever longer times, and at
    # the end of most passes the whole program waits for it to wake: 0.15 s after a pass of 0.15 s.
    options = tf.data.Options()
    options.autotune.enabled = False
    made = tf.data.Dataset.from_generator(batches, output_signature=signature).with_options(options)
    # What is left out is known only at the end of a pass; an asserted UNKNOWN would be taken for a wrong count.
    return made if skips else made.apply(tf.data.experimental.assert_cardinality(len(loader)))


def _check(array: np.ndarray | None, spec: ArraySpec, kind: str) -> None:
    if array is None:
        raise StepError(f"a batch has no {kind}s, but the first picture has a {kind}")
    shape, dtype = array.shape[1:] != spec.shape, array.dtype != spec.dtype
    if shape or dtype:
        raise StepError(
            f"the {kind}s of a batch are {array.dtype.name} of shape {array.shape[1:]}, but the first {kind} was "
            f"{spec.dtype} of shape {spec.shape}, and a tf.data.Dataset has one dtype and one shape; "
            + advice(kind, shape=shape, dtype=dtype)
        )
