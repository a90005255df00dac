"""What a name of a script may hold, as far as its lines say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

__all__ = ["UNKNOWN", "Kind", "Value", "expected_of", "joined", "literal", "of_sequence"]

Kind = Literal[
    "",
    "image",
    "mask",
    "path",
    "sequence",
    "name",
    "function",
    "datagen",
    "flow",
    "dataset",
    "model",
    "pil",
    "length",
]


@dataclass(frozen=True)
class Value:
    """What is known of a value; each field's default means that nothing is.

    Parameters
    ----------
    kind : str
        What it is: an array that is an image or a mask (``pil``: an image of Pillow's), a path, a generator's settings
        (``datagen``) and what flows from it, or a name of a module, class or function.
    colour : bool, optional
        Whether an image has a channel axis.
    dtype : str
        Such as ``"uint8"``; ``"float"`` for all floats.
    scaled : bool, optional
        Whether values go from 0 to 1 (or -1 to 1) instead of 0 to 255.
    beyond : str
        What may have moved values out of their range since they were last clipped.
    batch : bool
        Whether the first axis counts images.
    constant : object
        The value of a number or a text that the script spells out; None where it does not.
    unit : str
        ``"radians"`` of an angle; ``"height"`` or ``"width"`` of a length.
    span : tuple of float, optional
        The lowest and the highest number that may be drawn, of a random number between ends that the script spells out.
    name : str
        Of a module, class or function, with its full path; of a local function, its number.
    items : tuple of Value, optional
        Of a tuple or list that the script spells out.
    element : Value, optional
        What each item of a sequence is.
    facts : frozenset of str
        What was done to it, such as ``"blurred"`` or ``"bgr"``.
    """

    kind: Kind = ""
    colour: bool | None = None
    dtype: str = ""
    scaled: bool | None = None
    beyond: str = ""
    batch: bool = False
    constant: Any = None
    unit: str = ""
    span: tuple[float, float] | None = None
    name: str = ""
    items: tuple[Value, ...] | None = None
    element: Value | None = None
    facts: frozenset[str] = field(default_factory=frozenset)

    def but(self, **changes: Any) -> Value:
        """Return the value with other fields."""
        return replace(self, **changes)

    def with_facts(self, *facts: str) -> Value:
        """Return the value with facts added."""
        return replace(self, facts=self.facts | set(facts))

    @property
    def is_array(self) -> bool:
        """Whether it is an image or a mask, as an array or as Pillow's image."""
        return self.kind in ("image", "mask", "pil")

    @property
    def is_mask(self) -> bool:
        """Whether it holds labels."""
        return self.kind == "mask" or "mask" in self.facts

    @property
    def number(self) -> float | None:
        """The number that the script spells out."""
        is_number = isinstance(self.constant, int | float) and not isinstance(self.constant, bool)
        return self.constant if is_number else None


UNKNOWN = Value()


def literal(value: Any) -> Value:
    """Return the value of a constant."""
    if isinstance(value, str):
        return Value("path" if _is_path(value) else "", constant=value)
    return Value(constant=value)


def _is_path(text: str) -> bool:
    return bool(re.search(r"\.(jpe?g|png|tiff?|bmp|npy)$|[/\\]", text, re.IGNORECASE))


def of_sequence(value: Value) -> Value:
    """Return what an item of a value is: of a batch an image, of a list its element."""
    if value.element is not None:
        return value.element
    if value.items:
        first = value.items[0]
        for item in value.items[1:]:
            first = joined(first, item)
        return first
    return value.but(batch=False) if value.is_array and value.batch else UNKNOWN


def joined(one: Value, other: Value) -> Value:
    """Return what is known whichever of two values it is."""
    if one == other:
        return one
    if one == UNKNOWN or other == UNKNOWN:
        known = other if one == UNKNOWN else one
        return known if known.is_array else UNKNOWN
    if one.name != other.name:
        return UNKNOWN
    changes: dict[str, Any] = {}
    for each in fields(Value):
        mine, others = getattr(one, each.name), getattr(other, each.name)
        if mine != others:
            changes[each.name] = (mine & others) if each.name == "facts" else each.default
    changes.pop("facts", None)
    return replace(one, **changes, facts=one.facts & other.facts)


_MASKS = {
    "mask",
    "masks",
    "segmentation",
    "seg",
    "segmap",
    "annotation",
    "annotations",
    "trimap",
    "labelmap",
    "gt",
    "groundtruth",
}
_IMAGES = {
    "img",
    "imgs",
    "im",
    "image",
    "images",
    "photo",
    "photos",
    "picture",
    "pictures",
    "noisy",
    "rgb",
    "frame",
    "frames",
}


def expected_of(name: str) -> Literal["", "image", "mask"]:
    """Return what a name says that it holds: ``val_masks`` masks, ``trainImage`` an image."""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    if _MASKS.intersection(words) or "label map" in " ".join(words):
        return "mask"
    return "image" if _IMAGES.intersection(words) else ""
