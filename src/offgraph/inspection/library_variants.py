"""A recipe and a source as another library would have them: its resize in the recipe, its decoder on the files."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from offgraph.core.errors import DecodeError
from offgraph.engine.library_resize import LIBRARIES, Library
from offgraph.frameworks.decoders import LibraryDecoder
from offgraph.recipe.compose import Compose
from offgraph.sources import Sample, Source
from offgraph.steps.base import fields_of
from offgraph.steps.registry import find_step
from offgraph.targets import Image

__all__ = ["DecodedSource", "LibraryRecipe", "decoded_by", "resized_by"]

_NEAREST: dict[str, tuple[str, ...]] = {
    "cubic75": ("cubic",),
    "box": ("area",),
    "area": ("box",),
    "lanczos3": ("lanczos4", "cubic"),
    "lanczos4": ("lanczos3", "cubic"),
    "lanczos5": ("lanczos3", "lanczos4", "cubic"),
}
"""What a kernel is replaced by where a library does not have it."""


class LibraryRecipe(NamedTuple):
    """A recipe with another library's resize.

    Parameters
    ----------
    recipe : Compose or None
        None where nothing in it resizes as `Resize` does.
    notes : tuple of str
        What could not be replaced, or was by something else.
    """

    recipe: Compose | None
    notes: tuple[str, ...]


def resized_by(recipe: Compose, like: Library, *, largest: float | None = None) -> LibraryRecipe:
    """Return a recipe whose every `Resize` is that of a library, with the library's own antialiasing.

    Parameters
    ----------
    recipe : Compose
        Its prepare layer alone.
    like : str
    largest : float, optional
        The largest value of the images, which later steps infer from whole numbers: 'tf' gives them floats.

    Examples
    --------
    >>> import offgraph as og
    >>> resized_by(og.Compose([og.Resize((8, 8))]), "opencv").recipe
    Compose([Resize(size=(8, 8), like='opencv')])
    """
    data = recipe.to_dict()
    kernels, notes, count, floats = LIBRARIES[like].kernels, [], 0, False
    for number, entry in enumerate(data["steps"], 1):
        ((name, values),) = entry.items()
        step = find_step(name)
        if name == "Resize":
            kernel = values["kernel"]
            chosen = next(one for one in (kernel, *_NEAREST.get(kernel, ()), "triangle") if one in kernels)
            if chosen != kernel:
                notes.append(
                    f"step {number}: {LIBRARIES[like].title} has no kernel {kernel!r}, {chosen!r} stands for it"
                )
            values |= {"like": like, "kernel": chosen, "antialias": None}
            if like == "torch" and chosen == "lanczos3":
                values["antialias"] = True
            count, floats = count + 1, floats or (like == "tf" and chosen != "nearest")
        elif step is not None and {"kernel", "antialias"} <= fields_of(step).keys():
            notes.append(f"step {number}, {name}, resizes as ever: only Resize has like=")
        elif floats and largest is not None and values.get("range", 0) is None:
            values["range"] = largest
    made = Compose.from_dict(data, source=f"the recipe with the resize of {like}") if count else None
    return LibraryRecipe(made, tuple(notes))


@dataclass(frozen=True, eq=False, repr=False)
class DecodedSource(Source):
    """A source whose images another library decodes; masks and labels are read as ever.

    Parameters
    ----------
    decoder : LibraryDecoder or None
        None as long as there is none: a dataclass's further fields have defaults.
    """

    decoder: LibraryDecoder | None = None

    def read(self, index: int) -> Sample:
        """Read one item, with the pixels that the library gives."""
        sample = super().read(index)
        assert self.decoder is not None, "made by `decoded_by`"
        array = self.decoder.read(sample.item.path, grey=self.reading.color == "grey")
        image = Image(array, "YX" if array.ndim == 2 else "YXC")
        if image.spec.size != sample.image.spec.size and len(sample.targets) > 1:
            raise DecodeError(
                f"{sample.item.path}: {self.decoder.call} gives {image.spec.size}, not upright {sample.image.spec.size}: its "
                "mask does not fit"
            )
        return Sample(sample.targets.replaced(image=image), sample.label, sample.decoded, sample.item)


def decoded_by(source: Source, decoder: LibraryDecoder) -> DecodedSource:
    """Return a source whose files a library decodes."""
    given: dict[str, Any] = {one.name: getattr(source, one.name) for one in fields(source) if one.init}
    return DecodedSource(**given, decoder=decoder)
