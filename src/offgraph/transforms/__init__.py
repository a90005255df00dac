"""Steps on images, one file each, in a folder per kind."""

from offgraph.transforms import filters, geometric, pointwise
from offgraph.transforms.filters import *  # noqa: F403  each folder lists its steps
from offgraph.transforms.geometric import *  # noqa: F403
from offgraph.transforms.pointwise import *  # noqa: F403

__all__ = [*filters.__all__, *geometric.__all__, *pointwise.__all__]  # pyright: ignore[reportUnsupportedDunderAll]
