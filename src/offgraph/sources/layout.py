"""What the names of folders tell: images and masks, or parts of a data set, where classes were looked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from os.path import splitext
from pathlib import Path, PurePosixPath

from offgraph.core.counting import count_of
from offgraph.core.errors import SourceError
from offgraph.core.tables import header_of
from offgraph.formats import AS_ARRAY
from offgraph.sources.names import named, natural_key, nfc, printable, warn_caller
from offgraph.sources.reading import LabelOptions
from offgraph.sources.walk import Listing

__all__ = ["IMAGE_WORDS", "MASK_WORDS", "advice_on", "look", "nothing_found", "refuse_masks_as_images"]

IMAGE_WORDS = frozenset(
    [
        "image",
        "images",
        "img",
        "imgs",
        "photo",
        "photos",
        "picture",
        "pictures",
        "jpegimages",
        "input",
        "inputs",
        "frames",
        "raw",
    ]
)
MASK_WORDS = frozenset(
    [
        "mask",
        "masks",
        "label",
        "labels",
        "labelmap",
        "labelmaps",
        "seg",
        "segs",
        "segmentation",
        "segmentations",
        "segmentationclass",
        "segmentationobject",
        "annotation",
        "annotations",
        "gt",
        "groundtruth",
        "ground_truth",
        "ground-truth",
        "target",
        "targets",
    ]
)
_PLAINLY_MASKS = frozenset({"mask", "masks", "seg", "segs", "segmentation", "segmentations", "gt"})
PART_WORDS = frozenset(
    [
        "train",
        "training",
        "trn",
        "test",
        "testing",
        "tst",
        "val",
        "valid",
        "validate",
        "validation",
        "dev",
        "eval",
        "holdout",
    ]
)
TABLE_WORDS = frozenset({"path", "label", "labels", "class", "file", "filename", "image", "image_id"})
_ENOUGH_PAIRS = 2
_VOLUMES = (".dcm", ".nrrd", ".nhdr", ".mha", ".mhd", ".mgz", ".h5", ".hdf5", ".czi", ".lif", ".nd2")
_SHOWN = 3


def look(root: Path, listing: Listing, wanted: LabelOptions) -> None:
    """Compare folders of unknown meaning with common layouts of data sets.

    Raises
    ------
    SourceError
        Where they are certainly no classes, or images lie beside folders of images; says what to write.

    Warns
    -----
    OffgraphWarning
        Where it may be meant: a single class, parts among other names, masks among the images.
    """
    direct = [name for name in listing.names if "/" not in name]
    holding = Counter(name[: name.index("/")] for name in listing.names if "/" in name)
    known = set(wanted.class_names or ())
    if known and not direct and {nfc(name) for name in holding} <= known:
        return  # the caller has named these folders as classes
    here = _Here(root, listing)
    if holding:
        here.no_images_and_masks(holding)
    if direct and holding:
        here.no_mixture(direct, holding)
    if holding:
        here.no_parts(holding)
        here.no_stacks_of_folders()
        if len(holding) == 1 and not known:
            here.not_one_class(*holding)
    if len(holding) < 2:
        here.no_table_beside()
    here.no_masks_among_images()


def advice_on(name: str) -> str:
    """What to do with files of other kinds that hold images or their labels."""
    suffix = PurePosixPath(name.lower().removesuffix(".gz")).suffix
    if suffix in _VOLUMES:
        return f"; volumes of this kind are not read: {AS_ARRAY}"
    if name.lower().endswith((".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")):
        return "; unpack it first"
    if suffix in (".xlsx", ".xls", ".ods", ".json", ".xml", ".txt", ".parquet", ".tab", ".dat"):
        return "; save its rows as a CSV with the columns path and label"
    return ""


def nothing_found(root: Path, listing: Listing) -> SourceError:
    """Return the error for a folder without images: what there is instead, and what to write."""
    here = _Here(root, listing)
    left_out = ", ".join(f"{count} {reason}" for reason, count in listing.left_out.counts.items())
    message = f"{here.where}: no images in it" + (f" (left out: {left_out})" if left_out else "")
    others = [
        name for names in listing.left_out.names.values() for name in names if PurePosixPath(name).suffix
    ]
    tables = [name for name in others if PurePosixPath(name).suffix.lower() in (".csv", ".tsv")]
    if tables:
        return SourceError(f"{message}; it holds a table: write open_source({here.at(tables[0])})")
    if others:
        endings = Counter(PurePosixPath(name).suffix for name in others)
        shown = ", ".join(ending for ending, _ in endings.most_common(_SHOWN))
        most = next(name for name in others if PurePosixPath(name).suffix == endings.most_common(1)[0][0])
        return SourceError(f"{message}; files here end in {shown}{advice_on(most)}")
    if listing.folders:
        return SourceError(
            f"{message}; it holds {count_of(len(listing.folders), 'folder')}: {named(listing.folders)}"
        )
    return SourceError(message if left_out else f"{message}: the folder is empty")


def refuse_masks_as_images(root: Path, names: Sequence[str]) -> None:
    """Refuse a folder of images without classes in which folders of their masks lie, at any depth.

    Parameters
    ----------
    root : Path
    names : sequence of str
        Of the images, relative to `root`.

    Raises
    ------
    SourceError
        Naming the two folders and what to write.

    Warns
    -----
    OffgraphWarning
        Where masks lie beside their images, by their names.
    """
    below: dict[PurePosixPath, set[str]] = {}
    for folder in {PurePosixPath(name).parent for name in names}:
        for inner in (folder, *folder.parents):
            if inner.name:
                below.setdefault(inner.parent, set()).add(inner.name)
    for folder, inside in sorted(below.items()):
        pair = _pair(inside, inside)
        if pair is not None:
            images, masks = pair
            here = root / folder
            raise SourceError(
                f"{printable(here)} holds {printable(images)}/ and {printable(masks)}/, and masks are not images: write "
                f"open_source({printable((here / images).as_posix())!r}, "
                f"masks={printable((here / masks).as_posix())!r}), or labels=None to take all of them as images"
            )
    _warn_of_masks_among(printable(root), names)


class _Here:
    """A folder and what was listed in it."""

    def __init__(self, root: Path, listing: Listing) -> None:
        self.root, self.listing = root, listing
        self.where = printable(root)

    def at(self, name: str) -> str:
        """A path below, as it is written in Python."""
        return repr(printable((self.root / name).as_posix()))

    def no_images_and_masks(self, holding: Counter[str]) -> None:
        pair = _pair(holding, self.listing.folders)
        if pair is None:
            return
        images, masks = pair
        begin = f"{self.where} holds {printable(images)}/ and {printable(masks)}/"
        if masks in holding:
            raise SourceError(
                f"{begin}, which are images and masks, no classes: write open_source({self.at(images)}, "
                f"masks={self.at(masks)}), or labels='folders' if they are classes"
            )
        raise SourceError(
            f"{begin}, and no images in {printable(masks)}/: masks are images too, and labels of other kinds are "
            f"read from a table with the columns path and label; write open_source({self.at(images)}) to take the "
            f"images alone, or labels='folders' if {printable(images)} is a class"
        )

    def no_mixture(self, direct: list[str], holding: Counter[str]) -> None:
        folders = sorted(holding, key=natural_key)
        masks = [name for name in folders if name.lower() in MASK_WORDS]
        pair = f"masks={self.at(masks[0])} if they are the masks of these, " if masks else ""
        raise SourceError(
            f"{self.where}: images such as {printable(direct[0])} lie beside folders with images such as "
            f"{printable((masks or folders)[0])}/; say {pair}labels='folders' to take the folders as classes, or "
            "labels=None to take all without classes"
        )

    def no_parts(self, holding: Counter[str]) -> None:
        parts = [name for name in sorted(holding, key=natural_key) if name.lower() in PART_WORDS]
        if len(parts) < 2:
            return
        first = next((name for name in parts if name.lower().startswith("tr")), parts[0])
        message = (
            f"{self.where} holds {' and '.join(f'{printable(part)}/' for part in parts)}, which look like parts of a "
            f"data set: open each alone, as open_source({self.at(first)})"
        )
        if len(parts) == len(holding):
            raise SourceError(f"{message}; or write labels='folders' if they are classes")
        warn_caller(f"{message}; they are taken as classes now: write labels='folders' if this is meant")

    def no_stacks_of_folders(self) -> None:
        """One folder per image, with images/ and masks/ in each."""
        names = self.listing.names
        if not all(name.count("/") > 1 for name in names):
            return
        inner = {PurePosixPath(name).parts[1:2] for name in names}
        words = {part[0].lower() for part in inner if part}
        if words & IMAGE_WORDS and words & MASK_WORDS and words <= IMAGE_WORDS | MASK_WORDS:
            shown = named(part[0] for part in inner)
            raise SourceError(
                f"{self.where}: each folder in it holds {shown}, which are images and masks, no classes: bring them "
                "into two folders, with one mask for each image under the same name, and write "
                "open_source('images', masks='masks'); or write labels='folders' if the folders are classes"
            )

    def not_one_class(self, only: str) -> None:
        found = self.listing.found
        below = {name.split("/")[1] for name in found.names if name.count("/") > 1}
        empty = self.listing.classes - {only}
        beside = f" (empty: {named(empty)})" if empty else ""
        if below and all(name.count("/") > 1 for name in found.names):
            raise SourceError(
                f"{self.where}: all {count_of(len(found), 'image')} lie in {printable(only)}/{beside}, in the folders "
                f"{named(below)}: write open_source({self.at(only)}) if these are the classes, labels=None for no "
                f"classes, or labels='folders' to take {printable(only)} as the only class"
            )
        warn_caller(
            f"{self.where}: all {count_of(len(found), 'image')} lie in {printable(only)}/{beside}, taken as a class "
            f"now: write open_source({self.at(only)}) or labels=None if there are no classes, or labels='folders' if "
            "this is meant"
        )

    def no_table_beside(self) -> None:
        """A table of labels that lies among images without any."""
        for name in self.listing.left_out.names.get("not an image", ()):
            if "/" in name or splitext(name)[1].lower() not in (".csv", ".tsv"):  # noqa: PTH122
                continue
            if _columns(self.root / name) & TABLE_WORDS:
                warn_caller(
                    f"{self.where} holds a table, {name}, that is not read: write open_source({self.at(name)}) if it "
                    "holds the labels, or labels='folders' or labels=None if not"
                )
                return

    def no_masks_among_images(self) -> None:
        _warn_of_masks_among(self.where, self.listing.names)


def _warn_of_masks_among(where: str, names: Sequence[str]) -> None:
    named_so = re.compile(r"mask|seg|gt|label", re.IGNORECASE).search
    if not any(map(named_so, names)):  # of a million names, a set would take 150 MB
        return
    stems = {splitext(name)[0] for name in names}  # noqa: PTH122  # many
    likely = [stem for stem in stems if named_so(stem)]
    for pattern in (
        r"(.*)([_\-. ](?:mask|masks|seg|segmentation|gt|label|labels))",
        r"(.*/)?(mask_|seg_)([^/]*)",
    ):
        pairs: Counter[str] = Counter()
        for stem in likely:
            found = re.fullmatch(pattern, stem, re.IGNORECASE)
            if found is None:
                continue
            groups = found.groups(default="")
            if len(groups) == 2 and groups[0] in stems:
                pairs[f"*{groups[1]}"] += 1
            elif len(groups) == 3 and groups[0] + groups[2] in stems:
                pairs[f"{groups[1]}*"] += 1
        for form, count in pairs.most_common(1):
            if count >= _ENOUGH_PAIRS and 2 * count >= len(stems) - count:
                warn_caller(
                    f"{where}: {count:,} names are those of other images with {form.strip('*')!r} added, and "
                    f"are taken as images now: write masks={form!r} if they are the masks of those, or "
                    "labels='folders' or labels=None if not"
                )


def _columns(table: Path) -> set[str]:
    """Columns of a table, in lower case; none where it cannot be read."""
    try:
        return {name.lower() for name in header_of(table)}
    except OSError:
        return set()


def _pair(holding: Iterable[str], folders: Iterable[str]) -> tuple[str, str] | None:
    """Folders of images and of their masks: ``images`` and ``labels``, or ``train`` and ``train_masks``."""
    images = sorted(holding, key=natural_key)
    others = sorted(folders, key=natural_key)
    first = next((name for name in images if name.lower() in IMAGE_WORDS), None)
    if first is not None:
        partner = next((name for name in others if name.lower() in MASK_WORDS), None)
        if partner is not None:
            return first, partner
    named: dict[str, list[tuple[str, str]]] = {}  # folders, by what may be the name of their images
    for other in others:
        lower = other.lower()
        for at in range(len(lower)):
            if lower[at] in "_- ":
                named.setdefault(lower[:at], []).append((other, lower[at + 1 :]))
    for name in images:
        # wine and wine_label may be classes, train and train_label are not
        words = MASK_WORDS if name.lower() in IMAGE_WORDS | PART_WORDS else _PLAINLY_MASKS
        for other, rest in named.get(name.lower(), ()):
            if rest in words:
                return name, other
    return None
