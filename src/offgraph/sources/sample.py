"""What reading an item of a source gives: the item with its pixels."""

from __future__ import annotations

from dataclasses import dataclass

from offgraph.core.counting import count_of
from offgraph.formats.decoding import DecodedImage
from offgraph.sources.items import Item, Label
from offgraph.targets import Boxes, Image, Mask, Points, Targets

__all__ = ["Sample"]


@dataclass(frozen=True, eq=False)
class Sample:
    """What `Source.read` gives: an item with its pixels.

    Parameters
    ----------
    targets : Targets
        ``image``, upright, with named axes; and on the same grid, where the source has them, ``mask``, ``boxes`` and
        ``points``.
    label : int, tuple of int, tuple of float, or None
        As in `Item`.
    decoded : DecodedImage
        What the file declares: orientation, stored size, format, notes.
    item : Item
        Where it came from.
    """

    targets: Targets
    label: Label | None
    decoded: DecodedImage
    item: Item

    @property
    def picture(self) -> DecodedImage:
        """Former name of `decoded`."""
        return self.decoded

    @property
    def image(self) -> Image:
        """The image."""
        return self.targets.image

    @property
    def mask(self) -> Mask | None:
        """Its label mask."""
        return self.targets.mask

    @property
    def boxes(self) -> Boxes | None:
        """The boxes around its objects, with class numbers as labels."""
        return self.targets.of(Boxes).get("boxes")

    @property
    def points(self) -> Points | None:
        """The keypoints of its objects, in the order of the boxes."""
        return self.targets.of(Points).get("points")

    def __repr__(self) -> str:
        image = f"{self.image.array.dtype} {self.image.array.shape} {self.image.axes}"
        mask = "none" if self.mask is None else f"{self.mask.array.dtype} {self.mask.array.shape}"
        boxes = "" if self.boxes is None else f", {count_of(len(self.boxes), 'box', 'boxes')}"
        return f"<Sample {self.item.name}: image {image}, label {self.label}, mask {mask}{boxes}>"
