"""Models of several outputs: the outputs by name, and the model that ends in one of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from offgraph.core.errors import OffgraphError

__all__ = ["ONLY", "check_numbers", "listed_outputs", "named_outputs", "output_names", "with_one_output"]

ONLY = "output"
"""Name of the output of a model that has one."""


def output_names(model: Any) -> tuple[str, ...]:
    """Names of a model's outputs, in order: the keys of a dictionary, else the names of their layers.

    A model of one output has the name `ONLY`.
    """
    ends = getattr(model, "outputs", None)
    if hasattr(model, "ending_in"):
        return model.output_names
    if not isinstance(ends, list | tuple) or len(ends) < 2:
        return (ONLY,)
    made = getattr(model, "output", None)
    if isinstance(made, dict):
        return tuple(str(key) for key in sorted(made))
    return tuple(getattr(model, "output_names", None) or (str(number) for number in range(len(ends))))


def with_one_output(model: Any, output: str) -> Any:
    """Return the model that ends in one of the outputs; layers and weights are shared.

    Raises
    ------
    OffgraphError
        Where there is no output of that name.
    """
    names = output_names(model)
    if output not in names:
        raise OffgraphError(
            f"output={output!r:.80}: the model has {'one output' if len(names) == 1 else 'the outputs'} "
            f"{', '.join(map(repr, names))}"
        )
    if len(names) == 1:
        return model
    if hasattr(model, "ending_in"):  # a function, and no Keras model
        return model.ending_in(output)
    made = model.output
    end = made[output] if isinstance(made, dict) else list(made)[names.index(output)]
    import keras

    return keras.Model(model.inputs, end)


def named_outputs(values: Any, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return what a model made of a batch, by the names of its outputs."""
    if isinstance(values, dict) and len(values) == len(names) == 1:
        values = next(iter(values.values()))
    if isinstance(values, dict):
        return {str(key): np.asarray(value) for key, value in values.items()}
    if len(names) == 1 and not isinstance(values, list | tuple):
        return {names[0]: np.asarray(values)}
    if len(values) != len(names):
        raise ValueError(
            f"the model gives {len(values)} outputs, {len(names)} are expected: {', '.join(names)}"
        )
    return {name: np.asarray(value) for name, value in zip(names, values)}


def listed_outputs(names: Iterable[str]) -> str:
    """Return the names of outputs for a message."""
    listed = ", ".join(map(repr, names))
    return f"the outputs {listed}" if "," in listed else f"the output {listed}" if listed else "no output"


def check_numbers(values: np.ndarray, named: str) -> None:
    """Refuse outputs that are not real numbers.

    Raises
    ------
    OffgraphError
    """
    # 'V' holds the small floats of ml_dtypes, such as bfloat16.
    if values.dtype.kind not in "buifV" or values.dtype.names is not None:
        raise OffgraphError(f"{named} has the type {values.dtype}; a model gives real numbers")
