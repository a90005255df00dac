"""Where images come from: folders, tables, pairs."""

from offgraph.sources.arrays import ArraySource, array_source
from offgraph.sources.base import Source
from offgraph.sources.folder import is_built
from offgraph.sources.folds import folds
from offgraph.sources.items import Item
from offgraph.sources.opening import open_source
from offgraph.sources.reading import Reading
from offgraph.sources.sample import Sample
from offgraph.sources.split import split
from offgraph.sources.writing import write_annotations

__all__ = [
    "ArraySource",
    "Item",
    "Reading",
    "Sample",
    "Source",
    "array_source",
    "folds",
    "is_built",
    "open_source",
    "split",
    "write_annotations",
]
