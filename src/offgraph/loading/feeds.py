"""What a loader gives frameworks: each method leads to the file of its framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import grain
    import keras
    import tensorflow as tf
    from torch.utils.data import IterableDataset  # type: ignore[import-not-found]  # no part of the test extra

    from offgraph.frameworks.jax import JaxBatches
    from offgraph.frameworks.torch import Layout as TorchLayout
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

    def torch(
        self,
        *,
        epoch: int | None = None,
        advance: bool = True,
        layout: TorchLayout = "NCHW",
        inputs: Any = None,
        outputs: Any = None,
    ) -> IterableDataset:
        """Give whole batches to PyTorch; see :func:`offgraph.frameworks.torch.dataset`.

        Parameters
        ----------
        epoch : int, optional
            Number of the first pass. Unless given, passes share the numbers of the loader's own; those of workers
            count from ``start_epoch``.
        advance : bool
            False: every pass is the same epoch.
        layout : {"NCHW", "NHWC"}
            Where the channels of an image stand. Either is the memory of the batch itself.
        inputs, outputs : str, sequence or mapping, optional
            What a model of several inputs or outputs takes and learns, as in :meth:`tensorflow`.

        Returns
        -------
        torch.utils.data.IterableDataset
            For ``DataLoader(loader.torch(), batch_size=None)``, with any number of workers: no image comes twice.

        Raises
        ------
        ArgumentError
            For an argument that cannot be used; names it.
        OffgraphError
            Where PyTorch is not installed, or no image can be used.
        """
        from offgraph.frameworks.torch import dataset

        return dataset(
            cast("Loader", self), epoch=epoch, advance=advance, layout=layout, inputs=inputs, outputs=outputs
        )

    def jax(self, *, epoch: int | None = None, advance: bool = True, device: Any = None) -> JaxBatches:
        """Give whole batches to JAX, as dicts of arrays; see :func:`offgraph.frameworks.jax.batches`.

        Parameters
        ----------
        epoch : int, optional
            Number of the first pass. Unless given, passes share the numbers of the loader's own.
        advance : bool
            False: every pass is the same epoch.
        device : jax.Device or jax.sharding.Sharding, optional
            Where the arrays go. On the CPU, JAX's default there, they are the memory of the batch itself.

        Returns
        -------
        iterable
            Each pass over it is the next epoch.

        Raises
        ------
        ArgumentError
            For an argument that cannot be used; names it.
        OffgraphError
            Where JAX is not installed, or no image can be used.
        """
        from offgraph.frameworks.jax import batches

        return batches(cast("Loader", self), epoch=epoch, advance=advance, device=device)

    def grain(self, *, epoch: int | None = None, epochs: int = 1) -> grain.MapDataset:
        """Give single samples to Grain, by random access; see :func:`offgraph.frameworks.grain.dataset`.

        Parameters
        ----------
        epoch : int, optional
            Number of the first epoch; ``start_epoch`` unless given.
        epochs : int
            How many epochs the dataset has, one after another.

        Returns
        -------
        grain.MapDataset
            Its elements are dicts of one image's arrays.

        Raises
        ------
        ArgumentError
            For an argument that cannot be used; names it.
        OffgraphError
            Where Grain is not installed, or no image can be used.
        """
        from offgraph.frameworks.grain import dataset

        return dataset(cast("Loader", self), epoch=epoch, epochs=epochs)
