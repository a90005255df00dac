"""`from_keras`: the recipe of Keras' preprocessing layers, or of an `ImageDataGenerator`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from offgraph.core.errors import ArgumentError, OffgraphWarning, RecipeError
from offgraph.migration.conversion import Given, migrate
from offgraph.migration.entries import described, is_entry
from offgraph.migration.generator import arguments_of, from_generator, is_generator, unfitted
from offgraph.migration.keras_layers import TABLE
from offgraph.migration.reading import opened
from offgraph.migration.report import Migration

__all__ = ["from_keras"]

_OF_ANY_LAYER = (
    "name", "trainable", "dtype", "build_input_shape", "batch_input_shape", "input_shape", "data_format", "seed",
    "bounding_box_format", "registered_name", "module", "build_config", "inbound_nodes", "auto_vectorize",
)  # fmt: skip
"""Of a layer's configuration, what says nothing about images."""


def from_keras(given: Any = None, /, **arguments: Any) -> Migration:
    """Return the recipe of Keras' preprocessing layers or of an `ImageDataGenerator`, and how far the two agree.

    Keras is not imported. A model is read up to its first layer that does not prepare images.

    Parameters
    ----------
    given : layer, model, list, ImageDataGenerator, dict, str or Path, optional
        Preprocessing layers, or a model that begins with some; what ``get_config`` or ``to_json`` gives of them, or a file
        that holds it; a generator (after `fit` with the statistics it found), or its arguments.
    **arguments
        Those of `ImageDataGenerator`; `target_size`, `interpolation` and `keep_aspect_ratio` of its
        `flow_from_directory` may be among them.

    Returns
    -------
    Migration
        ``recipe`` and ``report``; ``print(report)`` names every difference.

    Raises
    ------
    RecipeError
        For an argument that Keras does not have, or a value that it does not take.

    Warns
    -----
    OffgraphWarning
        Where a generator asks for statistics that `fit` has not found: Keras changes nothing then, and warns too.

    Examples
    --------
    >>> import offgraph as og
    >>> recipe, report = og.from_keras(rotation_range=20, horizontal_flip=True, rescale=1 / 255)
    >>> print(report.summary())
    Keras ImageDataGenerator: 3 steps: 2 the same, 1 within 1 grey level
    >>> layers = [{"class_name": "Resizing", "config": {"height": 64, "width": 64}}, {"class_name": "RandomFlip", "config": {}}]
    >>> og.from_keras(layers).recipe
    Compose([Resize(size=(64, 64), antialias=False), Augment(Flip(p=0.5), Flip(axis='Y', p=0.5))])
    """
    if given is None:
        return _of_generator(arguments)
    given, source = opened(given, "layers")
    if is_generator(given):
        return _of_generator({**arguments_of(given), **arguments})
    if isinstance(given, Mapping) and not is_entry(given) and "layers" not in given:
        return _of_generator({**given, **arguments})
    if arguments:
        raise ArgumentError(f"layers take no further arguments, got {', '.join(arguments)}")
    layers = [_layer(each, f"{source}, step {n}") for n, each in enumerate(_layers(given, source), 1)]
    kept = next((n for n, layer in enumerate(layers) if _is_the_models_own(layer)), len(layers))
    notes = []
    if kept < len(layers):
        notes.append(f"the layers from {layers[kept].name} on are the model's own: they stay there")
    return migrate(
        TABLE, [layer for layer in layers[:kept] if layer.name != "InputLayer"], source, notes=notes
    )


def _of_generator(arguments: dict[str, Any]) -> Migration:
    """The recipe of a generator's arguments; warn where Keras does, of statistics that nobody has found."""
    made = from_generator(arguments)
    if missing := unfitted(arguments):
        warnings.warn(
            f"{', '.join(missing)} {'change' if len(missing) > 1 else 'changes'} nothing before fit(images) has found the statistics, here as "
            "in Keras; print(report) says how to find them",
            OffgraphWarning,
            stacklevel=3,
        )
    return made


def _layers(given: Any, source: str, depth: int = 0) -> list[Any]:
    """The layers of what was given, one after the other."""
    if depth > 20:
        raise RecipeError(f"{source}: nested more than 20 deep")
    if isinstance(given, list | tuple):
        return [layer for each in given for layer in _layers(each, source, depth + 1)]
    inner: Any = None
    if isinstance(given, Mapping):
        if not is_entry(given) and "layers" not in given:
            raise RecipeError(f"{source}: a layer is a mapping with class_name and config, got {given!r:.80}")
        config = given.get("config", given)
        inner = (
            config.get("layers")
            if isinstance(config, Mapping)
            else config
            if isinstance(config, list)
            else None
        )
    elif hasattr(given, "get_config"):
        inner = getattr(given, "layers", None)
    elif depth:
        raise RecipeError(f"{source}: expected layers, got {given!r:.60}")
    else:
        raise ArgumentError(
            f"given={given!r:.60}: expected layers of Keras, their configuration, or an ImageDataGenerator"
        )
    return [given] if inner is None else _layers(inner, source, depth + 1)


def _layer(layer: Any, where: str) -> Given:
    if isinstance(layer, Mapping):
        name, values = described(layer, where)
    else:
        name, values = type(layer).__name__, _configuration(layer)
    return Given(
        name.rpartition(">")[2], {key: value for key, value in values.items() if key not in _OF_ANY_LAYER}
    )


def _configuration(layer: Any) -> dict[str, Any]:
    values = dict(layer.get_config())
    if type(layer).__name__ == "Normalization" and values.get("mean") is None:
        import numpy as np

        for name in ("mean", "variance"):  # of a layer that was adapted
            if (held := getattr(layer, name, None)) is not None:
                values[name] = np.ravel(np.asarray(held)).tolist()
    return values


def _is_the_models_own(layer: Given) -> bool:
    return layer.name not in TABLE and not layer.name.startswith(("Random", "Rand"))
