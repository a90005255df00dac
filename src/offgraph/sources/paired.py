"""Images and their label masks: two folders, paired by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from offgraph.core.errors import SourceError
from offgraph.core.file_names import split_suffix
from offgraph.sources.base import MASK_ADVICE, Source
from offgraph.sources.folder import folders_as_classes
from offgraph.sources.items import Item
from offgraph.sources.layout import nothing_found
from offgraph.sources.names import named, nfc, printable
from offgraph.sources.reading import LabelOptions, Reading
from offgraph.sources.walk import Found, is_folder, list_images

__all__ = ["open_paired"]

_MASKS_TRIED = 3
_STRAY_ADVICE = "; write missing_mask='skip' to leave out what has no partner"


def open_paired(root: Path, masks: Path, reading: Reading, wanted: LabelOptions) -> Source:
    """Pair each image under `root` with the mask of the same relative name, its suffix aside.

    ``images/a/1.jpg`` belongs to ``masks/a/1.png``. The folder of masks may lie inside `root`. Where no names are the
    same, those that differ by one word throughout are paired: ``1.jpg`` and ``1_mask.png``, ``image_1.jpg`` and
    ``mask_1.png``.

    Parameters
    ----------
    root : Path
    masks : Path
        A folder, or a pattern such as ``*_mask.png`` or ``masks/*_seg`` in which ``*`` stands for the image's name. A
        pattern without a folder names masks beside the images.
    reading : Reading
    wanted : LabelOptions

    Raises
    ------
    SourceError
        Where an image or a mask has no partner (``reading.missing_mask`` may allow it for images), or more than one;
        names them.
    """
    where, with_classes = printable(root), wanted.labels == "folders"
    wanted.check_task(where, has_classes=with_classes, has_masks=True)
    pattern = None if is_folder(masks) else _Pattern.of(masks)
    if pattern is None and _same(root, masks):
        raise SourceError(
            f"{where}: masks= is the folder of the images themselves; give the folder of their masks, or a pattern for "
            "masks beside the images, such as '*_mask.png'"
        )
    beside = pattern is not None and pattern.folder is None
    folder = masks if pattern is None else pattern.folder or root
    if not is_folder(folder):
        raise SourceError(f"{where} with masks {printable(masks)}: no such folder")
    listing = list_images(root, leave_out=None if beside else folder)
    left_out = listing.left_out
    found = listing.found
    if not beside:
        below = list_images(folder)
        below.left_out.warn(printable(folder))
        found = below.found
    candidates = found if pattern is None else [one for one in found if pattern.core(one.name) is not None]
    named_masks = {one.name for one in candidates} if beside else set[str]()
    images = [one for one in listing.found if one.name not in named_masks]
    if not images:
        raise nothing_found(root, listing)
    left_out.warn(where)
    if with_classes:
        left_out.add("in no class folder", *(one.name for one in images if "/" not in one.name))
        images = [one for one in images if "/" in one.name]
    if pattern is not None and not candidates:
        raise SourceError(f"{printable(folder)}: no image has a name like masks={printable(masks)!r}")
    images_by_key = _by_key(root, images, _stem)
    partners = _by_key(folder, candidates, _stem if pattern is None else pattern.key)
    partners = _by_image(images_by_key, partners, masks)
    bare = [images_by_key[stem].name for stem in images_by_key.keys() - partners.keys()]
    if len(bare) == len(images_by_key) or reading.missing_mask == "error":
        _complain(
            root, "without a mask of the same name", bare, _advice(root, images_by_key, partners, masks)
        )
    alone = [partners[stem].name for stem in partners.keys() - images_by_key.keys()]
    if reading.missing_mask != "skip":
        _complain(folder, "without an image of the same name", alone, _STRAY_ADVICE)
    else:
        left_out.add("mask without an image", *alone)
        left_out.add("without a mask", *bare)
        images_by_key = {stem: one for stem, one in images_by_key.items() if stem in partners}
    class_names: tuple[str, ...] = ()
    label_of: Sequence[int | None] = [None] * len(images_by_key)
    if with_classes:
        names = [one.name for one in images_by_key.values()]
        class_names, numbers = folders_as_classes(where, names, listing.classes, wanted)
        label_of = numbers.tolist()
    copies = listing.copies()
    items = tuple(
        Item(
            one.name,
            one.path,
            label,
            mask=partners[stem].path if stem in partners else None,
            copy_of=copies.get(one.name),
        )
        for (stem, one), label in zip(images_by_key.items(), label_of, strict=True)
    )
    return Source(
        items,
        class_names,
        root,
        reading,
        left_out.counts,
        walked=True,
        task=wanted.task,
        left_out=left_out.names,
    )


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False  # whoever lists them says what is wrong


def _advice(root: Path, images: dict[str, Found], masks: dict[str, Found], given: Path) -> str:
    """What to write where images have no masks: perhaps they lie one folder further down."""
    first = {key.split("/")[0] for key in images}
    if len(first) == 1 and all("/" in key and key.split("/", 1)[1] in masks for key in images):
        below = printable((root / first.pop()).as_posix())
        return f"; write open_source({below!r}, masks={printable(given.as_posix())!r})"
    return f"; {MASK_ADVICE}"


@dataclass(frozen=True)
class _Pattern:
    """Names of masks: ``*_mask.png``, perhaps in a folder; ``*`` stands for the name of the image."""

    folder: Path | None
    begin: str
    end: str
    whole: bool
    """Whether the ending of the file is part of the pattern."""

    @classmethod
    def of(cls, masks: Path) -> _Pattern:
        name = nfc(masks.name).removesuffix(".*")
        if name.count("*") != 1 or "*" in str(masks.parent):
            raise SourceError(
                f"masks={printable(masks)!r}: no such folder; give a folder, or a pattern with one * for the name of "
                "the image, such as '*_mask.png'"
            )
        begin, _, end = name.partition("*")
        beside = masks.parent == Path() and not masks.is_absolute()
        return cls(None if beside else masks.parent, begin, end, bool(PurePosixPath(f"x{end}").suffix))

    def core(self, name: str) -> str | None:
        """The part of a file's name that the star stands for; None of a name that is not like this."""
        path = PurePosixPath(nfc(name))
        text = path.name if self.whole else split_suffix(path.name)[0]
        fits = text.startswith(self.begin) and text.endswith(self.end)
        core = text[len(self.begin) : len(text) - len(self.end)] if fits else ""
        return core or None

    def key(self, name: str) -> str:
        return PurePosixPath(nfc(name)).with_name(self.core(name) or "").as_posix()


def _stem(name: str) -> str:
    return nfc(split_suffix(name)[0])


def _by_key(folder: Path, found: Sequence[Found], key: Callable[[str], str]) -> dict[str, Found]:
    keys: dict[str, Found] = {}
    twice = []
    for one in found:
        first = keys.setdefault(key(one.name), one)
        if first is not one:
            twice.append(f"{first.name} and {one.name}")
    _complain(folder, "with the same name but for the suffix", twice)
    return keys


# names that differ by a word


def _by_image(images: dict[str, Found], masks: dict[str, Found], given: Path) -> dict[str, Found]:
    """Masks by the key of their image: the same, or one that differs by the same word in all of them."""
    if not masks or images.keys() & masks.keys():
        return masks
    pairings: dict[tuple[str, ...], _Word] = {}
    for word in _words(images, masks):
        keys: list[str] = []
        for mask in masks:
            key = word.image_of(mask)
            if key is None or key not in images:
                break
            keys.append(key)
        if len(set(keys)) == len(masks):
            pairings.setdefault(tuple(keys), word)
    if len(pairings) > 1:
        first, second, *_ = pairings.values()
        raise SourceError(
            f"{printable(given)}: masks could be paired with images by {first}, or by {second}; say which with a "
            "pattern, such as masks='masks/*_mask.png'"
        )
    for paired in pairings:
        return dict(zip(paired, masks.values(), strict=True))
    return masks


@dataclass(frozen=True)
class _Word:
    """What stands in the name of a mask in place of something in the name of its image, at one end."""

    of_image: str
    of_mask: str
    at_end: bool

    def image_of(self, key: str) -> str | None:
        folder, slash, name = key.rpartition("/")
        if self.at_end:
            if not name.endswith(self.of_mask):
                return None
            name = name[: len(name) - len(self.of_mask)] + self.of_image
        else:
            if not name.startswith(self.of_mask):
                return None
            name = self.of_image + name[len(self.of_mask) :]
        return folder + slash + name

    def __str__(self) -> str:
        return f"{printable(self.of_mask)!r} for {printable(self.of_image)!r}"


def _words(images: dict[str, Found], masks: dict[str, Found]) -> Iterator[_Word]:
    """Words by which the first masks differ from images in the same folder; each holds a letter and cuts no number."""
    seen: set[_Word] = set()
    by_folder: dict[str, list[str]] = defaultdict(list)
    for key in images:
        folder, _, name = key.rpartition("/")
        by_folder[folder].append(name)
    for key in list(masks)[:_MASKS_TRIED]:
        folder, _, mask = key.rpartition("/")
        for image in by_folder[folder]:
            for at_end in (True, False):
                word = _difference(image, mask, at_end)
                if word is not None and word not in seen:
                    seen.add(word)
                    yield word


def _difference(image: str, mask: str, at_end: bool) -> _Word | None:
    if not at_end:
        reverse = _difference(image[::-1], mask[::-1], True)
        return reverse and _Word(reverse.of_image[::-1], reverse.of_mask[::-1], False)
    same = next((i for i, (a, b) in enumerate(zip(image, mask)) if a != b), min(len(image), len(mask)))
    while same and _in_word(image, same) and _in_word(mask, same):
        same -= 1  # image_1_sat and image_1_seg differ by sat and seg, not by at and eg
    of_image, of_mask = image[same:], mask[same:]
    plain = all(not word or any(c.isalpha() for c in word) for word in (of_image, of_mask))
    cuts = any(word[:1].isdigit() for word in (of_image, of_mask)) and image[same - 1 : same].isdigit()
    return _Word(of_image, of_mask, True) if same and plain and not cuts else None


def _in_word(text: str, at: int) -> bool:
    """Whether letters stand on both sides of a place."""
    return text[at - 1 : at].isalpha() and text[at : at + 1].isalpha()


def _complain(folder: Path, what: str, names: list[str], advice: str = "") -> None:
    if names:
        raise SourceError(f"{printable(folder)}: {len(names)} {what}: {named(names)}{advice}")
