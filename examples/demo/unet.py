"""A small U-Net, and the loss it is trained with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["inside_loss", "unet"]


def unet(widths: Sequence[int] = (16, 24, 32, 48, 64)) -> Any:
    """A U-Net for grey images of any size that is a multiple of ``2 ** (len(widths) - 1)``.

    Parameters
    ----------
    widths : sequence of int
        Channels at full size, at half of it, and so on.

    Returns
    -------
    keras.Model
        (B, H, W, 1) to the probability of being inside an object, (B, H, W, 1).
    """
    import keras

    layers = keras.layers

    def twice(values: Any, channels: int) -> Any:
        for _ in range(2):
            values = layers.Conv2D(channels, 3, padding="same", use_bias=False)(values)
            # Short trainings: the averages that inference uses have to follow the weights in a few hundred steps.
            values = layers.BatchNormalization(momentum=0.9)(values)
            values = layers.Activation("relu")(values)
        return values

    given = values = layers.Input((None, None, 1))
    levels = []
    for channels in widths[:-1]:
        values = twice(values, channels)
        levels.append(values)
        values = layers.MaxPooling2D()(values)
    values = twice(values, widths[-1])
    for channels, level in zip(widths[-2::-1], reversed(levels)):
        values = layers.Concatenate()([layers.UpSampling2D()(values), level])
        values = twice(values, channels)
    return keras.Model(given, layers.Conv2D(1, 1, activation="sigmoid")(values))


def inside_loss(labels: Any, probability: Any) -> Any:
    """Binary cross-entropy and Dice loss of being inside any object.

    Parameters
    ----------
    labels : tensor, (B, H, W)
        Instance masks: 0 is background.
    probability : tensor, (B, H, W) or (B, H, W, 1)
    """
    from keras import losses, ops

    flat = (ops.shape(probability)[0], -1)
    probability = ops.reshape(probability, flat)
    inside = ops.cast(ops.reshape(labels, flat) > 0.5, probability.dtype)
    common, both = ops.sum(inside * probability, 1), ops.sum(inside + probability, 1)
    dice = 1 - (2 * common + 1) / (both + 1)
    return ops.mean(losses.binary_crossentropy(inside, probability)) + ops.mean(dice)
