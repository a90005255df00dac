"""YOLO: a text file per image, one line per object: its class number, and a box or a polygon in shares of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml
from yaml.composer import ComposerError

from offgraph.core.errors import SourceError
from offgraph.core.file_names import split_suffix
from offgraph.sources.base import Source
from offgraph.sources.file_per_image import annotated_source, annotation_files, images_of
from offgraph.sources.names import first_repeated, named, nfc, printable
from offgraph.sources.objects import Keypoints, ObjectRow, ObjectsKept, number_of, read_annotation
from offgraph.sources.reading import LabelOptions, Reading
from offgraph.sources.walk import Found, is_folder

__all__ = [
    "NAME_FILES",
    "YAML_FILES",
    "YoloNames",
    "find_names",
    "names_of_yaml",
    "open_yolo",
    "parse_yolo",
    "yolo_line",
]

MOST_BYTES = 1 << 24
"""Of one text file: some 300,000 objects."""

_MOST_NAMES = 1 << 20
NAME_FILES = ("classes.txt", "obj.names", "predefined_classes.txt")
YAML_FILES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_NO_OBJECTS = frozenset(
    {*NAME_FILES, "train.txt", "val.txt", "test.txt", "readme.txt", "readme.roboflow.txt"}
)


class _NoAliases(yaml.SafeLoader):
    """Refuses aliases, of which a few lines can make gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node that is not an alias."""
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark
            raise ComposerError(None, None, "aliases are not read here: write the names out", mark)
        return super().compose_node(parent, index)


@dataclass(frozen=True)
class YoloNames:
    """What a file says of a YOLO data set.

    Parameters
    ----------
    file : Path
    class_names : tuple of str
        In the order of their numbers.
    keypoints : (int, int) or None
        ``kpt_shape``: how many keypoints an object has, and how many numbers each, 2 or 3.
    parts : mapping of str to str
        Folders of images by ``train``, ``val``, ``test``, as the file names them.
    """

    file: Path
    class_names: tuple[str, ...]
    keypoints: tuple[int, int] | None = None
    parts: tuple[tuple[str, str], ...] = ()


def names_of_yaml(file: Path) -> YoloNames:
    """Read ``data.yaml``: ``names`` as a list, or by class number.

    Raises
    ------
    SourceError
        Where it is not YAML, or a name is missing or not a text.
    """
    where = printable(file)
    try:
        parsed = yaml.load(read_annotation(file, _MOST_NAMES), Loader=_NoAliases)  # noqa: S506  # a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        cause = " ".join(str(error).split())[:200] or type(error).__name__
        raise SourceError(f"{where}: not readable as YAML: {cause}") from error
    if not isinstance(parsed, dict):
        raise SourceError(f"{where}: no names of classes in it: write 'names: [first, second]'")
    names = parsed.get("names")
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise SourceError(f"{where}: names must be numbered from 0 to {len(names) - 1} without gaps")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise SourceError(f"{where}: no names of classes in it: write 'names: [first, second]'")
    class_names = _checked(where, [_yaml_text(where, name) for name in names])
    shape = parsed.get("kpt_shape")
    if shape is not None and not (
        isinstance(shape, list)
        and len(shape) == 2
        and type(shape[0]) is int
        and 1 <= shape[0] <= 1000
        and shape[1] in (2, 3)
    ):
        raise SourceError(f"{where}: kpt_shape is {shape!r:.80}, not the number of keypoints and 2 or 3")
    parts = tuple(
        (part, parsed[part])
        for part in ("train", "val", "valid", "test")
        if isinstance(parsed.get(part), str)
    )
    return YoloNames(file, class_names, None if shape is None else (shape[0], shape[1]), parts)


def _yaml_text(where: str, name: Any) -> str:
    if isinstance(name, bool) or not isinstance(name, str | int | float):  # 1: 2 are numbers, no: is False
        raise SourceError(f"{where}: the class name {name!r:.80} is not a text; write it in quotes")
    return str(name)


def _names_of_text(file: Path) -> YoloNames:
    data = read_annotation(file, _MOST_NAMES)
    lines = [line.strip() for line in _text(file, data).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return YoloNames(file, _checked(printable(file), lines))


def _checked(where: str, names: Sequence[str]) -> tuple[str, ...]:
    checked = tuple(nfc(name.strip()) for name in names)
    if "" in checked:
        raise SourceError(f"{where}: the name of class {checked.index('')} is empty")
    twice = first_repeated(checked)
    if twice is not None:
        raise SourceError(f"{where}: two classes are called {printable(twice)!r}")
    if not checked:
        raise SourceError(f"{where}: no names of classes in it")
    return checked


def _text(file: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{printable(file)}: not UTF-8 text at byte {error.start}") from error


def find_names(labels: Path, images: Path) -> YoloNames | None:
    """Look for the names of the classes, in the folder of the labels and in up to three above.

    Raises
    ------
    SourceError
        Where two files have other names than each other, or one is broken.
    """
    for folder in [labels, *list(labels.absolute().parents)[:3]]:
        found = [names_of_yaml(folder / name) for name in YAML_FILES if (folder / name).is_file()]
        found += [_names_of_text(folder / name) for name in NAME_FILES if (folder / name).is_file()]
        for other in found[1:]:
            if other.class_names != found[0].class_names:
                raise SourceError(
                    f"{printable(found[0].file)} and {printable(other.file.name)} beside it have other names of classes: "
                    "say which are right with class_names=[...]"
                )
        if found:
            return found[0]
    return None


def parse_yolo(file: Path, keypoints: tuple[int, int] | None = None) -> list[ObjectRow]:
    """Read a text file: ``class x y width height``, or ``class x1 y1 x2 y2 x3 y3 …`` for a polygon.

    Parameters
    ----------
    file : Path
    keypoints : (int, int), optional
        How many keypoints follow each box, and how many numbers each has.

    Raises
    ------
    SourceError
        Naming the line, and what is wrong with it.
    """
    rows = []
    text = _text(file, read_annotation(file, MOST_BYTES))
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words:
            rows.append(_row(f"{printable(file)}, line {number}", f"line {number}", words, keypoints))
    return rows


def _row(here: str, place: str, words: list[str], keypoints: tuple[int, int] | None) -> ObjectRow:
    category = number_of(words[0])
    if category is None or category < 0 or category != int(category):
        raise SourceError(f"{here}: the class is {words[0][:80]!r}, and must be a whole number from 0")
    values = []
    for word in words[1:]:
        value = number_of(word)
        if value is None:
            raise SourceError(f"{here}: {word[:80]!r} is not a number")
        values.append(value)
    row = ObjectRow(place, int(category), (0.0, 0.0, 0.0, 0.0))
    if keypoints is not None:
        count, each = keypoints
        if len(values) != 4 + count * each:
            raise SourceError(
                f"{here}: {len(values)} numbers after the class, and a box with {count} keypoints of {each} has "
                f"{4 + count * each}"
            )
        points = np.array(values[4:]).reshape(count, each)
        if each == 2:
            points = np.concatenate([points, np.full((count, 1), 2.0)], axis=1)
        if not np.isin(points[:, 2], (0, 1, 2)).all():
            raise SourceError(f"{here}: the third number of each keypoint must be 0, 1 or 2")
        row.keypoints = points
    elif len(values) >= 6 and len(values) % 2 == 0:
        polygon = np.array(values).reshape(-1, 2)
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        values = [*((low + high) / 2).tolist(), *(high - low).tolist()]
        row.region = (polygon,)
    elif len(values) != 4:
        what = "; a confidence is not part of an annotation" if len(values) == 5 else ""
        raise SourceError(
            f"{here}: {len(values)} numbers after the class; a box has 4, and a polygon 6, 8, 10, …{what}"
        )
    row.box = (values[0], values[1], values[2], values[3])
    return row


def open_yolo(
    images: Path,
    labels: Path,
    reading: Reading,
    wanted: LabelOptions,
    kept: ObjectsKept,
    names: YoloNames | None = None,
) -> Source:
    """Open images with a text file each.

    A text file belongs to the image of the same relative name, its suffix aside. An image without one, and one whose
    file is empty, have no objects: as YOLO defines it.

    Parameters
    ----------
    images, labels : Path
        Folders.
    reading : Reading
    wanted : LabelOptions
        Its ``class_names``: all classes in the order of their numbers in the files.
    kept : ObjectsKept
    names : YoloNames, optional
        Unless given, looked for in the folder of the labels and above.

    Raises
    ------
    SourceError
        Where a file is broken, has no image, or no names of classes are found.
    """
    listing = images_of(images, leave_out=labels if _inside(labels, images) else None)
    stems = {_stem(one.name) for one in listing.found}
    files = [
        name
        for name in annotation_files(labels, ".txt")
        if PurePosixPath(name).name.lower() not in _NO_OBJECTS or _stem(name) in stems
    ]
    pairs = _paired(images, labels, listing.found, files)
    known = names or (
        find_names(labels, images) if wanted.class_names is None else _keypoints_alone(labels, images)
    )
    class_names = wanted.class_names or (known.class_names if known else None)
    if class_names is None:
        raise SourceError(
            f"{printable(labels)}: no data.yaml and no classes.txt there or above that names the classes: write "
            "class_names=['first', 'second', …] in the order of their numbers"
        )
    shape = known.keypoints if known else None
    annotated = []
    for one in listing.found:
        name = pairs.get(one.name)
        file = labels / (name or PurePosixPath(f"{split_suffix(one.name)[0]}.txt"))
        rows = [] if name is None else parse_yolo(file, shape)
        for row in rows:
            if int(row.category) >= len(class_names):
                raise SourceError(
                    f"{printable(file)}, {row.place}: class {row.category}, and there are {len(class_names)} names of "
                    f"classes ({named(class_names)})"
                )
        shown = file.relative_to(labels.parent).as_posix()
        annotated.append((one, kept.gather(file, shown, "yolo", rows, int, None)))
    keypoints = None if shape is None else Keypoints(tuple(map(str, range(shape[0]))))
    return annotated_source(images, listing, annotated, class_names, reading, kept, keypoints)


def _keypoints_alone(labels: Path, images: Path) -> YoloNames | None:
    """What a data.yaml says, where the names of the classes are given: names that disagree do not matter then."""
    for folder in [labels, *list(labels.absolute().parents)[:3]]:
        for name in YAML_FILES:
            if (folder / name).is_file():
                return names_of_yaml(folder / name)
    return None


def _inside(inner: Path, outer: Path) -> bool:
    return (
        inner.resolve() != outer.resolve()
        and inner.resolve().is_relative_to(outer.resolve())
        and is_folder(inner)
    )


def _paired(images: Path, labels: Path, found: Sequence[Found], files: Sequence[str]) -> dict[str, str]:
    """Name of the text file by name of the image."""
    by_stem: dict[str, Found] = {}
    for one in found:
        first = by_stem.setdefault(_stem(one.name), one)
        if first is not one:
            raise SourceError(
                f"{printable(images)}: {printable(first.name)} and {printable(one.name)} have the same name but for the "
                "suffix, and one file of labels: rename one"
            )
    alone = [name for name in files if _stem(name) not in by_stem]
    if alone:
        raise SourceError(
            f"{printable(labels)}: {len(alone)} of {len(files)} files of labels have no image in {printable(images)}: "
            f"{named(alone)}; add the images, or remove these files"
        )
    return {by_stem[_stem(name)].name: name for name in files}


def _stem(name: str) -> str:
    return nfc(split_suffix(name)[0])


def yolo_line(label: int, numbers: Sequence[float]) -> str:
    """Write the line of an object: its class number, then the numbers of its box or polygon, each read back equal."""
    return " ".join([str(int(label)), *(repr(float(number)) for number in numbers)])
