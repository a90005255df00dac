"""The offline job: a folder of files, through a recipe, to a dataset on the disk."""

from offgraph.dataset.build import build
from offgraph.dataset.built import BuiltDataset
from offgraph.dataset.report import BuildReport

__all__ = ["BuildReport", "BuiltDataset", "build"]
