"""COCO: one JSON file for all images, with boxes as corner and size, polygons, run lengths and keypoints."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.errors import SourceError
from offgraph.sources.base import Source
from offgraph.sources.classes import refuse_classes
from offgraph.sources.items import Item
from offgraph.sources.names import first_repeated, natural_key, nfc, printable
from offgraph.sources.objects import Keypoints, ObjectRow, ObjectsKept, number_of, read_annotation
from offgraph.sources.paths import Place
from offgraph.sources.polygons import Region, RunLengths
from offgraph.sources.reading import LabelOptions, Reading
from offgraph.sources.rle import RunLengthError, runs_of_text

__all__ = ["CocoFile", "category_ids", "coco_json", "looks_like_coco", "open_coco", "parse_coco"]

MOST_BYTES = 1 << 30
"""Of a JSON file; that of all training images of COCO 2017 has 470 million."""

_BEGIN = 1 << 16
_LISTS = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')


@dataclass(frozen=True)
class CocoImage:
    """An entry of ``images``: its file, its size, and the objects of it."""

    file_name: str
    size: tuple[int, int] | None
    rows: list[ObjectRow]
    """With the position of their category in `CocoFile.class_names`."""
    identity: int | str


@dataclass(frozen=True)
class CocoFile:
    """What a JSON file says.

    Parameters
    ----------
    file : Path
    class_names : tuple of str
        In the order of the categories' ids, which may have gaps.
    images : tuple of CocoImage
        In the order of the file.
    keypoints : Keypoints or None
        Of the categories that have some: they are the same in all of them.
    identities : tuple of int or str
        Ids of the categories, in the order of `class_names`.
    """

    file: Path
    class_names: tuple[str, ...]
    images: tuple[CocoImage, ...]
    keypoints: Keypoints | None
    identities: tuple[int | str, ...]


def looks_like_coco(file: Path) -> bool:
    """Whether the beginning of a JSON file shows COCO's lists: two of them, or one with the keys of its entries."""
    try:
        with file.open("rb") as opened:
            begin = opened.read(_BEGIN)
    except OSError:
        return False
    if not begin.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return False
    lists = set(_LISTS.findall(begin))
    of_entries = b'"file_name"' in begin or (b'"image_id"' in begin and b'"category_id"' in begin)
    return len(lists) > 1 or (bool(lists) and of_entries)


def parse_coco(file: Path) -> CocoFile:
    """Read a JSON file. Annotations are named by their position, from 1, and their id.

    Raises
    ------
    SourceError
        Where the file is not JSON, lacks one of COCO's lists, holds an id twice, or an entry is broken: names both.
    """
    where = printable(file)
    data = _lists(where, read_annotation(file, MOST_BYTES))
    categories, class_names, keypoints = _categories(where, data["categories"])
    images: dict[int | str, CocoImage] = {}
    for number, entry in enumerate(data["images"], 1):
        here = f"{where}, image {number}"
        identity = _identity(here, entry, "id")
        if identity in images:
            raise SourceError(f"{here}: the id {identity!r} is that of an earlier image too")
        name = entry.get("file_name")
        if not isinstance(name, str) or not name:
            raise SourceError(f"{here} (id {identity!r}): file_name is {name!r:.80}, and no name of a file")
        images[identity] = CocoImage(name, _size(f"{here} (id {identity!r})", entry), [], identity)
    seen: set[int | str] = set()
    for number, entry in enumerate(data["annotations"], 1):
        image, row = _annotation(where, number, entry, images, categories, keypoints)
        identity = row.columns["id"]
        if identity in seen:
            raise SourceError(
                f"{where}, {row.place}: the id {identity!r} is that of an earlier annotation too"
            )
        seen.add(identity)
        image.rows.append(row)
    return CocoFile(file, class_names, tuple(images.values()), keypoints, tuple(categories))


def _lists(where: str, data: bytes) -> dict[str, list[Any]]:
    try:
        parsed = json.loads(data)
    except RecursionError as error:
        raise SourceError(f"{where}: JSON nested too deeply for annotations") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{where}: not UTF-8 text at byte {error.start}") from error
    except ValueError as error:
        raise SourceError(f"{where}: not JSON: {error}") from error
    if isinstance(parsed, list):
        raise SourceError(
            f"{where}: a list, such as that of results; COCO annotations are an object with images, annotations and categories"
        )
    if not isinstance(parsed, dict):
        raise SourceError(f"{where}: not an object with images, annotations and categories")
    for key in ("images", "annotations", "categories"):
        if not isinstance(parsed.get(key), list):
            raise SourceError(f"{where}: no list {key!r} in it, and COCO annotations have one")
    return parsed


def _identity(here: str, entry: Any, key: str) -> int | str:
    if not isinstance(entry, dict):
        raise SourceError(f"{here}: {entry!r:.80} is not an object")
    identity = entry.get(key)
    if isinstance(identity, bool) or not isinstance(identity, int | str):
        raise SourceError(f"{here}: {key} is {identity!r:.80}, and must be a whole number")
    return identity


def _size(here: str, entry: Mapping[str, Any]) -> tuple[int, int] | None:
    lengths = []
    for key in ("height", "width"):
        value = entry.get(key)
        if value is None:
            return None
        number = number_of(value) if not isinstance(value, str) else None
        if number is None or number < 1 or number != int(number):
            raise SourceError(f"{here}: {key} is {value!r:.80}, not a whole number of pixels")
        lengths.append(int(number))
    return lengths[0], lengths[1]


def _categories(
    where: str, entries: list[Any]
) -> tuple[dict[int | str, tuple[int, int]], tuple[str, ...], Keypoints | None]:
    """Class number and number of keypoints by category id, the names, and the keypoints."""
    names: dict[int | str, str] = {}
    points: dict[int | str, Keypoints] = {}
    for number, entry in enumerate(entries, 1):
        here = f"{where}, category {number}"
        identity = _identity(here, entry, "id")
        name = entry.get("name")
        if not isinstance(name, str) or not name.strip():
            raise SourceError(f"{here} (id {identity!r}): name is {name!r:.80}, and no name of a class")
        if identity in names:
            raise SourceError(
                f"{here} ({printable(name)}): the id {identity!r} is that of an earlier category too"
            )
        names[identity] = nfc(name.strip())
        if entry.get("keypoints"):
            points[identity] = _keypoints(f"{here} ({printable(name)})", entry)
    twice = first_repeated(list(names.values()))
    if twice is not None:
        raise SourceError(f"{where}: two categories are called {printable(twice)!r}; give each class one id")
    kinds = set(points.values())
    if len(kinds) > 1:
        raise SourceError(
            f"{where}: {len(kinds)} categories have different keypoints, and a source has one kind: write a file for each"
        )
    order = sorted(names, key=lambda identity: (isinstance(identity, str), natural_key(str(identity))))
    numbered = {
        identity: (i, len(points[identity].names) if identity in points else 0)
        for i, identity in enumerate(order)
    }
    return numbered, tuple(names[identity] for identity in order), next(iter(kinds), None)


def _keypoints(here: str, entry: Mapping[str, Any]) -> Keypoints:
    names = entry["keypoints"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SourceError(f"{here}: keypoints is {names!r:.80}, and no list of names")
    lines = entry.get("skeleton") or []
    try:
        skeleton = tuple((int(a) - 1, int(b) - 1) for a, b in lines)
    except (TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"{here}: skeleton is {lines!r:.80}, and no list of pairs of numbers") from error
    if any(not 0 <= end < len(names) for line in skeleton for end in line):
        raise SourceError(f"{here}: its skeleton joins a keypoint that is not one of its {len(names)}")
    return Keypoints(tuple(names), skeleton)


def _annotation(
    where: str,
    number: int,
    entry: Any,
    images: Mapping[int | str, CocoImage],
    categories: Mapping[int | str, tuple[int, int]],
    keypoints: Keypoints | None,
) -> tuple[CocoImage, ObjectRow]:
    here = f"{where}, annotation {number}"
    if not isinstance(entry, dict):
        raise SourceError(f"{here}: {entry!r:.80} is not an object")
    own = entry.get("id", number)
    identity = own if isinstance(own, int | str) and not isinstance(own, bool) else number
    place = f"annotation {number} (id {printable(identity)[:40]})"
    here = f"{where}, {place}"
    image = images.get(_identity(here, entry, "image_id"))
    if image is None:
        raise SourceError(f"{here}: image_id {entry['image_id']!r:.80} is the id of no image")
    category = categories.get(_identity(here, entry, "category_id"))
    if category is None:
        raise SourceError(f"{here}: category_id {entry['category_id']!r:.80} is the id of no category")
    given = entry.get("bbox")
    box = tuple(map(number_of, given)) if isinstance(given, list) else ()
    if len(box) != 4 or None in box or any(isinstance(value, str) for value in given or ()):
        raise SourceError(f"{here}: bbox is {given!r:.80}, not four numbers x, y, width, height")
    crowd = entry.get("iscrowd", 0)
    if crowd not in (0, 1):
        raise SourceError(f"{here}: iscrowd is {crowd!r:.80}, and may be 0 or 1")
    area = entry.get("area")
    size = None if area is None else number_of(area)
    if area is not None and (size is None or isinstance(area, str)):
        raise SourceError(f"{here}: area is {area!r:.80}, not a number")
    columns = {"id": identity, "iscrowd": bool(crowd), "area": np.nan if size is None else size}
    row = ObjectRow(place, category[0], box, columns)  # type: ignore[arg-type]  # four numbers, as was checked
    row.region = _region(here, entry.get("segmentation"))
    if keypoints is not None:
        row.keypoints = _points(here, entry.get("keypoints"), category[1], len(keypoints.names))
    return image, row


def _region(here: str, given: Any) -> Region | None:
    """Polygons, each (n, 2) of x and y, or run lengths; None where nothing is given."""
    if not given:
        return None
    if isinstance(given, list):
        return tuple(_polygon(here, number, one) for number, one in enumerate(given, 1))
    if not isinstance(given, dict):
        raise SourceError(f"{here}: segmentation is {given!r:.80}, neither polygons nor run lengths")
    size = given.get("size")
    if (
        not isinstance(size, list)
        or len(size) != 2
        or not all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n < 1 << 31 for n in size)
    ):
        raise SourceError(f"{here}: the size of its run lengths is {size!r:.80}, not height and width")
    counts = given.get("counts")
    if isinstance(counts, str):
        try:
            runs = runs_of_text(counts)
        except RunLengthError as error:
            raise SourceError(f"{here}: {error}") from error
    elif isinstance(counts, list) and all(type(n) is int and 0 <= n < 1 << 40 for n in counts):
        runs = np.array(counts, np.int64)
    else:
        raise SourceError(f"{here}: counts is {counts!r:.80}, neither a code nor whole numbers")
    return RunLengths(runs, (size[0], size[1]))


def _polygon(here: str, number: int, given: Any) -> np.ndarray:
    flat = _numbers(given)
    if flat is None or len(flat) % 2:
        raise SourceError(f"{here}: polygon {number} is {given!r:.80}, not pairs of numbers x, y")
    return flat.reshape(-1, 2)


def _numbers(given: Any) -> np.ndarray | None:
    """An array of a JSON list of finite numbers up to 10**9; None of anything else."""
    if not isinstance(given, list):
        return None
    try:
        array = np.array(given)
    except (ValueError, OverflowError):  # lists of different lengths among them
        return None
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iuf"):
        return None
    array = array.astype(np.float64)
    return array if bool((np.abs(array) <= 1e9).all()) else None


def _points(here: str, given: Any, own: int, count: int) -> np.ndarray | None:
    """Keypoints (K, 3) of x, y and visibility; None for an object without any."""
    if given is None or not own:
        return None
    flat = _numbers(given)
    if flat is None or len(flat) != 3 * count:
        raise SourceError(f"{here}: keypoints are {given!r:.80}, not three numbers for each of {count}")
    points = flat.reshape(-1, 3)
    if not np.isin(points[:, 2], (0, 1, 2)).all():
        raise SourceError(f"{here}: the third number of each keypoint must be 0, 1 or 2")
    return points


def open_coco(
    coco: CocoFile, root: Path, reading: Reading, wanted: LabelOptions, kept: ObjectsKept, *, called: str = ""
) -> Source:
    """Open the images that a JSON file names, those without objects among them.

    Parameters
    ----------
    coco : CocoFile
    root : Path
        Folder that the ``file_name`` of each image is relative to, and must lie in.
    reading : Reading
    wanted : LabelOptions
        Its ``class_names``.
    kept : ObjectsKept
    called : str
        What stands before `root` in messages.

    Raises
    ------
    SourceError
        Where a path leads out of `root`, or none of the images is there.
    """
    file = coco.file
    where = printable(file)
    if not coco.images:
        raise SourceError(f"{where}: no images in it")
    place = Place.of(root, called)
    class_names = wanted.class_names or coco.class_names
    used = {row.category for image in coco.images for row in image.rows}
    refuse_classes(
        where,
        {coco.class_names[int(number)] for number in used},
        class_names,
        "add it to class_names, or correct the annotations",
    )
    number = {name: i for i, name in enumerate(class_names)}
    renumber = {i: number[name] for i, name in enumerate(coco.class_names) if name in number}
    found = []
    for position, image in enumerate(coco.images, 1):
        name, path, real = place.find(image.file_name, f"{where}, image {position}")
        found.append((name, path, real, image))
    files = [(name, real) for name, _, real, _ in found]
    place.must_hold_one_of(where, files, len(found))
    place.tell_absent(where, "images", files, len(found))
    twice = first_repeated([name for name, *_ in found])
    if twice is not None:
        raise SourceError(
            f"{where}: two images have the file_name {printable(twice)!r}; give each file one id"
        )
    of_file: dict[str, str] = {}
    items = []
    for name, path, real, image in sorted(found, key=lambda one: natural_key(one[0])):
        original = of_file.setdefault(real, name)
        objects = kept.gather(file, file.name, "coco", image.rows, _from(renumber), image.size)
        objects = replace(objects, image_id=image.identity)
        items.append(Item(name, path, copy_of=None if original == name else original, objects=objects))
    return Source(
        tuple(items),
        class_names,
        root,
        reading,
        table=file,
        task="detect",
        skipped_boxes=kept.left_out.counts,
        left_out_boxes=kept.left_out.names,
        keypoints=coco.keypoints,
        category_ids=dict(zip(coco.class_names, coco.identities)),
    )


def _from(renumber: Mapping[int, int]) -> Callable[[str | int], int]:
    return lambda number: renumber[int(number)]


def category_ids(class_names: Iterable[str], known: Mapping[str, int | str] | None = None) -> list[int | str]:
    """Return the id of each class for a COCO file: the known one, else the next number that is free, from 1.

    Examples
    --------
    >>> category_ids(["cat", "dog", "owl"]), category_ids(["cat", "dog", "owl"], {"dog": 17, "cat": 1})
    ([1, 2, 3], [1, 17, 2])
    """
    names, ids = list(class_names), dict(known or {})
    free = (number for number in itertools.count(1) if number not in set(ids.values()))
    return [ids[name] if name in ids else next(free) for name in names]


def coco_json(
    images: Iterable[tuple[str, tuple[int, int], list[dict[str, Any]]]],
    class_names: Iterable[str],
    keypoints: Keypoints | None = None,
    *,
    categories: Sequence[int | str] | None = None,
    image_ids: Sequence[int | str] | None = None,
) -> dict[str, Any]:
    """Return the JSON of annotations.

    Parameters
    ----------
    images : iterable of (str, (int, int), list of dict)
        Name, (height, width), and the objects of each image: ``bbox``, ``category`` (a class number), and what is known
        of ``id``, ``iscrowd``, ``area``, ``segmentation`` and ``keypoints``.
    class_names : iterable of str
    keypoints : Keypoints, optional
        Names of the keypoints, written into every category.
    categories, image_ids : sequence of int or str, optional
        The ids of the classes and of the images; by default they are counted from 1.
    """
    points: dict[str, Any] = {}
    if keypoints is not None:
        points = {
            "keypoints": list(keypoints.names),
            "skeleton": [[a + 1, b + 1] for a, b in keypoints.skeleton],
        }
    names = list(class_names)
    ids = category_ids(names) if categories is None else list(categories)
    described = [{"id": i, "name": name, **points} for i, name in zip(ids, names, strict=True)]
    listed, annotations = [], []
    for number, (name, (height, width), objects) in enumerate(images):
        image_id = number + 1 if image_ids is None else image_ids[number]
        listed.append({"id": image_id, "file_name": name, "width": width, "height": height})
        for one in objects:
            known = {key: value for key, value in one.items() if key != "category" and value is not None}
            *_, width_of_box, height_of_box = one["bbox"]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": ids[one["category"]],
                    "area": width_of_box * height_of_box,
                    "iscrowd": 0,
                    **known,
                }
            )
    return {"images": listed, "annotations": annotations, "categories": described}
