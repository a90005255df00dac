"""Check files before training: each is decoded once, and what is broken or unusual is listed with its reason."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.choices import ObjectMasks
from offgraph.core.counting import count_of
from offgraph.core.errors import DecodeError, OffgraphWarning, SourceError
from offgraph.core.machine import with_retries
from offgraph.core.specs import ArraySpec
from offgraph.dataset.output import sha256_of
from offgraph.formats.decoding import read
from offgraph.recipe.compose import Compose, as_recipe
from offgraph.recipe.layers import Augment
from offgraph.recipe.lint_rules import RecipeFinding
from offgraph.sources import Item, Source, open_source
from offgraph.sources.classes import said_task
from offgraph.sources.masks import WHITE_MASKS
from offgraph.sources.names import printable
from offgraph.steps.base import Step

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["KINDS", "DoctorReport", "Finding", "doctor", "render_recipe"]

KINDS = {
    "source": "the folder or table as a whole",
    "left": "left out of the source",
    "boxes": "annotated objects that are not passed on",
    "bad": "cannot be used as they are",
    "suffix": "the name says another format than the bytes",
    "duplicate": "the same bytes as another file",
    "rotated": "turned or mirrored by its EXIF orientation",
    "frames": "more than one image in the file",
    "deep": "more than 8 bits per value",
    "mixed": "another type or number of channels than most: they do not fit into one batch",
    "cmyk": "stored as ink, read as RGB",
    "alpha": "has opacity",
    "colour": "grey among colour images, or the other way round",
    "size": "far larger or smaller than the median, or far longer",
    "values": "holds values that are not finite",
    "masks": "the masks",
    "note": "other remarks of the decoder",
}
"""Kinds of findings, in the order in which they are shown. Only ``"bad"`` files cannot be used."""

_ORDINARY = frozenset({"hidden", "not an image", "of a system or a tool"})  # counted, but not listed
_OF_LABELS = (
    "task",
    "targets",
    "annotations",
    "bad_boxes",
    "crowds",
)  # options of open_source that are not for files
_AREA_FACTOR = 16
_ASPECT_FACTOR = 4
_ENOUGH_TO_COMPARE = 5
_NAMED = 3
_FEW_TEXTS = 5  # up to this many similar texts are shown one by one
_NUMBERS = re.compile(r"[0-9]+(?:[.,][0-9]+)*")
_MASK_NAME = re.compile(r"^mask .*?\.\w+: ", re.DOTALL)
_GREY = {"grey", "grey+alpha", "bilevel"}
_COLOUR = {"rgb", "rgba", "palette", "cmyk"}


@dataclass(frozen=True)
class Finding:
    """One finding about one file.

    Parameters
    ----------
    file : str
        Path relative to the folder that was looked at, with ``/``.
    kind : str
        A key of `KINDS`.
    said : str
        The finding in a few words, and what to do where the file cannot be used. Files with the same text are shown
        in one line, and so are many files whose texts differ only in numbers.
    detail : str
        What is this file's own, such as the range of its values.
    """

    file: str
    kind: str
    said: str
    detail: str = ""


@dataclass(frozen=True)
class DoctorReport:
    """What `doctor` found.

    Parameters
    ----------
    path : str
        What was looked at.
    files : int
        Images that were decoded or failed to.
    skipped : mapping of str to int
        Files that are not images, by reason.
    findings : tuple of Finding
        By kind, in the order of `KINDS`, then by file.
    learnt : str
        What the labels are taken for, such as ``"classify: 3 classes"``; empty where there are none.
    refused : bool
        Whether `offgraph.open_source` refuses the source as a whole; its files were looked at all the same.
    recipe : tuple of RecipeFinding
        What `Compose.lint` says about the recipe, for the images that were looked at.
    """

    path: str
    files: int
    skipped: dict[str, int]
    findings: tuple[Finding, ...]
    learnt: str = ""
    refused: bool = False
    recipe: tuple[RecipeFinding, ...] = ()

    @property
    def bad(self) -> tuple[Finding, ...]:
        """Files that a loader with the same options cannot use."""
        return tuple(finding for finding in self.findings if finding.kind == "bad")

    @property
    def counts(self) -> dict[str, int]:
        """Findings of each kind; kinds without any are left out."""
        return dict(Counter(finding.kind for finding in self.findings))

    def to_json(self) -> dict[str, Any]:
        """Return the report as values that ``json.dumps`` takes."""
        return {
            "path": self.path,
            "files": self.files,
            "learnt": self.learnt,
            "refused": self.refused,
            "skipped": self.skipped,
            "counts": self.counts,
            "findings": [asdict(one) for one in self.findings],
            "recipe": [one.to_json() for one in self.recipe],
        }

    def render(self, console: Console) -> None:
        """Print the report as tables, one for each kind of finding, and a summary."""
        from rich.table import Table
        from rich.text import Text

        for kind, meaning in KINDS.items():
            groups: dict[str, list[Finding]] = defaultdict(list)
            for finding in self.findings:
                if finding.kind == kind:
                    groups[finding.said].append(finding)
            if not groups:
                continue
            count = sum(map(len, groups.values()))
            title = Text(f"{kind}: {meaning} ({count})", style="bold red" if kind == "bad" else "bold")
            table = Table(
                title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0)
            )
            table.add_column(overflow="fold")
            table.add_column(overflow="fold")
            for said, group in _joined(groups):
                table.add_row(Text(_files(group), style="cyan"), Text(printable(said)))
            console.print(table)
            console.print()
        if self.recipe:
            render_recipe(self.recipe, console)
            console.print()
        console.print(Text(self._summary()))

    def _summary(self) -> str:
        left_out = "".join(f", {count} left out ({reason})" for reason, count in self.skipped.items())
        odd = len(
            {
                finding.file
                for finding in self.findings
                if finding.kind not in ("bad", "source", "left", "boxes")
            }
        )
        learnt = f" ({printable(self.learnt)})" if self.learnt else ""
        whole = "; the source is refused as a whole, see above" if self.refused else ""
        return f"{count_of(self.files, 'image')}{learnt}: {len(self.bad)} cannot be used, {odd} are odd{left_out}{whole}"


def render_recipe(findings: Sequence[RecipeFinding], console: Console) -> None:
    """Print what was found in a recipe: step and field, what is wrong, what to write."""
    from rich.table import Table
    from rich.text import Text

    fails = any(finding.fails for finding in findings)
    title = (
        f"recipe: {'ends in an error, or is' if fails else 'what is'} probably not meant ({len(findings)})"
    )
    style = "bold red" if fails else "bold"
    table = Table(
        title=Text(title, style=style),
        title_justify="left",
        show_header=False,
        box=None,
        padding=(0, 2, 0, 0),
    )
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for finding in findings:
        text = Text(printable(finding.said))
        text.append(f"\n→ {printable(finding.mend)}")
        if finding.line:
            text.append(f"\n  {printable(finding.line)}", style="bold")
        table.add_row(Text(printable(finding.where), style="cyan"), text)
    console.print(table)


def _joined(groups: dict[str, list[Finding]]) -> list[tuple[str, list[Finding]]]:
    """Group findings: one line per text, and one line for many texts that differ only in numbers and file names."""
    alike: dict[str, list[str]] = defaultdict(list)
    for said, group in groups.items():
        alike[_pattern(group[0])].append(said)
    lines = []
    for texts in alike.values():
        if len(texts) <= _FEW_TEXTS:
            lines += [(_said(said, groups[said]), groups[said]) for said in texts]
            continue
        group = [finding for said in texts for finding in groups[said]]
        lines.append((f"{len(group):,} ×  such as: {texts[0]}", group))
    return lines


def _pattern(finding: Finding) -> str:
    """The text of a finding without what varies by file: numbers, and the names of a mask or of a first copy."""
    if finding.kind == "duplicate":
        return finding.kind
    return _NUMBERS.sub("#", _MASK_NAME.sub("mask: ", finding.said))


def _files(group: list[Finding]) -> str:
    """Names of the files of one line, abbreviated if there are many."""
    named = ", ".join(printable(finding.file) for finding in group[:_NAMED])
    return named if len(group) <= _NAMED else f"{named} and {len(group) - _NAMED:,} more"


def _said(said: str, group: list[Finding]) -> str:
    if len(group) == 1:
        return f"{said}, {group[0].detail}" if group[0].detail else said
    details = f" ({group[0].detail} in the first)" if group[0].detail else ""
    return f"{len(group):,} ×  {said}{details}"


@dataclass
class _Examined:
    """What was found in one file; None where it could not be used."""

    item: Item
    spec: ArraySpec | None = None
    mask_spec: ArraySpec | None = None
    mask_values: frozenset[int] | None = None
    layout: str = ""
    findings: list[Finding] = field(default_factory=list)

    def find(self, kind: str, said: str, detail: str = "") -> None:
        self.findings.append(Finding(self.item.name, kind, said, detail))


def doctor(
    path: Source | str | os.PathLike[str],
    recipe: Compose | Sequence[Step | Augment] | str | os.PathLike[str] | None = None,
    *,
    workers: int = 2,
    on_progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> DoctorReport:
    """Read every image of a folder, a CSV or a file as a loader will, and list what is broken or odd.

    Parameters
    ----------
    path : path or Source
        Whatever `offgraph.open_source` opens, or a source.
    recipe : Compose, list of steps or path of a recipe file, optional
        What it would do to these images, and is probably not meant, is listed too: see `Compose.lint`. It is looked at for
        the kind of image that most files are, of the smallest height and width among them.
    workers : int
        Threads.
    on_progress : callable, optional
        Called with the number of files done and of all.
    **options
        How the files are read: the keywords of `offgraph.open_source`, such as ``color``, ``axes``, ``masks`` and
        ``max_pixels``. A file that cannot be used with them is listed as bad, with the options that open it.

    Returns
    -------
    DoctorReport

    Raises
    ------
    SourceError
        Where there is nothing to look at.
    ArgumentError
        Where `workers` is not a whole number of at least 1.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from offgraph.inspection.file_checks import doctor
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.jpg").write_bytes(b"no image")
    ...     report = doctor(folder)
    >>> report.files, report.counts
    (1, {'bad': 1})
    """
    workers = whole_number("workers", workers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OffgraphWarning)  # hints of its steps are among the findings
        steps = None if recipe is None else as_recipe(recipe)
    source, refused, warned = _open(path, options)
    examined: list[_Examined] = []
    with ThreadPoolExecutor(workers) as pool:
        for one in pool.map(partial(_examine, source), range(len(source))):
            examined.append(one)
            if on_progress is not None:
                on_progress(len(examined), len(source))
    _find_duplicates(examined)
    _find_odd_sizes(examined)
    _find_mixed_colour(examined)
    _find_mixed(examined)
    findings = [Finding(".", "source", text) for text in (*refused, *warned, *_about_masks(examined))]
    findings += [
        Finding(name, "left", reason)
        for reason, names in source.left_out.items()
        if reason not in _ORDINARY
        for name in names
    ]
    findings += [
        Finding(place, "boxes", reason)
        for reason, places in source.left_out_boxes.items()
        for place in places
    ]
    findings += [finding for one in examined for finding in one.findings]
    order = list(KINDS)
    findings.sort(key=lambda finding: order.index(finding.kind))  # stable: files stay in the source's order
    learnt = said_task(source.task, source.class_names, source.target_names)
    return DoctorReport(
        str(source.table or source.root),
        len(source),
        dict(source.skipped),
        tuple(findings),
        learnt,
        bool(refused),
        () if steps is None else steps.lint(_usual_spec(examined), class_names=_texts(source.class_names)),
    )


def _usual_spec(examined: Iterable[_Examined]) -> ArraySpec | None:
    """The spec that most images have but for their size, with the smallest length that is found along each axis."""
    kinds: dict[tuple[str, str, int | None], list[ArraySpec]] = defaultdict(list)
    for one in examined:
        if (spec := one.spec) is not None:
            channels = spec.shape[spec.axes.index("C")] if "C" in spec.axes else None
            kinds[spec.dtype, spec.axes, channels].append(spec)
    if not kinds:
        return None
    usual = max(kinds.values(), key=len)
    shape = tuple(map(min, zip(*(spec.shape for spec in usual))))
    return ArraySpec(shape, usual[0].dtype, usual[0].axes)


def _texts(class_names: Iterable[object] | None) -> list[str]:
    return [str(name) for name in class_names or ()]


def _open(
    path: Source | str | os.PathLike[str], options: dict[str, Any]
) -> tuple[Source, list[str], list[str]]:
    """Open a source; where a loader would refuse it as a whole, or warn, look at its files all the same."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", OffgraphWarning)
        try:
            source, refused = open_source(path, **options), []
        except SourceError as error:
            if "labels" in options or isinstance(path, Source):
                raise
            files = {name: value for name, value in options.items() if name not in _OF_LABELS}
            if files.get("masks") in get_args(ObjectMasks):
                del files["masks"]
            source, refused = open_source(path, **files, labels=None), [str(error)]
    texts = [str(one.message) for one in caught if one.category is OffgraphWarning]
    known = (WHITE_MASKS, "bad box")  # all masks are asked below, and all boxes listed
    return source, refused, [text for text in texts if not any(words in text for words in known)]


def _examine(source: Source, index: int) -> _Examined:
    item = source[index]
    one = _Examined(item)
    try:
        sample = with_retries(lambda: source.read(index))
    except DecodeError as error:
        one.find("bad", _reason(error, item) + _what_opens_it(source, index))
        return one
    decoded, array = sample.decoded, sample.image.array
    one.spec, one.layout = sample.image.spec, decoded.layout
    if sample.mask is not None:
        one.mask_spec = sample.mask.spec
        one.mask_values = _few_values(sample.mask.array)
    if decoded.orientation != 1:
        one.find("rotated", f"EXIF orientation {decoded.orientation}")
    if decoded.frames > 1:
        one.find("frames", f"{decoded.frames} images, axes {decoded.axes}")
    if array.dtype.itemsize > 1:
        known = array[np.isfinite(array)] if array.dtype.kind == "f" else array
        one.find("deep", str(array.dtype), f"from {known.min()} to {known.max()}" if known.size else "")
    if decoded.layout == "cmyk":
        one.find("cmyk", "CMYK")
    if decoded.layout in ("rgba", "grey+alpha", "palette"):
        how = source.reading
        stored = read(item.path, axes=how.axes, max_pixels=how.max_pixels, page=how.page)
        if stored.array.ndim == 3 and stored.array.shape[-1] in (2, 4):
            one.find("alpha", _describe_alpha(stored.array[..., -1]))
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        one.find(
            "values",
            f"{array.size - np.count_nonzero(finite)} of {array.size} values are NaN or infinite; build and loaders "
            "refuse it unless non_finite='allow' is given",
        )
    for note in decoded.notes:
        if note.startswith("the name ends in"):
            one.find("suffix", note)
        elif decoded.frames == 1 and decoded.layout != "cmyk":  # do not repeat what is said above
            one.find("note", note)
    return one


def _reason(error: DecodeError, item: Item) -> str:
    """The cause, without the file name that precedes it; a mask is named by its own file."""
    text = str(error).removeprefix(f"{item.path}: ")
    return text if item.mask is None else text.replace(str(item.mask), f"mask {item.mask.name}")


def _what_opens_it(source: Source, index: int) -> str:
    """Name a colour policy that reads a file which the present one refuses; empty where the file itself is at fault."""
    if source.reading.color == "keep":
        return ""
    try:
        sample = replace(source, reading=replace(source.reading, color="keep")).read(index)
    except DecodeError:
        return ""
    spec = sample.image.spec
    shape = " × ".join(map(str, spec.shape))
    return f"; opens with color='keep' (--color keep): {shape} {spec.dtype}, axes {spec.axes}"


def _few_values(mask: np.ndarray) -> frozenset[int] | None:
    """The values of a mask with at most two, which may be an object in white; otherwise None."""
    if mask.dtype.itemsize > 1 or not mask.size:
        return None
    counts = np.bincount(mask.ravel().astype(np.uint8), minlength=256)
    values = np.flatnonzero(counts)
    return frozenset(values.tolist()) if len(values) <= 2 else None


def _about_masks(examined: list[_Examined]) -> list[str]:
    """Report masks that are all black and white: white is 255, which is hardly meant as a class number."""
    masked = [one for one in examined if one.mask_spec is not None]
    values = [one.mask_values for one in masked]
    if not masked or None in values or frozenset[int]().union(*(v for v in values if v)) != {0, 255}:
        return []
    return [f"the masks hold {WHITE_MASKS}: mask_values={{255: 1}} (--mask-values 255=1) makes 1 of it"]


def _find_mixed(examined: Iterable[_Examined]) -> None:
    """Report images that differ from most in what all images of a batch must share."""
    usable = [one for one in examined if one.spec is not None]
    for kind, spec_of in (("images", lambda one: one.spec), ("masks", lambda one: one.mask_spec)):
        forms = Counter(_form(spec_of(one)) for one in usable if spec_of(one) is not None)
        if len(forms) < 2:
            continue
        usual = forms.most_common(1)[0][0]
        for one in usable:
            spec = spec_of(one)
            if spec is not None and _form(spec) != usual:
                what = "" if kind == "images" else "the mask: "
                one.find("mixed", f"{what}{_form(spec)}, where most {kind} are {usual}")


def _form(spec: ArraySpec) -> str:
    channels = f", {spec.shape[spec.axes.index('C')]} channels" if "C" in spec.axes else ""
    stack = "".join(name for name in spec.axes if name in "TZ")
    return f"{spec.dtype}{channels}{f', axes {spec.axes}' if stack else ''}"


def _describe_alpha(opacity: np.ndarray) -> str:
    full = np.iinfo(opacity.dtype).max if opacity.dtype.kind in "ui" else 1
    return "opaque everywhere" if (opacity == full).all() else "partly transparent"


def _find_duplicates(examined: Iterable[_Examined]) -> None:
    """Compare contents, but only of files of equal length."""
    by_length: dict[int, list[_Examined]] = defaultdict(list)
    for one in examined:
        try:
            by_length[one.item.path.stat().st_size].append(one)
        except OSError:
            continue  # a broken link has been listed as bad
    for same_length in by_length.values():
        first: dict[str, str] = {}
        for one in same_length if len(same_length) > 1 else ():
            digest = sha256_of(one.item.path)
            if digest is None:
                continue
            if digest in first:
                one.find("duplicate", f"the same bytes as {first[digest]}")
            first.setdefault(digest, one.item.name)


def _find_odd_sizes(examined: Iterable[_Examined]) -> None:
    sized = []
    for one in examined:
        if one.spec is not None and 0 not in one.spec.size:
            height, width = one.spec.size[-2:]
            sized.append((one, height, width))
    if len(sized) < _ENOUGH_TO_COMPARE:
        return
    usual_area = median(height * width for _, height, width in sized)
    usual_aspect = median(max(height, width) / min(height, width) for _, height, width in sized)
    for one, height, width in sized:
        area, aspect = height * width / usual_area, max(height, width) / min(height, width)
        if area > _AREA_FACTOR or area < 1 / _AREA_FACTOR:
            times = f"{area:.0f} times" if area > 1 else f"1/{1 / area:.0f} of"
            one.find("size", f"{height} × {width}: {times} the median area")
        if aspect > _ASPECT_FACTOR * usual_aspect:
            one.find(
                "size",
                f"{height} × {width}: {aspect:.1f} times as long as wide, the median is {usual_aspect:.1f}",
            )


def _find_mixed_colour(examined: Iterable[_Examined]) -> None:
    readable = [one for one in examined if one.layout in _GREY | _COLOUR]
    grey = [one for one in readable if one.layout in _GREY]
    colour = [one for one in readable if one.layout in _COLOUR]
    if not grey or not colour:
        return
    few, text = (grey, "grey among colour") if len(grey) <= len(colour) else (colour, "colour among grey")
    for one in few:
        one.find("colour", f"{text} ({one.layout})")
