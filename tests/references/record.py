"""The figures of all comparisons in `docs/references.json`, from which the docs' table comes."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from tests.references.declared import LIBRARIES, ROWS, Reference, version_of

__all__ = ["MODULES", "PATH", "declared", "row", "write"]

PATH = Path(__file__).parents[2] / "docs" / "references.json"
MODULES = ("scipys", "scikit_image", "pillow", "opencv", "albumentations", "keras_layers", "torchvision")


def declared() -> list[Reference]:
    """Return all comparisons, in the order of the libraries."""
    for name in MODULES:
        importlib.import_module(f"tests.references.{name}")
    order = list(LIBRARIES)
    return sorted(ROWS, key=lambda one: order.index(one.library))


def _shortened(text: str) -> str:
    """Without most of a long list of numbers."""
    return text if len(text) <= 100 else f"{text[:80]} …)"


def said(one: Reference) -> dict[str, Any]:
    """What is declared of a comparison."""
    return {
        "library": one.library,
        "step": _shortened(", ".join(map(repr, one.steps))),
        "steps": [step.name for step in one.steps],
        "call": one.call,
        "images": list(one.images),
        "bound": one.bound,
        "inside": one.inside,
        "why": one.why,
    }


def row(one: Reference) -> dict[str, Any]:
    """Measure a comparison whose library is installed."""
    found = one.measure()
    figures = {
        "equal": found.equal,
        "largest": float(f"{found.largest:.2g}"),
        "mean": float(f"{found.mean:.2g}"),
    }
    return {**said(one), "version": version_of(one.library), **figures}


def write(path: Path = PATH) -> None:
    """Measure what can be measured here, and keep the other figures as they were.

    Raises
    ------
    SystemExit
        Where a comparison without figures cannot be made here.
    """
    known = (
        {
            (each["library"], each["step"], each["call"], *each["images"]): each
            for each in json.loads(path.read_text())
        }
        if path.exists()
        else {}
    )
    rows = []
    for one in declared():
        if one.is_installed():
            rows.append(row(one))
            continue
        facts = said(one)
        kept = known.get((facts["library"], facts["step"], facts["call"], *facts["images"]))
        if kept is None:
            raise SystemExit(
                f"{one.library} is not installed, and there are no figures of {one.name} and {one.call}"
            )
        rows.append({**kept, **facts})
    path.write_text("[\n" + ",\n".join(json.dumps(each, ensure_ascii=False) for each in rows) + "\n]\n")
