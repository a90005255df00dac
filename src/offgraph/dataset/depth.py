"""The bit depth of most images of a source, 8 or 16: needed where a dataset keeps only the final floats."""

from __future__ import annotations

import threading

from offgraph.pipeline.depth import converted_warning, to_depth
from offgraph.pipeline.probe import Reference, look_at_source
from offgraph.recipe.compose import Compose
from offgraph.sources import Source
from offgraph.targets.image import Image

__all__ = ["SourceDepth"]


class SourceDepth:
    """The bit depth of most images of a source: looked up once, by whichever thread asks first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked = False
        self._known: Reference | None = None
        self._warned = False

    def admit(self, image: Image, source: Source, recipe: Compose) -> tuple[Image, str | None]:
        """Convert an image to the depth of most, or refuse it; see `offgraph.pipeline.depth.to_depth`."""
        with self._lock:
            if not self._looked:
                probes, _ = look_at_source(source, recipe, 1)
                self._known = Reference.of(probes) if probes else None
                self._looked = True
        if self._known is None:  # none can be used, nor can this one: its own error says why
            return image, None
        return to_depth(image, self._known.stored, self._known.name, scale=source.color == "rgb")

    def warn_of(self, name: str, how: str) -> None:
        """Warn, once, that an image was converted."""
        with self._lock:
            first, self._warned = not self._warned, True
        if first:
            converted_warning(name, how, "")
