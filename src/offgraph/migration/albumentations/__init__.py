"""Albumentations' steps: one table, entered file by file."""

from offgraph.migration.albumentations import filters, geometric, noise, sizes, structure, values, weather
from offgraph.migration.albumentations.reading import from_albumentations
from offgraph.migration.albumentations.table import TABLE

__all__ = [
    "TABLE",
    "filters",
    "from_albumentations",
    "geometric",
    "noise",
    "sizes",
    "structure",
    "values",
    "weather",
]
