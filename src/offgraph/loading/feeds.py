"""What a loader gives frameworks: each method leads to the file of its framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from offgraph.loading.loader import Loader

__all__ = ["Feeds"]


class Feeds:
    """Methods of :class:`offgraph.Loader` that hand its batches to a framework."""

    seconds_waited = 0.0
    """Seconds for which TensorFlow has waited for batches so far, over all passes."""

    def tensorflow(
        self, *, epoch: int | None = None, advance: bool = True, inputs: Any = None, outputs: Any = None
    ) -> tf.data.Dataset:
        """Give whole batches to TensorFlow; see :func:`offgraph.frameworks.tensorflow.dataset`.

        Parameters
        ----------
        epoch : int, optional
            Number of the first pass over this dataset, for training that resumes at epoch k. Unless given, its
            passes share the numbers of the loader's own: each is the loader's next epoch.
        advance : bool
            False: every pass is the same epoch, ``epoch`` or the loader's ``start_epoch``. Then ``take``, ``skip`` and
            ``shard`` of a shuffled dataset, each of which starts a pass of its own, see one order and never the same
            image twice.
        inputs, outputs : str, sequence or mapping, optional
            What a model of several inputs or outputs takes and learns, such as ``inputs={"photo": "image"}`` and
            ``outputs={"cells": "mask", "kind": "label"}``: names of the model's, and of the parts of a batch.

        Raises
        ------
        ArgumentError
            For an epoch that is not a whole number of at least 0, or a part that batches do not have.
        OffgraphError
            Where TensorFlow is not installed, or no image can be used.
        """
        from offgraph.frameworks.tensorflow import dataset

        return dataset(cast("Loader", self), epoch=epoch, advance=advance, inputs=inputs, outputs=outputs)

    def keras(
        self,
        *,
        epoch: int | None = None,
        inputs: Any = None,
        outputs: Any = None,
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
    ) -> keras.utils.PyDataset:
        """Give whole batches to Keras, whatever its backend; see :func:`offgraph.frameworks.pydataset.py_dataset`.

        Parameters
        ----------
        epoch : int, optional
            Number of the first epoch. Default: ``start_epoch``.
        inputs, outputs : str, sequence or mapping, optional
            As in :meth:`tensorflow`.
        workers, use_multiprocessing, max_queue_size
            As in :class:`keras.utils.PyDataset`.

        Raises
        ------
        ArgumentError
            For an argument that cannot be used; names it.
        OffgraphError
            Where Keras is not installed, or no image can be used.
        """
        from offgraph.frameworks.pydataset import py_dataset

        return py_dataset(
            cast("Loader", self),
            epoch=epoch,
            inputs=inputs,
            outputs=outputs,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
            max_queue_size=max_queue_size,
        )

    def keras_callback(self, *, verbose: bool = True) -> keras.callbacks.Callback:
        """Return a callback that shows images/s and the share of time spent waiting for data.

        See :func:`offgraph.frameworks.throughput.throughput_callback`.

        Parameters
        ----------
        verbose : bool
            Print a line after each epoch, unless Keras prints its logs itself.
        """
        from offgraph.frameworks.throughput import throughput_callback

        return throughput_callback(cast("Loader", self), verbose=verbose)
