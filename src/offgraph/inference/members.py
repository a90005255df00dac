"""The models of a predictor: opened, with the recipe of each, and held against one another."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from offgraph.core.choices import Layout
from offgraph.core.errors import OffgraphError, OffgraphWarning, RecipeMismatch
from offgraph.inference.model_source import class_names_of
from offgraph.postprocess import Threshold
from offgraph.recipe.compose import Compose
from offgraph.recipe.identity import explain_mismatch
from offgraph.steps.base import Step

if TYPE_CHECKING:
    from offgraph.frameworks.keras import SavedModel

__all__ = ["opened", "recipe_for", "refuse_unlike", "result_steps_of"]


def opened(model: Any, recipe: Compose | None, described: Mapping[str, Any]) -> SavedModel:
    """Open a model: a file, what was loaded from one, or a function with what is said about it.

    Parameters
    ----------
    model : path, SavedModel, keras.Model or callable
    recipe : Compose or None
    described : mapping of str to object
        The arguments `task`, `class_names`, `target_names`, `input_shape`, `output`, `detection` and `layout`, None where they were not given.

    Raises
    ------
    OffgraphError
        Where it is no model, cannot be loaded, or lacks what must be said about it.
    """
    from offgraph.frameworks.keras import SavedModel, load
    from offgraph.frameworks.onnx_file import is_onnx_file, open_onnx_file
    from offgraph.frameworks.saved_model_folder import is_saved_model_folder, open_saved_model_folder
    from offgraph.frameworks.unsaved import unsaved_model

    layout, described = described.get("layout"), {k: v for k, v in described.items() if k != "layout"}
    if layout not in (None, *get_args(Layout)):
        raise OffgraphError(f"layout={layout!r:.80}: choose 'channels_first' or 'channels_last'")
    is_onnx = isinstance(model, str | os.PathLike) and is_onnx_file(Path(model))
    if layout is not None and not is_onnx:
        raise OffgraphError("layout=: of ONNX files alone; other models take channels last")
    if is_onnx:
        if recipe is None:
            raise OffgraphError(
                f"{Path(model)}: an ONNX file holds no recipe; say how its images are prepared: recipe=[…]"
            )
        function, shape = open_onnx_file(Path(model), layout)
        if described.get("input_shape") is None:
            described = {**described, "input_shape": shape}
        return unsaved_model(function, recipe, name=str(Path(model)), **described)
    if isinstance(model, str | os.PathLike) and is_saved_model_folder(Path(model)):
        if recipe is None:
            raise OffgraphError(
                f"{Path(model)}: a SavedModel holds no recipe; say how its images are prepared: recipe=[…]"
            )
        function, shape = open_saved_model_folder(Path(model))
        if described.get("input_shape") is None:
            described = {**described, "input_shape": shape}
        return unsaved_model(function, recipe, name=str(Path(model)), **described)
    if isinstance(model, SavedModel | str | os.PathLike):
        given = [name for name, value in described.items() if value is not None]
        if given:
            raise OffgraphError(
                f"{given[0]}=: a saved model says it itself; give it to offgraph.save, or leave it out here"
            )
        return model if isinstance(model, SavedModel) else load(model)
    if not callable(model):
        raise OffgraphError(
            f"a model is given as the path of a .keras file that offgraph.save wrote, as what offgraph.load "
            f"returns, or as a function of a batch; got {type(model).__name__}"
        )
    if recipe is None:
        raise OffgraphError(
            f"{type(model).__name__}: a model that was not saved with offgraph.save needs the recipe that prepares its images: "
            "recipe=[…]"
        )
    return unsaved_model(model, recipe, **described)


def recipe_for(saved: SavedModel, chosen: Compose | None, other_recipe: bool) -> Compose:
    """The prepare layer that a model's images get.

    Raises
    ------
    RecipeMismatch
        For a recipe that differs from the model's, unless that was chosen.
    """
    if chosen is not None and not other_recipe and chosen.fingerprint != saved.recipe.fingerprint:
        differs = explain_mismatch(saved.recipe, chosen, names=("the model's recipe", "the given one"))
        raise RecipeMismatch(
            f"{saved.path}: {differs}. Leave the recipe out to use the model's own, or choose the other one on "
            "purpose with other_recipe=True (--other-recipe)"
        )
    return (saved.recipe if chosen is None else chosen).eval()


def refuse_unlike(models: Sequence[SavedModel]) -> None:
    """Refuse models that cannot be averaged.

    Raises
    ------
    OffgraphError
        Naming two models and what differs.
    """
    first, *others = models
    for other in others:
        for what, one, two in (
            ("task", first.task, other.task),
            ("number of outputs", _outputs(first), _outputs(other)),
            ("class names", class_names_of(first), class_names_of(other)),
            ("target names", first.target_names, other.target_names),
            ("axes of the input", first.input_spec.axes, other.input_spec.axes),
            ("channels of the input", _channels(first), _channels(other)),
        ):
            if one != two:
                raise OffgraphError(
                    f"{first.path} and {other.path}: the {what} of an ensemble's models must be equal, here {one!r:.120} "
                    f"and {two!r:.120}"
                )


def _outputs(saved: SavedModel) -> int | None:
    """Values that are averaged; boxes are, whatever their detector's outputs look like."""
    return None if saved.task == "detect" else saved.main.output_shape[-1]


def _channels(saved: SavedModel) -> int | None:
    spec = saved.input_spec
    return spec.shape[spec.axes.index("C")] if "C" in spec.axes else 1


def result_steps_of(saved: SavedModel, given: Compose | Sequence[Step] | None) -> Compose:
    """The steps that make a mask of the model's probabilities, checked here once and not at every image.

    Raises
    ------
    OffgraphError
        Where the steps are not result steps, do not fit one another, or end without a mask.
    """
    from offgraph.frameworks.head import head_of
    from offgraph.frameworks.keras import result_steps

    count = saved.main.output_shape[-1]
    steps = saved.postprocess if given is None else given
    if steps is None and saved.task != "segment":  # a detector's boxes stay as they are
        return Compose([])
    if steps is None and count != 1 and head_of(saved.main).activation == "sigmoid":
        warnings.warn(
            f"{saved.path}: the model outputs {count} values per pixel, each an independent sigmoid, and a pixel gets the "
            "likeliest of them even where all are low, the first as background; say with postprocess=[og.Threshold(0.5)] "
            "how likely it must be, or train with a softmax whose first output is the background",
            OffgraphWarning,
            stacklevel=3,
        )
    if steps is None:
        # Threshold(0) takes the likeliest class; background where the model saw nothing and all probabilities are 0.
        return Compose([Threshold(0.5 if count == 1 else 0.0)])
    return result_steps(steps, saved.task, saved.input_spec, count)
