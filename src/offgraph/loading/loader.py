"""Batches for training: read, transformed and collated by threads, in an order derived from seed and epoch."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from offgraph.core.arguments import seconds, whole_number
from offgraph.core.choices import Color, NonFinite, OnBadImage, Task
from offgraph.core.counting import count_of
from offgraph.core.display import NotebookView
from offgraph.core.errors import ArgumentError, BuildError
from offgraph.core.machine import READ_TIMEOUT
from offgraph.core.random import Key
from offgraph.core.specs import OpenSpec
from offgraph.dataset.allowed import DEFAULT_MAX_BAD, MaxBad
from offgraph.dataset.built import BuiltDataset
from offgraph.loading.bad_images import Substitute, parse_policy
from offgraph.loading.batch import Batch
from offgraph.loading.caching import Caching
from offgraph.loading.contents import Contents, contents_of, parse_class_weight, parse_ignore
from offgraph.loading.epochs import Epochs
from offgraph.loading.feeds import Feeds
from offgraph.loading.finishing import (
    DataFormat,
    Finishing,
    ImageDtype,
    parse_data_format,
    parse_image_dtype,
)
from offgraph.loading.maker import SampleMaker
from offgraph.loading.mixed_objects import ObjectMixing
from offgraph.loading.mixes import Mix, images_of, parse_mix
from offgraph.loading.mixing import Mixing
from offgraph.loading.objects import BoxLayout, parse_layout
from offgraph.loading.opening import open_samples
from offgraph.loading.position import Position
from offgraph.loading.process import OwnProcess, check_platform
from offgraph.loading.sampling import parse_sampling
from offgraph.loading.share import parse_shard
from offgraph.pipeline.buffers import Buffers
from offgraph.pipeline.checks import check_non_finite_option, parse_mask_dtype
from offgraph.pipeline.workers import default_threads
from offgraph.recipe.compose import Compose, as_recipe
from offgraph.sources import Source
from offgraph.sources.classes import said_task
from offgraph.sources.names import printable
from offgraph.targets.box_formats import BoxFormat

if TYPE_CHECKING:
    from offgraph.loading.benchmark_report import BenchmarkReport

__all__ = ["Batch", "Loader"]


class Loader(Epochs, Feeds, Caching, NotebookView):
    """Batches of a source, or of a built dataset, epoch after epoch.

    Each pass is the next epoch. Image i of epoch e is drawn at ``Key(seed, e, i)``, and the order of an epoch
    follows from (seed, epoch): the bytes are the same for any number of threads. A loader holds threads only during a
    pass, and a pass that is abandoned leaves none.

    Parameters
    ----------
    source : path, Source or BuiltDataset
        A source, whatever :func:`offgraph.open_source` opens, or the folder of a dataset that
        :func:`offgraph.build` made: the recipe then continues after the steps that are stored.
    recipe : Compose, list of steps, or path of a recipe file, optional
        What is done with each image. A built dataset has its own; another one is refused.
    batch_size : int
    seed : int, optional
        Of draws and order. Default: 0, or the seed that a built dataset was built with.
    threads : int, optional
        Default: one per processor.
    shuffle : bool, optional
        Shuffle again in every epoch. Default: only for a training recipe that draws; one without
        ``Augment``, or of ``.eval()``, keeps the order of the source. Train such a recipe with ``shuffle=True``.
    drop_last : bool
        Leave out a last batch that is not full.
    pad_last : bool
        Fill up a last batch that is not full with its own images again, and mark them in :attr:`Batch.valid`.
    shard : tuple of two int, optional
        ``(i, n)``: only the i-th, from 0, of n equal parts of each epoch, for training on n processes. Together they are
        the order of a loader without ``shard``: image t of shard i is its image t·n + i. Parts differ by one image at
        most; with ``drop_last`` or ``pad_last`` all have as many batches.
    on_error : {"raise", "skip", "substitute", "quarantine"}
        What to do with an image that cannot be used. Such are files that cannot be read, images that a step refuses, and
        those that do not fit into a batch with most of the source: of another depth (dtype as stored), shape, number of
        channels or axes. ``"raise"`` ends the pass with an error that names it. ``"skip"`` leaves it out, the next image
        taking its place; :attr:`skipped` lists them. ``"substitute"`` puts another one in its place, so that batches
        keep their size and passes their length: which one follows from seed, epoch and index; ``batch.index`` has its
        number, it is drawn as at its own place of the epoch, and :attr:`substituted` lists them. ``"quarantine"`` leaves
        it out like ``"skip"``, and does not read the file again in later epochs; one that is missing or may not be opened
        is tried again. The first pass with more than 5 % of such images ends with a warning.
    max_bad : float, int or str
        Unless ``on_error="raise"``, images that one pass may leave out or replace: a share such as ``0.05`` or ``"5%"``,
        or a number such as ``12``. One more ends the pass. Default: half of the images.
    quarantine : path, optional
        With ``on_error="quarantine"``, a file for the list: JSON lines of name, relative to the source's root, and
        reason. What it lists is left out from the first epoch on; what is added is written during each pass, and the file
        is never half written. A line that is removed by hand gives its image another try.
    non_finite : {"error", "allow"}
        What to do with NaN or infinity in an image of floats, in the file or after the recipe: treat the image as one
        that cannot be used, or let it pass.
    color : {"rgb", "grey", "keep"}, optional
        How images are read from a path, ``"rgb"`` unless given. A Source and a built dataset have their own; another
        one is refused.
    task : {"classify", "multilabel", "regress", "segment"}, optional
        What the labels of a path are, as in :func:`offgraph.open_source`. A Source and a built dataset have their own;
        another one is refused.
    class_names : sequence of str, optional
        All classes, in the order of their numbers; others are refused by name. Give those of a saved model to evaluate
        it, whatever numbers the classes have in the source.
    one_hot : bool
        Give class numbers as rows of 0 and 1, for losses such as ``categorical_crossentropy``.
    mask_dtype : str, optional
        Integer dtype of the masks in a batch. Default: the smallest that holds the labels of the masks looked at.
        Refused for a source without masks.
    boxes : {"padded", "ragged"}, optional
        How the boxes of a source with the task ``"detect"`` are collated: into one array
        padded with -1, or into one array per image. Padded unless given.
    max_boxes : int, optional
        Rows of a padded array; an image with more boxes is one that cannot be used. The largest number of boxes that an
        image of the source has, unless given.
    box_format : {"xyxy", "xywh", "cxcywh", "yolo", "coco", "voc"}, optional
        What the four numbers of a box are; ``"xyxy"`` unless given: left, upper, right and lower edge in pixels, 0 at the
        image's own edge.
    prefetch : int
        Number of batches made ahead of the one in use.
    read_timeout : float, optional
        Seconds that one file may be read without progress. Longer than that, and the drive or the server that it lies on
        is taken for gone: the pass ends with a MachineError that names the file. None waits for ever.
    other_recipe : bool
        Allow another recipe for a built dataset. The whole of it is run on the images as they are stored.
    start_epoch : int
        Number of the first pass; the next passes count on from there. To resume training at epoch k, give k.
    process : bool
        Run the passes in a process of the loader's own, for programs whose own Python code is busy while it trains: beside it the
        threads of a loader wait for the GIL. Batches are the same, and lie in memory that both processes share, without a copy. The process
        starts with the first pass (about half a second), serves all of them and ends with the loader. It imports the
        modules of own steps and sources, and never runs the program itself: what is defined there is refused by name.
    sampling : "balanced" or sequence of float, optional
        How often each image comes in an epoch, which stays as long as the source: each class alike, or as the weights of the
        images say, in the order of the source. Image i comes floor or ceil of ``n * weight[i] / sum(weight)`` times, and
        each class as often as the others, give or take one. Of several classes, of labels, boxes or pixels, an image counts for
        the one that the fewest images show, with the weight 1 / (images that show it); one that shows none as if all did.
        All masks of a source with the task ``"segment"`` are read for it once. An image that comes again is drawn anew: the k-th time, from
        0, at ``Key(seed, epoch + k * 2**32, index)``. Takes about 40 bytes of memory per image. Shuffled by default.
    mix : MixUp, CutMix, Mosaic or a list of them, optional
        Mix each image of a batch with others of it, and their labels, masks, boxes and keypoints; of a list, one is drawn for each
        image. See :class:`offgraph.MixUp`, :class:`offgraph.CutMix` and :class:`offgraph.Mosaic`. Shuffled by default. Padded boxes
        have rows for all that a mixed image may have; one that would have more than `max_boxes` is left as it is.
    class_weight : "balanced" or mapping of int to float, optional
        Weight of each class in the loss, for sources with one class per image or per pixel: frameworks get it as Keras'
        ``sample_weight``, the third part of an element, float32 of the shape of label or mask; 0 where a label has no weight,
        such as one to be ignored. ``"balanced"`` takes :meth:`class_weights`. Keras' own ``fit(class_weight=)`` knows no masks.
    dtype : {"float32", "float16", "bfloat16", "uint8"}, optional
        What images are converted to after recipe and mixing, rounded to the nearest value, ties to even. Default: what the
        recipe gives. Integers are converted only where every value of their dtype stays exact, and floats never to
        integers; a value that float16 cannot hold is an error.
    data_format : {"channels_last", "channels_first"}
        Where the channel axis of an image stands in a batch: (B, H, W, C) or (B, C, H, W), and the same for volumes,
        wherever it stands in the files.

    Raises
    ------
    RecipeMismatch
        For another recipe than the dataset was built with; names step and field.
    ArgumentError, RecipeError, SourceError
        For an argument that cannot be used; names it.
    MachineError, OffgraphError
        While batches are made: for a failure of the machine; for the first image that cannot be used, or where too
        many are left out.

    Notes
    -----
    What a batch holds follows from a few images spread over the source, not from the first one of a pass. Images stored
    with 8 and with 16 bits do not mix: ``color="rgb"`` converts the fewer to the depth of most, with a warning and
    listed in :attr:`converted`; other policies refuse them. In a built dataset, which keeps the depth of each file, it
    converts after the steps that are stored. A recipe whose floats are made by ``Normalize`` without
    ``range=`` takes both as they are, each by the largest value of its dtype. Masks get the widest integer dtype of those
    looked at; one of another dtype is converted where every label fits, and refused where one does not.

    A failure of the machine (drive, network, file handles, memory) is not an image's fault: the loader tries again for a
    few seconds, then ends the pass with a MachineError, whatever ``on_error`` says. The next pass may succeed.

    Examples
    --------
    >>> import tempfile
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Resize((8, 8)), og.Normalize("imagenet")])
    >>> with tempfile.TemporaryDirectory() as photos:
    ...     for number in range(3):
    ...         og.imwrite(f"{photos}/{number}.png", np.zeros((20, 30, 3), np.uint8))
    ...     [batch.image.shape for batch in og.Loader(photos, recipe, batch_size=2)]
    [(2, 8, 8, 3), (1, 8, 8, 3)]
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Source | BuiltDataset,
        recipe: Compose | list[Any] | str | os.PathLike[str] | None = None,
        *,
        batch_size: int = 32,
        seed: int | None = None,
        threads: int | None = None,
        shuffle: bool | None = None,
        drop_last: bool = False,
        pad_last: bool = False,
        shard: tuple[int, int] | None = None,
        on_error: OnBadImage = "raise",
        max_bad: float | str = DEFAULT_MAX_BAD,
        quarantine: str | os.PathLike[str] | None = None,
        non_finite: NonFinite = "error",
        color: Color | None = None,
        task: Task | None = None,
        class_names: Sequence[str] | None = None,
        one_hot: bool = False,
        mask_dtype: str | None = None,
        boxes: BoxLayout | None = None,
        max_boxes: int | None = None,
        box_format: BoxFormat | None = None,
        prefetch: int = 2,
        read_timeout: float | None = READ_TIMEOUT,
        other_recipe: bool = False,
        start_epoch: int = 0,
        process: bool = False,
        sampling: Literal["balanced"] | Sequence[float] | np.ndarray | None = None,
        mix: Mix | Sequence[Mix] | None = None,
        class_weight: Literal["balanced"] | Mapping[int, float] | None = None,
        dtype: ImageDtype | None = None,
        data_format: DataFormat = "channels_last",
    ) -> None:
        self.threads = whole_number("threads", default_threads() if threads is None else threads)
        self.batch_size = whole_number("batch_size", batch_size)
        self.prefetch = whole_number("prefetch", prefetch)
        self.read_timeout = seconds("read_timeout", read_timeout)
        bad = parse_policy(on_error, quarantine)
        for name, value in (
            ("shuffle", shuffle), ("drop_last", drop_last), ("pad_last", pad_last), ("other_recipe", other_recipe),
            ("one_hot", one_hot), ("process", process),
        ):  # fmt: skip
            if not isinstance(value, bool | np.bool_) and (name, value) != ("shuffle", None):
                raise ArgumentError(f"{name}={value!r:.80}: give True or False")
        if process:
            check_platform()
        self.process = bool(process)
        self.mask_dtype = parse_mask_dtype(mask_dtype)
        self.non_finite: NonFinite = check_non_finite_option(non_finite)
        try:
            self._allowed = MaxBad.of(max_bad)
        except BuildError as error:
            raise ArgumentError(str(error)) from None
        opened = open_samples(
            source,
            None if recipe is None else as_recipe(recipe),
            seed=seed,
            color=color,
            task=task,
            class_names=class_names,
            one_hot=bool(one_hot),
            other_recipe=bool(other_recipe),
        )
        self._samples, self.recipe = opened.samples, opened.recipe
        self._check_task(task, one_hot, mask_dtype)
        self.seed = Key(opened.seed).seed
        self.shard = parse_shard(shard, len(self._samples))
        self.drop_last, self.pad_last, self.on_error = bool(drop_last), bool(pad_last), on_error
        if drop_last and pad_last:
            raise ArgumentError(
                "drop_last=True with pad_last=True: a last batch is left out or filled up; choose one"
            )
        self.mix = parse_mix(mix, task=self.task, one_hot=bool(one_hot), has_masks=self.has_masks)
        self.object_layout = parse_layout(
            boxes,
            max_boxes,
            box_format,
            most=self._samples.most_boxes,
            keypoints=self._samples.keypoints,
            axes=self._samples.box_axes,
            mixed_of=images_of(self.mix),
        )
        self.data_format: DataFormat = parse_data_format(data_format)
        self._finishing = Finishing(self._mixing(), parse_image_dtype(dtype), self.data_format)
        self._contents: Contents | None = None
        self._sampling = parse_sampling(sampling, self._all_contents, len(self._samples))
        self.class_weight = parse_class_weight(class_weight, self.task, self.class_weights)
        self._take: int | None = None
        self._every = 0, 1
        if drop_last and not len(self):
            least = self._share().least
            raise ArgumentError(
                f"batch_size={self.batch_size} with drop_last=True: there is no full batch in "
                f"{count_of(least, 'image')}; choose a smaller batch_size, or drop_last=False"
            )
        draws = (self.recipe.training and self.recipe.draws) or self._sampling is not None or bool(self.mix)
        self.shuffle = draws if shuffle is None else bool(shuffle)
        self.start_epoch = whole_number("start_epoch", start_epoch, least=0)
        self._next_epoch = self.start_epoch
        self._at = Position(self.start_epoch)
        self._resumed: Position | None = None
        self._maker = SampleMaker(
            self._samples,
            self.recipe,
            self.seed,
            objects=self.object_layout,
            mask_dtype=self.mask_dtype,
            non_finite=self.non_finite,
            bad=bad,
            threads=self.threads,
            read_timeout=self.read_timeout,
        )
        self._prepare()

    def _check_task(self, task: Task | None, one_hot: bool, mask_dtype: str | None) -> None:
        """Refuse options that the source's task does not have."""
        if self.mask_dtype is not None and not self._samples.has_masks:
            raise ArgumentError(f"mask_dtype={mask_dtype!r:.80}: the source has no masks; leave it out")
        if task not in (None, self.task):
            raise ArgumentError(
                f"task={task!r:.80}: the source has the task {self.task!r}; open it with open_source(..., task={task!r:.80})"
            )
        if one_hot and self.task != "classify":
            raise ArgumentError(
                f"one_hot=True is for sources with one class per image; this one has the task {self.task!r}; leave it out"
            )

    def _mixing(self) -> Mixing | None:
        """What mixes batches; refused where it is not known whether masks number objects, which would get equal numbers."""
        if not self.mix:
            return None
        if self.object_layout is None:
            return Mixing(self.mix, self.seed)
        numbers = self._samples.masks_number_objects
        if numbers is None:
            raise ArgumentError(
                f"mix={self.mix[0]}: a built dataset does not say whether its masks number objects or classes; mix the images of "
                "its source, or build it without masks"
            )
        return Mixing(self.mix, self.seed, ObjectMixing(self.object_layout, numbers))

    def _prepare(self) -> None:
        """Create what belongs to this process and is not pickled."""
        self._buffers = Buffers(self.prefetch + 4, alike=self.prefetch + 1)
        self._own_process = OwnProcess(self.prefetch)
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        mine = ("_buffers", "_lock", "_own_process")
        return {name: value for name, value in vars(self).items() if name not in mine}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._prepare()

    def __repr__(self) -> str:
        learnt = said_task(self.task, self.class_names, self.target_names)
        learnt = f", {printable(learnt)}" if learnt else ""
        batches = f"{len(self)} {'batch' if len(self) == 1 else 'batches'} of up to {self.batch_size}"
        order = "shuffled" if self.shuffle else "in order"
        part = "" if self.shard == (0, 1) else f", shard {self.shard}"
        taken = (
            ""
            if self._take is None
            else f", the first {count_of(self._take, 'batch', 'batches')} of each epoch"
        )
        return f"<Loader of {self._samples}: {batches}{learnt}, seed {self.seed}, {order}{part}{taken}>"

    def __str__(self) -> str:
        # Keras refuses what it does not know with this text: model.fit(loader) has to say what to pass instead.
        return f"{self!r}; for Keras and TensorFlow pass loader.tensorflow()"

    @property
    def skipped(self) -> dict[str, str]:
        """Name → reason of the images that were left out so far, with ``on_error="skip"`` or ``"quarantine"``."""
        return self._maker.bad.skipped

    @property
    def substituted(self) -> dict[str, Substitute]:
        """Name → reason of the images that others took the place of so far, and which (``.reason``, ``.by``)."""
        return self._maker.bad.substituted

    @property
    def quarantined(self) -> dict[str, str]:
        """Name → reason of the images that are not read again, with ``on_error="quarantine"``."""
        return self._maker.bad.quarantined

    @property
    def leaves_out(self) -> bool:
        """Whether a pass may have fewer images than there are."""
        return self.on_error in ("skip", "quarantine")

    @property
    def converted(self) -> dict[str, str]:
        """Name → what was done to the images that were brought to the depth of the others."""
        return self._maker.converted

    @property
    def task(self) -> Task | None:
        """What there is to learn: "classify", "multilabel", "regress", "segment" or "detect"; None without any."""
        return self._samples.labels.task

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by number; empty for a source without classes."""
        return self._samples.labels.class_names

    @property
    def target_names(self) -> tuple[str, ...]:
        """Names of the numbers to learn; empty for other tasks than "regress"."""
        return self._samples.labels.target_names

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def has_labels(self) -> bool:
        """Whether batches carry labels: class numbers, rows of 0 and 1, or numbers to learn."""
        return self._samples.labels.present

    @property
    def label_spec(self) -> tuple[tuple[int, ...], str] | None:
        """Shape and dtype of one label in a batch; None without labels."""
        labels = self._samples.labels
        return None if labels.shape is None else (labels.shape, labels.dtype)

    @property
    def has_masks(self) -> bool:
        """Whether batches carry masks."""
        return self._samples.has_masks

    @property
    def num_images(self) -> int:
        """Number of images in one epoch, or of the shard's part of it."""
        most = len(self._share())
        return most if self._take is None else min(most, self._take * self.batch_size)

    @property
    def num_pictures(self) -> int:
        """Former name of `num_images`."""
        return self.num_images

    def __len__(self) -> int:
        """Number of batches in one epoch, if no image is left out."""
        return self._batching().batches(self._share())

    def __iter__(self) -> Iterator[Batch]:
        """Start the next epoch, or go on in the middle of one after :meth:`load_state_dict`."""
        return self.next_pass()

    def _all_contents(self) -> Contents | None:
        """What the images show of which class; looked at once."""
        if self._contents is None:
            skip = self.on_error != "raise"
            self._contents = contents_of(
                self._samples, self.threads, skip=skip, read_timeout=self.read_timeout
            )
        return self._contents

    def class_weights(self, *, ignore: int | Sequence[int] | None = None) -> dict[int, float]:
        """Weight of each class, for the loss: rare classes count more.

        For ``model.fit(..., class_weight=...)`` where each image has one class; for masks ``Loader(class_weight=...)``; for
        boxes in a loss of one's own.

        Parameters
        ----------
        ignore : int or sequence of int, optional
            Labels of masks that count nothing, such as 255 for pixels without a class, as `ignore_class` of Keras' losses.

        Returns
        -------
        dict
            Class number → amount of all / (classes there are · amount of the class), as in scikit-learn's ``"balanced"``; over the
            whole source, whatever the shard and `sampling`. 0 for a class that there is none of. What is counted are
            images; with the task ``"multilabel"`` labels, with ``"detect"`` boxes, with ``"segment"`` pixels. For pixels all masks are
            read, once, as they are stored.

        Raises
        ------
        ArgumentError
            For a source without classes.
        OffgraphError
            For a mask that cannot be read, where ``on_error="raise"``; names it.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import offgraph as og
        >>> with tempfile.TemporaryDirectory() as photos:
        ...     for name in ("cat/1.png", "dog/1.png", "dog/2.png", "dog/3.png"):
        ...         (Path(photos) / name).parent.mkdir(exist_ok=True)
        ...         og.imwrite(Path(photos) / name, np.zeros((8, 8, 3), np.uint8))
        ...     og.Loader(photos).class_weights()
        {0: 2.0, 1: 0.6666666666666666}
        """
        listed, contents = parse_ignore(ignore), self._all_contents()
        if contents is None:
            raise ArgumentError("class_weights() is for sources with classes, of images, pixels or objects")
        return contents.weights(range(self.num_classes), listed)

    def specs(self) -> tuple[OpenSpec, OpenSpec | None]:
        """Shape, dtype and axes of image and mask in a batch, without the batch axis: what most images give.

        Raises
        ------
        OffgraphError
            Where no image can be used.
        """
        image, mask = self._maker.specs()
        return self._finishing.spec(image), mask

    def benchmark(
        self,
        *,
        images: int | None = None,
        seconds: float = 20.0,
        step: Callable[[Any], Any] | float | None = None,
        framework: str = "numpy",
    ) -> BenchmarkReport:
        """Measure what each part of the work takes, and say what limits the job.

        Reading, decoding, each operation of the recipe, storing, and handing batches over are run on the same images of
        the epoch that comes first, on one thread and on :attr:`threads`, several times in turn. Files are read from the
        system's cache: a cold drive is slower.

        Parameters
        ----------
        images : int, optional
            Images that each measurement runs over. Default: as many as fit into `seconds`, at most 1,000.
        seconds : float
            About how long to measure.
        step : callable or float, optional
            A function of a batch, such as ``model.train_on_batch``, or the seconds that one step of the model takes, to
            see whether it has to wait for batches.
        framework : {"numpy", "tensorflow"}
            What batches are handed over to. ``step`` gets what the framework's dataset gives, or with ``"numpy"`` a
            :class:`offgraph.Batch`.

        Returns
        -------
        BenchmarkReport
            Printed as a table and a verdict; :func:`offgraph.save_benchmark` writes a page with a plot.

        Raises
        ------
        ArgumentError
            For an argument that cannot be used; names it.
        OffgraphError
            For the first image that cannot be used, where ``on_error="raise"``, and where none can.

        Examples
        --------
        >>> import tempfile
        >>> import offgraph as og
        >>> with tempfile.TemporaryDirectory() as photos:
        ...     for number in range(8):
        ...         og.imwrite(f"{photos}/{number}.png", np.zeros((20, 30, 3), np.uint8))
        ...     loader = og.Loader(photos, [og.Resize((8, 8)), og.Normalize("imagenet")], threads=1)
        ...     report = loader.benchmark(seconds=0.1)
        >>> [part.name for part in report.parts]
        ['read', 'decode', 'Resize', 'Normalize', 'store in batches']
        """
        from offgraph.loading.measurement import measure

        return measure(self, images=images, seconds=seconds, step=step, framework=framework)
