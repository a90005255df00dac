"""`ImageDataGenerator` with Keras' arguments, attributes and methods, at the speed of the loader."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from offgraph.core.arguments import plain_array, whole_number
from offgraph.core.errors import ArgumentError
from offgraph.frameworks.pydataset import keras_setting
from offgraph.generators.iterators import ArrayFlow, DataFrameFlow, DirectoryFlow, made
from offgraph.generators.saving import SaveTo
from offgraph.generators.statistics import check_values, learnt_of, standardized
from offgraph.generators.transforms import apply_parameters, draw_parameters, seed_global
from offgraph.sources.names import warn_caller

__all__ = ["ImageDataGenerator"]

ClassMode = Literal["categorical", "binary", "sparse", "input", "multi_output", "raw"] | None
Subset = Literal["training", "validation"] | None
OnError = Literal["raise", "skip", "substitute", "quarantine"]


class ImageDataGenerator:
    """Batches of images for Keras, augmented and normalized: the arguments of Keras' class of this name, made by the loader.

    The steps are those of :func:`offgraph.from_keras`, run one after another by :class:`offgraph.Loader`: read, decoded and
    transformed by native threads. Image i of epoch e is drawn from (seed, e, i), so that images and masks of two generators
    with one seed stay in step, whatever the batch size and the number of threads, and any image can be made again.

    Exactness: files, classes, subsets, the order of labels, shapes and dtypes are Keras'. For the same draws, pixels are
    within 1 grey level of Keras' (it keeps fractions in float32, here images of uint8 stay uint8 until values are
    scaled); draws have the same distributions but for those that `report` of an iterator names. Photographs are
    read upright, whatever their EXIF orientation.

    Parameters
    ----------
    featurewise_center, featurewise_std_normalization : bool
        Subtract the mean of each channel over the images given to `fit`, divide by its standard deviation.
    samplewise_center, samplewise_std_normalization : bool
        The same with mean and standard deviation of all values of each image.
    zca_whitening : bool
        Decorrelate all values of an image by the matrix that `fit` finds; for small images.
    zca_epsilon : float
        Added to the singular values.
    rotation_range : float
        Degrees, at least 0: turned by -range to range, about the centre.
    width_shift_range, height_shift_range : float, int or sequence
        Below 1 a share of the width (height); else pixels.
    brightness_range : (low, high), optional
        Factors.
    shear_range : float
        Degrees.
    zoom_range : float or (low, high)
        A number z means 1 - z to 1 + z; above 1 shows more, as if from further away. Each axis has its own.
    channel_shift_range : float
        Grey levels that are added or taken away.
    fill_mode : {"nearest", "constant", "reflect", "wrap"}
        What lies outside the image.
    cval : float
        Of ``"constant"``.
    horizontal_flip, vertical_flip : bool
        Mirror every second image, by chance.
    rescale : float, optional
        What values are multiplied by, after everything that is drawn.
    preprocessing_function : callable, optional
        Called with each image, float of three axes, before `rescale`. The `preprocess_input` of a model of
        `keras.applications` becomes a step of the recipe where there is one.
    data_format : {"channels_last", "channels_first"}, optional
        Where channels stand; by default as Keras is set, else last.
    validation_split : float
        Share of the images that ``subset="validation"`` takes, from 0 to 1: the first of each class.
    interpolation_order : int
        Of the spline that images are read by, 0 to 5. Masks that go through a generator of their own want 0.
    dtype : str
        Of the batches; by default as Keras is set, else ``"float32"``.

    Raises
    ------
    ArgumentError
        For a value that an argument does not take; names it.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> photos = np.zeros((10, 32, 32, 3), np.uint8)
    >>> generator = og.ImageDataGenerator(rotation_range=20, horizontal_flip=True, rescale=1 / 255)
    >>> batches = generator.flow(photos, np.arange(10), batch_size=4, seed=7)
    >>> images, labels = batches[0]
    >>> len(batches), images.shape, images.dtype.name, labels.shape
    (3, (4, 32, 32, 3), 'float32', (4,))
    >>> print(batches.report.summary())
    Keras ImageDataGenerator: 3 steps: 2 the same, 1 within 1 grey level
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: float | Sequence[float] = 0.0,
        height_shift_range: float | Sequence[float] = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: float | Sequence[float] = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[np.ndarray], Any] | None = None,
        data_format: Literal["channels_last", "channels_first"] | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: str | None = None,
    ) -> None:
        self.featurewise_center, self.samplewise_center = bool(featurewise_center), bool(samplewise_center)
        self.featurewise_std_normalization = bool(featurewise_std_normalization)
        self.samplewise_std_normalization = bool(samplewise_std_normalization)
        self.zca_whitening, self.zca_epsilon = bool(zca_whitening), zca_epsilon
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.channel_shift_range = channel_shift_range
        self.fill_mode, self.cval = fill_mode, cval
        self.horizontal_flip, self.vertical_flip = bool(horizontal_flip), bool(vertical_flip)
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.interpolation_order = interpolation_order
        self.validation_split = validation_split
        if not 0 <= validation_split < 1:
            raise ArgumentError(f"validation_split={validation_split!r:.80}: give a share from 0 to below 1")
        self.dtype = np.dtype(keras_setting("floatx", "float32") if dtype is None else dtype).name
        self.data_format: Any = data_format or keras_setting("image_data_format", "channels_last")
        axes = {"channels_last": (3, 1, 2), "channels_first": (1, 2, 3)}
        if self.data_format not in axes:
            raise ArgumentError(
                f"data_format={data_format!r:.80}: choose 'channels_last' or 'channels_first'"
            )
        self.channel_axis, self.row_axis, self.col_axis = axes[self.data_format]
        self.zoom_range = _range_about_one(zoom_range)
        self.brightness_range = (
            None if brightness_range is None else _pair("brightness_range", brightness_range)
        )
        self.mean: np.ndarray | None = None
        self.std: np.ndarray | None = None
        self.zca_whitening_matrix: np.ndarray | None = None
        self._imply_centring()

    def _imply_centring(self) -> None:
        """Switch on what other arguments ask for, and say so."""
        if self.zca_whitening and self.featurewise_std_normalization:
            self.featurewise_std_normalization = False
            warn_caller("zca_whitening=True takes the place of featurewise_std_normalization, which is off")
        asked = "zca_whitening" if self.zca_whitening else "featurewise_std_normalization"
        if (self.zca_whitening or self.featurewise_std_normalization) and not self.featurewise_center:
            self.featurewise_center = True
            warn_caller(f"{asked}=True needs centred values: featurewise_center is on")
        if self.samplewise_std_normalization and not self.samplewise_center:
            self.samplewise_center = True
            warn_caller("samplewise_std_normalization=True needs centred values: samplewise_center is on")

    def __repr__(self) -> str:
        fresh = {name: each.default for name, each in inspect.signature(type(self)).parameters.items()}
        fresh |= {"zoom_range": [1, 1], "dtype": "float32", "data_format": "channels_last"}
        shown = [f"{name}={value!r}" for name in fresh if (value := getattr(self, name)) != fresh[name]]
        return f"ImageDataGenerator({', '.join(shown)})"

    # Batches --------------------------------------------------------------------------------------------------------

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: Subset = None,
        *,
        threads: int | None = None,
        on_error: OnError = "raise",
    ) -> ArrayFlow:
        """Give batches of images that are in memory.

        Parameters
        ----------
        x : ndarray, or (ndarray, list of ndarray)
            (N, H, W, C), or channels first; with further arrays that come along as they are. uint8 stays uint8 until values
            are scaled, other types become `dtype` and are taken for 0 to 255.
        y : ndarray, optional
            What is learnt, one row per image.
        batch_size : int
        shuffle : bool
            Another order in each epoch.
        sample_weight : ndarray, optional
        seed : int, optional
            Of order and draws. By default one is drawn from `numpy.random`, which `numpy.random.seed` decides.
        save_to_dir, save_prefix, save_format
            A folder that the images of batches are written to; ``"png"`` or ``"jpg"``.
        ignore_class_split : bool
            Allow the two subsets to have different classes.
        subset : {"training", "validation"}, optional
            The part that `validation_split` makes.
        threads : int, optional
            All cores by default.
        on_error : {"raise", "skip", "substitute", "quarantine"}
            What becomes of an image that cannot be used; see :class:`offgraph.Loader`.

        Returns
        -------
        iterator
            A ``keras.utils.PyDataset`` whose batches are ``x``, ``(x, y)`` or ``(x, y, weights)``; ``next`` never ends. With
            further arrays x is a tuple.

        Raises
        ------
        ArgumentError
            For an argument that cannot be used.
        """
        save = SaveTo(save_to_dir, save_prefix, save_format)
        return made(
            ArrayFlow, self, x, y, batch_size=batch_size, shuffle=shuffle, sample_weight=sample_weight, seed=seed,
            save=save, ignore_class_split=ignore_class_split, subset=subset, threads=threads, on_error=on_error,
        )  # fmt: skip

    def flow_from_directory(
        self,
        directory: str | os.PathLike[str],
        target_size: Sequence[int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: ClassMode = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: Subset = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        *,
        masks: str | os.PathLike[str] | None = None,
        threads: int | None = None,
        on_error: OnError = "raise",
    ) -> DirectoryFlow:
        """Give batches of the images of a directory, which has a folder per class.

        Parameters
        ----------
        directory : path
        target_size : (height, width)
            Pixels.
        color_mode : {"rgb", "grayscale"}
        classes : sequence of str, optional
            Folders, in the order of their class numbers; all of them by name unless given.
        class_mode : {"categorical", "binary", "sparse", "input", None}
            What is learnt: rows of 0 and 1, numbers, the images themselves, or nothing.
        batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset, threads, on_error
            As in `flow`. For predictions in the order of `filenames`, ``shuffle=False``.
        follow_links : bool
            Whether linked folders are walked.
        interpolation : {"nearest", "bilinear", "bicubic", "box", "lanczos"}
            How images are brought to their size. ``"nearest"`` skips pixels; ``"box"`` averages where it shrinks.
        keep_aspect_ratio : bool
            Cut the sides off before, so that nothing is stretched.
        masks : path, optional
            A directory whose files have the images' names: batches are ``(x, masks)``, integers (B, H, W, 1), moved by the
            draws of their images and never interpolated.

        Returns
        -------
        iterator
            With ``class_indices``, ``filenames``, ``filepaths``, ``classes``, ``labels``, ``samples``.

        Raises
        ------
        ArgumentError, SourceError
            For an argument or a directory that cannot be used.
        """
        return made(
            DirectoryFlow, self, directory, target_size=target_size, color_mode=color_mode, classes=classes,
            class_mode=class_mode, batch_size=batch_size, shuffle=shuffle, seed=seed,
            save=SaveTo(save_to_dir, save_prefix, save_format), follow_links=follow_links, subset=subset,
            interpolation=interpolation, keep_aspect_ratio=keep_aspect_ratio, masks=masks, threads=threads,
            on_error=on_error,
        )  # fmt: skip

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: str | os.PathLike[str] | None = None,
        x_col: Hashable = "filename",
        y_col: Hashable | Sequence[Hashable] = "class",
        weight_col: Hashable = None,
        target_size: Sequence[int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: ClassMode = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: Subset = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        *,
        keep_aspect_ratio: bool = False,
        threads: int | None = None,
        on_error: OnError = "raise",
    ) -> DataFrameFlow:
        """Give batches of the images that a table names.

        Parameters
        ----------
        dataframe : pandas.DataFrame, or a mapping of column to values
        directory : path, optional
            What the names in `x_col` are relative to.
        x_col : str
            Column of the files' names; as the other columns, by whatever names it in the table.
        y_col : str, or list or tuple of str
            Column, or columns, of what is learnt.
        weight_col : str, optional
            Column of a weight per image. Missing ones become NaN, with a warning.
        class_mode : {"categorical", "binary", "sparse", "input", "multi_output", "raw", None}
            Classes by name (a list of names in a cell is several, an empty one none of them), the images, a tuple of arrays
            with one per column, the columns' numbers in their dtype (missing ones are NaN), or nothing.
        validate_filenames : bool
            Leave out rows whose file is not there, with a warning.
        target_size, color_mode, classes, interpolation, keep_aspect_ratio
            As in `flow_from_directory`.
        batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset, threads, on_error
            As in `flow`.

        Returns
        -------
        iterator
            With ``filenames``, ``filepaths``, ``labels``, ``samples``, and ``class_indices`` and ``classes`` where there are
            classes.

        Raises
        ------
        ArgumentError
            For an argument, or a column, that cannot be used.
        """
        return made(
            DataFrameFlow, self, dataframe, directory, x_col=x_col, y_col=y_col, weight_col=weight_col,
            target_size=target_size, color_mode=color_mode, classes=classes, class_mode=class_mode,
            batch_size=batch_size, shuffle=shuffle, seed=seed, save=SaveTo(save_to_dir, save_prefix, save_format),
            subset=subset, interpolation=interpolation, keep_aspect_ratio=keep_aspect_ratio,
            validate_filenames=validate_filenames, threads=threads, on_error=on_error,
        )  # fmt: skip

    # One image, and statistics --------------------------------------------------------------------------------------

    def standardize(self, x: np.ndarray) -> np.ndarray:
        """Apply what changes values: function, `rescale`, samplewise, featurewise, whitening.

        Parameters
        ----------
        x : ndarray of float
            One image, or a batch of them as one; changed in place where it can be.

        Returns
        -------
        ndarray
        """
        return standardized(self, x)

    def get_random_transform(self, img_shape: tuple[int, ...], seed: int | None = None) -> dict[str, Any]:
        """Draw the parameters of one transform from `numpy.random`: the numbers that Keras draws there.

        The batches of an iterator do not come from here: they are drawn from (seed, epoch, index).

        Parameters
        ----------
        img_shape : tuple of int
            Of one image.
        seed : int, optional
            Given to `numpy.random.seed` first.

        Returns
        -------
        dict
            ``theta`` and ``shear`` in degrees, ``tx``, ``ty`` in pixels, ``zx``, ``zy``, ``flip_horizontal``,
            ``flip_vertical``, ``channel_shift_intensity``, ``brightness``.
        """
        return draw_parameters(self, img_shape, seed)

    def apply_transform(self, x: np.ndarray, transform_parameters: Mapping[str, Any]) -> np.ndarray:
        """Transform one image by given parameters; those of `get_random_transform`, or some of them.

        As in Keras 3, ``tx`` moves along the columns and ``ty`` along the rows, although `get_random_transform` takes ``tx``
        from `height_shift_range`. Images that are not square are turned about their centre, where Keras takes another point.

        Parameters
        ----------
        x : ndarray
            Three axes.
        transform_parameters : mapping

        Returns
        -------
        ndarray
            Of the same shape.
        """
        return apply_parameters(self, self._one_image(x), transform_parameters)

    def random_transform(self, x: np.ndarray, seed: int | None = None) -> np.ndarray:
        """Transform one image by parameters drawn as `get_random_transform` does.

        Parameters
        ----------
        x : ndarray
            Three axes.
        seed : int, optional

        Returns
        -------
        ndarray
            Of the same shape.
        """
        image = self._one_image(x)
        return self.apply_transform(image, self.get_random_transform(image.shape, seed))

    def _one_image(self, x: np.ndarray) -> np.ndarray:
        array = plain_array("x=", x)
        if array.ndim != 3:
            raise ArgumentError(f"x has the shape {array.shape}: give one image of three axes")
        return array

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Find the statistics that `featurewise_center`, `featurewise_std_normalization` and `zca_whitening` need.

        Parameters
        ----------
        x : ndarray
            Images, (N, H, W, C) or channels first. `rescale` is applied to them before, `preprocessing_function` is not.
        augment : bool
            Whether they are transformed at random before.
        rounds : int
            How often, with `augment`.
        seed : int, optional
            Given to `numpy.random.seed` first.

        Raises
        ------
        ArgumentError
            For images of another number of axes.
        """
        images = np.array(plain_array("x=", x), self.dtype)  # a copy
        if images.ndim != 4:
            raise ArgumentError(f"x has the shape {images.shape}: give images as an array of four axes")
        check_values(images, self)
        seed_global(seed)
        if self.rescale:
            images *= self.rescale
        if augment:
            rounds = whole_number("rounds", rounds)
            images = np.stack([self.random_transform(image) for _ in range(rounds) for image in images])
        self.mean, self.std, self.zca_whitening_matrix = learnt_of(self, images)


def _pair(name: str, value: Any) -> list[float]:
    numbers = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    if len(numbers) != 2 or not all(isinstance(each, int | float | np.number) for each in numbers):
        raise ArgumentError(f"{name}={value!r:.80}: give two numbers, (low, high)")
    return numbers


def _range_about_one(value: Any) -> list[float]:
    if isinstance(value, int | float | np.number):
        return [1 - float(value), 1 + float(value)]
    return _pair("zoom_range", value)
