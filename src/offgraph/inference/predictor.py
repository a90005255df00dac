"""A model's predictions for files, on the pixel grid of the images as they were.

The recipe comes out of the model file, so that an image is prepared as in training. What a segmentation model outputs
goes back to the original grid as probabilities and becomes a mask there: a probability of 0.5 between two coarse
pixels has a position, so the outline falls between them; a mask scaled up would have steps as large as the model's
pixels. Sizes in the result steps are in pixels of the original.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from offgraph.core.arguments import whole_number
from offgraph.core.choices import OnError, Outputs
from offgraph.core.errors import OffgraphError, OffgraphWarning, RecipeMismatch
from offgraph.inference.model_source import class_names_of, source_for, target_names_of, warn_of_other_names
from offgraph.inference.outputs import reader_of
from offgraph.inference.prediction import Prediction, Predictions
from offgraph.inference.work import Work
from offgraph.pipeline.workers import default_threads
from offgraph.postprocess import Label, Threshold
from offgraph.recipe.compose import Compose, as_recipe
from offgraph.recipe.identity import explain_mismatch
from offgraph.sources import Source
from offgraph.steps.base import Step

if TYPE_CHECKING:
    from offgraph.frameworks.keras import SavedModel

__all__ = ["Prediction", "Predictions", "predict", "source_for"]


def predict(
    model: SavedModel | str | os.PathLike[str],
    src: Source | str | os.PathLike[str],
    *,
    recipe: Compose | list[Any] | str | os.PathLike[str] | None = None,
    other_recipe: bool = False,
    postprocess: Compose | Sequence[Step] | None = None,
    outputs: Outputs | None = None,
    threshold: float = 0.5,
    masks: str | os.PathLike[str] | None = None,
    pad_to: int | Literal["auto"] | None = None,
    batch_size: int = 32,
    threads: int | None = None,
    on_error: OnError = "quarantine",
    **options: Any,
) -> Predictions:
    """Predict every image of a source with a saved model, in order and batch by batch.

    Parameters
    ----------
    model : path or SavedModel
        A ``.keras`` file that `offgraph.save` wrote.
    src : path or Source
        Images. From a path they are read as the model takes them: one channel grey, three channels RGB.
        Where they have classes, these must be among the model's.
    recipe : Compose, list of steps, or path of a recipe file, optional
        The recipe to use; only its prepare layer counts. By default the model's own.
    other_recipe : bool
        Allow a recipe that differs from the model's.
    postprocess : Compose or sequence of result steps, optional
        What makes a mask of probabilities, on the original grid. By default the steps saved with the model; where
        there are none, above 0.5 is 1 for a model with one output, else the likeliest class is taken.
    outputs : {"probabilities", "logits"}, optional
        What the model outputs. By default the file says it, or the last layer does: softmax and sigmoid give
        probabilities, a layer without activation logits (with a warning that says so); else the values must be
        probabilities that sum to 1. Logits go through softmax, of one output or of several labels per image
        through the sigmoid.
    threshold : float
        Of a multilabel model: a class whose probability is above it is one of the labels.
    masks : path, optional
        Folder of the true label masks, with the images' names, where `src` is a folder of images.
    pad_to : int or "auto", optional
        Extend what the recipe makes, by reflection at its end, to lengths that are a multiple of this, for models whose
        poolings take no others; what is predicted for the margin is cut off again. ``"auto"`` finds the smallest
        multiple that the model takes.
    batch_size : int
    threads : int, optional
        Threads that read and prepare images. Default: one per processor.
    on_error : {"quarantine", "stop"}
        What to do with an image that cannot be read, does not fit the recipe or the model, or for which the model
        gives NaN: set it aside, or stop at it.
    **options
        Passed on to `open_source` with a path, such as ``labels=None``, ``missing_mask`` and ``axes``.

    Returns
    -------
    Predictions
        An iterator of `Prediction`; it ends with an OffgraphError where no image could be predicted. Memory does
        not grow with the number of images. A batch holds images of one shape, so that a fully convolutional model
        takes images of different sizes.

    Raises
    ------
    RecipeMismatch
        For a recipe that differs in its prepare layer from the model's; names step and field.
    SourceError
        For a source with classes that the model does not know; names them.
    MachineError
        From the iterator, where the machine fails, such as for lack of memory; no image is set aside for it.
    OffgraphError
        For a model whose outputs are neither declared nor seen to be probabilities.

    Examples
    --------
    >>> for result in predict("flowers.keras", "new/"):  # doctest: +SKIP
    ...     print(result.item.name, result.class_name, result.probability)
    """
    batch_size = whole_number("batch_size", batch_size)
    threads = whole_number("threads", default_threads() if threads is None else threads)
    if on_error not in ("quarantine", "stop"):
        raise OffgraphError(f"on_error={on_error!r}: choose 'quarantine' or 'stop'")
    if outputs not in (None, "probabilities", "logits"):
        raise OffgraphError(f"outputs={outputs!r}: choose 'probabilities' or 'logits', or leave it out")
    if pad_to is not None and pad_to != "auto":
        pad_to = whole_number("pad_to", pad_to)
    threshold = _threshold(threshold)
    chosen = None if recipe is None else as_recipe(recipe)
    saved = _load(model)
    if chosen is not None and not other_recipe and chosen.fingerprint != saved.recipe.fingerprint:
        differs = explain_mismatch(saved.recipe, chosen, names=("the model's recipe", "the given one"))
        raise RecipeMismatch(
            f"{saved.path}: {differs}. Leave the recipe out to use the model's own, or choose the other one on "
            "purpose with other_recipe=True (--other-recipe)"
        )
    prepare = (saved.recipe if chosen is None else chosen).eval()
    if outputs is not None and saved.task == "regress":
        raise OffgraphError(f"outputs={outputs!r}: {saved.path} predicts numbers, which are neither")
    names = class_names_of(saved)
    source = source_for(saved, src, masks=masks, **options)
    warn_of_other_names(saved, source)
    steps = _result_steps(saved, postprocess)
    work = Work(
        saved,
        source,
        prepare,
        steps,
        reader_of(saved, outputs),
        threshold,
        pad_to,
        batch_size,
        threads,
        stop=on_error == "stop",
    )
    return Predictions(
        saved,
        source,
        prepare,
        work.run,
        class_names=names,
        target_names=target_names_of(saved, source),
        threshold=threshold,
        numbered=any(isinstance(step, Label) for step in steps.steps),
    )


def _load(model: SavedModel | str | os.PathLike[str]) -> SavedModel:
    from offgraph.frameworks.keras import SavedModel, load

    if isinstance(model, SavedModel):
        return model
    if not isinstance(model, str | os.PathLike):
        raise OffgraphError(
            f"a model is given as the path of a .keras file that offgraph.save wrote, or as what offgraph.load "
            f"returns; got {type(model).__name__}"
        )
    return load(model)


def _threshold(value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < 1:
        raise OffgraphError(f"threshold={value!r:.80}: give a probability of at least 0 and below 1")
    return number


def _result_steps(saved: SavedModel, given: Compose | Sequence[Step] | None) -> Compose:
    """The steps that make a mask of the model's probabilities, checked here once and not at every image.

    Raises
    ------
    OffgraphError
        Where the steps are not result steps, do not fit one another, or end without a mask.
    """
    from offgraph.frameworks.head import head_of
    from offgraph.frameworks.keras import result_steps

    count = saved.model.output_shape[-1]
    steps = saved.postprocess if given is None else given
    if steps is None and saved.task != "segment":
        return Compose([])
    if steps is None and count != 1 and head_of(saved.model).activation == "sigmoid":
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
