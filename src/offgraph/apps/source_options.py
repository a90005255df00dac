"""Options for opening a source, and messages about its arguments written as options."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from offgraph.apps.shared_options import Option, adding
from offgraph.core.choices import Alpha, BadBoxes, Color, LabelSource, MissingMask, ObjectMasks, Task

__all__ = ["AxesOption", "PageOption", "as_options", "opens_source", "opens_source_of_model"]


def _list(option: str, text: str | None) -> list[str] | None:
    """Parse a comma-separated list, or the lines of a file."""
    if text is None:
        return None
    path = Path(text)
    if "," not in text and path.suffix == ".txt" and not path.exists():
        raise typer.BadParameter(f"{text}: no such file", param_hint=option)
    try:
        lines = path.read_text("utf-8-sig").splitlines() if path.is_file() else text.split(",")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(
            f"{text}: {getattr(error, 'strerror', None) or error}", param_hint=option
        ) from error
    return [line.strip() for line in lines if line.strip()]


def _values(text: str | None) -> dict[int | str, int] | None:
    """Parse a mapping to whole numbers: ``255=1,128=2``, or ``#800000=1``."""
    if text is None:
        return None
    pairs = [
        re.fullmatch(r"\s*(\d{1,10}|#[0-9a-fA-F]{6})\s*=\s*(\d{1,10})\s*", part) for part in text.split(",")
    ]
    if not all(pairs):
        raise typer.BadParameter(
            f"{text!r}: write 255=1, or 128=1,255=2, or colours: '#800000=1,#008000=2'",
            param_hint="--mask-values",
        )
    return {pair[1] if pair[1].startswith("#") else int(pair[1]): int(pair[2]) for pair in pairs if pair}


def _columns(text: str | None) -> dict[str, str] | None:
    """Parse names of columns: ``path=image_id,label=diagnosis``."""
    if text is None:
        return None
    pairs = [part.strip().split("=", 1) for part in text.split(",")]
    if not all(len(pair) == 2 and all(pair) for pair in pairs):
        raise typer.BadParameter(f"{text!r}: write path=image_id,label=diagnosis", param_hint="--columns")
    return {ours.strip(): theirs.strip() for ours, theirs in pairs}


def _masks(path: Path | None) -> Path | str | None:
    return str(path) if str(path) in get_args(ObjectMasks) else path


_LABELS = "Whether the folders are classes; auto asks where it is in doubt; none: no labels."
_TASK = "What the labels are; inferred where it is certain."
_CLASSES = (
    "All classes in the order of their numbers: a,b,c, or a file with one name per line. Others are refused."
)
_TARGETS = "Columns of a table to learn instead of label: x,y."
_MASKS = "A folder of masks with the images' names, or a pattern for other names: 'masks/*_seg.png'; '*_mask.png' beside the images. Of annotations with polygons: instances, or semantic."
_ANNOTATIONS = (
    "Boxes around objects: auto takes what is found and asks where two fit; voc, coco or yolo; a folder of XML or text "
    "files, or a JSON file; none: the images alone."
)
_BAD_BOXES = "A box without area or outside its image: leave out and count, or refuse."
_CROWDS = "Take COCO's regions of many objects (iscrowd) too."
_MISSING = "An image without a mask where others have one: refuse, leave out, or take zeros for its mask."
_VALUES = "What the values in masks mean: 255=1, or 128=1,255=2, or colours: '#800000=1'. Other values but 0 and black are refused."
_COLUMNS = "What the columns of a table are called: 'path=train/{id}.png,label=diagnosis'."
_ROOT = "The folder that the paths of a table are relative to, instead of the table's own."
_TRUE_MASKS = "A folder of true masks with the images' names, to measure predicted ones against."
_COLOR = "How images are read, instead of as the model takes them."
_REPEATS = "Whether a table may name an image in several rows."
_ALPHA = "Transparency: drop the alpha channel, or composite onto white or black."

AxesOption = Annotated[
    str | None, typer.Option(help="Axes of stacks as stored, such as ZYX, where the files do not say.")
]
PageOption = Annotated[int | None, typer.Option(min=0, help="The page of multi-page TIFFs to read, from 0.")]

_OPTIONS = {
    "masks": Option(Annotated[Path | None, typer.Option(help=_MASKS)], None, _masks),
    "annotations": Option(
        Annotated[str, typer.Option(help=_ANNOTATIONS)], "auto", lambda v: None if v == "none" else v
    ),
    "bad_boxes": Option(Annotated[BadBoxes | None, typer.Option(help=_BAD_BOXES)]),
    "crowds": Option(Annotated[bool, typer.Option("--crowds", help=_CROWDS)], False),
    "missing_mask": Option(Annotated[MissingMask, typer.Option(help=_MISSING)], "error"),
    "mask_values": Option(Annotated[str | None, typer.Option(help=_VALUES)], None, _values),
    "labels": Option(
        Annotated[Literal[LabelSource, "none"], typer.Option(help=_LABELS)],
        "auto",
        lambda v: None if v == "none" else v,
    ),
    "task": Option(Annotated[Task | None, typer.Option(help=_TASK)]),
    "class_names": Option(
        Annotated[str | None, typer.Option(help=_CLASSES)], None, lambda v: _list("--class-names", v)
    ),
    "targets": Option(
        Annotated[str | None, typer.Option(help=_TARGETS)], None, lambda v: _list("--targets", v)
    ),
    "columns": Option(Annotated[str | None, typer.Option(help=_COLUMNS)], None, _columns),
    "root": Option(Annotated[Path | None, typer.Option(help=_ROOT)]),
    "repeats": Option(Annotated[bool | None, typer.Option(help=_REPEATS)]),
    "axes": Option(AxesOption),
    "page": Option(PageOption),
    "alpha": Option(Annotated[Alpha, typer.Option(help=_ALPHA)], "drop"),
}

opens_source = adding(_OPTIONS, "reading")
"""Add the options above to a command: its dict `reading` holds the keywords of `offgraph.open_source` that were given."""

_OF_MODEL = {
    "masks": Option(Annotated[Path | None, typer.Option(help=_TRUE_MASKS)]),
    "color": Option(Annotated[Color | None, typer.Option(help=_COLOR)]),
}

opens_source_of_model = adding({**_OPTIONS, **_OF_MODEL}, "reading")
"""The same for images of a saved model: masks are the true ones, which predicted ones are measured against."""

# Arguments of Python functions that are options of a command under the same name, with hyphens.
_ARGUMENTS = (
    *_OPTIONS,
    *(
        "color",
        "copies",
        "group_by",
        "non_finite",
        "outputs",
        "pad_to",
        "store",
        "test",
        "threshold",
        "val",
    ),
)
# name=value as Python writes it, or name= alone, which says: give this argument
_ASSIGNED = re.compile(
    rf"\b({'|'.join(_ARGUMENTS)})="
    r"('[^']*'|\[[^\]]*\]|\{[^}]*\}|None\b|True\b|False\b|-?\d+(?:\.\d+)?|(?=[ ;,]|$))"
)


def _option(found: re.Match[str]) -> str:
    """One argument with its value as an option of the command line."""
    name, text = found[1], found[2]
    option = "--" + name.replace("_", "-")
    if not text:
        return option
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):  # an example, such as targets=[x]
        return found[0]
    if isinstance(value, bool):
        return option if value else option.replace("--", "--no-", 1)
    if value is None:
        return f"{option} none" if name in ("labels", "annotations") else found[0]
    if isinstance(value, dict):
        value = [f"{_value_text(key)}={meaning}" for key, meaning in value.items()]
    given = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    # A pattern, a colour and a name with a space are written in quotes, so that the shell passes them on whole.
    return f"{option} '{given}'" if re.search(r"[\s*#()]", given) or name == "masks" else f"{option} {given}"


def _value_text(value: Any) -> str:
    """A value in a mask, as `_values` reads it."""
    return "#{:02x}{:02x}{:02x}".format(*value) if isinstance(value, tuple) else str(value)


def as_options(message: str) -> str:
    """Write the arguments of `offgraph.open_source` that a message names as options of the command line.

    Examples
    --------
    >>> as_options("write task='regress', or labels=None (--labels none)")
    'write --task regress, or --labels none'
    """
    message = re.sub(
        r"open_source\('([^']*)'(?:, (masks='[^']*'))?\)",
        lambda call: " ".join(filter(None, call.groups())),
        message,
    )
    message = _ASSIGNED.sub(_option, message)
    message = re.sub(r"\bmax_bad(?==)|(?<=raise )max_bad\b", "--max-bad", message)
    message = re.sub(r"(?<=not among )class_names\b", "--class-names", message)
    return re.sub(r"(--[\w-]+(?: \S+)?) \(\1\)", r"\1", message)
