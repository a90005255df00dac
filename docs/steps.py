"""Write the reference page of every step from its declaration."""

from __future__ import annotations

import inspect
from pathlib import Path

from offgraph.recipe.files import STEPS
from offgraph.steps.description import signature

KINDS = {
    "geometric": "Geometric: one coordinate map moves every target, and leads back to the original grid",
    "filter": "Filter: mixes neighbours on the spatial axes; masks stay as they are",
    "pointwise": "Pointwise: changes each value by itself; masks stay as they are",
    "color": "Colour: changes the channels of each pixel together; masks stay as they are",
    "statistics": "Statistics: changes each value by what all values of the image are; masks stay as they are",
    "noise": "Noise: what sensors, files and gaps do to an image; masks stay as they are",
    "structure": "Structure: applies other steps, some of them or all, or a function",
    "result": "Result: refines what a model outputs",
}


def write(page: Path) -> None:
    """Write one section per kind and one entry per step: signature and docstring."""
    lines = [
        "# Steps",
        "",
        "Every step a recipe can hold. In a recipe file: `- Rotate: {angle: [-15, 15]}`.",
        "",
    ]
    for kind, heading in KINDS.items():
        lines += [f"## {heading}", ""]
        for name, step in sorted(STEPS.items()):
            if step.kind == kind:
                lines += [f"### {name}", "", "```python", signature(step), "```", ""]
                lines += ["```text", inspect.getdoc(step) or "", "```", ""]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(lines))
