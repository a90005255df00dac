"""Steps on images, one file each, in a folder per kind."""

from offgraph.transforms import color, filters, geometric, noise, pointwise, statistics, structure
from offgraph.transforms.color import *  # noqa: F403  each folder lists its steps
from offgraph.transforms.filters import *  # noqa: F403
from offgraph.transforms.geometric import *  # noqa: F403
from offgraph.transforms.noise import *  # noqa: F403
from offgraph.transforms.pointwise import *  # noqa: F403
from offgraph.transforms.statistics import *  # noqa: F403
from offgraph.transforms.structure import *  # noqa: F403

__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    *color.__all__,
    *filters.__all__,
    *geometric.__all__,
    *noise.__all__,
    *pointwise.__all__,
    *statistics.__all__,
    *structure.__all__,
]
