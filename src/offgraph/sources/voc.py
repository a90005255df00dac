"""Pascal VOC: an XML file per image, with corners counted from 1 and both inside the box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from offgraph.core.errors import SourceError
from offgraph.core.file_names import split_suffix
from offgraph.sources.base import Source
from offgraph.sources.classes import refuse_classes
from offgraph.sources.file_per_image import annotated_source, annotation_files, images_of
from offgraph.sources.names import class_order, named, nfc, printable, warn_of_likeness
from offgraph.sources.objects import ObjectRow, ObjectsKept, number_of, read_annotation
from offgraph.sources.reading import LabelOptions, Reading
from offgraph.sources.walk import Found

__all__ = ["VocFile", "open_voc", "parse_voc", "voc_text"]

MOST_BYTES = 1 << 24
"""Of one XML file: some 50,000 objects."""

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_FLAGS = ("truncated", "difficult", "occluded")


@dataclass(frozen=True)
class VocFile:
    """What an XML file says.

    Parameters
    ----------
    file : Path
    image : str or None
        Its ``filename``.
    size : tuple of int or None
        (height, width); None where it is left out or 0, as some tools write it.
    rows : tuple of ObjectRow
        With class names.
    """

    file: Path
    image: str | None
    size: tuple[int, int] | None
    rows: tuple[ObjectRow, ...]


def parse_voc(file: Path) -> VocFile:
    """Read an XML file. Objects are counted from 1 in messages; ``part`` elements inside of objects are not read.

    Raises
    ------
    SourceError
        Where the file is no VOC annotation, declares a document type or entities, or an object is broken: names both.
    """
    where = printable(file)
    data = read_annotation(file, MOST_BYTES)
    try:
        root = fromstring(data, forbid_dtd=True)
    except ParseError as error:
        raise SourceError(f"{where}: not well-formed XML: {error}") from error
    except DefusedXmlException as error:
        raise SourceError(
            f"{where}: declares a document type or entities, which no VOC annotation needs and which are not read"
        ) from error
    except (ValueError, LookupError) as error:  # encodings
        raise SourceError(f"{where}: not readable as XML: {error}") from error
    if root.tag != "annotation":
        raise SourceError(
            f"{where}: no VOC annotation: its first element is {printable(root.tag)[:80]!r}, not 'annotation'"
        )
    rows = tuple(_row(where, number, element) for number, element in enumerate(root.findall("object"), 1))
    filename = (root.findtext("filename") or "").strip()
    return VocFile(file, filename or None, _size(where, root), rows)


def _size(where: str, root: Element) -> tuple[int, int] | None:
    element = root.find("size")
    if element is None:
        return None
    lengths = []
    for name in ("height", "width"):
        text = (element.findtext(name) or "0").strip()
        number = number_of(text)
        if number is None or number < 0 or number != int(number):
            raise SourceError(
                f"{where}: the {name} of its size is {text[:80]!r}, not a whole number of pixels"
            )
        lengths.append(int(number))
    return (lengths[0], lengths[1]) if all(lengths) else None


def _row(where: str, number: int, element: Element) -> ObjectRow:
    name = nfc((element.findtext("name") or "").strip())
    place = f"object {number}" + (f" ({printable(name)[:80]})" if name else "")

    def broken(text: str) -> SourceError:
        return SourceError(f"{where}, {place}: {text}")

    if not name:
        raise broken("no name of a class")
    boxes = element.findall("bndbox")
    if len(boxes) != 1:
        kinds = ", ".join(sorted({printable(child.tag) for child in element}))[:80]
        raise broken(f"{len(boxes) or 'no'} bndbox among its elements ({kinds}), and one is wanted")
    corners = []
    for corner in _CORNERS:
        texts = [(child.text or "").strip() for child in boxes[0].findall(corner)]
        if len(texts) != 1:
            raise broken(f"{len(texts) or 'no'} {corner} in its bndbox, and one is wanted")
        value = number_of(texts[0])
        if value is None:
            raise broken(f"{corner} is {texts[0][:80]!r}, not a number")
        corners.append(value)
    columns: dict[str, Any] = {}
    for flag in _FLAGS:
        text = (element.findtext(flag) or "").strip().lower()
        if text not in ("", "0", "1", "unspecified"):
            raise broken(f"{flag} is {text[:80]!r}, and may be 0 or 1")
        columns[flag] = text == "1"
    pose = (element.findtext("pose") or "").strip()
    columns["pose"] = "" if pose.lower() == "unspecified" else pose
    return ObjectRow(place, name, (corners[0], corners[1], corners[2], corners[3]), columns)


def open_voc(
    images: Path, annotations: Path, reading: Reading, wanted: LabelOptions, kept: ObjectsKept
) -> Source:
    """Open images with an XML file each.

    An annotation belongs to the image of the same relative name, its suffix aside, or else to the one that its
    ``filename`` names. An annotation without objects is an image without boxes; an image without an annotation is left
    out and counted.

    Parameters
    ----------
    images, annotations : Path
        Folders.
    reading : Reading
    wanted : LabelOptions
        Its ``class_names``.
    kept : ObjectsKept

    Raises
    ------
    SourceError
        Where an annotation is broken, or an image is missing; names the file, and the object.
    """
    listing = images_of(images)
    parsed = [parse_voc(annotations / name) for name in annotation_files(annotations, ".xml")]
    pairs = _paired(images, annotations, listing.found, parsed)
    annotated = {one.name for one, _ in pairs}
    listing.left_out.add(
        "without an annotation", *(one.name for one in listing.found if one.name not in annotated)
    )
    found = {str(row.category) for one in parsed for row in one.rows}
    where = printable(annotations)
    class_names = numbered_classes(where, found, wanted.class_names)
    number = {name: i for i, name in enumerate(class_names)}
    objects = (
        (
            one,
            kept.gather(
                voc.file,
                voc.file.relative_to(annotations.parent).as_posix(),
                "voc",
                voc.rows,
                lambda name: number[str(name)],
                voc.size,
            ),
        )
        for one, voc in pairs
    )
    return annotated_source(images, listing, objects, class_names, reading, kept)


def numbered_classes(where: str, found: set[str], class_names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Class names in the order of their numbers: those given, which must hold all found, or else those found.

    Raises
    ------
    SourceError
        For a class that is not among those given.
    """
    if class_names is None:
        names = class_order(found)
        warn_of_likeness(where, names)
        return names
    refuse_classes(where, found, class_names, "add it to class_names, or correct the annotations")
    return class_names


def _paired(
    images: Path, annotations: Path, found: Sequence[Found], parsed: Sequence[VocFile]
) -> list[tuple[Found, VocFile]]:
    """Images with their annotations, in the order of the images."""
    by_stem: dict[str, list[Found]] = {}
    by_name = {nfc(one.name): one for one in found}
    for one in found:
        by_stem.setdefault(_stem(one.name), []).append(one)
    of_image: dict[str, VocFile] = {}
    alone: list[str] = []
    for voc in parsed:
        name = voc.file.relative_to(annotations).as_posix()
        same = by_stem.get(_stem(name), [])
        meant = by_name.get(nfc(voc.image or ""))
        if len(same) > 1 and meant not in same:
            raise SourceError(
                f"{printable(voc.file)}: {named(one.name for one in same)} have its name, and its filename "
                f"{printable(voc.image)!r} is none of them"
            )
        one = meant if meant is not None and (not same or meant in same) else next(iter(same), None)
        if one is None:
            alone.append(name)
            continue
        other = of_image.setdefault(one.name, voc)
        if other is not voc:
            raise SourceError(
                f"{printable(voc.file)} and {printable(other.file.name)} both annotate {printable(one.name)}: remove one"
            )
    if alone:
        raise SourceError(
            f"{printable(annotations)}: {len(alone)} of {len(parsed)} annotations have no image in "
            f"{printable(images)}: {named(alone)}; add the images, or remove these files"
        )
    return [(one, of_image[one.name]) for one in found if one.name in of_image]


def _stem(name: str) -> str:
    return nfc(split_suffix(name)[0])


def number_text(number: float) -> str:
    """Write a number so that it is read back equal: without a point where it is whole."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))


def voc_text(
    image: str,
    size: tuple[int, int],
    channels: int,
    boxes: Sequence[Sequence[float]],
    names: Sequence[str],
    columns: Sequence[dict[str, Any]],
) -> str:
    """Write the XML of an image.

    Parameters
    ----------
    image : str
        Name of its file.
    size : tuple of int
        (height, width).
    channels : int
    boxes : sequence of four numbers
        VOC's corners.
    names : sequence of str
        Class of each box.
    columns : sequence of dict
        ``truncated``, ``difficult``, ``occluded`` and ``pose`` of each box, as far as they are known.
    """
    lines = [
        "<annotation>",
        f"\t<filename>{_xml(image)}</filename>",
        "\t<size>",
        *(
            f"\t\t<{key}>{value}</{key}>"
            for key, value in (("width", size[1]), ("height", size[0]), ("depth", channels))
        ),
        "\t</size>",
        "\t<segmented>0</segmented>",
    ]
    for box, name, column in zip(boxes, names, columns, strict=True):
        lines += ["\t<object>", f"\t\t<name>{_xml(name)}</name>"]
        lines.append(f"\t\t<pose>{_xml(str(column.get('pose') or 'Unspecified'))}</pose>")
        lines += [f"\t\t<{flag}>{int(bool(column.get(flag, False)))}</{flag}>" for flag in _FLAGS]
        lines.append("\t\t<bndbox>")
        lines += [f"\t\t\t<{corner}>{number_text(v)}</{corner}>" for corner, v in zip(_CORNERS, box)]
        lines += ["\t\t</bndbox>", "\t</object>"]
    return "\n".join([*lines, "</annotation>", ""])


def _xml(text: str) -> str:
    """A text inside an element; what XML 1.0 cannot hold is refused."""
    bad = next(
        (
            c
            for c in text
            if not (c in "\t" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff")
        ),
        None,
    )
    if bad is not None:
        raise SourceError(
            f"{printable(text)[:80]!r} holds the character {bad!r:.20}, which XML cannot: rename it"
        )
    from xml.sax.saxutils import escape  # imports http and ssl, which no loader needs

    return escape(text)
