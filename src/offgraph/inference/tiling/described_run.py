"""A run from disk to disk: what it computes, so that no other one goes on with it, and the file that it makes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.arguments import path_of
from offgraph.core.errors import ArgumentError, OffgraphError
from offgraph.formats.regions import RegionReader
from offgraph.inference.model_run import ModelRun
from offgraph.inference.tiling.tile_model import TileModel
from offgraph.recipe.compose import Compose

__all__ = ["described_run", "target_file"]


def target_file(name: str, given: Any, suffixes: tuple[str, ...]) -> Path:
    """A file that does not exist yet, of a kind that can be written part by part."""
    path = path_of(name, given)
    if path.suffix.lower() not in suffixes:
        raise ArgumentError(f"{name}={str(path)!r:.80}: give a file that ends in {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise OffgraphError(f"{path}: cannot be written: there is no folder {path.parent}; make it first")
    if path.exists():
        raise OffgraphError(
            f"{path}: is there already; nothing is overwritten. Give another name, or remove it"
        )
    return path


def described_run(
    models: Sequence[ModelRun], tiled: TileModel, reader: RegionReader, postprocess: Compose
) -> dict[str, Any]:
    """Describe what a run computes, and of what, by all that its result depends on."""
    tiles = tiled.tiles
    return {
        "image": dict(reader.identity),
        "models": [_identity(model) for model in models],
        "recipes": [model.recipe.fingerprint for model in models],
        "tiles": [list(tiled.grid.size), list(tiles.overlap), tiles.tiling.blend, tiles.tiling.batch],
        "variants": [[str(one.to_dict()) for one in model.variants] for model in models],
        "merge": [model.merge for model in models],
        "outputs": [model.reader.logits for model in models],
        "postprocess": postprocess.to_dict(),
    }


def _identity(model: ModelRun) -> str:
    """A model by its weights, where it has some, else by its name."""
    digest = hashlib.sha256(str(model.saved.path.name).encode())
    weights: Any = getattr(model.saved.main, "get_weights", None)
    if model.saved.path.is_file():
        digest.update(str(model.saved.path.stat().st_mtime_ns).encode())
    arrays: Any = weights() if callable(weights) else ()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
