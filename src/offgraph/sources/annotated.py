"""Which annotations lie in a folder, by looking: VOC, COCO or YOLO. Where two fit, the caller is asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from offgraph.core.choices import AnnotationFormat
from offgraph.core.errors import SourceError
from offgraph.sources.base import Source
from offgraph.sources.coco import CocoFile, looks_like_coco, open_coco, parse_coco
from offgraph.sources.layout import IMAGE_WORDS, PART_WORDS
from offgraph.sources.names import named, natural_key, printable
from offgraph.sources.objects import ObjectsKept
from offgraph.sources.reading import LabelOptions, Reading
from offgraph.sources.voc import open_voc
from offgraph.sources.walk import is_folder, is_image, refused
from offgraph.sources.yolo import NAME_FILES, YAML_FILES, open_yolo

__all__ = ["Annotated", "find_annotations", "open_annotated", "parse_annotations"]

_XML_FOLDERS = frozenset({"annotations", "annotation", "xml", "xmls", "labels"})
_TXT_FOLDERS = frozenset({"labels", "label"})
_JSON_FOLDERS = frozenset({"annotations", "annotation"})
_LOOKED_AT = 200
"""Entries of a folder that are looked at for a file of an ending."""

_NAMES: dict[AnnotationFormat, str] = {"voc": "VOC", "coco": "COCO", "yolo": "YOLO"}


@dataclass(frozen=True)
class Annotated:
    """Images and annotations that lie where a format has them.

    Parameters
    ----------
    format : {"voc", "coco", "yolo"}
    annotations : Path
        A folder of VOC or YOLO files, or a JSON file.
    images : Path
        Their folder. Of COCO, the folder that was looked in: its images may lie in a folder of it.
    """

    format: AnnotationFormat
    annotations: Path
    images: Path

    def shown(self, root: Path) -> str:
        """The format, and where its files lie, for messages."""
        inside = self.annotations.is_relative_to(root) and self.annotations != root
        shown = self.annotations.relative_to(root).as_posix() if inside else self.annotations.as_posix()
        return f"{_NAMES[self.format]} ({printable(shown)})"


def find_annotations(root: Path) -> list[Annotated]:
    """Look for annotations in a folder, by the names of folders and files; nothing is parsed.

    - VOC: XML files in ``Annotations`` and images in ``JPEGImages`` (or other names that say so), or both in `root`.
    - COCO: JSON files that look like it, in `root` or in ``annotations``.
    - YOLO: text files in ``labels`` and images in ``images``, or both in `root` with ``data.yaml`` or ``classes.txt``.
      `root` may be a folder of images, of which ``labels`` lies beside ``images``: ``images/train``, ``labels/train``.

    Raises
    ------
    SourceError, MachineError
        Where the folder cannot be listed.
    """
    try:
        with os.scandir(root) as entries:
            listed = sorted(entries, key=lambda entry: natural_key(entry.name))
    except OSError as error:
        raise refused(root, error) from error
    folders = {entry.name.lower(): Path(entry.path) for entry in listed if _is(entry.is_dir)}
    files = [Path(entry.path) for entry in listed if not entry.name.startswith(".") and _is(entry.is_file)]
    images = next(
        (path for name, path in folders.items() if name in IMAGE_WORDS and _holds_images(path)), None
    )
    flat = any(map(is_image, files[:_LOOKED_AT]))
    return [
        *_find_voc(root, folders, files, images, flat),
        *_find_coco(root, folders, files),
        *_find_yolo(root, folders, files, images, flat),
    ]


def _find_voc(
    root: Path, folders: dict[str, Path], files: list[Path], images: Path | None, flat: bool
) -> Iterator[Annotated]:
    xmls = [path for name, path in folders.items() if name in _XML_FOLDERS and _holds(path, ".xml")]
    for path in xmls:
        if images is not None:
            yield Annotated("voc", path, images)
        elif flat:
            yield Annotated("voc", path, root)
    stems = {path.stem for path in files if path.suffix.lower() == ".xml"}
    if stems and any(path.stem in stems for path in files if is_image(path)):
        yield Annotated("voc", root, root)


def _find_coco(root: Path, folders: dict[str, Path], files: list[Path]) -> Iterator[Annotated]:
    found = [path for path in files if path.suffix.lower() == ".json"]
    for name, path in folders.items():
        if name in _JSON_FOLDERS:
            found += [path / entry for entry in _names(path) if entry.lower().endswith(".json")]
    for path in found:
        if not path.name.startswith(("captions", ".")) and looks_like_coco(path):
            yield Annotated("coco", path, root)


def _find_yolo(
    root: Path, folders: dict[str, Path], files: list[Path], images: Path | None, flat: bool
) -> Iterator[Annotated]:
    for name, path in folders.items():
        if name in _TXT_FOLDERS and _holds(path, ".txt"):
            if images is not None:
                yield Annotated("yolo", path, images)
            elif flat:
                yield Annotated("yolo", path, root)
    lower = {path.name.lower() for path in files}
    stems = {path.stem for path in files if path.suffix.lower() == ".txt"}
    if lower & {*NAME_FILES, *YAML_FILES} and any(path.stem in stems for path in files if is_image(path)):
        yield Annotated("yolo", root, root)
    beside = _labels_beside(root)
    if beside is not None and (flat or folders):
        yield Annotated("yolo", beside, root)


def _labels_beside(images: Path) -> Path | None:
    """``labels/train`` of ``images/train``: the last folder called images, replaced."""
    parts = images.absolute().parts
    for i in range(len(parts) - 1, 0, -1):
        if parts[i].lower() == "images":
            labels = Path(*parts[:i], "labels", *parts[i + 1 :])
            return labels if _is_folder(labels) and _holds(labels, ".txt") else None
    return None


def _is(kind: Callable[[], bool]) -> bool:
    """Ask an entry of a folder for its kind: a cycle of links has none."""
    try:
        return kind()
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    """Whether a path leads to a folder; not for a cycle of links, or where it may not be looked at."""
    return os.path.isdir(path)  # noqa: PTH112  # Path's raises


def _names(folder: Path) -> list[str]:
    """The first names in a folder, in natural order; none where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry, _ in zip(entries, range(_LOOKED_AT))]
    except OSError:
        return []
    return sorted(found, key=natural_key)


def _holds(folder: Path, ending: str) -> bool:
    """Whether a folder, or one in it, holds files of an ending and no images: among the first entries."""
    names = _names(folder)
    if any(name.lower().endswith(ending) for name in names):
        return not any(is_image(folder / name) for name in names if not name.lower().endswith(ending))
    inner = [folder / name for name in names if _is_folder(folder / name)]
    return any(any(name.lower().endswith(ending) for name in _names(path)) for path in inner[:3])


def _holds_images(folder: Path) -> bool:
    names = _names(folder)
    return any(_is_folder(folder / name) or is_image(folder / name) for name in names)


def open_annotated(
    path: Path,
    annotations: str | Path,
    reading: Reading,
    wanted: LabelOptions,
    kept: ObjectsKept,
    root: Path | None = None,
) -> Source | None:
    """Open images with their annotations.

    Parameters
    ----------
    path : Path
        A folder, or a JSON file.
    annotations : {"auto", "voc", "coco", "yolo"} or Path
        ``"auto"``: whatever is found. A path: a folder of VOC or YOLO files, or a JSON file.
    reading : Reading
    wanted : LabelOptions
    kept : ObjectsKept
    root : Path, optional
        Folder of the images that a JSON file names.

    Returns
    -------
    Source or None
        None with ``"auto"`` where nothing is found.

    Raises
    ------
    SourceError
        Where two annotations fit, none does, or what is found is broken.
    """
    where = printable(path)
    if isinstance(annotations, Path):
        chosen = _of_path(path, annotations)
    elif not is_folder(path):
        if annotations not in ("auto", "coco"):
            raise SourceError(f"{where}: annotations={annotations!r} is for folders, and this is a file")
        chosen = Annotated("coco", path, path.parent)
    else:
        found = find_annotations(path)
        if annotations == "auto":
            if not found:
                return None
        else:
            found = [one for one in found if one.format == annotations]
            if not found:
                raise SourceError(f"{where}: {_nothing(annotations)}")
        if len(found) > 1:
            raise SourceError(_question(path, found))
        chosen = found[0]
    if root is not None and chosen.format != "coco":
        raise SourceError(
            f"{where}: root= is for tables and COCO's JSON files; give the folder of the images itself"
        )
    if chosen.format == "coco":
        coco = parse_coco(chosen.annotations)
        images = root or _root_of_coco(coco, chosen.images)
        return open_coco(coco, images, reading, wanted, kept, called="root=" if root else "")
    _no_parts(chosen)
    opened = open_voc if chosen.format == "voc" else open_yolo
    return opened(chosen.images, chosen.annotations, reading, wanted, kept)


def _of_path(images: Path, annotations: Path) -> Annotated:
    """What a path of annotations is, by what lies there; a relative one may be relative to the folder of images."""
    found = next((path for path in (annotations, images / annotations) if path.exists()), None)
    if found is None:
        raise SourceError(f"annotations={printable(annotations)!r}: no such file or folder")
    if not _is_folder(found):
        if found.suffix.lower() != ".json":
            raise SourceError(
                f"annotations={printable(annotations)!r}: give a folder of VOC's XML or YOLO's text files, or a JSON file of COCO"
            )
        return Annotated("coco", found, images)
    kinds: list[AnnotationFormat] = []
    for convention, ending in (("voc", ".xml"), ("yolo", ".txt")):
        names = _names(found)
        inner = [name for sub in names[:3] if _is_folder(found / sub) for name in _names(found / sub)]
        if any(name.lower().endswith(ending) for name in (*names, *inner)):
            kinds.append(convention)  # type: ignore[arg-type]
    if len(kinds) != 1:
        what = "VOC's XML and YOLO's text files" if kinds else "neither VOC's XML nor YOLO's text files"
        raise SourceError(f"{printable(found)}: {what} in it; give a folder with one of them")
    return Annotated(kinds[0], found, images)


def _nothing(annotations: str) -> str:
    looked_for = {
        "voc": "no VOC annotations: XML files in Annotations/, and images in JPEGImages/, images/ or the folder itself",
        "coco": "no COCO annotations: a JSON file in it or in annotations/, with images, annotations and categories",
        "yolo": "no YOLO annotations: text files in labels/, and images in images/ or the folder itself",
    }
    return f"{looked_for[annotations]}; give their path as annotations="


def _question(root: Path, found: list[Annotated]) -> str:
    where = printable(root)
    if len({one.format for one in found}) == len(found):
        choices = " or ".join(f"annotations={one.format!r}" for one in found)
    else:
        choices = " or ".join(f"annotations={printable(one.annotations.as_posix())!r}" for one in found[:3])
    return (
        f"{where} holds {len(found)} annotations: {named(one.shown(root) for one in found)}; write {choices}, or "
        "annotations=None for the images alone"
    )


def _no_parts(chosen: Annotated) -> None:
    """Refuse train/ and val/ opened together: what a model is validated with would be trained on."""
    names = _names(chosen.images)
    parts = [name for name in names if name.lower() in PART_WORDS and _is_folder(chosen.images / name)]
    if len(parts) > 1 and not any(is_image(chosen.images / name) for name in names):
        first = next((name for name in parts if name.lower().startswith("tr")), parts[0])
        below = printable((chosen.images / first).as_posix())
        hint = f"open_source({below!r})"
        if chosen.format == "voc":
            below_annotations = printable((chosen.annotations / first).as_posix())
            hint = f"open_source({below!r}, annotations={below_annotations!r})"
        raise SourceError(
            f"{printable(chosen.images)} holds {' and '.join(printable(part) + '/' for part in parts)}, which look like "
            f"parts of a data set: open each alone, as {hint}"
        )


def _root_of_coco(coco: CocoFile, base: Path) -> Path:
    """The folder in which the images of a JSON file lie: the only one of the usual places that holds a first one.

    Raises
    ------
    SourceError
        Where two of them do.
    """
    file = coco.file
    part = file.stem
    for prefix in ("instances_", "person_keypoints_", "annotations_"):
        part = part.removeprefix(prefix)
    bases = [base, file.parent]
    if file.parent.name.lower() in _JSON_FOLDERS:
        bases.append(file.parent.parent)
    places: dict[Path, Path] = {}
    for folder in bases:
        images = [folder / name for name in _names(folder) if name.lower() in IMAGE_WORDS]
        for place in (folder, folder / part, *images, *(inner / part for inner in images)):
            if _is_folder(place):
                places.setdefault(place.resolve(), place)
    first = [image.file_name for image in coco.images[:20]]
    holding = [place for place in places.values() if any(_lies_in(place, name) for name in first)]
    if len(holding) > 1:
        raise SourceError(
            f"{printable(file)}: its images lie in {' and in '.join(printable(place) for place in holding)}: write "
            f"root={printable(holding[0].as_posix())!r}, or another"
        )
    return holding[0] if holding else base


def _lies_in(folder: Path, name: str) -> bool:
    try:
        return (folder / name).is_file() and ".." not in Path(name).parts and not Path(name).is_absolute()
    except (OSError, ValueError):
        return False


def parse_annotations(value: Any) -> Literal["auto", "voc", "coco", "yolo"] | Path | None:
    """Return the option: a word, a path, or None.

    Raises
    ------
    SourceError
    """
    if value is None or (isinstance(value, str) and value in ("auto", *_NAMES)):
        return value  # type: ignore[return-value]
    if not isinstance(value, str | os.PathLike) or "\0" in str(value):
        raise SourceError(
            f"annotations={value!r:.80}: give 'auto', 'voc', 'coco', 'yolo', a path, or None for the images alone"
        )
    return Path(value)
