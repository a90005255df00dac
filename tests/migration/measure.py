"""``python -m tests.migration.measure``: how far our steps and those of other libraries are apart, into `measured.json`.

Each case of `albumentations_cases` and `keras_cases` runs through the live library and through what we make of it, on the
photograph of the docs. Albumentations 2 is not installed by the tests; what is not there is left as it was measured.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from tests.migration.albumentations_cases import CASES, GREY
from tests.migration.keras_cases import CASES as KERAS

import offgraph as og
from offgraph.migration import report
from offgraph.migration.albumentations import TABLE as ALBUMENTATIONS
from offgraph.migration.keras_layers import TABLE as KERAS_LAYERS
from offgraph.migration.tables import Table

ROOT = Path(__file__).parents[2]
RESULT = Path(report.__file__).with_name("measured.json")


def photo() -> np.ndarray:
    return og.imread(ROOT / "docs" / "images" / "cat.jpg")


def both(name: str, arguments: dict[str, Any], image: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any]:
    """Their image, ours, and our report."""
    import albumentations as A  # pyright: ignore[reportMissingImports]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        live = A.Compose([getattr(A, name)(**arguments, p=1)])
        recipe, told = og.from_albumentations(live)
        theirs = live(image=np.ascontiguousarray(image))["image"]
        ours = recipe(image=image, key=og.Key(seed=1)).image
    return np.asarray(theirs), np.asarray(ours), told


def both_of_keras(
    name: str, arguments: dict[str, Any], image: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Any]:
    """Their image, ours of uint8, and our report."""
    import keras

    layer = getattr(keras.layers, name)(**arguments)
    recipe, told = og.from_keras(layer)
    theirs = np.asarray(layer(image[np.newaxis].astype(np.float32), training=True))[0]
    ours = recipe(image=image, key=og.Key(seed=1)).image
    return theirs if ours.dtype.kind == "f" else np.clip(theirs, 0, 255), ours, told


def distances(theirs: np.ndarray, ours: np.ndarray) -> tuple[float, float]:
    """Largest and mean distance; a step of another size is as far away as can be."""
    if theirs.shape != ours.shape:
        theirs = theirs.reshape(ours.shape) if theirs.size == ours.size else np.full(ours.shape, 1e9)
    apart = np.abs(theirs.astype(np.float64) - ours.astype(np.float64))
    return float(apart.max()), float(apart.mean())


def measured(cases: list[Any], run: Any, table: Table, library: str) -> dict[str, list[Any]]:
    """The largest and the mean distance of all cases of a step, and the library; cases that are said to be worse are left out."""
    image = photo()
    found: dict[str, list[Any]] = {}
    for name, arguments in cases:
        if (name, arguments) in GREY:  # their rows are of colours
            continue
        theirs, ours, told = run(name, arguments, image)
        largest, mean = distances(theirs, ours)
        print(f"{name:28} {largest:10.4g} {mean:10.4g}  {arguments}")
        if (
            ours.dtype.kind != "f" and told.steps[0].verdict == table[name].verdict
        ):  # floats are no grey levels, a grey image no photograph
            before = found.get(name, [0.0, 0.0])
            found[name] = [max(before[0], round(largest, 3)), max(before[1], float(f"{mean:.3g}")), library]
    return {name: found[name] for name in sorted(found)}


def main() -> None:
    known = json.loads(RESULT.read_text())
    for table, package, cases, run in (
        (ALBUMENTATIONS, "albumentations", CASES, both),
        (KERAS_LAYERS, "keras", KERAS, both_of_keras),
    ):
        if importlib.util.find_spec(package) is not None:
            version = importlib.import_module(package).__version__
            known[table.origin] = measured(cases, run, table, f"{package.capitalize()} {version}")
    text = json.dumps(known, indent=1)
    RESULT.write_text(
        re.sub(r"\[\s+([^\]]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"
    )


if __name__ == "__main__":
    main()
