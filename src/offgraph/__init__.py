"""SciPy's image transforms for CNNs, beside the graph: from a folder of files to a batch, and back to the picture.

Names are imported when they are first used, so that ``import offgraph`` loads no framework and starts at once.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_NAMES = {
    "offgraph.compose": ("Augment", "Compose", "Result"),
    "offgraph.dataset": ("BuildReport", "build"),
    "offgraph.decode": ("Picture", "imread"),
    "offgraph.encode": ("imwrite", "show"),
    "offgraph.doctor": ("doctor",),
    "offgraph.errors": (
        "BuildError",
        "DecodeError",
        "OffgraphError",
        "OffgraphWarning",
        "RecipeError",
        "RecipeMismatch",
        "SourceError",
        "StepError",
    ),
    "offgraph.frame": ("AffineMap", "Frame", "orientation_map"),
    "offgraph.loader": ("Batch", "Loader"),
    "offgraph.compare": ("compare",),
    "offgraph.predict": ("Prediction", "Predictions", "predict"),
    "offgraph.preview": ("preview",),
    "offgraph.random": ("Draw", "Key"),
    "offgraph.postprocess": ("FillHoles", "KeepLargest", "Label", "RemoveSmall", "Threshold"),
    "offgraph.recipe": ("STEPS", "explain_mismatch"),
    "offgraph.report": ("Figure", "Report"),
    "offgraph.results": ("save_predictions",),
    "offgraph.sources": ("Item", "Sample", "Source", "open_source", "split"),
    "offgraph.spec": ("ArraySpec",),
    "offgraph.targets": ("Image", "Mask"),
    "offgraph.tensors.keras": ("load", "save"),
    "offgraph.threads": ("num_threads", "set_num_threads"),
    "offgraph.transforms": (
        "Affine",
        "CenterCrop",
        "Flip",
        "Gamma",
        "GaussianFilter",
        "MedianFilter",
        "Normalize",
        "Pad",
        "RandomCrop",
        "Rescale",
        "Resize",
        "Rotate",
        "Zoom",
    ),
}
"""Where each public name lives. A test holds that all of them are there."""

_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = ["__version__", "ndimage", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name == "ndimage":
        return importlib.import_module("offgraph.ndimage")
    if name not in _HOME:
        raise AttributeError(f"module 'offgraph' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Keeps ``offgraph.predict`` the function: importing a module of that name would put the module in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in _HOME):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


if TYPE_CHECKING:
    from offgraph.transforms import MedianFilter as MedianFilter
