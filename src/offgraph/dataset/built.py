"""Read a built dataset: any example by its number, checked against what was written."""

from __future__ import annotations

import errno
import hashlib
import os
from array import array as numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.axes import name_axes
from offgraph.core.choices import Task
from offgraph.core.errors import BuildError, DecodeError, MachineError, OffgraphError
from offgraph.core.machine import Mount, is_machine, machine_error
from offgraph.core.specs import ArraySpec
from offgraph.dataset.example import decode_array
from offgraph.dataset.formats import FORMATS
from offgraph.dataset.objects import label_of_line, stored_objects
from offgraph.dataset.output import inside
from offgraph.dataset.records import MANIFEST, load_manifest
from offgraph.dataset.schema import EXAMPLE, HEAD, LineCheck, as_label, labels_array, parse
from offgraph.dataset.spans import SpanReader
from offgraph.formats.decoding import MAX_PIXELS
from offgraph.pipeline.workers import default_threads, ordered_map
from offgraph.recipe.compose import Compose
from offgraph.sources.items import Label
from offgraph.targets import Boxes, Image, Mask, Points

__all__ = ["BuiltDataset", "StoredExample"]

_Grid = TypeVar("_Grid", Image, Mask)
_ADVICE = "run the build again to repair it"


class StoredTargets(NamedTuple):
    """What is needed of an example to go on with the recipe, known without its record."""

    image: Image
    mask: Mask | None
    label: Label | None
    item: int
    copy: int
    start: int


@dataclass(frozen=True)
class StoredExample:
    """One example as it was stored, and where the recipe continues.

    Parameters
    ----------
    image : Image
    mask : Mask or None
    label : int, tuple of int, tuple of float, or None
        A class number, several of them, or numbers to learn, by the dataset's task.
    name : str
        Of the source file.
    index, copy : int
        Address of the draws: number of the image in its source, and which copy this is.
    start : int
        Number of leading steps of the recipe that are done.
    record : dict
        What those steps drew.
    boxes : Boxes or None
        With the task ``"detect"``: class numbers are their labels.
    points : Points or None
        Keypoints of each box, where the source had some.
    """

    image: Image
    mask: Mask | None
    label: Label | None
    name: str
    index: int
    copy: int
    start: int
    record: dict[str, Any]
    boxes: Boxes | None = None
    points: Points | None = None


class BuiltDataset:
    """Random access to a finished dataset of any format; :class:`offgraph.Loader` takes one in place of its path.

    Parameters
    ----------
    path : path
        The folder that :func:`offgraph.build` wrote.
    max_pixels : int
        Limit on each stored image and mask, channels not counted. A dataset may come from a stranger; raise the limit
        for one that can be trusted.

    Attributes
    ----------
    recipe : Compose
        The whole recipe it was made with.
    task : {"classify", "multilabel", "regress", "segment", "detect"} or None
        What there is to learn; None where the source had neither labels nor masks.
    class_names : tuple of str
    target_names : tuple of str
        Names of the numbers to learn, with the task ``"regress"``.
    has_masks : bool
        Whether the examples have masks: all of them, or none.
    seed, copies : int
    labels : ndarray, shape (len,) or (len, number of classes or targets), or None
        int64 class numbers; for several classes float32 rows of 0 and 1; for numbers to learn float64, always 2-D.
        None for a source without labels.
    most_boxes : int
        The largest number of boxes that an example has.
    box_axes : int
        Spatial axes of the images that boxes are for: 2, or 3 in volumes.
    keypoints : tuple of str or None
        Names of the keypoints of each box.
    color : {"rgb", "grey", "keep"} or None
        Colour policy that the files were read with; None where the dataset does not say.
    mask_dtypes : tuple of str
        Every dtype that masks were stored with; empty for a dataset without masks.
    box_classes : frozenset of int
        Class numbers that boxes have.

    Raises
    ------
    BuildError
        Where the folder holds no finished dataset, or its records are not as they were written; names the file.
    MachineError
        Where the machine failed, and not the dataset.

    Examples
    --------
    >>> import tempfile
    >>> import offgraph as og
    >>> with tempfile.TemporaryDirectory() as home:
    ...     for name in ("cat/1.png", "dog/1.png"):
    ...         Path(home, "photos", name).parent.mkdir(parents=True)
    ...         og.imwrite(f"{home}/photos/{name}", np.zeros((20, 30, 3), np.uint8))
    ...     report = og.build(f"{home}/photos", f"{home}/dataset", [og.Resize((8, 8))])
    ...     dataset = og.BuiltDataset(f"{home}/dataset")
    ...     stored = dataset.read(1)
    >>> dataset.task, dataset.class_names, dataset.labels.tolist(), stored.name, stored.image.array.shape
    ('classify', ('cat', 'dog'), [0, 1], 'dog/1.png', (8, 8, 3))
    """

    def __init__(self, path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> None:
        self.path = Path(path)
        self._mount = Mount(self.path)
        self.max_pixels = whole_number("max_pixels", max_pixels)
        manifest = load_manifest(self.path)
        where = self.path / MANIFEST
        try:
            self.recipe = Compose.from_dict(manifest["recipe"])
        except OffgraphError as error:
            raise BuildError(f"{where}: damaged: recipe: {error}; {_ADVICE}") from error
        self.recipe.training = manifest["training"]
        self.class_names = tuple(manifest["class_names"])
        self.target_names = tuple(manifest.get("target_names", ()))
        self.seed, self.copies = manifest["seed"], manifest["copies"]
        self.color = manifest.get("color")
        if manifest["format"] not in FORMATS:
            raise BuildError(f"{where}: damaged: format {manifest['format']!r:.60}; {_ADVICE}")
        format = FORMATS[manifest["format"]]
        self._read, self._located, self._damage = format.read, format.located, format.damage
        self.places = SpanReader(self.path, self.max_pixels) if format.places(manifest) else None
        """Where arrays lie, in formats whose records say that; None in others."""
        has_masks = manifest.get("has_masks")
        keypoints = manifest.get("keypoints")
        self.keypoints = None if keypoints is None else tuple(keypoints)
        self.task: Task | None = manifest.get("task") or ("classify" if self.class_names else None)
        self._check = LineCheck(
            task=self.task,
            classes=len(self.class_names),
            targets=len(self.target_names),
            copies=self.copies,
            steps=len(self.recipe.steps),
            has_masks=has_masks,
            keypoints=None if self.keypoints is None else len(self.keypoints),
        )
        self._addresses = tuple(numbers("q") for _ in range(3))
        self._labels: list[Label | None] = []
        self._alike: dict[tuple[str, int], Image | Mask] = {}
        self._entries = entries = [(head["records"], head["examples"]) for head in manifest["shards"]]
        self.digest = hashlib.sha256("".join(entry["sha256"] for entry, _ in entries).encode()).hexdigest()[
            :32
        ]
        """Digest of the records of all examples."""
        self._files = [inside(self.path, entry["file"]) for entry, _ in entries]
        self._lines, labels, masks = self._index(entries)
        self.mask_dtypes = tuple(sorted(masks))
        self.has_masks: bool = bool(masks) if has_masks is None else has_masks
        if self.task is None and self.has_masks:
            self.task = "segment"
        self.most_boxes, self.box_axes = 0, 2
        self.box_classes: frozenset[int] = frozenset()
        if self.task == "detect":
            self.most_boxes = max(map(len, labels), default=0)
            self.box_axes = len(self.specs(0)[0].size)
            self.box_classes = frozenset(number for numbers in labels for number in numbers)
        learns = self.task != "detect" and (bool(self.class_names) or self.task == "regress")
        self.labels = labels_array(labels, self.task, len(self.class_names)) if learns else None

    def verify(
        self, *, threads: int | None = None, on_progress: Callable[[int, int], None] | None = None
    ) -> tuple[str, ...]:
        """Compare all that examples are made of with its digest, byte by byte.

        A `Loader` compares what it uses, each array the first time that it reads it; what else lies in a shard is for other
        programs: checksums and labels of a TFRecord, headers of a tar. This reads everything.

        Parameters
        ----------
        threads : int, optional
            Shards that are read at a time. Default: one per processor.
        on_progress : callable, optional
            Called with the number of shards done and of all.

        Returns
        -------
        tuple of str
            One sentence for each damaged shard, which names the file that is missing or not as it was written; empty for a sound dataset.
            A build of the same job, run again, makes just these shards again. Files that it makes of the records each time
            (``labels.csv``, ``features.json``, ``quarantine.csv``) have no digest.

        Raises
        ------
        ArgumentError
            For `threads` below 1.
        MachineError
            Where the machine failed, and not the dataset.

        Notes
        -----
        Exactness: SHA-256 of every byte of shards and records, as the build has written it.

        Examples
        --------
        >>> import tempfile
        >>> import offgraph as og
        >>> with tempfile.TemporaryDirectory() as home:
        ...     og.imwrite(f"{home}/photos/1.png", np.zeros((20, 30, 3), np.uint8))
        ...     report = og.build(f"{home}/photos", f"{home}/dataset", [og.Resize((8, 8))])
        ...     dataset = og.BuiltDataset(f"{home}/dataset")
        ...     sound = dataset.verify()
        ...     Path(home, "dataset/images/1__0.png").unlink()
        ...     dataset.verify()
        ('images/1__0.png is missing or not as it was written; run the build again to repair it',)
        >>> sound
        ()
        """
        threads = whole_number("threads", default_threads() if threads is None else threads)
        found: list[str] = []
        count = len(self._entries)
        for number, trouble in enumerate(ordered_map(self._trouble, range(count), threads=threads), 1):
            if trouble is not None:
                found.append(f"{trouble}; {_ADVICE}")
            if on_progress is not None:
                on_progress(number, count)
        return tuple(found)

    def _trouble(self, number: int) -> str | None:
        """Say what is wrong with a shard or its records, or None."""
        entry, count = self._entries[number]
        try:
            data = self._bytes(number, 0, entry["bytes"] + 1)
        except BuildError:
            data = b""
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            return f"{entry['file']} is missing or not as it was written"
        head, *lines = data.splitlines()
        where = str(self._files[number])
        examples = [parse(EXAMPLE, line, where, _ADVICE) for line in lines[:count]]
        return self._damage(self.path, parse(HEAD, head, where, _ADVICE), examples)

    def _index(self, entries: list[tuple[dict[str, Any], int]]) -> tuple[np.ndarray, list[Any], set[str]]:
        """Where the line of each example lies: (record file, offset, length); the labels; the dtypes of masks."""
        where, labels, masks = [], [], set[str]()
        for number, (entry, count) in enumerate(entries):
            path = self._files[number]
            data = self._bytes(number, 0, 2 * entry["bytes"] + (1 << 20))
            if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                raise BuildError(f"{path}: not as it was written; {_ADVICE}")
            head, *lines = data.splitlines(keepends=True) or [b""]
            parse(HEAD, head, f"{path}, line 1", _ADVICE)
            if len(lines) < count:
                raise BuildError(f"{path}: damaged: {len(lines)} lines for {count} examples; {_ADVICE}")
            offset = len(head)
            for place, text in enumerate(lines[:count]):
                where.append((number, offset, len(text)))
                line = self._line(text, f"{path}, line {place + 2}")
                if self.places is not None:
                    where_at = f"{path}, line {place + 2}"
                    self.places.add(line, self._located(line, where_at, _ADVICE), where_at, _ADVICE)
                    for column, name in zip(self._addresses, ("index", "copy", "start")):
                        column.append(line[name])
                    self._labels.append(as_label(line["label"], self.task))
                labels.append(label_of_line(line))
                if line["mask"] is not None:
                    masks.add(line["mask"]["dtype"])
                offset += len(text)
        return np.array(where, np.int64).reshape(-1, 3), labels, masks

    def _bytes(self, number: int, offset: int, length: int) -> bytes:
        """A part of a record file."""
        path = self._files[number]
        try:
            with path.open("rb") as records:
                size = os.fstat(records.fileno()).st_size
                records.seek(offset)
                return records.read(min(length, max(0, size - offset)))
        except OSError as error:
            self._check_machine(str(path), path, error)
            raise BuildError(
                f"{path}: cannot be read: {error.strerror or error}; run the build again"
            ) from error
        except ValueError as error:  # not a possible file name
            raise BuildError(f"{path}: cannot be read: {error}; {_ADVICE}") from error

    def _check_machine(self, where: str, path: Path, error: Exception) -> None:
        """Raise a MachineError where the machine, not the file, failed, or the whole dataset is gone."""
        if is_machine(error, 32 * self.max_pixels):
            raise machine_error(where, error) from error
        trouble = self._mount.trouble(path, listed=True) if isinstance(error, OSError) else None
        if trouble:
            raise MachineError(f"{where}: {trouble}", OSError(errno.EIO, trouble)) from error

    def _line(self, text: bytes, where: str) -> dict[str, Any]:
        line = parse(EXAMPLE, text, where, _ADVICE)
        trouble = self._check.trouble(line)
        if trouble:
            raise BuildError(f"{where}: damaged: {trouble}; {_ADVICE}")
        return line

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, number: int) -> dict[str, Any]:
        """Plain JSON record of one example.

        Raises
        ------
        BuildError
            Where it is not as it was when the dataset was opened.
        """
        file, offset, length = (int(value) for value in self._lines[number])
        return self._line(self._bytes(file, offset, length), f"{self._files[file]}, example {number}")

    def specs(self, number: int) -> tuple[ArraySpec, ArraySpec | None]:
        """Shape, dtype and axes of image and mask of one example, as its record says.

        Raises
        ------
        DecodeError
            Where they cannot be those of an image; names the example.
        """
        line = self.line(number)

        def spec(entry: dict[str, Any]) -> ArraySpec:
            shape = tuple(entry["shape"])
            return ArraySpec(shape, entry["dtype"], name_axes(shape, entry["axes"]))

        try:
            return spec(line["image"]), None if line["mask"] is None else spec(line["mask"])
        except ValueError as error:
            raise DecodeError(f"{self.path}, example {number}: {error}; {_ADVICE}") from error

    def _arrays(self, number: int, line: dict[str, Any]) -> tuple[np.ndarray, np.ndarray | None]:
        if self.places is not None:
            image = self.places.read(number, "image")
            if image is None:
                raise BuildError("without an image")
            return image, self.places.read(number, "mask")
        image_data, mask_data = self._read(self.path, line)
        mask = None if mask_data is None else decode_array(mask_data, line["mask"], self.max_pixels)
        return decode_array(image_data, line["image"], self.max_pixels), mask

    def stored(self, number: int) -> StoredTargets:
        """Return image, mask and label of an example.

        Where arrays are read by their places nothing is parsed: what the records say was taken in when the dataset was
        opened.

        Raises
        ------
        BuildError, DecodeError, MachineError, OSError, StepError
            As they come: `read` names the example.
        """
        if self.places is None:
            whole = self.read(number)
            return StoredTargets(whole.image, whole.mask, whole.label, whole.index, whole.copy, whole.start)
        return self._found(number, None, None)

    def stored_many(self, numbers: Sequence[int]) -> list[StoredTargets | None]:
        """Return images, masks and labels of several examples, read together.

        Returns
        -------
        list of StoredTargets or None
            None for one that `stored` has to be asked for, whatever the reason.
        """
        if self.places is None:
            return [self._tried(number, None, None) for number in numbers]
        images, masks = (self.places.read_many(numbers, kind) for kind in ("image", "mask"))
        return [self._tried(*each) for each in zip(numbers, images, masks)]

    def address(self, number: int) -> tuple[int, int, int]:
        """Return item, copy, and the step that the recipe goes on with, of an example that is read by its places."""
        item, copy, start = self._addresses
        return item[number], copy[number], start[number]

    def label(self, number: int) -> Label | None:
        """Return the label of an example that is read by its places."""
        return self._labels[number]

    def _tried(self, number: int, image: np.ndarray | None, mask: np.ndarray | None) -> StoredTargets | None:
        try:
            return self.stored(number) if image is None else self._found(number, image, mask)
        except Exception:  # whatever it is, it is raised again where the example is read alone
            return None

    def _found(self, number: int, image: np.ndarray | None, mask: np.ndarray | None) -> StoredTargets:
        """An example read by its places; arrays that are None are read now."""
        item, copy, start = self.address(number)
        found = self._target(Image, number, "image", image)
        if found is None:
            raise BuildError("without an image")
        return StoredTargets(
            found, self._target(Mask, number, "mask", mask), self._labels[number], item, copy, start
        )

    def _target(
        self, kind: type[_Grid], number: int, name: Literal["image", "mask"], array: np.ndarray | None
    ) -> _Grid | None:
        places = self.places
        if array is None and places is not None:
            array = places.read(number, name)
        if array is None or places is None:
            return None
        # Those that are alike are checked once.
        key = (name, places.described(number, name))
        like = self._alike.get(key)
        if isinstance(like, kind):
            return like.with_array(array)
        made = kind(array, places.axes(number, name))  # type: ignore[arg-type]  # None only without an array
        template = made.with_array(np.broadcast_to(array.dtype.type(0), array.shape))
        _ = template.spec, template.size  # kept for all
        self._alike[key] = template
        return made

    def read(self, number: int) -> StoredExample:
        """Read one example.

        Raises
        ------
        DecodeError
            Where its bytes are missing or not as they were written; names the example.
        MachineError
            Where the machine failed, and not the file.
        """
        line = self.line(number)
        where = f"{self.path}, example {number} ({line['name']})"
        try:
            image, mask = self._arrays(number, line)
            stored = Image(image, line["image"]["axes"])
            boxes, points = None, None
            if "objects" in line:
                boxes, points = stored_objects(line["objects"], stored.size, self.keypoints)
            return StoredExample(
                image=stored,
                mask=None if mask is None else Mask(mask, line["mask"]["axes"]),
                label=as_label(line["label"], self.task),
                name=line["name"],
                index=line["index"],
                copy=line["copy"],
                start=line["start"],
                record=line["record"],
                boxes=boxes,
                points=points,
            )
        except (BuildError, OSError, MemoryError, ValueError, TypeError, LookupError, EOFError) as error:
            path = Path(error.filename) if isinstance(error, OSError) and error.filename else self.path
            self._check_machine(where, path, error)
            raise DecodeError(f"{where}: {error}; {_ADVICE}") from error
