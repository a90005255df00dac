"""``python -m tests.migration.measure``: how far our steps and those of other libraries are apart, into `measured.json`.

Needs Albumentations 2 (not installed by the tests): each case of `albumentations_cases` runs through the live library and
through what `from_albumentations` makes of it, on the photograph of the docs.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tests.migration.albumentations_cases import CASES, GREY

import offgraph as og
from offgraph.migration import report

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


def distances(name: str, arguments: dict[str, Any], image: np.ndarray) -> tuple[float, float]:
    """Largest and mean distance; a step of another size is as far away as can be."""
    theirs, ours, _ = both(name, arguments, image)
    if theirs.shape != ours.shape:
        theirs = theirs.reshape(ours.shape) if theirs.size == ours.size else np.full(ours.shape, 1e9)
    apart = np.abs(theirs.astype(np.float64) - ours.astype(np.float64))
    return float(apart.max()), float(apart.mean())


def measured() -> Iterator[tuple[str, float, float]]:
    image = photo()
    for name, arguments in CASES:
        largest, mean = distances(name, arguments, image[..., 1] if (name, arguments) in GREY else image)
        print(f"{name:28} {largest:10.4g} {mean:10.4g}  {arguments}")
        yield name, largest, mean


def main() -> None:
    import albumentations  # pyright: ignore[reportMissingImports]

    found: dict[str, list[Any]] = {}
    for name, largest, mean in measured():
        before = found.get(name, [0.0, 0.0])
        if name not in ("Normalize", "ToFloat"):  # floats, and not grey levels
            found[name] = [
                max(before[0], round(largest, 3)), max(before[1], float(f"{mean:.3g}")),
                f"Albumentations {albumentations.__version__}",
            ]  # fmt: skip
    known = json.loads(RESULT.read_text())
    known["albumentations"] = {name: found[name] for name in sorted(found)}
    RESULT.write_text(
        json.dumps(known, indent=1).replace("[\n   ", "[").replace(",\n   ", ", ").replace("\n  ]", "]")
        + "\n"
    )


if __name__ == "__main__":
    main()
