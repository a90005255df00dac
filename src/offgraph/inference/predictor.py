"""A model's predictions for images, on the pixel grid of the images as they were.

The recipe comes out of the model file, so that an image is prepared as in training. What a segmentation model outputs
goes back to the original grid as probabilities and becomes a mask there: a probability of 0.5 between two coarse
pixels has a position, so the outline falls between them; a mask scaled up would have steps as large as the model's
pixels. Sizes in the result steps are in pixels of the original.

`predict`, the command line and `Predictor` are one: each image is read, prepared, batched and run in `Work`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from offgraph.core.choices import Blend, Layout, Merge, ModelTask, OnError, Outputs, TestTimeVariants
from offgraph.core.errors import ArgumentError, OffgraphError
from offgraph.formats.regions import open_regions
from offgraph.frameworks.detection_outputs import DetectionOutputs
from offgraph.inference.images import is_one_image, source_of
from offgraph.inference.members import opened, recipe_for, refuse_unlike, result_steps_of
from offgraph.inference.merging import check_merge
from offgraph.inference.model_run import ModelRun
from offgraph.inference.model_source import class_names_of, source_for, target_names_of, warn_of_other_names
from offgraph.inference.outputs import reader_of
from offgraph.inference.prediction import Prediction, Predictions
from offgraph.inference.run_options import RunOptions
from offgraph.inference.tiling.box_stream import BoxStream
from offgraph.inference.tiling.options import Tiling
from offgraph.inference.tiling.stream import Stream
from offgraph.inference.trained_variants import warn_of_untrained
from offgraph.inference.variants import variants_of
from offgraph.inference.work import Work
from offgraph.recipe.compose import Compose, as_recipe
from offgraph.sources import Source
from offgraph.steps.base import Step
from offgraph.steps.kinds import ResultStep

if TYPE_CHECKING:
    from offgraph.frameworks.keras import SavedModel

__all__ = ["Prediction", "Predictions", "Predictor", "predict", "source_for"]


class Predictor:
    """A model, or several, ready to predict images with the recipe that belongs to it.

    Parameters
    ----------
    model : path, SavedModel, keras.Model, callable, or sequence of them
        A ``.keras`` file that `offgraph.save` wrote, or what `offgraph.load` returns. Or any function that takes a batch,
        (B, H, W, C), and returns an array, a tuple or a dictionary of arrays with the batch axis first; it needs
        `recipe`, as do a Keras model that is in memory, an ``.onnx`` file (run by onnxruntime, the extra ``onnx``), and the folder of
        a TensorFlow SavedModel, whose graph runs
        whatever it holds: open none of strangers. Several are an ensemble: the mean of their probabilities (of
        a regression model, of the numbers), each with its own recipe; for masks, on the original grid, before the
        result steps.
    recipe : Compose, list of steps, or path of a recipe file, optional
        The recipe to use; only its prepare layer counts. By default the one saved with the model.
    other_recipe : bool
        Allow a recipe that differs from the model's.
    postprocess : Compose or sequence of result steps, optional
        What makes a mask of probabilities, on the original grid. By default the steps saved with the (first) model;
        where there are none, above 0.5 is 1 for a model with one output, else the likeliest class is taken.
    outputs : {"probabilities", "logits"}, optional
        What the model outputs. By default the file says it, or the last layer does: softmax and sigmoid give
        probabilities, a layer without activation logits (with a warning that says so); else the values must be
        probabilities that sum to 1. Logits go through softmax, of one output or of several labels per image
        through the sigmoid.
    threshold : float
        Of a multilabel model: a class whose probability is above it is one of the labels. At least 0, below 1.
    pad_to : int or "auto", optional
        Extend what the recipe makes, by reflection at its end, to lengths that are a multiple of this, for models whose
        poolings take no others; what is predicted for the margin is cut off again. ``"auto"`` finds the smallest
        multiple that the model takes.
    batch_size : int
        Images that a model is run on at a time; of variants, each in a batch of its own.
    threads : int, optional
        Threads that read and prepare images. Default: one per processor.
    on_error : {"quarantine", "stop"}
        What to do with an image that cannot be read, does not fit the recipe or the model, or for which the model
        gives NaN: set it aside, or stop at it.
    tta : {"mirrored", "flips", "d4"} or sequence of recipes, optional
        Test-time augmentation: ask the model about variants of the image, too. ``"mirrored"``: left to right; ``"flips"``: along every
        combination of the spatial axes, 4 in all, of volumes 8; ``"d4"``: the 8 symmetries of a square; or the image
        and one variant for each recipe (a step, a `Compose`, a list of steps or a file). Variants are made of what
        the model's recipe made; masks come back through each variant's frame before they are merged, without the
        pixels that a variant cut off. Variants that the recipe's `Augment` never drew in training are warned of; `choose_tta`
        finds by validation images which are worth it.
    merge : {"mean", "geometric", "max"}
        How the probabilities of variants are merged. Numbers of a regression model: ``"mean"`` alone.
    tiles : int or tuple of int, optional
        Run the model on tiles of this size, (H, W) or (D, H, W), and put what it says together: for images on which the model
        as a whole would not fit into memory, and for models of a fixed size. Of models that make masks or boxes. The recipe and the
        result steps see the whole image. `batch_size` then counts tiles.
    overlap : int, tuple of int, or "auto"
        How many pixels neighbouring tiles share at least. ``"auto"``: twice as many as the model looks to each side, read from the
        layers of a Keras model; of another model it has to be given. Of a detector a quarter of a tile; give as many as the largest
        object is long.
    blend : {"gaussian", "linear", "none"}, optional
        How tiles that share a pixel are averaged: by default weighted by a Gaussian around the middle of each (its standard deviation
        is an eighth of the tile), or by the distance from its edge, or not at all: each pixel from the tile in which it lies farther inside.
    task, class_names, target_names, input_shape, output
        Of a model that was not saved with `offgraph.save`: as there, and the shape of what it takes, (H, W, C), (H, W)
        or (D, H, W, C), None for lengths that are free; by default what the recipe makes of an image of three
        channels.

    layout : {"channels_first", "channels_last"}, optional
        Of an ONNX file: where its batches have their channels; its masks have them there, too. By default read from the input's
        shape, where one end of it is a number of channels (1 to 4). Images and raw outputs have them last in any case.
    detection : DetectionOutputs, optional
        Of a detector that was not saved with `offgraph.save`: what its outputs are, as there. Boxes of variants and of several models
        are merged by `offgraph.fuse_boxes`, keypoints by their mean, on the original image.

    Attributes
    ----------
    saved : SavedModel
        The first model, with what belongs to it.
    class_names : tuple of str
        By class number; empty for a regression model.
    recipe : Compose
        What each image gets, of the first model.
    postprocess : Compose
        The result steps that make a mask of the probabilities; empty for other tasks.

    Raises
    ------
    RecipeMismatch
        For a recipe that differs in its prepare layer from the model's; names step and field.
    OffgraphError
        For a model whose outputs are neither declared nor seen to be probabilities, models of an ensemble that
        predict different things, variants that the model does not take, and options that the task does not have.

    Notes
    -----
    Exactness: with variants that move whole pixels (flips, quarter turns), a model that is equivariant in bytes gives
    the bytes that it gives without them, under each `merge`.

    Tiles: an edge of a tile is one of the image, or its pixels up to where the model looks beyond it do not count, as far as the
    overlap allows. With ``overlap="auto"`` each pixel is what the model says of the whole image, but for the rounding of its own sums:
    to the byte where the model computes a pixel alike in every tile. Tiles begin at multiples of the poolings, and
    the image is extended by reflection to such a multiple, as by `pad_to`. With less overlap, or where it is
    declared and the model's layers are not known, seams may be seen.

    Tiles of a detector: boxes of neighbouring tiles that are alike where both tiles see (IoU above 0.5, of one class) are one object, with
    the box of the tile in which it lies farthest inside; one that is cut by a tile's edge loses against a whole one, and parts of an object that
    no tile holds whole are put together. Two boxes of one tile are never made one. An object that is shorter than the overlap has the
    box that a whole tile gives it. The result steps see the boxes of each tile, and then those of the image. `Prediction.raw` is empty.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> def brightness(batch):  # (B, 8, 8, 3) -> (B, 2)
    ...     light = batch.mean(axis=(1, 2, 3))
    ...     return np.stack([1 - light, light], axis=1)
    >>> predictor = og.Predictor(
    ...     brightness, recipe=[og.Resize((8, 8)), og.Rescale(1 / 255)], task="classify",
    ...     class_names=["dark", "light"], tta="flips",
    ... )
    >>> predictor(np.full((20, 30, 3), 204, np.uint8)).summary
    'light 80.0%'
    """

    def __init__(
        self,
        model: Any,
        *,
        recipe: Compose | list[Any] | str | os.PathLike[str] | None = None,
        other_recipe: bool = False,
        postprocess: Compose | Sequence[Step] | None = None,
        outputs: Outputs | None = None,
        threshold: float = 0.5,
        pad_to: int | Literal["auto"] | None = None,
        batch_size: int = 32,
        threads: int | None = None,
        on_error: OnError = "quarantine",
        tta: TestTimeVariants | Sequence[Any] | None = None,
        merge: Merge = "mean",
        tiles: int | Sequence[int] | None = None,
        overlap: int | Sequence[int] | Literal["auto"] = "auto",
        blend: Blend | None = None,
        task: ModelTask | None = None,
        class_names: Sequence[str] | None = None,
        target_names: Sequence[str] | None = None,
        input_shape: Sequence[int | None] | None = None,
        output: str | None = None,
        layout: Layout | None = None,
        detection: DetectionOutputs | None = None,
    ) -> None:
        run = RunOptions.of(
            batch_size=batch_size,
            threads=threads,
            on_error=on_error,
            outputs=outputs,
            threshold=threshold,
            pad_to=pad_to,
        )
        chosen = None if recipe is None else as_recipe(recipe)
        described = {
            "task": task,
            "class_names": class_names,
            "target_names": target_names,
            "input_shape": input_shape,
            "output": output,
            "layout": layout,
            "detection": detection,
        }
        models = [opened(one, chosen, described) for one in _several(model)]
        self.saved: SavedModel = models[0]
        prepare = [recipe_for(saved, chosen, other_recipe) for saved in models]
        self.recipe: Compose = prepare[0]
        for saved in models:
            if outputs is not None and saved.task == "regress":
                raise OffgraphError(f"outputs={outputs!r}: {saved.path} predicts numbers, which are neither")
        self.class_names: tuple[str, ...] = class_names_of(self.saved)
        refuse_unlike(models)
        merge = check_merge(merge, self.saved.task)
        self.postprocess: Compose = result_steps_of(self.saved, postprocess)
        self._models = tuple(
            ModelRun(
                saved,
                made,
                reader_of(saved, outputs),
                variants_of(tta, saved.input_spec),
                merge,
                run.pad_to,
                Tiling.of(saved, tiles, overlap, blend, run.batch_size),
            )
            for saved, made in zip(models, prepare)
        )
        for one in self._models:
            warn_of_untrained(one.saved, one.variants, tta)
        self._run = run if tiles is None else replace(run, batch_size=1)  # of images; tiles make the batches

    def __repr__(self) -> str:
        named = ", ".join(str(model.saved.path) for model in self._models)
        variants = len(self._models[0].variants)
        return (
            f"<Predictor of {named}, task {self.saved.task!r}"
            + (f", {variants + 1} variants" if variants else "")
            + ">"
        )

    @overload
    def __call__(
        self, images: np.ndarray, *, masks: str | os.PathLike[str] | None = None, **options: Any
    ) -> Any: ...
    @overload
    def __call__(
        self,
        images: Source | str | os.PathLike[str] | Sequence[Any] | Iterator[Any],
        *,
        masks: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Predictions: ...
    def __call__(
        self,
        images: Any,
        *,
        masks: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Predictions | Prediction:
        """Predict images, in order and batch by batch.

        Parameters
        ----------
        images : path, Source, ndarray, or sequence or iterator of paths or arrays
            From a path images are read as the model takes them: one channel grey, three channels RGB. Where they have
            classes, these must be among the model's. An array has the axes that the model takes (the channel axis
            may be left out where it takes one channel): one image, or with one more axis before them a batch.
        masks : path, optional
            Folder of the true label masks, with the images' names, where `images` is a folder of images.
        **options
            Passed on to `open_source` with a path, such as ``labels=None``, ``missing_mask`` and ``axes``.

        Returns
        -------
        Predictions or Prediction
            An iterator of `Prediction`; it ends with an OffgraphError where no image could be predicted. For one image
            as an array its `Prediction`. Memory does not grow with the number of images. A batch holds images of one
            shape, so that a fully convolutional model takes images of different sizes.

        Raises
        ------
        SourceError
            For a source with classes that the model does not know; names them.
        ArgumentError
            For what is not an image, and arrays of another shape.
        MachineError
            From the iterator, where the machine fails, such as for lack of memory; no image is set aside for it.
        """
        source = source_of(self.saved, images, masks=masks, **options)
        warn_of_other_names(self.saved, source)
        one = is_one_image(self.saved, images)
        work = Work(
            self._models,
            source,
            self.postprocess,
            self._run,
            stop=one or self._run.on_error == "stop",
        )
        predictions = Predictions(
            self.saved,
            source,
            self.recipe,
            work.run,
            class_names=self.class_names,
            target_names=target_names_of(self.saved, source),
            threshold=self._run.threshold,
            numbered=any(
                isinstance(step, ResultStep) and step.numbers_objects for step in self.postprocess.steps
            ),
            postprocess=self.postprocess,
        )
        if not one:
            return predictions
        try:
            return next(predictions)
        finally:
            predictions.close()

    def to_file(
        self,
        image: Any,
        out: str | os.PathLike[str],
        *,
        axes: str | None = None,
        probabilities: str | os.PathLike[str] | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Any:  # by the task, which a type checker does not know
        """Predict the mask or the boxes of one image that does not fit into memory, from disk to disk.

        The image is read, predicted and written tile by tile; of the mask no more than some rows of tiles is in memory. A run
        that was killed goes on where it was when it is called again, and ends with the same bytes.

        Parameters
        ----------
        image : path or array
            A TIFF (grey or RGB, without compression or with LZW, deflate or PackBits), an ``.npy``, a Zarr array, or anything with
            ``shape``, ``dtype`` and slices: a memory map, a dataset of h5py. Numbers are taken as they are stored.
        out : path
            The mask: ``.npy``, or ``.tif`` (BigTIFF without compression). The boxes of a detector, with their keypoints: ``.csv``, ``.geojson``, or
            ``.json`` for COCO's results. Until it is finished, a folder of this name with ``.tiles`` after it holds the run.
        axes : str, optional
            One letter per stored axis, of Z, Y, X and C, where the file leaves a doubt.
        probabilities : path, optional
            Of a mask: an ``.npy`` to write the probabilities to, float32, (H, W) or (H, W, K), or the same with a depth before it.
        progress : callable, optional
            Called with the share that is done, from 0 to 1.

        Returns
        -------
        TiledFile or TiledBoxes
            Of a mask, and of boxes.

        Raises
        ------
        StepError
            For recipes with steps that move pixels, draw or look at the whole image (`Resize`, `ZScore`), result steps that
            cannot be done part by part (Otsu's threshold, `SeededWatershed`), objects too large for a watershed, and where the model
            does not take a tile or gives NaN for it; names step or tile.
        OffgraphError
            Without ``tiles=``, where `out` exists, or its folder holds a run with other options.
        DecodeError, MachineError, WriteError
            Where the image cannot be read or not by parts, the machine fails, or a file cannot be written.

        Notes
        -----
        Exactness: boxes are those that the predictor gives for the image in memory. The mask has the bytes that the result steps give for the whole of the probabilities; numbers of `Label` and
        `DistanceWatershed` included. Filters in the recipe see what they see in the whole image; `UniformFilter` on floats, whose sums run
        along lines, may differ in the last digits.

        Examples
        --------
        >>> import tempfile, numpy as np, offgraph as og
        >>> def bright(batch):  # (B, H, W, 1) -> (B, H, W, 1)
        ...     return batch
        >>> predictor = og.Predictor(
        ...     bright, recipe=[og.Rescale(1 / 255)], task="segment", outputs="probabilities", input_shape=(None, None, 1),
        ...     postprocess=[og.Threshold(0.5), og.Label()], tiles=(64, 64), overlap=0,
        ... )
        >>> image = np.zeros((300, 200), np.uint8)
        >>> image[50:250, 20:30] = image[100:110, 60:190] = 255
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     predictor.to_file(image, folder + "/mask.tif").highest
        2
        """
        if self._models[0].tiling is None:
            raise OffgraphError(
                "to_file: how the image is cut has to be said; give the predictor tiles=, such as (512, 512)"
            )
        reader = open_regions(image, axes)
        try:
            if self.saved.task != "detect":
                return Stream(self._models, self.postprocess, reader, out, probabilities, progress).run()
            if probabilities is not None:
                raise ArgumentError("probabilities=: of masks; boxes have scores")
            return BoxStream(self._models, self.postprocess, reader, out, progress).run()
        finally:
            reader.close()


def _several(model: Any) -> list[Any]:
    """The models of an ensemble; one alone as such."""
    if not isinstance(model, list | tuple):
        return [model]
    if not model:
        raise OffgraphError("model=[]: an ensemble needs at least one model")
    return list(model)


def predict(
    model: Any,
    src: Any,
    *,
    masks: str | os.PathLike[str] | None = None,
    recipe: Compose | list[Any] | str | os.PathLike[str] | None = None,
    other_recipe: bool = False,
    postprocess: Compose | Sequence[Step] | None = None,
    outputs: Outputs | None = None,
    threshold: float = 0.5,
    pad_to: int | Literal["auto"] | None = None,
    batch_size: int = 32,
    threads: int | None = None,
    on_error: OnError = "quarantine",
    tta: TestTimeVariants | Sequence[Any] | None = None,
    merge: Merge = "mean",
    tiles: int | Sequence[int] | None = None,
    overlap: int | Sequence[int] | Literal["auto"] = "auto",
    blend: Blend | None = None,
    **options: Any,
) -> Predictions:
    """Predict every image of a source with a saved model, in order and batch by batch.

    ``predict(model, src, …)`` is ``Predictor(model, …)(src, …)``, but an iterator for one array, too: `Predictor` says what each option means, which models
    it takes, and which errors there are. Make a `Predictor` to predict again and again.

    Parameters
    ----------
    model : path, SavedModel, or sequence of them
        A ``.keras`` file that `offgraph.save` wrote; several are an ensemble.
    src : path, Source, ndarray, or sequence or iterator of paths or arrays
        Images. An array is one image or a batch; an iterator is read to its end first.
    masks : path, optional
        Folder of the true label masks, with the images' names, where `src` is a folder of images.
    recipe, other_recipe, postprocess, outputs, threshold, pad_to, batch_size, threads, on_error, tta, merge, tiles, overlap, blend
        As for `Predictor`.
    **options
        Passed on to `open_source` with a path, such as ``labels=None``, ``missing_mask`` and ``axes``.

    Returns
    -------
    Predictions
        An iterator of `Prediction`; it ends with an OffgraphError where no image could be predicted. Memory does
        not grow with the number of images.

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
    predictor = Predictor(
        model,
        recipe=recipe,
        other_recipe=other_recipe,
        postprocess=postprocess,
        outputs=outputs,
        threshold=threshold,
        pad_to=pad_to,
        batch_size=batch_size,
        threads=threads,
        on_error=on_error,
        tta=tta,
        merge=merge,
        tiles=tiles,
        overlap=overlap,
        blend=blend,
    )
    images = [src] if is_one_image(predictor.saved, src) else src
    return predictor(images, masks=masks, **options)
