"""Values brought to a mean of 0 and a deviation of 1: per image, per channel of a dataset, or whitened."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.sources.names import warn_caller

__all__ = ["check_values", "learnt_of", "standardized"]

_TINY = 1e-6
"""Added to standard deviations, so that an even image is not divided by zero."""


def standardized(generator: Any, x: np.ndarray) -> np.ndarray:
    """Apply what a generator does to values, in Keras' order.

    Parameters
    ----------
    generator : ImageDataGenerator
    x : ndarray of float
        Changed in place where it can be.
    """
    if generator.preprocessing_function is not None:
        x = generator.preprocessing_function(x)
    if generator.rescale:
        x *= generator.rescale
    if generator.samplewise_center:
        x -= np.mean(x, keepdims=True)
    if generator.samplewise_std_normalization:
        x /= np.std(x, keepdims=True) + _TINY
    if generator.featurewise_center and _is_fitted(generator.mean, "featurewise_center"):
        x -= generator.mean
    if generator.featurewise_std_normalization and _is_fitted(generator.std, "featurewise_std_normalization"):
        x /= generator.std + _TINY
    if generator.zca_whitening and _is_fitted(generator.zca_whitening_matrix, "zca_whitening"):
        rows = x.reshape(-1, int(np.prod(x.shape[-3:])))
        x = (rows @ generator.zca_whitening_matrix).reshape(x.shape)
    return x


def _is_fitted(learnt: np.ndarray | None, argument: str) -> bool:
    if learnt is None:
        warn_caller(f"{argument}=True changes nothing before fit(images) has found the statistics")
    return learnt is not None


def check_values(images: np.ndarray, generator: Any) -> None:
    """Warn where the axis of channels is of an unusual length, as if it stood elsewhere."""
    channels = images.shape[generator.channel_axis]
    if channels not in (1, 3, 4):
        warn_caller(
            f"x of the shape {images.shape} has {channels} channels with data_format={generator.data_format!r}; images have 1, "
            "3 or 4"
        )


def learnt_of(
    generator: Any, images: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Return mean and standard deviation of each channel, and the whitening matrix, as far as they are asked for.

    Parameters
    ----------
    generator : ImageDataGenerator
    images : ndarray
        Four axes; changed.
    """
    axes = (0, generator.row_axis, generator.col_axis)
    shape = [1, 1, 1]
    shape[generator.channel_axis - 1] = images.shape[generator.channel_axis]
    mean, std, matrix = generator.mean, generator.std, generator.zca_whitening_matrix
    if generator.featurewise_center:
        mean = np.mean(images, axis=axes).reshape(shape)
        images -= mean
    if generator.featurewise_std_normalization:
        std = np.std(images, axis=axes).reshape(shape)
        images /= std + _TINY
    if generator.zca_whitening:
        rows = images.reshape(len(images), -1)
        directions, lengths, _ = np.linalg.svd(rows.T, full_matrices=False)
        matrix = (directions * (np.sqrt(len(rows)) / (lengths + generator.zca_epsilon))) @ directions.T
    return mean, std, matrix
