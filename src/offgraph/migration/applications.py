"""What the models of `keras.applications` want to be fed, by the name of their `preprocess_input`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from offgraph.core.errors import StepError
from offgraph.migration.arguments import Arguments
from offgraph.steps.base import Step
from offgraph.transforms.color import ColorMatrix
from offgraph.transforms.pointwise import Normalize, Rescale
from offgraph.transforms.structure import Lambda

__all__ = ["preprocessing"]

_SCALED = (
    "inception_resnet_v2", "inception_v3", "mobilenet", "mobilenet_v2", "nasnet", "resnet_v2", "xception",
)  # fmt: skip
"""From -1 to 1."""
_AS_THEY_ARE = ("convnext", "efficientnet", "efficientnet_v2", "mobilenet_v3", "regnet")
"""The model itself scales."""
_IMAGENET = ("densenet",)
_BGR = ("imagenet_utils", "resnet", "resnet50", "vgg16", "vgg19")
"""Blue, green and red, less their means."""
_SWAPPED: Any = [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
_CAFFE = (103.939, 116.779, 123.68)


def preprocessing(a: Arguments, function: Any) -> Sequence[Step]:
    """Return what stands for a function that Keras applies to each image.

    Parameters
    ----------
    a : Arguments
        Where notes go.
    function : callable, str or None
        A text such as ``"keras.applications.mobilenet_v2.preprocess_input"``, or the function itself.
    """
    if function is None:
        return ()
    called = function if isinstance(function, str) else _address(function)
    parts = re.split(r"[.:]", called)
    model = parts[-2] if len(parts) > 1 and parts[-1] == "preprocess_input" else ""
    if model in _SCALED:
        return (Rescale(1 / 127.5, offset=-1),)
    if model in _IMAGENET:
        return (Normalize("imagenet"),)
    if model in _AS_THEY_ARE:
        a.tell(f"{model}.preprocess_input changes nothing: the model scales its input itself")
        return ()
    if model in _BGR:
        return (ColorMatrix(_SWAPPED, range=255), Normalize(mean=_CAFFE, std=1.0, range=1))
    if not callable(function):
        a.tell(
            f"{called:.80} is a function of yours: give it a name by og.function(name, function), then Lambda(name)",
            "none",
        )
        return ()
    try:
        step = Lambda(image=function)  # pyright: ignore[reportArgumentType]
    except StepError as error:
        a.tell(f"{called:.80} cannot be named in a recipe: {error}", "none")
        return ()
    a.tell("Keras gives the function floats; here it gets the image as the steps before it leave it")
    return (step,)


def _address(function: Any) -> str:
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    return f"{module}.{name}" if name else repr(function)
