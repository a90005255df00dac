"""How far a Keras model looks: read from its layers, without running it.

For each tensor on the way from the input, along each axis: its pixel stands for a block of `stride` input pixels, and
depends on no more than `reach` further ones to each side. A layer adds to that what its window sticks out by:

    convolution, pooling   of k pixels (dilated: d (k - 1) + 1), every s-th: max(left, k - s - left) pixels of its input
    upsampling by s        the block of a pixel shrinks, what it depends on does not
    pixel by pixel         nothing: activations, normalisation by stored statistics, sums of branches, concatenation

A bound from above: it never says too little. Layers that are not listed may look anywhere, so that nothing is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

__all__ = ["ReceptiveField", "receptive_field"]

_POINTWISE = {
    "Abs", "Activation", "ActivityRegularization", "Add", "AlphaDropout", "Average", "BatchNormalization", "Cast",
    "Concatenate", "Divide", "Dropout", "ELU", "Elu", "Exp", "GaussianDropout", "GaussianNoise", "Gelu", "GetItem",
    "HardSigmoid", "HardSilu", "HardSwish", "Identity", "InputLayer", "LeakyReLU", "LeakyRelu", "Log", "Maximum", "Minimum",
    "Multiply", "Negative", "Normalization", "ReLU", "Relu", "Relu6", "Rescaling", "Sigmoid", "Silu", "Softmax", "Softplus",
    "SpatialDropout2D", "SpatialDropout3D", "Sqrt", "Square", "Subtract", "Tanh", "TrueDivide",
}  # fmt: skip
_CONVOLUTIONS = {
    "Conv2D",
    "Conv3D",
    "DepthwiseConv2D",
    "SeparableConv2D",
    "MaxPooling2D",
    "MaxPooling3D",
    "AveragePooling2D",
    "AveragePooling3D",
}
_TRANSPOSED = {"Conv2DTranspose", "Conv3DTranspose"}
_UPSAMPLED = {"UpSampling2D", "UpSampling3D"}
_BORDERS = {"ZeroPadding2D", "ZeroPadding3D", "Cropping2D", "Cropping3D"}
_NEIGHBOURS = {"nearest": 0, "bilinear": 1, "bicubic": 2, "lanczos3": 3, "lanczos5": 5}
_LAST_AXIS = {"Softmax", "Concatenate", "LayerNormalization", "Dense", "BatchNormalization"}


class _UnknownLayerError(Exception):
    """A layer of which nothing is known."""


@dataclass(frozen=True)
class ReceptiveField:
    """How far a model looks.

    Parameters
    ----------
    reach : tuple of int
        Along each spatial axis: input pixels to each side that an output depends on, besides those that it stands for.
    stride : tuple of int
        Input pixels of the coarsest grid inside the model: tiles that begin at multiples of it are pooled as the whole
        image is.
    """

    reach: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class _Seen:
    """Of one tensor: pixels of the input per pixel, and how many more are seen to each side."""

    stride: tuple[Fraction, ...]
    reach: tuple[Fraction, ...]
    coarsest: tuple[Fraction, ...]


def receptive_field(model: Any) -> ReceptiveField | None:
    """Read from a Keras model's layers how far it looks.

    Returns
    -------
    ReceptiveField or None
        None where the model is no graph of Keras layers, or has one that is not known, or that looks at the whole image.
    """
    ends = getattr(model, "outputs", None)
    starts = getattr(model, "inputs", None)
    if not isinstance(ends, list | tuple) or not isinstance(starts, list | tuple) or len(starts) != 1:
        return None
    count = len(starts[0].shape) - 2
    if count not in (2, 3):
        return None
    one = (Fraction(1),) * count
    try:
        (seen, *_) = _through(model, [_Seen(one, (Fraction(0),) * count, one)])
    except (
        _UnknownLayerError,
        AttributeError,
        IndexError,
        TypeError,
        ValueError,
    ):  # not a graph as Keras 3 makes it
        return None
    return ReceptiveField(tuple(map(math.ceil, seen.reach)), tuple(map(math.ceil, seen.coarsest)))


def _through(model: Any, given: Sequence[_Seen]) -> list[_Seen]:
    """Follow a model's graph from its inputs to its outputs."""
    graph = getattr(model, "_functional", None) or model  # a Sequential holds one
    known = {id(tensor): seen for tensor, seen in zip(graph.inputs, given, strict=True)}
    waiting = list(graph.outputs)
    while waiting:
        tensor = waiting[-1]
        if id(tensor) in known:
            waiting.pop()
            continue
        layer, node, _ = tensor._keras_history
        made = layer._inbound_nodes[node]
        missing = [each for each in made.input_tensors if id(each) not in known]
        if missing:
            waiting.extend(missing)
            continue
        seen = _after(layer, [known[id(each)] for each in made.input_tensors])
        known.update((id(each), one) for each, one in zip(made.output_tensors, seen, strict=True))
    return [known[id(tensor)] for tensor in graph.outputs]


def _after(layer: Any, given: list[_Seen]) -> list[_Seen]:
    """What the outputs of a layer see."""
    kind = type(layer).__name__
    if getattr(layer, "layers", None) and hasattr(layer, "outputs"):
        return _through(layer, given)
    if kind in _LAST_AXIS and not _along_channels(layer):
        raise _UnknownLayerError(kind)
    if kind in _POINTWISE or kind in ("Dense", "LayerNormalization"):
        return [_joined(given)]
    (one,) = given
    if kind in _CONVOLUTIONS:
        return [_convolved(layer, one)]
    if kind in _TRANSPOSED:
        return [_transposed(layer, one)]
    if kind in _UPSAMPLED:
        near = _NEIGHBOURS[getattr(layer, "interpolation", "nearest")]
        return [_finer(one, _numbers(layer.size, one), (Fraction(near),) * len(one.stride))]
    if kind in _BORDERS:
        pads = layer.padding if hasattr(layer, "padding") else layer.cropping
        return [_wider(one, tuple(Fraction(max(pair)) for pair in pads))]
    raise _UnknownLayerError(kind)


def _along_channels(layer: Any) -> bool:
    """Whether a layer that works along an axis works along the last one."""
    axis = getattr(layer, "axis", -1)
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    rank = len(layer.output.shape)
    return axis in (-1, rank - 1)


def _joined(given: list[_Seen]) -> _Seen:
    """What several branches see together."""
    if not given:
        raise _UnknownLayerError("no input")
    if len({one.stride for one in given}) > 1:
        raise _UnknownLayerError("branches of different grids")
    return _Seen(
        given[0].stride,
        tuple(map(max, zip(*(one.reach for one in given)))),
        tuple(map(max, zip(*(one.coarsest for one in given)))),
    )


def _numbers(value: Any, seen: _Seen) -> tuple[int, ...]:
    values = (value,) * len(seen.stride) if isinstance(value, int) else tuple(value)
    return values if len(values) == len(seen.stride) else values * len(seen.stride)


def _wider(seen: _Seen, pixels: tuple[Fraction, ...]) -> _Seen:
    """See so many more pixels of the tensor to each side."""
    reach = tuple(have + n * step for have, n, step in zip(seen.reach, pixels, seen.stride))
    return _Seen(seen.stride, reach, seen.coarsest)


def _convolved(layer: Any, seen: _Seen) -> _Seen:
    """After a window of `k` pixels moves on by `s`."""
    kernel = _numbers(getattr(layer, "kernel_size", None) or layer.pool_size, seen)
    strides = _numbers(layer.strides, seen)
    dilation = _numbers(getattr(layer, "dilation_rate", 1) or 1, seen)
    if getattr(layer, "data_format", "channels_last") != "channels_last" or layer.padding == "causal":
        raise _UnknownLayerError(type(layer).__name__)
    more = []
    for k, s, d in zip(kernel, strides, dilation):
        window = d * (k - 1) + 1
        left = max(window - s, 0) // 2 if layer.padding == "same" else 0
        more.append(Fraction(max(left, window - s - left, 0)))
    wider = _wider(seen, tuple(more))
    stride = tuple(step * s for step, s in zip(seen.stride, strides))
    return _Seen(stride, wider.reach, tuple(map(max, zip(seen.coarsest, stride))))


def _transposed(layer: Any, seen: _Seen) -> _Seen:
    """After each pixel is spread over `k` pixels of a grid that is finer by `s`."""
    kernel, strides = _numbers(layer.kernel_size, seen), _numbers(layer.strides, seen)
    if layer.data_format != "channels_last" or set(_numbers(layer.dilation_rate, seen)) != {1}:
        raise _UnknownLayerError(type(layer).__name__)
    return _finer(seen, strides, tuple(Fraction(-(-max(k - s, 0) // s)) for k, s in zip(kernel, strides)))


def _finer(seen: _Seen, factors: tuple[int, ...], near: tuple[Fraction, ...]) -> _Seen:
    """On a grid that is finer by these factors, after seeing `near` further pixels of the coarse one."""
    wider = _wider(seen, near)
    stride = tuple(step / s for step, s in zip(seen.stride, factors))
    reach = tuple(have + coarse - fine for have, coarse, fine in zip(wider.reach, seen.stride, stride))
    return _Seen(stride, reach, seen.coarsest)
