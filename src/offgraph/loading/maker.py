"""Single samples of a loader: made by its rules, named in errors, left out or converted where it says so."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from offgraph.core.choices import NonFinite
from offgraph.core.errors import DecodeError, OffgraphError
from offgraph.core.machine import with_retries
from offgraph.core.specs import OpenSpec
from offgraph.loading.bad_images import BadImages, Substitute, candidates, named_once, no_substitute
from offgraph.loading.batch import Batch, collate
from offgraph.loading.native_rows import MadeRows
from offgraph.loading.objects import ObjectLayout
from offgraph.loading.samples import Samples
from offgraph.loading.training_sample import EpochRun, Rules, TrainingSample
from offgraph.pipeline.buffers import Buffers
from offgraph.pipeline.checks import check_alike
from offgraph.pipeline.depth import converted_warning, scales_by_dtype
from offgraph.pipeline.failures import BAD_FILE, name_file
from offgraph.pipeline.probe import Reference
from offgraph.pipeline.rows import Row
from offgraph.recipe.compose import Compose

__all__ = ["SampleMaker"]


class SampleMaker:
    """Makes the samples of a loader.

    Parameters
    ----------
    samples : Samples
        Where they come from.
    recipe : Compose
    seed : int
    objects : ObjectLayout or None
        How boxes and keypoints stand in a batch.
    mask_dtype : str or None
        The one to give masks; None for the widest of those looked at.
    non_finite : {"error", "allow"}
    bad : BadImages
        What becomes of images that cannot be used.
    threads : int
        To look at a few samples with, before the first is made.
    read_timeout : float or None
        Seconds that one read of a file may take meanwhile.
    """

    def __init__(
        self,
        samples: Samples,
        recipe: Compose,
        seed: int,
        *,
        objects: ObjectLayout | None,
        mask_dtype: str | None,
        non_finite: NonFinite,
        bad: BadImages,
        threads: int,
        read_timeout: float | None,
    ) -> None:
        self.samples, self.recipe, self.seed = samples, recipe, seed
        self.objects, self.mask_dtype = objects, mask_dtype
        self.non_finite: NonFinite = non_finite
        self.bad, self.threads, self.read_timeout = bad, threads, read_timeout
        self.converted: dict[str, str] = {}
        """Name → what was done to the images that were brought to the depth of the others."""
        self.warned = False
        """Whether a pass has said that much was left out."""
        self._specs: tuple[OpenSpec, OpenSpec | None] | None = None
        self._known: Rules | None = None
        self._unusable: dict[str, str] = {}
        self._looking = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_looking"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._looking = threading.Lock()

    def over(self, samples: Samples) -> SampleMaker:
        """Return one with the same settings, over other samples of the same source; nothing is left out yet."""
        other = copy.copy(self)
        other._known = self.rules()
        other.samples, other.bad = samples, self.bad.fresh()
        other.converted, other.warned = {}, False
        return other

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def lists(self) -> dict[str, dict[str, Any]]:
        """What it lists of its samples, by name of the list; plain JSON."""
        bad = self.bad
        return {
            "skipped": bad.skipped,
            "substituted": {name: list(one) for name, one in list(bad.substituted.items())},
            "quarantined": bad.quarantined,
            "converted": self.converted,
        }

    def add_to_list(self, name: str, found: dict[str, Any]) -> None:
        """Add what a copy of it in another process listed."""
        if name == "substituted":
            self.bad.substituted.update({key: Substitute(*value) for key, value in found.items()})
        else:
            self.lists[name].update(found)

    def with_recipe(self, recipe: Compose) -> SampleMaker:
        """Return one of the same samples with another recipe, and lists of its own of what was left out; it does not warn."""
        other = copy.copy(self)
        other.recipe, other.converted, other.warned = recipe, {}, True
        other.bad = self.bad.fresh(quarantined=False)
        other._specs, other._known, other._unusable = None, None, {}
        return other

    def rules(self) -> Rules:
        """Say what is taken into a batch, known before the first one; made once."""
        known = self._known
        if known is not None:
            return known
        with self._looking:
            if self._known is None:
                self._known = Rules(self._reference(), scales_by_dtype(self.recipe), self.non_finite)
            return self._known

    def _reference(self) -> Reference | None:
        """Look at a few samples spread over the source, and at the others until one can be used."""
        probes, bad = self.samples.probes(self.recipe, self.threads, self.read_timeout)
        if not probes:
            self._unusable = bad
            return None
        return Reference.of(probes, self.samples.mask_dtypes(), self.mask_dtype)

    def specs(self) -> tuple[OpenSpec, OpenSpec | None]:
        """Shape, dtype and axes of image and mask: what most samples give.

        Raises
        ------
        OffgraphError
            Where no image can be used.
        """
        if self._specs is None:
            reference = self.rules().reference
            if reference is None:
                raise self.none_usable()
            self._specs = reference.image, reference.mask
            if None in reference.image.shape:  # lengths that are drawn: those of a sample
                found = (with_retries(partial(self.sample, 0, number)) for number in range(len(self)))
                sample = next((sample for sample in found if sample is not None), None)
                if sample is None:
                    raise self.none_usable()
                self._specs = sample.image.spec, None if sample.mask is None else sample.mask.spec
        return self._specs

    def make(
        self,
        epoch: int,
        numbers: Sequence[int],
        rows: Sequence[Row] | None,
        alike: bool,
        stop: threading.Event | None = None,
    ) -> Sequence[TrainingSample | None]:
        """Make samples, in one call where they have rows of a batch to be written into.

        A sample that fails for want of the machine is tried again by itself.

        Parameters
        ----------
        epoch : int
        numbers : sequence of int
            Of samples.
        rows : sequence of Row, or None
            The rows of a batch that their images may be written into.
        alike : bool
            Whether images of another shape than most cannot be used.
        stop : threading.Event, optional
            Once it is set, nothing is tried again.

        Returns
        -------
        sequence of TrainingSample or None
            None for one that is left out; `MadeRows` where nothing about any of them is unusual.
        """
        made: list[TrainingSample | None] = [None] * len(numbers)
        try:
            if rows is not None:
                places: Sequence[int] = range(len(numbers))
                asked, into = numbers, rows
                if self.bad.quarantined:
                    places = [place for place in places if self._quarantined(numbers[place]) is None]
                    asked, into = [numbers[place] for place in places], [rows[place] for place in places]
                found = self.samples.rows(asked, into, self._run(epoch))
                if isinstance(found, MadeRows) and len(found) == len(numbers) and self.objects is None:
                    return found
                for place, sample in zip(places, found):
                    made[place] = sample
            elif len(numbers) == 1 and self._quarantined(numbers[0]) is None:
                made[0] = self.samples.lone(numbers[0], self._run(epoch))
        except MemoryError:  # each sample is then made by itself, and again if need be, and is named
            pass
        alike_alone = alike and rows is None
        is_checked = self.objects is not None or (self.bad.goes_on and alike_alone)
        for place, number in enumerate(numbers):
            sample = made[place]
            if sample is None or (is_checked and not self._fits(sample, alike_alone)):
                alone = with_retries(partial(self.sample, epoch, number, alike), stop)
                made[place] = alone if alone is None or rows is None else alone.copied_to(rows[place])
        return made

    def _run(self, epoch: int) -> EpochRun:
        return EpochRun(self.recipe, self.seed, epoch, self.rules())

    def _fits(self, sample: TrainingSample, alike: bool) -> bool:
        """Whether a sample fits into a batch, with its objects; where it does not, `sample` says why."""
        try:
            self._check(sample, alike)
        except OffgraphError:
            return False
        return True

    def _check(self, sample: TrainingSample, alike: bool) -> None:
        """Refuse a sample whose objects have no room in a batch, or that is unlike most of the others."""
        if self.objects is not None:
            self.objects.check(sample.targets)
        like = self.rules().reference if self.bad.goes_on and alike else None
        if like is not None:
            check_alike(sample.image.spec, like.name, like.image, self.recipe, kind="image")

    def sample(self, epoch: int, number: int, alike: bool = True) -> TrainingSample | None:
        """Make one sample, or the one that takes its place; None where it is left out."""
        reason = self._quarantined(number)
        if reason is not None:
            self.bad.skipped[self._name(number)] = reason
            return None
        self.rules()  # an error of looking at others is none of this sample
        try:
            return self._made(epoch, number, alike)
        except BaseException as error:
            name = self._name(number)
            if not self.bad.goes_on or not isinstance(error, BAD_FILE):
                self._raise(error, epoch, number, name)
            if self.bad.on_error == "substitute":
                return self._substituted(epoch, number, alike, name, error)
            self.bad.leave_out(name, error)
            return None

    def _made(self, epoch: int, number: int, alike: bool) -> TrainingSample:
        """Make one sample that fits with most of the others, or raise its error."""
        sample = self.samples.sample(number, self._run(epoch))
        self._check(sample, alike)
        if sample.converted is not None:
            self._tell_converted(sample.name, sample.converted)
        return sample

    def _substituted(
        self, epoch: int, number: int, alike: bool, name: str, error: BaseException
    ) -> TrainingSample:
        """Make the sample that takes the place of one that cannot be used; its address says which."""
        if self.rules().reference is None:
            raise self.none_usable()
        tried = 0
        for other in candidates(self.seed, epoch, number, len(self)):
            tried += 1
            try:
                sample = self._made(epoch, other, alike)
            except BAD_FILE:
                continue
            except BaseException as failure:
                self._raise(failure, epoch, other, self._name(other))
            self.bad.substituted[name] = Substitute(str(error), sample.name)
            return sample
        raise no_substitute(name, str(error), tried) from error

    def _quarantined(self, number: int) -> str | None:
        """Why a sample is not read again; None where it is."""
        return self.bad.quarantined.get(self._name(number)) if self.bad.quarantined else None

    def _raise(self, error: BaseException, epoch: int, number: int, name: str) -> NoReturn:
        """Raise the error of a sample, which names it."""
        named = name_file(error, name)
        notes = [f"the sample: {name}, epoch {epoch}, index {number}"]
        if isinstance(named, DecodeError):
            notes.append("on_error='skip' leaves out what cannot be read, and lists it in Loader.skipped")
        for note in notes:
            with suppress(TypeError):  # whoever raised it may have put something else into its notes
                named.add_note(note)
        if named is error:
            raise error
        raise named from error

    def collated(self, samples: Sequence[TrainingSample | MadeRows], buffers: Buffers) -> Batch:
        """Put samples together to a batch, whose arrays come from the buffers."""
        return collate(samples, self.samples.labels, self.recipe, buffers, self.objects)

    def _name(self, number: int) -> str:
        """Name of a sample for a message about an error, whatever that error keeps from being read."""
        try:
            return self.samples.name(number)
        except (OffgraphError, OSError, ValueError, LookupError, TypeError):
            return f"{self.samples}, number {number}"

    def _tell_converted(self, name: str, how: str) -> None:
        first = not self.converted
        self.converted[name] = how
        if first:
            converted_warning(name, how, "; Loader.converted lists what was")

    def first_bad(self) -> str:
        """One of those that could not be used, in words."""
        return f", such as {named_once(*min(self.bad.unusable.items()))}; {self.bad.listing} lists all"

    def none_usable(self) -> OffgraphError:
        """Return the error for a source of which no image can be used."""
        name, why = min(
            (self.bad.unusable or dict(self._unusable)).items(), default=("", "the source is empty")
        )
        return OffgraphError(f"none of its images ({len(self):,}) could be used: {named_once(name, why)}")
