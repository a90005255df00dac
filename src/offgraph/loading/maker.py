"""Single samples of a loader: made by its rules, named in errors, left out or converted where it says so."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from offgraph.core.choices import NonFinite
from offgraph.core.errors import DecodeError, OffgraphError
from offgraph.core.machine import with_retries
from offgraph.core.specs import OpenSpec
from offgraph.loading.batch import Batch, collate
from offgraph.loading.objects import ObjectLayout
from offgraph.loading.samples import Row, Rules, Samples, TrainingSample
from offgraph.pipeline.buffers import Buffers
from offgraph.pipeline.checks import check_alike
from offgraph.pipeline.depth import converted_warning, scales_by_dtype
from offgraph.pipeline.failures import BAD_FILE, name_file
from offgraph.pipeline.probe import Reference
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
    on_error : {"raise", "skip"}
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
        on_error: Literal["raise", "skip"],
        threads: int,
        read_timeout: float | None,
    ) -> None:
        self.samples, self.recipe, self.seed = samples, recipe, seed
        self.objects, self.mask_dtype, self.non_finite = objects, mask_dtype, non_finite
        self.on_error, self.threads, self.read_timeout = on_error, threads, read_timeout
        self.skipped: dict[str, str] = {}
        """Name → reason of what was left out so far."""
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
        other.samples, other.skipped, other.converted, other.warned = samples, {}, {}, False
        return other

    def __len__(self) -> int:
        return len(self.samples)

    def with_recipe(self, recipe: Compose) -> SampleMaker:
        """Return one of the same samples with another recipe, and lists of its own of what was left out; it does not warn."""
        other = copy.copy(self)
        other.recipe, other.skipped, other.converted, other.warned = recipe, {}, {}, True
        other._specs, other._known, other._unusable = None, None, {}
        return other

    def rules(self) -> Rules:
        """Say what is taken into a batch, known before the first one; made once."""
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
        self, epoch: int, numbers: Sequence[int], rows: Sequence[Row] | None, alike: bool
    ) -> list[TrainingSample | None]:
        """Make samples, in one call where they have rows of a batch to be written into.

        Parameters
        ----------
        epoch : int
        numbers : sequence of int
            Of samples.
        rows : sequence of Row, or None
            The rows of a batch that their images may be written into.
        alike : bool
            Whether images of another shape than most cannot be used.

        Returns
        -------
        list of TrainingSample or None
            None for one that is left out.
        """
        made: list[TrainingSample | None] = [None] * len(numbers)
        if rows is not None:
            made = self.samples.rows(numbers, rows, self.recipe, self.seed, epoch, self.rules())
        return [
            self.sample(epoch, number, alike) if sample is None else sample
            for number, sample in zip(numbers, made)
        ]

    def sample(self, epoch: int, number: int, alike: bool = True) -> TrainingSample | None:
        """Make one sample; None where it is left out."""
        rules = self.rules()
        try:
            sample = self.samples.sample(number, self.recipe, self.seed, epoch, rules)
            if self.objects is not None:
                self.objects.check(sample.targets)
            if self.on_error == "skip" and alike and rules.reference is not None:
                like = rules.reference
                check_alike(sample.image.spec, like.name, like.image, self.recipe, kind="image")
        except BaseException as error:
            name = self._name(number)
            if self.on_error == "skip" and isinstance(error, BAD_FILE):
                self.skipped[name] = str(error)
                return None
            named = name_file(error, name)
            named.add_note(f"the sample: {name}, epoch {epoch}, index {number}")
            if isinstance(named, DecodeError):
                named.add_note(
                    "on_error='skip' leaves out what cannot be read, and lists it in Loader.skipped"
                )
            if named is error:
                raise
            raise named from error
        if sample.converted is not None:
            self._tell_converted(sample.name, sample.converted)
        return sample

    def collated(self, samples: Sequence[TrainingSample], buffers: Buffers) -> Batch:
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

    def first_skipped(self) -> str:
        """One of those left out, in words."""
        return f", such as {_named(*min(dict(self.skipped).items()))}; Loader.skipped lists all"

    def none_usable(self) -> OffgraphError:
        """Return the error for a source of which no image can be used."""
        name, why = min(dict(self.skipped or self._unusable).items(), default=("", "the source is empty"))
        return OffgraphError(f"none of its images ({len(self):,}) could be used: {_named(name, why)}")


def _named(name: str, why: str) -> str:
    """Name the file once: some reasons begin with its path already."""
    return why if name in why else f"{name}: {why}"
