"""`Compose`: steps made into one recipe, run on images and their masks."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.choices import Decoding
from offgraph.core.display import NotebookView
from offgraph.core.errors import ArgumentError, OffgraphWarning, RecipeError, RecipeMismatch, StepError
from offgraph.core.lazy import lazy_property
from offgraph.core.random import Key
from offgraph.core.specs import MAX_PIXELS, ArraySpec, OpenSpec
from offgraph.plan.batch import EncodedFile, Place, Preparer
from offgraph.plan.compiled import RecipePlanner
from offgraph.plan.draw import draw, drawn_spec
from offgraph.plan.explain import explain as explain_plan
from offgraph.plan.explain import spec_text
from offgraph.plan.fuse import fuse
from offgraph.plan.lower import lower
from offgraph.plan.placed import AppliedStep, PlacedStep, place
from offgraph.plan.quick import QuickRunner
from offgraph.plan.run import TransformHistory, run
from offgraph.recipe import files, identity
from offgraph.recipe.arguments import parsed_key, parsed_targets
from offgraph.recipe.layers import Augment, advice_for
from offgraph.recipe.lint_rules import RecipeFinding, lint_steps
from offgraph.recipe.prepared import PreparedSample, read_record, record_of
from offgraph.recipe.result import Result
from offgraph.steps.base import Step
from offgraph.targets import Heatmap, Image, Mask, Target, Targets

__all__ = ["Compose", "as_recipe"]


class Compose(NotebookView):
    """A recipe: steps applied one after the other.

    Steps for every image are in the list; random steps for training only are in `Augment`. A recipe holds no
    state: the same image and the same `Key` give the same bytes in any process, thread and order.

    Parameters
    ----------
    steps : iterable of Step or Augment
    fuse : bool
        Whether neighbouring geometric steps are joined into one resampling of the image, and labels are read once
        through all of them: sharper, and faster. It agrees with the chain of single steps within the interpolation
        error. False is that chain, each step with SciPy's bytes.
    decode : {"window", "full", "scaled"}
        What of an image file is decoded. ``"window"`` decodes what the crops at the beginning keep, and ``"full"`` all: the
        pixels are the same. ``"scaled"`` decodes a JPEG at a half, a quarter or an eighth where a resize at the beginning
        shrinks it as much: faster, and not equal. How far it is off depends on the images: `decoding_error` measures
        it. Grey and RGB baseline JPEGs are decoded so, others in full; at an eighth, not those with colours sampled 4:2:2.

    Attributes
    ----------
    items : tuple of Step or Augment
        As declared.
    steps : tuple of Step
        All steps in order, those of `Augment` among them.
    training : bool
        False for what `eval` returns.
    fuse : bool
        As given; part of `fingerprint` and `digest`.
    decode : str
        As given; ``"scaled"`` is part of `fingerprint` and `digest`.

    Raises
    ------
    StepError
        For something that is not a step, or an id given twice.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.MedianFilter(3), og.Augment(og.Rotate((-15, 15))), og.Normalize(mean=0.5, std=0.5)])
    >>> photo = np.zeros((6, 8, 3), np.uint8)
    >>> out = recipe(image=photo, key=og.Key(seed=7, epoch=3, index=1234))
    >>> out.image.shape, out.image.dtype
    ((6, 8, 3), dtype('float32'))
    >>> bool((recipe.replay(out.record, image=photo).image == out.image).all())
    True
    """

    def __init__(
        self, steps: Iterable[Step | Augment] = (), *, fuse: bool = True, decode: Decoding = "window"
    ) -> None:
        if isinstance(steps, Step | Augment):
            raise StepError(f"Compose takes a list of steps: Compose([{steps!r:.60}])")
        if isinstance(steps, str | bytes | Mapping) or not isinstance(steps, Iterable):
            raise StepError(
                f"Compose takes a list of steps: Compose([Rotate(5), …]); got {steps!r:.80}. "
                "A recipe file is read by Compose.from_yaml(path)"
            )
        items = tuple(steps)
        for item in items:
            if not isinstance(item, Step | Augment):
                raise StepError(f"Compose takes steps and Augment(…); got {item!r:.80}{advice_for(item)}")
        if not isinstance(fuse, bool):
            raise StepError(f"fuse={fuse!r:.40}: write fuse=True or fuse=False")
        if decode not in get_args(Decoding):
            raise StepError(f"decode={decode!r:.40}: write 'window', 'full' or 'scaled'")
        self.items = items
        self.fuse = fuse
        self.decode: Decoding = decode
        self.training = True
        self._placed = place(
            (step, isinstance(item, Augment))
            for item in items
            for step in (item.steps if isinstance(item, Augment) else (item,))
        )

    def __eq__(self, other: object) -> bool:
        """Whether two recipes do the same: steps, layers, ids, all parameters and versions; see `digest`."""
        return self.digest == other.digest if isinstance(other, Compose) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        options = "" if self.fuse else ", fuse=False"
        options += "" if self.decode == "window" else f", decode={self.decode!r}"
        return f"Compose([{', '.join(map(repr, self.items))}]{options})"

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps in order, those of `Augment` among them."""
        return tuple(placed.step for placed in self._placed)

    @lazy_property
    def draws(self) -> bool:
        """Whether the outcome depends on the key."""
        return any(placed.draws for placed in self._placed)

    @lazy_property
    def first_draw(self) -> int:
        """Number of leading steps that draw nothing: what they give does not depend on the key."""
        return next((number for number, here in enumerate(self._placed) if here.draws), len(self._placed))

    def eval(self) -> Compose:
        """Return the prepare layer alone, for validation and prediction.

        A step that draws outside `Augment` stays and draws here too, with an `OffgraphWarning` that says so.
        """
        drawing = [placed.where for placed in self._placed if not placed.augment and placed.draws]
        if drawing and self.training:
            warnings.warn(
                f"{', '.join(drawing)}: draws outside Augment, so it draws for validation and prediction too; "
                "write Augment(…) around it if only training shall draw",
                OffgraphWarning,
                stacklevel=2,
            )
        kept = (item for item in self.items if not isinstance(item, Augment))
        prepare = Compose(kept, fuse=self.fuse, decode=self.decode)
        prepare.training = False
        return prepare

    def __call__(
        self,
        image: np.ndarray | Image,
        *,
        mask: np.ndarray | Mask | None = None,
        heatmap: np.ndarray | Heatmap | None = None,
        boxes: Any = None,
        points: Any = None,
        key: Key | None = None,
        seed: int | None = None,
        axes: str | None = None,
        max_pixels: int = MAX_PIXELS,
        metadata: Mapping[str, Any] | None = None,
        **targets: Target,
    ) -> Result:
        """Apply the recipe to an image and to what lies on its grid.

        Parameters
        ----------
        image : ndarray or Image
            Left as it is.
        mask : ndarray or Mask, optional
            Labels on the grid of the image.
        heatmap : ndarray of float or Heatmap, optional
            Probabilities or densities.
        boxes : array_like, shape (n, 4) or (n, 6), or Boxes, optional
            A bare array is in format xyxy; `Boxes` says another format, and has labels.
        points : array_like, shape (n, 2) or (n, 3), or Points, optional
            A bare array is (row, column), pixel centres at integers.
        key : Key, optional
            Address of the draws. Needed where the recipe draws: a default would give all images the same draws.
        seed : int, optional
            Short for ``key=Key(seed=seed)``, for single images: each needs its own.
        axes : str, optional
            Axes of the image, such as ``"YXC"`` or ``"ZYX"``, where its shape leaves a doubt.
        max_pixels : int
            Most pixels that a step may make of an image that has fewer, channels not counted; memory is limited to
            8 bytes for each. A step that would make more is refused before anything is allocated.
        metadata : mapping, optional
            Anything else that belongs to the sample; in ``Result.targets.metadata``, untouched.
        **targets : Target
            Further targets by any other name, typed: ``nuclei=og.Mask(labels)``. Further images go through the
            same steps with the same draws.

        Returns
        -------
        Result
            With every target as an attribute: ``out.boxes``, ``out.nuclei``.

        Raises
        ------
        StepError
            Naming step, cause, shape and dtype; for targets on different grids.
        ArgumentError
            For an invalid key or seed, and for invalid boxes or points.
        MachineError
            Where there is not enough memory.

        Examples
        --------
        >>> import numpy as np
        >>> import offgraph as og
        >>> out = og.Compose([og.Flip("X")])(image=np.zeros((4, 6), np.uint8), boxes=[[0, 1, 2, 3]])
        >>> out.boxes.array
        array([[4., 1., 6., 3.]])
        >>> out.frame.undo(boxes=out.boxes).array
        array([[0., 1., 2., 3.]])
        """
        bare = (
            image
            if type(image) is np.ndarray
            and max_pixels is MAX_PIXELS
            and mask is heatmap is boxes is points is axes is metadata is None
            and not targets
            else None
        )
        beside = (mask, heatmap, boxes, points)
        given = None if bare is not None else parsed_targets(image, beside, targets, axes, metadata)
        key = parsed_key(key, seed, self._placed, draws=self.draws)
        quick = None if bare is None else self._quick
        if bare is not None and quick is not None and (found := quick.run(bare, key)) is not None:
            return Result.later(Targets.alone(found[1]), functools.partial(self._explained, found[0], key))
        if given is None:
            given = parsed_targets(image, beside, targets, axes, metadata)
        max_pixels = whole_number("max_pixels", max_pixels)
        return self.run(given, key, max_pixels=max_pixels)._copied_if_shared(given)

    @lazy_property
    def _quick(self) -> QuickRunner | None:
        """What runs bare images; None for a subclass with a `run` of its own."""
        return QuickRunner(self._placed, fused=self.fuse) if type(self).run is Compose.run else None

    def _explained(self, spec: ArraySpec, key: Key) -> tuple[dict[str, Any], TransformHistory]:
        """The record of an image, and the way that it went: drawn again."""
        applied, specs = draw(self._placed, spec, key)
        history = TransformHistory(spec.size, lower(self._placed, applied, specs))
        return record_of(self.digest, key, 0, self._placed, applied), history

    def run(
        self,
        targets: Targets,
        key: Key,
        start: int = 0,
        stop: int | None = None,
        *,
        max_pixels: int = MAX_PIXELS,
    ) -> Result:
        """Apply the steps from `start` up to `stop` to typed targets; draws are those of the whole recipe."""
        part = self._placed[start:stop]
        return self._result(targets, key, start, part, None, max_pixels, self.fuse)

    def replay(
        self,
        record: Mapping[str, Any],
        *,
        image: np.ndarray | Image,
        mask: np.ndarray | Mask | None = None,
        heatmap: np.ndarray | Heatmap | None = None,
        boxes: Any = None,
        points: Any = None,
        axes: str | None = None,
        max_pixels: int = MAX_PIXELS,
        metadata: Mapping[str, Any] | None = None,
        **targets: Target,
    ) -> Result:
        """Apply recorded draws again, to the same image or to another; targets as for a call.

        Raises
        ------
        RecipeMismatch
            Where the record was made by another recipe.
        StepError
            Where it is not a record, or a step cannot be applied.
        """
        made_by, key, start, drawn = read_record(record, len(self._placed))
        part = self._placed[start : start + len(drawn)]
        # A record of the same steps with the other `fuse` is replayed as it was made: fusion draws nothing.
        fuse = self.fuse if made_by == self.digest else not self.fuse
        if made_by != identity.digest(self, fuse=fuse) or [d.address for d in drawn] != [
            placed.address for placed in part
        ]:
            raise RecipeMismatch(
                f"the record was made by another recipe (digest {str(made_by)[:12]}, this one is {self.digest[:12]}); "
                "replay it with that recipe"
            )
        given = parsed_targets(image, (mask, heatmap, boxes, points), targets, axes, metadata)
        max_pixels = whole_number("max_pixels", max_pixels)
        try:
            result = self._result(given, key, start, part, drawn, max_pixels, fuse)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise StepError(f"the record holds values that its steps do not take: {error!r}") from error
        return result._copied_if_shared(given)

    def _result(
        self, targets: Targets, key: Key, start: int, part: tuple[PlacedStep, ...],
        recorded: list[AppliedStep] | None, max_pixels: int, fuse: bool,
    ) -> Result:  # fmt: skip
        scaled = self.decode == "scaled" and start == 0
        made, log, history = run(part, targets, key, recorded, max_pixels, fused=fuse, scaled=scaled)
        digest = self.digest if fuse == self.fuse else identity.digest(self, fuse=fuse)
        return Result(made, record_of(digest, key, start, part, log), history)

    def prepare(
        self,
        targets: Targets,
        key: Key,
        place: Place,
        start: int = 0,
        stop: int | None = None,
        *,
        file: EncodedFile | None = None,
    ) -> PreparedSample | None:
        """Prepare a sample to be run with others in one native call, from step `start` up to `stop`.

        Parameters
        ----------
        targets, key
            As for `run`.
        place : Place
            What the call writes the image into.
        start : int
        stop : int, optional
            Left out, to the last step.
        file : EncodedFile, optional
            Whose image stands among the targets without its pixels.

        Returns
        -------
        PreparedSample or None
            None where `run` has to be asked: for a recipe of Python steps alone, a step that refuses the image, where
            the image gets another shape or dtype than `place` has, and of a subclass with a `run` of its own.
        """
        if type(self).run is not Compose.run:
            return None
        part = (start, stop)
        found = self._preparers.get(part)
        if found is None:
            found = self._preparers[part] = Preparer(
                self._placed[start:stop], fused=self.fuse, decoding=self.decode
            )
        pending = found.prepare(targets, key, place, file)
        return None if pending is None else PreparedSample(self, key, start, pending)

    def planner(self, start: int = 0, stop: int | None = None) -> RecipePlanner | None:
        """Return what plans samples without Python, from one step on, and up to another.

        Returns
        -------
        RecipePlanner or None
            None where only Python can plan a step, and for a subclass with a `run` of its own.
        """
        if type(self).run is not Compose.run:
            return None
        part = (start, stop)
        found = self._planners.get(part)
        if found is None:
            found = self._planners[part] = RecipePlanner(
                self._placed[start:stop], fused=self.fuse, decoding=self.decode
            )
        return None if found.core is None or found.gives_up else found

    @functools.cached_property
    def _planners(self) -> dict[tuple[int, int | None], RecipePlanner]:
        return {}

    def drawn_record(
        self, spec: ArraySpec, key: Key, start: int = 0, stop: int | None = None
    ) -> dict[str, Any]:
        """Return what is drawn for an image, as in `Result.record`, without running anything."""
        part = self._placed[start:stop]
        return record_of(self.digest, key, start, part, draw(part, spec, key)[0])

    @functools.cached_property
    def _preparers(self) -> dict[tuple[int, int | None], Preparer]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        made = ("_preparers", "_planners", "_quick")
        return {name: value for name, value in vars(self).items() if name not in made}

    def output_spec(self, spec: OpenSpec, start: int = 0, stop: int | None = None) -> OpenSpec:
        """Return shape, dtype and axes of the output: an `ArraySpec`, or an `OpenSpec` where lengths are drawn.

        `spec` is that of the image before step `start`, counted from 0; the output is that before step `stop`, or of
        the whole.
        """
        return drawn_spec(self._placed[start:stop], spec)[-1]

    def stored(self, spec: OpenSpec) -> int:
        """Return how many leading steps still give whole numbers: what a dataset on disk stores."""
        specs = drawn_spec(self._placed, spec)
        floats = (number for number, s in enumerate(specs) if np.dtype(s.dtype).kind == "f")
        return max(next(floats, len(specs)) - 1, 0)

    def explain(self, spec: ArraySpec, key: Key | None = None) -> str:
        """Return in words how the recipe runs: what was fused, why a group ended, what each operation costs.

        Parameters
        ----------
        spec : ArraySpec
            Of an image, such as ``Image(array).spec``.
        key : Key, optional
            Whose draws are shown; those of ``Key()`` by default.

        Raises
        ------
        StepError
            Where a step cannot be applied to such an image.

        Examples
        --------
        >>> import offgraph as og
        >>> recipe = og.Compose([og.Rotate(10), og.Affine(scale=1.1), og.Rescale(1 / 255)])
        >>> print(recipe.explain(og.ArraySpec((300, 400, 3), "uint8", "YXC")))
        image: 300 x 400 x 3 YXC uint8
        1. resample through one affine map: order 1, mode 'constant'  [steps 1 Rotate, 2 Affine]
           writes 360,000 values of 4 taps each
           gives 300 x 400 x 3 YXC uint8
        2. change each value: Rescale  [step 3 Rescale]
           reads and writes 360,000 values, looked up in a table of 256
           gives 300 x 400 x 3 YXC float32
        """
        key = Key() if key is None else key
        applied, specs = draw(self._placed, spec, key)
        chain = lower(self._placed, applied, specs)
        drawn = f", drawn for {key!r}" if self.draws else ""
        text = explain_plan(self._placed, applied, fuse(chain) if self.fuse else chain)
        seen = [here.where for here in self._placed if here.draws_from not in ("", "file")]
        if seen:
            drawn += f"\n{', '.join(seen)}: drawn as from an empty target, as no sample is given"
        read = [here.where for here in self._placed if here.draws_from == "file"]
        if read:
            drawn += f"\n{', '.join(read)}: as of a file that is like that already, as no file is given"
        chained = "" if self.fuse else "\nfuse=False: each step runs alone"
        return f"image: {spec_text(spec)}{drawn}{chained}\n{text}"

    def lint(
        self, spec: OpenSpec | None = None, *, class_names: Iterable[str] = ()
    ) -> tuple[RecipeFinding, ...]:
        """Look for what runs and is probably not meant, or will end in an error.

        Angles in radians, values scaled twice, ranges that do not fit, crops larger than the image, images shrunk without
        averaging, resampled several times where one would do, and more; nothing is run.

        Parameters
        ----------
        spec : OpenSpec or ArraySpec, optional
            Of the images, such as ``Image(array).spec``. Without it, what depends on their size and dtype is left out.
        class_names : iterable of str
            Of the labels, such as ``["left hand", "right hand"]``, which no mirrored image may be given.

        Returns
        -------
        tuple of RecipeFinding
            In the order of the steps; empty where nothing is found. Each names step and field, says what is wrong and what
            to write instead, and whether the recipe fails.

        Raises
        ------
        ArgumentError
            Where `spec` is not a spec, or a class name is not a string.

        Examples
        --------
        >>> import offgraph as og
        >>> recipe = og.Compose([og.Rescale(1 / 255), og.RandomCrop(256), og.Normalize("imagenet", range=255)])
        >>> for finding in recipe.lint(og.ArraySpec((300, 200, 3), "uint8", "YXC")):
        ...     print(finding.where, "|", finding.mend, "|", finding.line)
        step 2, RandomCrop, field size | put ResizeShorter, or a larger size, before it; or fill what is missing with pad=True | - RandomCrop: {size: 256, pad: true}
        step 3, Normalize, field range | write range=1 | - Normalize: {stats: imagenet, range: 1.0}
        """
        if spec is not None and not isinstance(spec, OpenSpec):
            raise ArgumentError(
                f"spec={spec!r:.80}: write ArraySpec(shape, dtype, axes), or Image(array).spec"
            )
        names = [class_names] if isinstance(class_names, str) else list(class_names)
        if not all(isinstance(name, str) for name in names):
            raise ArgumentError(f"class_names={names!r:.80}: expected the names of classes")
        return lint_steps(self._placed, self.items, fuse=self.fuse, spec=spec, class_names=names)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the prepare layer, all defaults and step versions written out: what guards a model."""
        return identity.fingerprint(self)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over the whole recipe with its ids: what guards a dataset and a record."""
        return identity.digest(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain JSON values, all parameters written out."""
        return files.to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, source: str = "recipe") -> Compose:
        """Read what `to_dict` gave, or a JSON recipe; messages call it `source`.

        Raises
        ------
        RecipeError
            Naming every step and field that is wrong.
        """
        items, options = files.read_dict(data, source=source)
        return cls._of(items, options, source)

    def to_yaml(self, path: str | Path | None = None) -> str:
        """Return the recipe as YAML, and write it to `path` where one is given; defaults are left out."""
        return files.to_yaml(self, path)

    @classmethod
    def from_yaml(cls, path_or_text: str | Path) -> Compose:
        """Read a recipe from a YAML or JSON file, or from a text.

        A string is a text where it has a line break, and where it reads like YAML (``": "`` in it, or ``"- "`` at its
        beginning) and names no file.

        Raises
        ------
        RecipeError
            Naming file, line, step and field of everything that is wrong.
        """
        return cls._of(*files.read_yaml(path_or_text))

    @classmethod
    def _of(cls, items: list[Step | Augment], options: dict[str, Any], source: str) -> Compose:
        try:
            return cls(items, **options)
        except StepError as error:
            raise RecipeError(f"{source}: {error}") from None


def as_recipe(recipe: Any) -> Compose:
    """Parse the argument `recipe` of any function.

    Parameters
    ----------
    recipe : Compose, path, or iterable of Step or Augment
        A path is read as `Compose.from_yaml` does.

    Raises
    ------
    RecipeError
        For anything else, and for a file that is not a recipe.
    StepError
        For a list that holds something else than steps.

    Examples
    --------
    >>> import offgraph as og
    >>> as_recipe([og.MedianFilter(3)])
    Compose([MedianFilter(size=3)])
    """
    if isinstance(recipe, Compose):
        return recipe
    if isinstance(recipe, str | os.PathLike):
        return Compose.from_yaml(Path(recipe) if isinstance(recipe, os.PathLike) else recipe)
    if isinstance(recipe, list | tuple):
        return Compose(recipe)
    raise RecipeError(f"recipe={recipe!r:.80}: give a Compose, a list of steps, or the path of a recipe file")
