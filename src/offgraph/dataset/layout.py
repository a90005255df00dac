"""Whether all images of a dataset have one shape, decided before the first is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from offgraph.core.axes import name_axes
from offgraph.core.choices import Store
from offgraph.core.errors import BuildError, StepError
from offgraph.core.specs import ArraySpec
from offgraph.pipeline.checks import check_alike, fit_mask
from offgraph.pipeline.depth import to_depth
from offgraph.pipeline.failures import BAD_FILE
from offgraph.pipeline.probe import Reference, look_at_source
from offgraph.recipe.compose import Compose
from offgraph.sources import Source
from offgraph.targets import Image, Mask

__all__ = ["Layout", "layout_of"]

_OTHER_FORMAT = "build in a format that stores each mask with its own, such as 'webdataset'"


@dataclass(frozen=True)
class Layout:
    """The one shape, dtype and axes that all images of a dataset get, and their masks.

    Parameters
    ----------
    like : str
        Name of the image that they were seen on.
    source : ArraySpec
        As it is read.
    image : ArraySpec
        As it is stored.
    mask : ArraySpec or None
    """

    like: str
    source: ArraySpec
    image: ArraySpec
    mask: ArraySpec | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; `from_json` reads it."""
        specs = {"source": self.source, "image": self.image, "mask": self.mask}
        return {"like": self.like, **{name: spec and _described(spec) for name, spec in specs.items()}}

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Layout:
        """Read what `to_json` gave."""
        specs = {name: entry[name] and _spec(entry[name]) for name in ("source", "image", "mask")}
        return cls(entry["like"], **specs)

    def admit(self, image: Image, *, scale: bool) -> tuple[Image, str | None]:
        """Bring an image as it is read to the depth of the others; see `offgraph.pipeline.depth.to_depth`."""
        return to_depth(image, self.source, self.like, scale=scale)

    def fit_image(self, image: ArraySpec, recipe: Compose) -> None:
        """Check the spec of an image as it is stored.

        Raises
        ------
        StepError
            Where it is another one; names the image that the shape was seen on.
        """
        check_alike(image, self.like, self.image, recipe, kind="image")

    def fit(self, image: Image, mask: Mask | None, recipe: Compose) -> Mask | None:
        """Check an image as it is stored, and bring its mask to the dtype of the others.

        Raises
        ------
        StepError
            Where they do not fit; names the image that the shape was seen on.
        """
        self.fit_image(image.spec, recipe)
        if mask is None or self.mask is None:
            return mask
        mask = fit_mask(mask, self.mask.dtype, self.like, _OTHER_FORMAT)
        check_alike(mask.spec, self.like, self.mask, recipe, kind="mask")
        return mask


def layout_of(source: Source, recipe: Compose, store: Store, threads: int = 1) -> Layout | None:
    """Return what all images of a source are stored as, or None where they may differ.

    They have one shape where the recipe gives one whatever the size of the files, as by `Resize` or a crop. Depth and
    channels are those of most of the images that are looked at, up to seven.

    Raises
    ------
    BuildError
        Where the recipe takes none of the images that can be read.
    """
    probes, _ = look_at_source(source, recipe, threads)
    if not probes:
        _refuse_recipe(source, recipe)
        return None
    known = Reference.of(probes)
    end = recipe.stored(known.stored) if store == "integers" else len(recipe.steps)
    any_size = known.stored.resized((None,) * len(known.stored.spatial))  # type: ignore[arg-type]  # of an OpenSpec
    stored = recipe.output_spec(any_size, stop=end)
    if not isinstance(stored, ArraySpec):
        return None
    mask = None if known.mask is None else known.mask.resized(stored.size)
    return Layout(known.name, known.stored, stored, mask if isinstance(mask, ArraySpec) else None)


def _refuse_recipe(source: Source, recipe: Compose) -> None:
    """Raise the error of the recipe, where it takes none of the images; return where none can be read."""
    typical = source.of_typical()
    for number in range(len(typical)):
        try:
            read = typical.read(number)
        except BAD_FILE:
            continue
        try:
            recipe.output_spec(read.image.spec)
        except StepError as error:
            raise BuildError(
                f"{read.item.name}: {error}. The recipe takes none of the {len(source):,} images of {source.where}"
            ) from error


def _described(spec: ArraySpec) -> dict[str, Any]:
    return {"shape": list(spec.shape), "dtype": spec.dtype, "axes": spec.axes}


def _spec(entry: dict[str, Any]) -> ArraySpec:
    shape = tuple(entry["shape"])
    return ArraySpec(shape, entry["dtype"], name_axes(shape, entry["axes"]))
