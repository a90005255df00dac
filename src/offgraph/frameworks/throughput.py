"""A Keras callback that says how many images per second a model trains on, and how long it waits for them."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

from offgraph.core.errors import ArgumentError
from offgraph.frameworks.missing import not_installed

if TYPE_CHECKING:
    import keras

    from offgraph.loading.loader import Loader

__all__ = ["throughput_callback"]


def throughput_callback(loader: Loader, *, verbose: bool = True) -> keras.callbacks.Callback:
    """Return a Keras callback that measures the feeding of a model.

    At the end of each epoch it puts two numbers into the logs, so that they are in the history and in what other
    callbacks are given: ``images_per_second``, of training alone, and ``data_wait``, the share of that time, from 0 to 1, in which
    training waited for the next batch of this loader. A large share means that a faster model, or a larger GPU, gains nothing
    by itself: `Loader.benchmark` says what limits the loader. Time spent in validation counts for neither.

    Parameters
    ----------
    loader : Loader
        The one that the model trains on.
    verbose : bool
        Print a line after each epoch, unless Keras prints its logs itself.

    Returns
    -------
    keras.callbacks.Callback

    Raises
    ------
    OffgraphError
        Where Keras is not installed.
    ArgumentError
        For ``verbose`` that is not True or False.

    Notes
    -----
    With ``loader.tensorflow()`` the wait is measured where TensorFlow asks for a batch. Behind a ``prefetch`` TensorFlow asks
    ahead of training, and the share says how busy the loader is, not how long training waited. With ``loader.keras()``
    the time between two steps is taken, in which other callbacks work too; with TensorFlow as backend Keras asks ahead, and
    waits within a step: there is no ``data_wait``.
    """
    if not isinstance(verbose, bool):
        raise ArgumentError(f"verbose={verbose!r:.80}: give True or False")
    return _kind()(loader, verbose)


@functools.cache
def _kind() -> type[Any]:
    """Make the class, which derives from one of Keras'."""
    try:
        from keras.backend import backend
        from keras.callbacks import Callback
    except ImportError as error:
        raise not_installed("Keras", "tensorflow", instead="") from error

    class Throughput(Callback):
        """Measures the epochs of one model."""

        def __init__(self, loader: Loader, verbose: bool) -> None:
            super().__init__()
            self.loader, self.verbose = loader, verbose
            self._begun = self._waited = self._between = self._testing = self._left = self._tested = 0.0
            self._steps = 0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            """Start the clock."""
            self._waited, self._steps = self.loader.seconds_waited, 0
            self._begun = self._left = time.perf_counter()
            self._testing = self._between = 0.0

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            """Count the time between two steps, where other backends than TensorFlow ask for a batch."""
            self._between += time.perf_counter() - self._left

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            """Note when a step ends."""
            self._left, self._steps = time.perf_counter(), batch + 1

        def on_test_begin(self, logs: Any = None) -> None:
            """Stop the clock for validation."""
            self._tested = time.perf_counter()

        def on_test_end(self, logs: Any = None) -> None:
            """Start it again."""
            self._testing += time.perf_counter() - self._tested

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            """Put the numbers into the logs, and print them."""
            seconds = max(time.perf_counter() - self._begun - self._testing, 1e-9)
            images = min(self._steps * self.loader.batch_size, self.loader.num_images)
            waited = self.loader.seconds_waited - self._waited
            numbers = {"images_per_second": images / seconds}
            said = f"epoch {epoch + 1}: {numbers['images_per_second']:,.0f} images/s"
            if waited or backend() != "tensorflow":
                numbers["data_wait"] = min(1.0, (waited or self._between) / seconds)
                said += f", {numbers['data_wait']:.0%} of the time spent waiting for data"
            if logs is not None:
                logs |= numbers
            if self.verbose and not (self.params or {}).get("verbose"):  # else Keras prints them
                print(said)

    return Throughput
