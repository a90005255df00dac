"""Makes examples from a source: many of them with one native call, or one alone.

What is unusual about an image, errors included, is left to the way of one alone, so that messages and bytes are its own:

    read the files of all in one call, without decoding what that can do later
    for each address: draw, lower; nothing where anything is unusual
    run all that are ready in one call, each into its place
    for each address: encode what was run, or make it alone

Images alone that become one size need neither of the first two steps: one call reads, plans, decodes and runs them.
"""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from offgraph.core.choices import ArrayEncoding, NonFinite, Store
from offgraph.core.errors import FileAccessError, MachineError, StepError
from offgraph.core.machine import with_retries
from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec, OpenSpec
from offgraph.dataset.depth import SourceDepth
from offgraph.dataset.example import BadFile, Encoded, Example, encode_array, encode_rows, stores_png
from offgraph.dataset.layout import Layout
from offgraph.dataset.objects import describe_objects
from offgraph.dataset.schema import Kind, size_trouble
from offgraph.dataset.source_digests import digest_of
from offgraph.formats.decoding import MAX_PIXELS
from offgraph.formats.ordinary import MadeOrdinary, OrdinaryFile
from offgraph.pipeline.buffers import Buffers
from offgraph.pipeline.checks import run_checked
from offgraph.pipeline.depth import scales_by_dtype
from offgraph.pipeline.failures import BAD_FILE, name_file, reason
from offgraph.pipeline.rows import BatchRows, Row, are_neighbours, block_of
from offgraph.recipe.compose import Compose
from offgraph.recipe.prepared import PreparedSample, drawn_records, run_prepared
from offgraph.sources import Item, Source
from offgraph.sources.items import Label
from offgraph.sources.sample import Sample
from offgraph.targets import Image, Mask, Targets

__all__ = ["Address", "Maker"]

Address = tuple[int, int]
"""Number of an image in its source, and of the copy."""

_KEPT = 8
"""Unused buffers that are kept."""


class Kept(Protocol):
    """Examples that are stored elsewhere already, see `offgraph.dataset.update`."""

    def example(self, address: Address, item: Item) -> Example | None:
        """Return an example; None where it has to be made."""
        ...


class _End(NamedTuple):
    """Where the stored part of a recipe ends, and what it gives."""

    step: int
    spec: ArraySpec | None
    """None where lengths are drawn."""


class _Read(NamedTuple):
    """An example that is read, and prepared unless anything about it is unusual."""

    sample: Sample
    end: int = 0
    row: Row | None = None
    prepared: PreparedSample | None = None
    digest: str | None = None
    """Of the bytes of a file that the call decodes."""


@dataclass(eq=False)
class Maker:
    """Makes example (index, copy) from a source: on any thread, always the same result.

    Parameters
    ----------
    source : Source
    recipe : Compose
    seed : int
        Copy k of image i is drawn at ``Key(seed, epoch=k, index=i)``.
    store : {"integers", "final"}
        Stop after the last step that still gives integers, or run the whole recipe.
    listed : sequence of bool
        Whether the files of each image were there when the source was listed.
    non_finite : {"error", "allow"}
        What NaN and infinity do in an image of floats.
    max_pixels : int
        Limit on each array that is stored.
    depth : SourceDepth
        What most images of the source are stored with.
    encoding : {"png", "raw"}
        How arrays become bytes.
    layout : Layout, optional
        The shape that all images get; left out, each has its own.
    kept : Kept, optional
        Examples that need not be made.
    digests : bool
        Whether the digests of arrays are needed.
    ended : threading.Event
        Set when the build ends: nothing is tried again after that.
    buffers : Buffers
        Memory for images.
    largest : int
        Most bytes that an example took so far, as it was read and as it is stored.
    """

    source: Source
    recipe: Compose
    seed: int
    store: Store
    listed: Sequence[bool] = ()
    non_finite: NonFinite = "error"
    max_pixels: int = MAX_PIXELS
    depth: SourceDepth = field(default_factory=SourceDepth)
    encoding: ArrayEncoding = "png"
    layout: Layout | None = None
    kept: Kept | None = None
    digests: bool = True
    ended: threading.Event = field(default_factory=threading.Event)
    buffers: Buffers = field(default_factory=lambda: Buffers(_KEPT), repr=False)
    largest: int = field(default=0, repr=False)
    _ends: dict[OpenSpec, _End] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to this process."""
        own = ("depth", "ended", "buffers", "_ends")
        return {name: value for name, value in vars(self).items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(
            state, depth=SourceDepth(), ended=threading.Event(), buffers=Buffers(_KEPT), _ends={}
        )

    def __call__(self, address: Address) -> Example | BadFile:
        """Read, transform and encode; an image that cannot be used comes back as a BadFile.

        Raises
        ------
        MachineError
            Where the machine failed, and failed again when it was tried again.
        """
        return self._alone(address, None)

    def _alone(self, address: Address, sample: Sample | None) -> Example | BadFile:
        return with_retries(lambda: self._judged(*address, sample), self.ended)

    def many(
        self, addresses: Sequence[Address], rows: Sequence[Row | None] | None = None
    ) -> list[Example | BadFile]:
        """Make several examples, with one native call for all that are ordinary.

        Parameters
        ----------
        addresses : sequence of (int, int)
        rows : sequence of Row or None, optional
            Where the image of each is to lie. What does not fit there lies elsewhere.
        """
        given = [None] * len(addresses) if rows is None else rows
        made: list[Example | BadFile | None] = [
            None if self.kept is None else self.kept.example(one, self.source[one[0]]) for one in addresses
        ]
        wanted = [place for place, one in enumerate(made) if one is None]
        together = self._together([addresses[place] for place in wanted], [given[place] for place in wanted])
        if together is None:
            begun = self.source.read_ordinary([addresses[place][0] for place in wanted])
        else:
            for place, one in zip(wanted, together):
                made[place] = one
            wanted = [place for place in wanted if made[place] is None]  # the core does not decode these
            begun = [None] * len(wanted)
        read = [self._read(*addresses[place], given[place], file) for place, file in zip(wanted, begun)]
        done = run_prepared([one and one.prepared for one in read])
        for place, one, is_done in zip(wanted, read, done):
            made[place] = self._finished(one) if one and is_done else None
            if made[place] is None:
                # One whose file the call was to decode has no pixels: it is read again.
                sample = one.sample if one and one.digest is None else None
                made[place] = self._alone(addresses[place], sample)
        return [one for one in made if one is not None]  # all of them

    # ---- without an object for each image

    def _together(
        self, addresses: Sequence[Address], rows: Sequence[Row | None]
    ) -> list[Example | None] | None:
        """Make examples of images alone in one call: None for one that has to be made alone.

        Returns
        -------
        list of Example or None, or None
            None where only Python can plan them, or where the recipe gives images of several sizes.
        """
        axes = {"rgb": "YXC", "grey": "YX"}.get(self.source.color)
        if axes is None or not addresses:  # what the files hold decides
            return None
        spec = ArraySpec((1, 1, 3)[: len(axes)], "uint8", axes)
        try:
            end = None if self._unusual_depth(spec) else self._end(spec)
        except (
            StepError
        ):  # a recipe for images of another kind; it is raised again for each that is of this one
            return None
        if end is None or end.spec is None:
            return None
        planner = self.recipe.planner(stop=end.step)
        if planner is None:
            return None
        keys = [(self.seed, copy, index) for index, copy in addresses]
        numbers, finite = [index for index, _ in addresses], self.non_finite == "error"
        of_values = self.digests and not stores_png(end.spec, self.encoding)
        samples = self.source.ordinary_rows(
            numbers, planner, keys, depth=8, finite=finite, digests=True, row_digests=of_values
        )
        if samples is None:
            return None
        places = self._places(end.spec, rows)
        found = samples.make(block_of(places))
        if planner.in_vain:
            return None
        made = [place for place, one in enumerate(found) if one is not None]
        examples: list[Example | None] = [None] * len(found)
        if made:
            done = [one for one in found if one is not None]
            of_made = [Key(*keys[place]) for place in made], [places[place] for place in made]
            for place, example in zip(made, self._of_rows(end.step, end.spec, done, *of_made)):
                examples[place] = example
        return examples

    def _places(self, spec: ArraySpec, rows: Sequence[Row | None]) -> list[Row]:
        """The rows, if images of this spec fit into them and they are neighbours; others of their own if not."""
        dtype = np.dtype(spec.dtype)
        fitting = [row for row in rows if row is not None and (row.shape, row.dtype) == (spec.shape, dtype)]
        if len(fitting) == len(rows) and are_neighbours(fitting):
            return fitting
        batch = BatchRows(self.buffers, len(rows), spec.shape, dtype)
        return [Row(batch, number) for number in range(len(rows))]

    def _of_rows(
        self,
        end: int,
        spec: ArraySpec,
        made: Sequence[MadeOrdinary],
        keys: Sequence[Key],
        rows: Sequence[Row],
    ) -> Sequence[Example | None]:
        """The examples of images that were made in rows of one array; None where they have to be made alone."""
        numbers = [key.index for key in keys]
        try:
            if self.layout is not None:
                self.layout.fit_image(spec, self.recipe)
            self._check_storable("image", spec)
            records = drawn_records(self.recipe, [one.spec for one in made], keys, end)
            images = encode_rows(rows, spec, self.encoding)
        except Exception:  # whatever it is, it is raised again where the examples are made alone
            return [None] * len(rows)
        self.largest = max(self.largest, max(one.spec.nbytes for one in made) + spec.nbytes)
        names, labels = self.source.names_of(numbers), self.source.labels(numbers)
        sources = [one.digest.hex() for one in made if one.digest is not None]  # asked for of all
        return [
            Example(
                index=key.index,
                copy=key.epoch,
                name=name,
                label=label,
                source=source,
                mask_source=None,
                start=end,
                image=self._digested(image, one.row_digest),
                mask=None,
                record=record,
            )
            for key, name, label, source, one, image, record in zip(
                keys, names, labels, sources, made, images, records, strict=True
            )
        ]

    # ---- with others

    def _read(
        self, index: int, copy: int, row: Row | None, begun: tuple[OrdinaryFile, Sample] | None
    ) -> _Read | None:
        """Read an example, and prepare it unless anything about it is unusual; None where it cannot be read."""
        key = Key(self.seed, copy, index)
        try:
            if begun is not None:
                file, sample = begun
                found = self._prepared(sample, key, row, file)
                if found is not None:
                    return found
            sample = self.source.read(index)
        except Exception:  # whatever it is, it is raised again where the example is made alone
            return None
        try:
            return self._prepared(sample, key, row) or _Read(sample)
        except Exception:  # as above
            return _Read(sample)

    def _prepared(
        self, sample: Sample, key: Key, row: Row | None, file: OrdinaryFile | None = None
    ) -> _Read | None:
        """Prepare an example, whose image is read or is to be decoded from a file; None where it has to be made alone."""
        image = sample.image
        spec = image.spec
        if self._unusual_depth(spec) or not (file or self._finite(image.array)):
            return None
        end = self._end(spec)
        made = end.spec if end.spec is not None else self.recipe.output_spec(spec, stop=end.step)
        if not isinstance(made, ArraySpec):
            return None
        dtype = np.dtype(made.dtype)
        if row is None or (row.shape, row.dtype) != (made.shape, dtype):
            row = Row(BatchRows(self.buffers, 1, made.shape, dtype), 0)
        prepared = self.recipe.prepare(sample.targets, key, row, stop=end.step, file=file)
        if prepared is None:
            return None
        digest = None if file is None else hashlib.sha256(file.encoded.data).hexdigest()
        return _Read(sample, end.step, row, prepared, digest)

    def _unusual_depth(self, spec: ArraySpec) -> bool:
        """Whether an image may have to be converted to the depth of the others."""
        if self.layout is not None:
            return spec.dtype != self.layout.source.dtype
        return self.store == "final" and not scales_by_dtype(self.recipe)

    def _finite(self, array: np.ndarray) -> bool:
        return self.non_finite == "allow" or array.dtype.kind != "f" or bool(np.isfinite(array).all())

    def _end(self, spec: ArraySpec) -> _End:
        """Where the stored part ends: asked once of all images that differ in their size alone."""
        any_size = spec.resized((None,) * len(spec.spatial))  # type: ignore[arg-type]  # of an OpenSpec
        found = self._ends.get(any_size)
        if found is None:
            step = self.recipe.stored(any_size) if self.store == "integers" else len(self.recipe.steps)
            made = self.recipe.output_spec(any_size, stop=step)
            found = self._ends[any_size] = _End(step, made if isinstance(made, ArraySpec) else None)
        return found

    def _finished(self, read: _Read) -> Example | None:
        """Make the example after the call; None where it was not prepared, or its values are not finite."""
        prepared = read.prepared
        if prepared is None or read.row is None or not (prepared.finite or self._finite(read.row.array())):
            return None
        try:
            targets, record = prepared.targets(), prepared.record()
            item, label, image = read.sample.item, read.sample.label, read.sample.image
            return self._example(
                item, label, image, prepared.key, read.end, targets, record, read.row, read.digest
            )
        except Exception:  # whatever it is, it is raised again where the example is made alone
            return None

    # ---- alone

    def _judged(self, index: int, copy: int, sample: Sample | None) -> Example | BadFile:
        item = self.source[index]
        try:
            return self._make(
                Key(self.seed, copy, index), self.source.read(index) if sample is None else sample
            )
        except FileAccessError as error:
            trouble = self.source.out_of_reach(index, listed=bool(self.listed) and self.listed[index])
            if trouble:
                raise MachineError(f"{item.name}: {trouble}", OSError(errno.EIO, trouble)) from error
            return BadFile(
                index, copy, item.name, None, reason(error, item.path, item.name, item.mask), retry=True
            )
        except BAD_FILE as error:
            return BadFile(
                index,
                copy,
                item.name,
                digest_of(self.source, item, item.path),
                reason(error, item.path, item.name, item.mask),
            )
        except Exception as error:
            raise name_file(error, item.name)  # noqa: B904 - the same error, with a note

    def _make(self, key: Key, sample: Sample) -> Example:
        end = self.recipe.stored(sample.image.spec) if self.store == "integers" else len(self.recipe.steps)
        image = sample.image
        how = None
        if self.layout is not None:
            image, how = self.layout.admit(image, scale=self.source.color == "rgb")
        elif self.store == "final" and not scales_by_dtype(self.recipe):
            # Stored integers keep their depth, and a loader converts them; final floats no longer show it.
            image, how = self.depth.admit(image, self.source, self.recipe)
        if how is not None:
            self.depth.warn_of(sample.item.name, how)
        given = sample.targets.replaced(image=image)
        done = run_checked(self.recipe, given, key, stop=end, non_finite=self.non_finite)
        return self._example(sample.item, sample.label, sample.image, key, end, done.targets, done.record)

    def _example(
        self,
        item: Item,
        label: Label | None,
        given: Image,
        key: Key,
        end: int,
        targets: Targets,
        record: dict[str, Any],
        row: Row | None = None,
        digest: str | None = None,
    ) -> Example:
        """Check what a recipe made, and encode it."""
        image, mask = targets.image, targets.mask
        if self.layout is not None:
            mask = self.layout.fit(image, mask, self.recipe)
        self.largest = max(self.largest, given.array.nbytes + image.array.nbytes)
        self._check_storable("image", image.spec)
        if mask is not None:
            self._check_storable("mask", mask.spec)
        return Example(
            index=key.index,
            copy=key.epoch,
            name=item.name,
            label=label,
            source=digest or self._digest(item, item.path),
            mask_source=None if item.mask is None else self._digest(item, item.mask),
            start=end,
            image=self._encoded(image, row),
            mask=None if mask is None else self._encoded(mask),
            record=record,
            objects=describe_objects(targets),
        )

    def _digest(self, item: Item, path: Path) -> str:
        digest = digest_of(self.source, item, path)
        if digest is None:
            raise FileAccessError(f"{path}: was read once and cannot be read again")
        return digest

    def _check_storable(self, kind: Kind, spec: ArraySpec) -> None:
        """Refuse an array that is larger than the limit, and an image of floats where integers are stored."""
        described = {"shape": spec.shape, "dtype": spec.dtype, "axes": spec.axes}
        trouble = size_trouble(described, self.max_pixels)
        if trouble:
            raise StepError(f"the {kind} is not stored: {trouble}")
        if kind == "image" and self.store == "integers" and np.dtype(spec.dtype).kind not in "bui":
            raise StepError(
                f"the image is {spec.dtype}, so there are no integers to store; build with store='final'"
            )

    def _encoded(self, target: Image | Mask, row: Row | None = None) -> Encoded:
        return self._digested(encode_array(target.array, target.axes, self.encoding, row))

    def _digested(self, encoded: Encoded, digest: bytes | None = None) -> Encoded:
        """An array whose digest is known if it is needed: examples are made on several threads, and written on one."""
        if digest is not None:
            return encoded.known_by(digest)
        if self.digests:
            _ = encoded.sha256
        return encoded
