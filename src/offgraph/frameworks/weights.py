"""Memory of the weights that a ``.keras`` file describes, computed without creating them."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

from offgraph.core.errors import OffgraphError

__all__ = ["refuse_weights_that_are_not_there"]

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_LONGEST_CONFIG = 64 << 20  # bytes; large networks have some hundred thousand
_SPARE = 64 << 20  # bytes that any model may take
_MOST_GROWTH = 8  # times what the file holds; Keras stores weights as they are


def refuse_weights_that_are_not_there(path: Path) -> None:
    """Refuse a file that describes far more weights than it holds: a layer of 2 billion units is one line of text.

    The layers are built in a scope in which Keras records the shapes of variables without creating them. A file that
    cannot be read that way is left to Keras, whose loading reports why.

    Raises
    ------
    OffgraphError
    """
    try:
        with zipfile.ZipFile(path) as archive:
            held = sum(entry.file_size for entry in archive.infolist() if entry.filename.endswith(_WEIGHTS))
            with archive.open(_CONFIG) as member:
                config = json.loads(member.read(_LONGEST_CONFIG))
        described = _described(config)
    except Exception:  # Keras raises what its parts raise
        return
    if described > _SPARE + _MOST_GROWTH * held:
        raise OffgraphError(
            f"{path}: describes a model with {described / 1e9:.3g} GB of weights and holds {held / 1e9:.3g} GB; not a model "
            "that Keras saved"
        )


def _described(config: Any) -> int:
    """Bytes of the weights that a configuration describes."""
    import keras
    from keras.src.backend.common import global_state
    from keras.src.utils.dtype_utils import dtype_size

    config.pop("compile_config", None)
    waiting = "uninitialized_variables"  # what Keras makes when another such scope ends: these are none of it
    before = list(global_state.get_global_attribute(waiting) or [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            model: Any = keras.saving.deserialize_keras_object(config, safe_mode=True)
            return sum(math.prod(v.shape) * max(dtype_size(v.dtype), 8) // 8 for v in model.variables)
    finally:
        global_state.set_global_attribute(waiting, before)
